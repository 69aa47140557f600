"""Documents become drafts: what is found in them, what is told of them, and what harms nobody."""

import io
import re
import zipfile
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from openpyxl import Workbook
from pypdf import PdfWriter
from sqlalchemy import select
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from hub.cases import service
from hub.cases.importing import documents
from hub.cases.models import Case, ImportedDocument, Revision
from hub.database import db, transaction
from hub.identity import service as identity
from hub.identity.models import Role
from hub.media import stores
from hub.media.models import StoredFile
from tests.cases.written import document_of, png, written
from tests.factories import make_organisation, make_person, make_token, root_organisation
from tests.pages import bearer, csrf_token, sign_in

DOCUMENTS = 20


@pytest.fixture
def token(alpha: Flask) -> dict[str, str]:
    """Return the header of an author, who can sign in as well."""
    with alpha.app_context(), transaction():
        root = root_organisation()
        make_organisation("检修公司党支部", parent=root)
        make_person("reader", Role.READER)
        return bearer(make_token(make_person("author", Role.AUTHOR, organisation=root)))


def form(content: bytes, name: str, **more: Any) -> dict[str, Any]:
    """Return a form with a file; the test client's own leaves a temporary file open."""
    boundary, body = encode_multipart({"file": FileStorage(io.BytesIO(content), name), **more})
    return {"data": body, "content_type": f"multipart/form-data; boundary={boundary}"}


def bring(
    alpha: Flask, token: dict[str, str], content: bytes, name: str = "稿件.docx", query: str = ""
) -> TestResponse:
    address = f"/api/v1/imports{query}"
    return alpha.test_client().post(address, headers=token, **form(content, name))


def content_of(alpha: Flask, case_id: str) -> dict[str, Any]:
    with alpha.app_context():
        revision = db.session.get_one(Revision, (UUID(case_id), 1))
        return {**revision.fields, "title": revision.title, "body": revision.body}


def codes(answer: TestResponse) -> list[str]:
    return [warning["code"] for warning in answer.json["warnings"]]


def nothing_is_kept(alpha: Flask) -> bool:
    with alpha.app_context():
        config = alpha.extensions["hub.settings"]
        left = [*stores.store().names(), *(config.home / "incoming").glob("*")]
        rows = [db.session.scalar(select(table).limit(1)) for table in (Case, StoredFile)]
        return left == [] and rows == [None, None]


def test_headings_tables_and_pictures_of_documents_as_secretaries_type_them_come_right(
    alpha, token
):
    right = wrong = 0
    for number in range(DOCUMENTS):
        made = written(number)
        answer = bring(alpha, token, made.data)
        assert answer.status_code == 201, answer.json
        found = content_of(alpha, answer.json["id"])
        assert found["title"] == made.title
        headings = re.findall(r"^#+ (.+)$", found["body"], re.MULTILINE)
        right += len([each for each in made.headings if each in headings])
        wrong += len(set(made.headings) ^ set(headings))
        for row in made.tables[0]:
            assert f"| {' | '.join(row)} |" in found["body"]
        shown = alpha.test_client().get(f"/api/v1/cases/{answer.json['id']}/files", headers=token)
        names = sorted(file["name"] for file in shown.json)
        assert names == sorted(["稿件.docx", *(f"图{n + 1}.png" for n in range(made.pictures))])
        assert found["body"].count("，见附件）") == made.pictures
    assert right >= 0.95 * (right + wrong), (right, wrong)


def test_a_picture_that_can_not_be_opened_is_told_and_the_rest_is_taken(alpha, token):
    packed, whole = io.BytesIO(), zipfile.ZipFile(io.BytesIO(written(2).data))
    with zipfile.ZipFile(packed, "w") as broken:
        for name in whole.namelist():
            is_first = name.endswith("image1.png")
            broken.writestr(name, png(0)[:40] if is_first else whole.read(name))
    answer = bring(alpha, token, packed.getvalue())
    assert answer.status_code == 201
    assert "lost_picture" in codes(answer)
    shown = alpha.test_client().get(f"/api/v1/cases/{answer.json['id']}/files", headers=token)
    assert [file["name"] for file in shown.json] == ["图2.png", "稿件.docx"]


def test_sections_go_to_the_fields_that_they_are_usually_called_after(alpha, token):
    answer = bring(alpha, token, written(0).data)
    found = content_of(alpha, answer.json["id"])
    sections = {row["heading"]: row["field"] for row in answer.json["sections"] if row["heading"]}
    assert sections == {
        "实施背景": "background",
        "存在问题": "problem",
        "主要做法": "practice",
        "主要成效": "outcomes",
        "经验启示": "insight",
        "适用条件": "preconditions",
    }
    assert found["background"].startswith("公司党委")
    assert found["practice"][1].startswith("（一）画一张图")
    assert found["outcomes"][0] == {
        "metric": "平均整改天数",
        "baseline": "9",
        "value": "0",
        "source": "隐患台账",
    }
    assert found["period"] == "2025-01/2026-02"
    assert found["summary"].startswith("公司党委")
    with alpha.app_context():
        case = db.session.get_one(Case, UUID(answer.json["id"]))
        assert {unit.id: unit.name for unit in service.units_of(author(alpha))}[case.unit_id] == (
            "检修公司党支部"
        )
    assert {"summary_made", "period_made", "unit_made"} <= set(codes(answer))


def author(alpha: Flask) -> Any:
    return identity.actor_of(identity.person_called("author").id)


def test_what_is_wrong_with_a_document_is_told_with_its_place(alpha, token):
    paragraphs = [
        "一张图管住现场的实践",
        "机密★1年",
        "联系人电话13812345678，请勿外传。",
        "大家说“责任落到一处。",
        "身份证号110105194912310021。",
    ]
    answer = bring(alpha, token, document_of(paragraphs))
    told = {(row["code"], row["place"]) for row in answer.json["warnings"]}
    assert {("marked", "2"), ("personal", "3"), ("quotes", "4"), ("personal", "5")} <= told
    assert "13812345678" in content_of(alpha, answer.json["id"])["body"], "told, not taken out"


def test_traditional_characters_are_folded_when_that_is_asked_for_only(alpha, token):
    document = document_of(["責任區的實踐", "隨著(zhe)責(zé)任落到一處，隱患少了。"])
    kept = bring(alpha, token, document)
    assert "隨著責任落到一處" in content_of(alpha, kept.json["id"])["body"]
    assert "glosses" in codes(kept)
    other = document_of(["責任區的實踐二", "責任落到一處，隱患少了。"])
    folded = bring(alpha, token, other, query="?folds=true")
    assert content_of(alpha, folded.json["id"])["body"] == "责任落到一处，隐患少了。"
    assert "script" in codes(folded)


def test_a_text_that_is_too_long_is_cut_where_a_paragraph_ends_and_that_is_told(alpha, token):
    answer = bring(alpha, token, document_of(["一个很长的案例", *["长长的一段话。" * 60] * 20]))
    body = content_of(alpha, answer.json["id"])["body"]
    assert len(body) <= 5_000
    assert body.endswith("长长的一段话。")
    assert "cut" in codes(answer)


def test_the_same_document_again_leads_to_the_same_draft(alpha, token):
    document = written(0).data
    first, again = (bring(alpha, token, document) for _ in range(2))
    assert first.json["id"] == again.json["id"]
    assert first.json["warnings"] == again.json["warnings"]


def test_each_row_of_a_sheet_is_a_draft_and_one_that_can_not_be_taken_harms_no_other(alpha, token):
    book = Workbook()
    for row in (
        ["标题", "类别", "摘要", "做法", "无关的列"],
        ["第一个案例", "数字党建", "一句话", "先画图\n再开会", "x"],
        ["第二个案例", "没有这一类", "一句话", "", ""],
        ["第三个案例", "rules", "", "", ""],
    ):
        book.active.append(row)
    packed = io.BytesIO()
    book.save(packed)
    answer = bring(alpha, token, packed.getvalue(), "案例汇总.xlsx")
    assert answer.status_code == 201, answer.json
    assert len(answer.json["ids"]) == 2
    assert [(row["code"], row["place"]) for row in answer.json["warnings"]] == [("row", "3")]
    found = content_of(alpha, answer.json["ids"][0])
    assert found["practice"] == ["先画图", "再开会"]
    assert found["category"] == "digital_party_building"


def test_plain_texts_become_drafts_too(alpha, token):
    text = "一张图管住现场\n一、实施背景\n班组分散。\n二、主要做法\n画一张图。\n"
    answer = bring(alpha, token, text.encode(), "稿.txt")
    assert content_of(alpha, answer.json["id"])["background"] == "班组分散。"
    answer = bring(alpha, token, f"# 题目\n\n## 背景\n\n- {text}".encode(), "稿.md")
    assert content_of(alpha, answer.json["id"])["title"] == "题目"
    fields = "---\nkind: case\ntitle: 有字段的案例\ncategory: rules\n---\n正文。\n"
    answer = bring(alpha, token, fields.encode(), "案例.md")
    assert content_of(alpha, answer.json["id"])["category"] == "rules"


def packed(parts: dict[str, bytes], base: bytes | None = None) -> bytes:
    """Return a Word document with some of its parts replaced."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(base or document_of(["题目", "正文。"]))) as source:
        kept = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in {**kept, **parts}.items():
            target.writestr(name, data)
    return made.getvalue()


ENTITIES = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">
<w:body><w:p><w:r><w:t>&x;</w:t></w:r></w:p></w:body></w:document>"""


def pages(count: int) -> bytes:
    writer, made = PdfWriter(), io.BytesIO()
    for _ in range(count):
        writer.add_blank_page(100, 100)
    writer.write(made)
    return made.getvalue()


def locked() -> bytes:
    writer, made = PdfWriter(), io.BytesIO()
    writer.add_blank_page(100, 100)
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(made)
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "status", "code"),
    [
        (b"MZ\x90\0", "稿.docx", 415, "document_kind"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "旧稿.doc", 415, "document_kind"),
        (png(1), "图.png", 415, "document_kind"),
        (packed({"word/vbaProject.bin": b"x"}), "宏.docx", 415, "document_kind"),
        (packed({"word/document.xml": ENTITIES}), "实体.docx", 422, "document_broken"),
        (packed({"word/document.xml": b"<broken"}), "坏.docx", 422, "document_broken"),
        (packed({"word/big.xml": b" " * 250_000_000}), "炸弹.docx", 422, "document_too_much"),
        (packed({f"word/{n}.bin": b"" for n in range(6000)}), "多.docx", 422, "document_too_much"),
        (document_of(["长" * 300_000]), "长.docx", 422, "document_too_much"),
        (document_of([" "]), "空.docx", 422, "document_empty"),
        (b"%PDF-1.7\nbroken", "坏.pdf", 422, "document_broken"),
        (pages(1), "白.pdf", 422, "document_empty"),
        (pages(10_000), "万页.pdf", 422, "document_too_much"),
        (locked(), "锁.pdf", 422, "document_encrypted"),
        (b"---\nkind: [\n---\nx", "坏.md", 422, "document_front_matter"),
        (b"---\na: &a [1]\nb: [*a, *a]\n---\nx", "重复.md", 422, "document_front_matter"),
        (b"", "空.txt", 400, "no_file"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_a_document_that_can_not_be_read_is_refused_with_what_to_do_and_nothing_is_kept(
    alpha, token, content, name, status, code
):
    answer = bring(alpha, token, content, name)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert len(answer.json["detail"]) > 15
    assert nothing_is_kept(alpha)


def test_only_so_many_documents_are_opened_at_a_time(alpha, token):
    with alpha.app_context():
        places = documents.of_this_node(documents._places)
        assert all(places.acquire(blocking=False) for _ in range(documents.AT_ONCE))
    refused = bring(alpha, token, written(0).data)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    places.release()
    assert bring(alpha, token, written(0).data).status_code == 201


def test_who_may_not_write_brings_nothing_in(alpha, token):
    with alpha.app_context(), transaction():
        reader = bearer(make_token(identity.person_called("reader")))
        make_person("other", Role.AUTHOR)
    assert bring(alpha, reader, written(0).data).status_code == 403
    assert nothing_is_kept(alpha)
    case_id = bring(alpha, token, written(0).data).json["id"]
    stranger, page = sign_in(alpha, "other"), f"/workbench/{case_id}/import"
    assert stranger.get(page).status_code == 404
    assert post(alpha, "other", "/workbench/import", page).status_code == 404
    assert sign_in(alpha, "reader").get("/workbench/import").status_code == 403


def post(alpha: Flask, username: str, shown: str, address: str, **fields: Any) -> TestResponse:
    browser = sign_in(alpha, username)
    return browser.post(address, data={"csrf_token": csrf_token(browser.get(shown)), **fields})


def test_a_document_is_brought_in_arranged_and_handed_in_without_javascript(alpha, token):
    browser = sign_in(alpha, "author")
    proof = csrf_token(browser.get("/workbench/import"))
    sent = browser.post("/workbench/import", **form(written(0).data, "稿.docx", csrf_token=proof))
    assert sent.status_code == 303
    page = browser.get(sent.location)
    assert "检修公司党支部" in page.text
    case_id = sent.location.split("/")[-2]
    mapping = ["", "problem", "background", "practice", "", "insight", "preconditions"]
    kept = {"title": "改过的标题", "summary": "", "category": "rules", "visibility": "group"}
    version = re.search(r'name="version"[^>]*value="(\d+)"', page.text)[1]
    data = {"csrf_token": csrf_token(page), "version": version, "section": mapping, **kept}
    stale = browser.post(sent.location, data=data | {"version": "0"})
    assert stale.status_code == 409
    done = browser.post(sent.location, data=data | {"submit": "1"})
    assert done.location == f"/workbench/{case_id}"
    found = content_of(alpha, case_id)
    assert found["title"] == "改过的标题"
    assert "outcomes" not in found
    assert "summary" not in found
    assert "主要成效" in found["body"], "it stays in the full text"
    with alpha.app_context():
        case = db.session.get_one(Case, UUID(case_id))
        assert (case.state, case.visibility) == ("secrecy_review", "group")
        assert db.session.get_one(ImportedDocument, UUID(case_id)).sections[1]["field"] == "problem"


def test_what_is_wrong_with_what_was_sent_stands_beside_it(alpha, token):
    browser = sign_in(alpha, "author")
    proof = csrf_token(browser.get("/workbench/import"))
    refused = browser.post("/workbench/import", **form(b"MZ", "a.docx", csrf_token=proof))
    assert refused.status_code == 415
    assert 'id="file-error"' in refused.text
    nothing = post(alpha, "author", "/workbench/import", "/workbench/import", text=" ")
    assert nothing.status_code == 400


def test_a_text_can_be_pasted(alpha, token):
    text = "一张图管住现场\n\n一、实施背景\n班组分散，責任不清。"
    address = "/workbench/import"
    sent = post(alpha, "author", address, address, text=text, folds="y")
    found = content_of(alpha, sent.location.split("/")[-2])
    assert (found["title"], found["background"]) == ("一张图管住现场", "班组分散，责任不清。")


def test_a_place_that_no_field_is_called_by_is_refused(alpha, token):
    case_id = bring(alpha, token, written(0).data).json["id"]
    page = f"/workbench/{case_id}/import"
    refused = post(alpha, "author", page, page, section=["nowhere"], title="题", category="rules")
    assert refused.status_code == 400

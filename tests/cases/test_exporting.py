"""Cases as files: what a reader may see, whole, and nothing else."""

import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from docx import Document as Word
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.cases import content, follower
from hub.cases import service as cases
from hub.cases.errors import ContentError
from hub.cases.exporting.markdown import written
from hub.cases.importing.texts import Text, read_markdown
from hub.cases.models import State
from hub.database import transaction
from hub.identity.models import Role
from tests.factories import (
    case_fields,
    make_actor,
    make_case,
    make_person,
    pilot_fields,
    root_organisation,
)
from tests.pages import sign_in

AWKWARD = ["---", "\n---\n", "是", "yes", "007", "2026-01-01", ": ", "# ", "‘", "\u2028", "\ufeff"]
TEXTS = st.lists(st.sampled_from(AWKWARD) | st.text(max_size=8), min_size=1, max_size=5).map(
    "".join
)


def export(node: Flask, case_id: Any, query: str = "?format=md") -> Any:
    return node.test_client().get(f"/api/v1/cases/{case_id}/export{query}")


def read_back(text: str) -> Iterator[Text]:
    for found in read_markdown(text, "x.md", "0"):
        assert isinstance(found, Text)
        yield found


@pytest.fixture
def shown(alpha: Flask) -> Any:
    with alpha.app_context(), transaction():
        return make_case(State.PUBLISHED, title="错峰“试点” / 一", visibility="public").id


def test_an_export_holds_every_field_and_reads_back_as_the_case(alpha, shown):
    answer = export(alpha, shown)

    assert answer.status_code == 200
    (text,) = read_back(answer.text)
    unit = {"unit": text.values.pop("unit")}
    assert (text.kind, text.values) == ("case", case_fields(title="错峰“试点” / 一"))
    assert unit == {"unit": "Committee"}


def test_an_export_is_a_file_with_a_safe_name_that_no_shared_cache_keeps(alpha, shown):
    headers = export(alpha, shown).headers

    name = quote("错峰“试点” / 一.md", safe="")
    assert headers["Content-Disposition"] == f"attachment; filename*=UTF-8''{name}"
    assert "private" in headers["Cache-Control"]


@pytest.mark.parametrize("query", ["", "?format=exe", "?format=md&more=1"])
def test_an_export_in_no_known_form_is_refused(alpha, shown, query):
    assert export(alpha, shown, query).status_code == 400


def test_a_case_that_one_may_not_read_is_exported_as_little_as_one_that_is_not_there(alpha):
    with alpha.app_context(), transaction():
        hidden = make_case(State.PUBLISHED, visibility="node").id
        draft = make_case(State.SIGNED, visibility="public").id

    answers = [export(alpha, one) for one in (hidden, draft, uuid4())]

    assert {(one.status_code, one.json["code"]) for one in answers} == {(404, "not_found")}


def test_a_withdrawn_case_is_exported_no_more(alpha, shown):
    with alpha.app_context(), transaction():
        cases.withdraw(make_actor(Role.SIGNATORY), shown, reason="Wrong.")

    answer = export(alpha, shown)

    assert answer.status_code == 410
    assert "错峰" not in answer.text


def test_the_page_of_a_case_leads_its_readers_to_the_export_and_nobody_else(alpha):
    with alpha.app_context(), transaction():
        make_person("reader", Role.READER, organisation=root_organisation())
        case_id = make_case(State.PUBLISHED, visibility="node").id
    path, client = f"/cases/{case_id}/export.md", sign_in(alpha, "reader")

    assert f'href="{path}"' in client.get(f"/cases/{case_id}").text
    assert client.get(path).text.startswith("---\nkind: case\n")
    assert alpha.test_client().get(path).status_code == 404
    assert client.get(f"/cases/{case_id}/export.exe").status_code == 404


def test_a_word_document_has_the_paper_of_official_documents_and_the_text_of_the_page(alpha):
    awkward = "=HYPERLINK(1) { PAGE } <w:fldSimple/>"
    with alpha.app_context(), transaction():
        body = "## 起因\n\n一、**先**问\n\n| 甲 | 乙 |\n|--|--|\n| 1 | 2 |"
        case_id = make_case(State.PUBLISHED, visibility="public", problem=awkward, body=body).id
    with alpha.app_context():
        follower.render_missing()

    answer = export(alpha, case_id, "?format=docx")

    assert answer.status_code == 200
    made = Word(io.BytesIO(answer.data))
    paper = made.sections[0]
    assert [round(length.mm) for length in (paper.page_width, paper.top_margin)] == [210, 37]
    assert [round(length.mm) for length in (paper.left_margin, paper.right_margin)] == [28, 26]
    said = [paragraph.text for paragraph in made.paragraphs]
    assert {awkward, "起因", "一、先问", "1. Ask the crews."} <= set(said)
    assert [cell.text for cell in made.tables[-1].rows[1].cells] == ["1", "2"]
    assert not made.element.xpath("//w:fldSimple | //w:instrText | //w:hyperlink")


@settings(max_examples=60, deadline=None)
@given(title=TEXTS, summary=TEXTS, step=TEXTS, cell=TEXTS, body=TEXTS)
def test_no_text_is_changed_by_writing_and_reading_it(title, summary, step, cell, body):
    rows = [{"metric": cell, "baseline": "0", "value": "", "source": cell}]
    wanted = case_fields(title=title, summary=summary, practice=[step], outcomes=rows, body=body)
    try:
        kept = content.clean("case", wanted)
    except ContentError:
        return  # Nobody can keep such a text, so none is exported.
    front = {name: value for name, value in kept.items() if name != "body"}

    (text,) = read_back(written({"kind": "case"} | front, kept.get("body", "")))

    assert content.clean("case", text.values) == kept


def test_a_pilot_lesson_keeps_its_flags_and_tables():
    kept = content.clean("pilot_lesson", pilot_fields())

    (text,) = read_back(written({"kind": "pilot_lesson"} | kept, ""))

    assert content.clean("pilot_lesson", text.values) == kept

"""Files of a case: attached by its author, reviewed with it, and open to whoever may read it."""

import io
import re
from dataclasses import replace
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from hub import clock
from hub.cases import follower, service
from hub.cases.errors import AlteredError
from hub.cases.models import Case, CaseFile, State
from hub.cases.service.files import ShownFile
from hub.config import Settings
from hub.database import db, transaction
from hub.identity import service as identity
from hub.identity.models import Actor, Role
from hub.journal.models import Entry
from hub.media import stores
from hub.media.models import StoredFile
from tests.factories import make_case, make_person, make_token, root_organisation, take_step
from tests.media.bucket import FakeClient
from tests.pages import bearer, csrf_token, sign_in, submit

PDF = b"%PDF-1.7\nplans"
NAME = sha256(PDF).hexdigest()
OTHER = b"%PDF-1.7\nother plans"


@pytest.fixture
def author(alpha: Flask) -> Actor:
    """Return the author of all cases here, who can sign in; and let a reader of another unit."""
    with alpha.app_context(), transaction():
        root = root_organisation()
        make_person("reader", Role.READER)
        make_person("reviewer", Role.SECRECY_REVIEWER, organisation=root)
        person = make_person("author", Role.AUTHOR, organisation=root)
        return identity.actor_of(person.id)


def case_in(alpha: Flask, author: Actor, state: State = State.DRAFT, **changes: Any) -> str:
    with alpha.app_context(), transaction():
        return str(make_case(state, author=author, **changes).id)


def multipart(**fields: Any) -> dict[str, Any]:
    """Return a form with a file in it; the test client's own leaves a temporary file open."""
    boundary, body = encode_multipart(fields)
    return {"data": body, "content_type": f"multipart/form-data; boundary={boundary}"}


def attach(
    client: FlaskClient, case_id: str, content: bytes = PDF, name: str = "方案.pdf"
) -> TestResponse:
    token = csrf_token(client.get(f"/workbench/{case_id}/edit"))
    form = multipart(csrf_token=token, file=FileStorage(io.BytesIO(content), name))
    return client.post(f"/workbench/{case_id}/files", **form)


def fetch(client: FlaskClient, address: str, **asked: Any) -> TestResponse:
    """Return an answer that has been read, so that its file is closed."""
    return client.get(address, buffered=True, **asked)


def publish(alpha: Flask, author: Actor, case_id: str) -> None:
    with alpha.app_context(), transaction():
        for step in list(State)[1 : list(State).index(State.PUBLISHED) + 1]:
            take_step(step, UUID(case_id), author)


def state_of(alpha: Flask, case_id: str) -> tuple[str, int]:
    with alpha.app_context():
        case = db.session.get_one(Case, UUID(case_id))
        return case.state, case.rev


def files_of(alpha: Flask, case_id: str, rev: int = 1) -> list[str]:
    with alpha.app_context():
        statement = select(CaseFile.name).where(
            CaseFile.case_id == UUID(case_id), CaseFile.number == rev
        )
        return sorted(db.session.scalars(statement))


def stored(alpha: Flask) -> list[str]:
    with alpha.app_context():
        return sorted(db.session.scalars(select(StoredFile.sha256)))


@pytest.fixture
def published(alpha: Flask, author: Actor) -> str:
    """Return the id of a case with a file that everybody on this node may read."""
    case_id = case_in(alpha, author)
    attach(sign_in(alpha, "author"), case_id)
    publish(alpha, author, case_id)
    return case_id


def test_a_file_is_attached_without_javascript_and_published_with_its_case(alpha, author):
    browser, case_id = sign_in(alpha, "author"), case_in(alpha, author)
    kept = attach(browser, case_id)
    assert (kept.status_code, kept.location) == (303, f"/workbench/{case_id}/edit#files")
    assert "方案.pdf" in browser.get(f"/workbench/{case_id}/edit").text
    publish(alpha, author, case_id)
    page = sign_in(alpha, "reader").get(f"/cases/{case_id}").text
    assert f"/cases/{case_id}/files/{NAME}" in page
    assert "方案.pdf" in page
    with alpha.app_context():
        payload = db.session.scalars(select(Entry.payload)).one()
        assert (
            f'"attachments":[{{"name":"方案.pdf","sha256":"{NAME}","size":{len(PDF)},'
            f'"type":"application/pdf"}}]'
        ) in str(payload)


def test_a_file_is_handed_over_to_be_saved_and_never_shown(alpha, published):
    answer = fetch(sign_in(alpha, "reader"), f"/cases/{published}/files/{NAME}")
    assert answer.data == PDF
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "%E6%96%B9%E6%A1%88.pdf" in answer.headers["Content-Disposition"]
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers.getlist("Content-Security-Policy")
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_a_part_of_a_file_and_an_unchanged_one_can_be_asked_for(alpha, published):
    browser, address = sign_in(alpha, "reader"), f"/cases/{published}/files/{NAME}"
    part = fetch(browser, address, headers={"Range": "bytes=5-8"})
    assert (part.status_code, part.data) == (206, PDF[5:9])
    assert part.headers["Content-Range"] == f"bytes 5-8/{len(PDF)}"
    etag = part.headers["ETag"]
    assert fetch(browser, address, headers={"If-None-Match": etag}).status_code == 304


def test_whoever_may_not_see_a_case_gets_none_of_its_files(alpha, author, published):
    stranger, reader = alpha.test_client(), sign_in(alpha, "reader")
    at_unit = case_in(alpha, author, visibility="unit")
    attach(sign_in(alpha, "author"), at_unit)
    publish(alpha, author, at_unit)
    unknown = "0" * 64
    for client, case_id, name in (
        (stranger, published, NAME),
        (reader, at_unit, NAME),
        (reader, published, unknown),
        (reader, published, "../../settings.env"),
    ):
        assert client.get(f"/cases/{case_id}/files/{name}").status_code == 404
    other = case_in(alpha, author, State.PUBLISHED)
    assert reader.get(f"/cases/{other}/files/{NAME}").status_code == 404, "of another case"


def test_a_file_of_a_draft_is_open_to_those_who_see_the_draft(alpha, author):
    case_id = case_in(alpha, author)
    attach(sign_in(alpha, "author"), case_id)
    address = f"/workbench/{case_id}/files/{NAME}"
    reviewer = sign_in(alpha, "reviewer")
    assert reviewer.get(address).status_code == 404, "it is not their step yet"
    with alpha.app_context(), transaction():
        service.submit(author, UUID(case_id))
    assert fetch(reviewer, address).data == PDF
    assert address in reviewer.get(f"/workbench/{case_id}").text
    assert sign_in(alpha, "reader").get(address).status_code == 404
    assert alpha.test_client().get(address).status_code == 302


def test_a_file_is_gone_with_its_case(alpha, author, published):
    reader = sign_in(alpha, "reader")
    with alpha.app_context():
        assert follower.tidy_files() == 0
        with transaction():
            keeper = make_person("keeper", Role.SIGNATORY, organisation=root_organisation())
            service.withdraw(identity.actor_of(keeper.id), UUID(published), "Wrong.")
    assert reader.get(f"/cases/{published}/files/{NAME}").status_code == 410
    with alpha.app_context():
        assert follower.tidy_files() == 1
        assert not stores.store().path(NAME).exists()
    assert stored(alpha) == []


def test_changing_files_sends_what_was_handed_in_back_to_secrecy_review(alpha, author):
    case_id, browser = case_in(alpha, author, State.APPROVED), sign_in(alpha, "author")
    attach(browser, case_id)
    assert state_of(alpha, case_id) == ("secrecy_review", 1)
    with alpha.app_context(), transaction():
        take_step(State.UNIT_REVIEW, UUID(case_id), author)
    off = submit(
        browser, f"/workbench/{case_id}/edit", f"/workbench/{case_id}/files/{NAME}/removal"
    )
    assert off.status_code == 303
    assert state_of(alpha, case_id) == ("secrecy_review", 1)
    assert files_of(alpha, case_id) == []


def test_a_published_revision_keeps_its_files_while_the_next_one_changes_them(
    alpha, author, published
):
    browser = sign_in(alpha, "author")
    attach(browser, published, OTHER, "other.pdf")
    assert state_of(alpha, published) == ("draft", 2)
    assert files_of(alpha, published, 2) == ["other.pdf", "方案.pdf"]
    page = f"/workbench/{published}/edit"
    submit(browser, page, f"/workbench/{published}/files/{NAME}/removal")
    assert files_of(alpha, published, 1) == ["方案.pdf"]
    assert files_of(alpha, published, 2) == ["other.pdf"]
    with alpha.app_context():
        assert follower.tidy_files() == 0
    assert fetch(sign_in(alpha, "reader"), f"/cases/{published}/files/{NAME}").data == PDF
    publish(alpha, author, published)
    with alpha.app_context():
        assert follower.tidy_files() == 1, "nothing names the first file any more"
    assert stored(alpha) == [sha256(OTHER).hexdigest()]


def test_editing_the_text_keeps_the_files(alpha, author, published):
    with alpha.app_context(), transaction():
        service.edit(author, UUID(published), {"summary": "Overtime fell by half."})
    assert files_of(alpha, published, 2) == ["方案.pdf"]


def test_a_file_exchanged_behind_the_signature_is_not_published(alpha, author):
    case_id = case_in(alpha, author)
    attach(sign_in(alpha, "author"), case_id)
    with alpha.app_context(), transaction():
        for step in list(State)[1 : list(State).index(State.SIGNED) + 1]:
            take_step(step, UUID(case_id), author)
        db.session.scalars(select(CaseFile)).one().sha256 = "0" * 64
    with alpha.app_context(), pytest.raises(AlteredError), transaction():
        take_step(State.PUBLISHED, UUID(case_id), author)


def test_only_its_author_attaches_and_takes_off(alpha, author):
    case_id = case_in(alpha, author)
    attach(sign_in(alpha, "author"), case_id)
    reviewer = sign_in(alpha, "reviewer")
    token = csrf_token(reviewer.get("/me"))
    for path, more in (
        ("files", {"file": (io.BytesIO(OTHER), "a.pdf")}),
        (f"files/{NAME}/removal", {}),
    ):
        form = {"csrf_token": token, **more}
        refused = reviewer.post(f"/workbench/{case_id}/{path}", data=form)
        assert refused.status_code == 404
    assert stored(alpha) == [NAME], "the bytes were not even read"


@pytest.mark.parametrize(
    ("content", "name", "status", "words"),
    [
        (b"<script>alert(1)</script>", "picture.png", 415, "Only these may be attached"),
        (b"", "empty.pdf", 400, "Choose a file"),
        (b"%PDF-" + b"0" * 1_000_000, "large.pdf", 413, "at most 1 MB"),
    ],
)
def test_what_can_not_be_attached_is_refused_beside_the_field(
    alpha, author, content, name, status, words
):
    alpha.extensions["hub.settings"] = replace(
        alpha.extensions["hub.settings"], attachment_megabytes=1
    )
    case_id = case_in(alpha, author)
    refused = attach(sign_in(alpha, "author"), case_id, content, name)
    assert refused.status_code == status
    assert words in refused.text
    assert stored(alpha) == files_of(alpha, case_id) == []


def test_who_sends_too_large_a_body_is_told_so_and_stays_signed_in(alpha, author):
    refused = submit(sign_in(alpha, "author"), "/workbench/new?kind=case", body="x" * 3_000_000)
    assert refused.status_code == 413
    assert "Nothing was kept." in refused.text
    assert 'href="/workbench"' in refused.text


def test_a_case_has_a_bounded_number_of_files(alpha, author, monkeypatch):
    monkeypatch.setattr("hub.cases.service.files.MOST", 1)
    case_id, browser = case_in(alpha, author), sign_in(alpha, "author")
    attach(browser, case_id)
    assert attach(browser, case_id, OTHER).status_code == 400
    assert files_of(alpha, case_id) == ["方案.pdf"]


def test_strangers_send_no_large_bodies(alpha, author):
    case_id = case_in(alpha, author)
    form = multipart(file=FileStorage(io.BytesIO(b"0" * 3_000_000), "a.pdf"))
    refused = alpha.test_client().post(f"/workbench/{case_id}/files", **form)
    assert refused.status_code == 413


def test_programs_attach_list_fetch_and_take_off(alpha, author):
    case_id = case_in(alpha, author)
    with alpha.app_context(), transaction():
        token = bearer(make_token(identity.person_called("author")))
        reader = bearer(make_token(identity.person_called("reader")))
    client, address = alpha.test_client(), f"/api/v1/cases/{case_id}/files"
    large = b"%PDF-" + b"0" * 3_000_000
    for content in (PDF, large):
        form = multipart(file=FileStorage(io.BytesIO(content), "plan.pdf"))
        sent = client.post(address, headers=token, **form)
        assert (sent.status_code, sent.json) == (201, {"id": case_id, "state": "draft"})
    shown = client.get(f"/api/v1/cases/{case_id}", headers=token).json["attachments"]
    row = {"sha256": NAME, "size": len(PDF), "type": "application/pdf", "name": "plan.pdf"}
    assert row in shown
    assert fetch(client, f"{address}/{NAME}", headers=token).data == PDF
    assert fetch(client, f"{address}/{NAME}", headers=reader).status_code == 404
    off = client.delete(f"{address}/{sha256(large).hexdigest()}", headers=token)
    assert off.status_code == 200
    publish(alpha, author, case_id)
    assert client.get(f"/api/v1/cases/{case_id}", headers=reader).json["attachments"] == [row]
    assert client.get(address, headers=reader).json == [row]
    assert fetch(client, f"{address}/{NAME}", headers=reader).data == PDF


def test_a_program_may_have_a_file_by_its_hash_if_it_may_read_a_case_that_has_it(
    alpha, author, published
):
    at_unit = case_in(alpha, author, visibility="unit")
    attach(sign_in(alpha, "author"), at_unit, OTHER)
    publish(alpha, author, at_unit)
    with alpha.app_context(), transaction():
        reader = bearer(make_token(identity.person_called("reader")))
        inside = bearer(make_token(identity.person_called("author")))
    client, hidden = alpha.test_client(), sha256(OTHER).hexdigest()
    assert fetch(client, f"/api/v1/files/{NAME}", headers=reader).data == PDF
    assert fetch(client, f"/api/v1/files/{hidden}", headers=inside).data == OTHER
    for name in (hidden, "0" * 64, "x"):
        assert client.get(f"/api/v1/files/{name}", headers=reader).status_code == 404
    assert client.get(f"/api/v1/files/{NAME}").status_code == 401


def photo(number: int = 0) -> bytes:
    """Return a picture that says who took it."""
    told, packed = Image.Exif(), io.BytesIO()
    told[0x010F] = "Telephone of Li"
    Image.new("RGB", (30 + number, 20)).save(packed, "JPEG", exif=told)
    return packed.getvalue()


def test_a_case_shows_its_pictures_to_those_who_may_read_it(alpha, author, published):
    browser, reader = sign_in(alpha, "author"), sign_in(alpha, "reader")
    assert attach(browser, published, photo(), "现场 清洗.jpeg").status_code == 303
    publish(alpha, author, published)
    page = reader.get(f"/cases/{published}").text
    [shown] = re.findall(rf'<img src="(/cases/{published}/pictures/[0-9a-f]+)" alt="([^"]+)"', page)
    assert shown[1] == "现场 清洗"
    assert 'loading="lazy"' in page
    picture = fetch(reader, shown[0])
    assert picture.headers["Content-Type"] == "image/jpeg"
    assert Image.open(io.BytesIO(picture.data)).size == (30, 20)
    assert b"Telephone" not in picture.data
    assert reader.get(f"/cases/{published}/pictures/{NAME}").status_code == 404, "no picture"
    assert alpha.test_client().get(shown[0]).status_code == 404
    with alpha.app_context(), transaction():
        keeper = make_person("keeper", Role.SIGNATORY, organisation=root_organisation())
        service.withdraw(identity.actor_of(keeper.id), UUID(published), "Wrong.")
    assert reader.get(shown[0]).status_code == 410


def test_no_more_pictures_are_shown_than_a_page_can_bear():
    def file(number: int, **changes: Any) -> ShownFile:
        known = {"sha256": f"{number:064}", "size": 1, "type": "image/png", "name": "a.png"}
        return ShownFile(**known | {"is_held": True, "failed_at": None} | changes)

    many = [file(number) for number in range(7)]
    others = [
        file(7, type="application/pdf"),
        file(8, type="image/svg+xml"),
        file(9, size=10_000_001),
        file(10, failed_at=clock.now()),
    ]
    assert service.pictures_of([*others, *many]) == many[:5]


def test_a_picture_that_can_not_be_opened_is_refused_beside_the_field(alpha, author):
    case_id = case_in(alpha, author)
    refused = attach(sign_in(alpha, "author"), case_id, photo()[:300], "现场.jpg")
    assert refused.status_code == 422
    assert "can&#39;t be opened" in refused.text
    assert stored(alpha) == files_of(alpha, case_id) == []


def test_the_files_of_a_case_have_a_limit_together(alpha, author, monkeypatch):
    monkeypatch.setattr(Settings, "largest_case", property(lambda _: len(PDF) + 5))
    case_id, browser = case_in(alpha, author), sign_in(alpha, "author")
    assert attach(browser, case_id).status_code == 303
    refused = attach(browser, case_id, OTHER)
    assert refused.status_code == 413
    assert "MB together" in refused.text
    assert attach(browser, case_id).status_code == 303, "what it has already"
    assert files_of(alpha, case_id) == ["方案.pdf"]
    assert stored(alpha) == [NAME]
    with alpha.app_context():
        assert list(stores.store().names()) == [NAME], "not even without a row"


@pytest.mark.parametrize("sent", [{"data": {}}, {"json": {}}, {"data": {"file": "no file"}}])
def test_a_program_that_sends_no_file_is_told_so(alpha, author, sent):
    case_id = case_in(alpha, author)
    with alpha.app_context(), transaction():
        token = bearer(make_token(identity.person_called("author")))
    address = f"/api/v1/cases/{case_id}/files"
    if "data" in sent:
        sent = sent | {"content_type": "multipart/form-data"}
    refused = alpha.test_client().post(address, headers=token, **sent)
    assert refused.status_code == 400
    assert refused.json["field"] == "file"


def test_a_file_in_a_bucket_is_served_by_an_address_that_holds_for_a_minute(
    alpha, author, monkeypatch
):
    client = FakeClient()
    monkeypatch.setattr(stores, "s3_client", lambda config: client)
    config = alpha.extensions["hub.settings"]
    alpha.extensions["hub.settings"] = replace(config, s3_bucket="files")
    case_id = case_in(alpha, author)
    attach(sign_in(alpha, "author"), case_id)
    publish(alpha, author, case_id)
    answer = sign_in(alpha, "reader").get(f"/cases/{case_id}/files/{NAME}")
    assert (answer.status_code, answer.location) == (
        302,
        f"https://store.test/files/{NAME}?for=60",
    )


def test_a_picture_in_a_bucket_is_handed_to_its_page_by_ourselves(alpha, author, monkeypatch):
    client = FakeClient()
    monkeypatch.setattr(stores, "s3_client", lambda config: client)
    config = alpha.extensions["hub.settings"]
    alpha.extensions["hub.settings"] = replace(config, s3_bucket="files")
    case_id = case_in(alpha, author)
    attach(sign_in(alpha, "author"), case_id, photo(), "现场.jpg")
    publish(alpha, author, case_id)
    [name] = stored(alpha)
    answer = fetch(sign_in(alpha, "reader"), f"/cases/{case_id}/pictures/{name}")
    assert (answer.status_code, answer.data) == (200, client.objects[name])

"""The register of reviews: who sees which lines, as a page, as a sheet and for programs."""

import io
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner
from flask import Flask
from openpyxl import load_workbook
from sqlalchemy import update

from hub.audit import cli
from hub.audit.models import AuditEntry
from hub.cases import service
from hub.cases.models import State
from hub.cases.service import register as registers
from hub.database import db, transaction
from hub.identity import service as identity
from hub.identity.models import Actor, Role
from tests.factories import (
    make_actor,
    make_case,
    make_organisation,
    make_person,
    make_token,
    root_organisation,
)
from tests.pages import bearer, sign_in

GROUNDS = "=HYPERLINK(1) 没有涉密内容。"


@pytest.fixture
def people(alpha: Flask) -> dict[str, Actor]:
    """Return who looks at the register of two units, each with a case that was cleared."""
    with alpha.app_context(), transaction():
        root = root_organisation()
        units = [make_organisation(name, parent=root) for name in ("检修支部", "运行支部")]
        found = {
            "reviewer": make_person("reviewer", Role.SECRECY_REVIEWER, organisation=units[0]),
            "secretary": make_person("secretary", Role.BRANCH_SECRETARY, organisation=root),
            "auditor": make_person("auditor", Role.AUDITOR, organisation=units[1]),
            "author": make_person("author", Role.AUTHOR, organisation=units[0]),
        }
        for unit in units:
            cleared(make_actor(Role.AUTHOR, organisation=unit), unit.name)
        return {name: identity.actor_of(person.id) for name, person in found.items()}


def cleared(author: Actor, unit: str) -> UUID:
    """Return a case that was handed in and cleared with grounds."""
    case = make_case(State.SECRECY_REVIEW, author=author, title=f"{unit}的案例")
    reviewer = make_actor(Role.SECRECY_REVIEWER)
    service.review_secrecy(reviewer, case.id, decision="cleared", grounds=GROUNDS)
    return case.id


def lines(alpha: Flask, people: dict[str, Actor], name: str) -> list[tuple[str, str]]:
    with alpha.app_context():
        part = registers.register(people[name])
        return [(line.unit, line.action) for line in part.decisions]


def test_reviewers_see_what_was_decided_in_their_units_and_auditors_all(alpha, people):
    own = [("检修支部", "case.cleared"), ("检修支部", "case.submitted")]
    other = [("运行支部", "case.cleared"), ("运行支部", "case.submitted")]
    assert lines(alpha, people, "reviewer") == own
    assert lines(alpha, people, "secretary") == lines(alpha, people, "auditor") == other + own
    assert lines(alpha, people, "author") == []


@pytest.mark.on_both
def test_the_register_is_read_in_parts_that_pass_over_what_is_hidden(alpha, people, monkeypatch):
    monkeypatch.setattr(registers, "LOOKED_AT", 1)
    with alpha.app_context():
        seen, before = [], None
        while True:
            part = registers.register(people["reviewer"], before=before, limit=1)
            seen += part.decisions
            before = part.before
            if before is None:
                break
        assert [line.action for line in seen] == ["case.cleared", "case.submitted"]
        assert [line.grounds for line in seen] == [GROUNDS, ""]
        assert len(list(registers.whole_register(people["auditor"]))) == 4


def test_the_page_shows_lines_with_grounds_and_the_days_that_were_asked_for(alpha, people):
    browser = sign_in(alpha, "reviewer")
    page = browser.get("/register").text
    assert "检修支部的案例" in page
    assert GROUNDS in page
    assert "运行支部" not in page
    assert "检修支部的案例" not in browser.get("/register?since=2999-01-01").text
    assert "检修支部的案例" not in browser.get("/register?until=2001-01-01").text
    for odd in ("since=x", "before=0", "before=x", "until=9999-99-99"):
        assert browser.get(f"/register?{odd}").status_code == 200
    assert "/register" in browser.get("/workbench").text


def test_the_sheet_holds_the_same_lines_and_no_formula(alpha, people):
    answer = sign_in(alpha, "reviewer").get("/register.xlsx", buffered=True)
    rows = list(load_workbook(io.BytesIO(answer.data)).active.iter_rows(values_only=True))
    assert len(rows) == 3
    assert rows[1][2:4] == ("检修支部的案例", "检修支部")
    assert rows[1][7] == f"'{GROUNDS}"
    assert answer.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize("address", ["/register", "/register.xlsx"])
def test_who_reviews_nothing_sees_no_register(alpha, people, address):
    assert sign_in(alpha, "author").get(address).status_code == 403
    assert "/register" not in sign_in(alpha, "author").get("/workbench").text


def test_programs_read_the_register_with_the_scope_of_reviews(alpha, people):
    client, address = alpha.test_client(), "/api/v1/register"
    with alpha.app_context(), transaction():
        reviewer = identity.person_called("reviewer")
        tokens = {scope: bearer(make_token(reviewer, scope)) for scope in ("read", "review")}
        author = bearer(make_token(identity.person_called("author"), "review"))
    answer = client.get(f"{address}?limit=1", headers=tokens["review"])
    assert [line["title"] for line in answer.json["decisions"]] == ["检修支部的案例"]
    more = client.get(f"{address}?before={answer.json['before']}", headers=tokens["review"])
    assert [line["action"] for line in more.json["decisions"]] == ["case.submitted"]
    assert client.get(address, headers=tokens["read"]).status_code == 403
    assert client.get(address, headers=author).status_code == 403
    assert client.get(address).status_code == 401
    for odd in ("limit=0", "limit=501", "before=x", "since=yesterday"):
        assert client.get(f"{address}?{odd}", headers=tokens["review"]).status_code == 400


def test_the_command_names_the_first_line_that_was_altered(alpha, people):
    with alpha.app_context():
        whole = run()
        assert whole.exit_code == 0
        with transaction():
            changed: dict[str, Any] = {"detail": {"grounds": "something else"}}
            db.session.execute(update(AuditEntry).where(AuditEntry.seq == 5).values(**changed))
        altered = run()
    assert altered.exit_code == 1
    assert "Entry 5 " in altered.output


def run() -> Any:
    return CliRunner().invoke(cli.audit, ["verify"])

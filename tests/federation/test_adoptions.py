"""Adoptions on their way: what one unit reports, every reader of the case finds counted."""

from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select

from hub.cases import service as cases
from hub.cases.models import Document, Feedback
from hub.config import of_this_node
from hub.database import db, transaction
from hub.federation import hiding
from hub.identity import service as identity
from hub.identity.models import EVERYBODY, MEMBERS, Profile, Role
from hub.journal import children, log
from hub.journal.models import GROUP
from hub.registry.models import Reason
from hub.search import service as search
from hub.search.engine import Order
from hub.search.follower import Follower, follow_once
from tests.factories import make_actor, root_organisation
from tests.federation.test_exchange import Federation, federation
from tests.federation.test_feedback import (
    case_of,
    clear,
    decide,
    deliver,
    publish,
    quarantined,
    refused,
    seen,
    shared,
    written,
)

__all__ = ["federation", "shared"]

UNIT = {"size": "51_to_200", "layout": "dispersed", "sector": "power"}


def report(node: Flask, outcome: str = "successful", role: Role = Role.BRANCH_SECRETARY) -> UUID:
    case_id = case_of(node)
    with node.app_context(), transaction():
        identity.set_profile(root_organisation(), **UNIT)
        said = cases.report(make_actor(role), case_id, "It saves an hour a day.", outcome)
        clear(said)
        return said


def counts(node: Flask) -> tuple[int, int, dict[str, Any]]:
    with node.app_context():
        document = db.session.scalars(select(Document)).one()
        return document.adopted, document.effective, document.context.get("worked", {})


def indexed(node: Flask, profile: Profile) -> tuple[int, int, list[str]]:
    """Return what the one hit on a node says after its index has followed."""
    with node.app_context():
        follow_once()
        seen = frozenset({EVERYBODY, MEMBERS})
        found = search.search("", audiences=seen, profile=profile, order=Order.CONFIRMED)
        of_this_node(Follower).close()
        hit = found.hits[0]
        return hit.adopted, hit.effective, list(hit.fit.speaks_for)


def is_found_by_miners(node: Flask) -> bool:
    """Say whether the case on a node is among what fits a unit of another sector."""
    with node.app_context():
        miners, seen = Profile(sector="mining"), frozenset({EVERYBODY, MEMBERS})
        return bool(search.search("", audiences=seen, profile=miners, is_fitting=True).total)


def test_a_confirmed_success_elsewhere_is_counted_on_every_node(shared: Federation) -> None:
    everywhere = (shared.alpha, shared.beta, shared.headquarters, shared.partner)
    for node in everywhere:
        indexed(node, Profile())
        assert is_found_by_miners(node), "of its sector nothing is known"
    report(shared.beta)
    deliver(shared)
    assert [counts(node)[:2] for node in everywhere] == [(0, 0)] * 4, "nobody has accepted it yet"

    decide(shared.alpha, cases.accept)
    shared.sync()
    worked = {"level": {"subsidiary_committee": 1}, **{part: {v: 1} for part, v in UNIT.items()}}
    for node in everywhere:
        assert counts(node) == (1, 1, worked)
        assert quarantined(node) == []
        asker = Profile("branch", "under_15", "concentrated", "power")
        assert indexed(node, asker) == (1, 1, ["worked in 1 unit of your sector"])
        assert is_found_by_miners(node) is False, "the index has not followed"


@pytest.mark.on_both
def test_a_partners_adoption_counts_where_it_may_be_seen(shared: Federation) -> None:
    report(shared.partner)
    deliver(shared)
    decide(shared.alpha, cases.accept)
    shared.sync()
    for node in (shared.alpha, shared.beta, shared.headquarters, shared.partner):
        assert counts(node)[:2] == (1, 1)
    for change, left in ((hiding.hide, 0), (hiding.lift, 1)):
        with shared.headquarters.app_context(), transaction():
            change("globex", Reason.CLOSED)
        shared.sync()
        assert [counts(node)[0] for node in (shared.alpha, shared.beta)] == [left, left]


@pytest.mark.on_both
def test_what_the_group_reports_a_partner_does_not_see_counted(federation: Federation) -> None:
    case_id = publish(federation, "group")
    report(federation.beta)
    deliver(federation)
    with federation.alpha.app_context(), transaction():
        both = make_actor(Role.BRANCH_SECRETARY, Role.SECRECY_REVIEWER, Role.GROUP_EDITOR)
        cases.set_visibility(both, case_id, "partners", ["globex"])
        cases.review_secrecy(both, case_id, decision="cleared", grounds="Fine.")
        cases.approve(both, case_id, decision="approved")
    decide(federation.alpha, cases.accept)
    federation.sync()
    assert counts(federation.beta)[0] == 1
    assert counts(federation.partner)[0] == 0


def test_a_withdrawn_report_lowers_the_count_on_every_node(shared: Federation) -> None:
    said = report(shared.beta)
    deliver(shared)
    decide(shared.alpha, cases.accept)
    shared.sync()
    assert [counts(node)[:2] for node in (shared.alpha, shared.partner)] == [(1, 1)] * 2
    with shared.alpha.app_context(), transaction():
        feedback = db.session.get_one(Feedback, said)
        cases.receive(children.release(feedback.origin, feedback.entry_id, ()))
    shared.sync()
    for node in (shared.alpha, shared.beta, shared.headquarters, shared.partner):
        assert counts(node) == (0, 0, {})
        assert seen(node) == []


@pytest.mark.on_both
def test_adoptions_that_came_before_their_case_count_once_it_is_there(shared: Federation) -> None:
    report(shared.beta)
    deliver(shared)
    decide(shared.alpha, cases.accept)
    shared.sync()
    with shared.beta.app_context(), transaction():
        db.session.delete(db.session.scalars(select(Document)).one())
    case_id = case_of(shared.alpha)
    with shared.alpha.app_context(), transaction():
        both = make_actor(Role.BRANCH_SECRETARY)
        cases.set_visibility(both, case_id, "group")
        entry_id = db.session.get_one(Document, case_id).entry_id
        cases.receive(log.readdress(entry_id, {GROUP}))  # There again, so that it comes again.
    shared.sync()
    assert counts(shared.beta)[:2] == (1, 1)


OLDER = {"text": "We use it.", "unit": "Hall", "post": "branch_secretary"}


def test_an_adoption_of_an_older_version_is_taken_in_and_counted(shared: Federation) -> None:
    assert refused(shared.beta, written(shared.beta, type="adoption", fields=OLDER)) == []
    deliver(shared)
    decide(shared.alpha, cases.accept)
    shared.sync()
    assert [counts(node)[:2] for node in (shared.alpha, shared.beta)] == [(1, 0), (1, 0)]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"outcome": "splendid"}, "unknown_choice"),
        ({"outcome": ["successful"]}, "unknown_choice"),
        ({"outcome": ""}, "unknown_choice"),
        ({"confirmed": "yes"}, "wrong_type"),
        ({"confirmed": 1}, "wrong_type"),
        ({"confirmed": None}, "wrong_type"),
        ({"level": "Zhang San"}, "unknown_choice"),
        ({"size": 15}, "unknown_choice"),
        ({"layout": None}, "unknown_choice"),
        ({"sector": {"power": 1}}, "unknown_choice"),
        ({"person": "Zhang San"}, "unknown_field"),
        ({"question": "x"}, "unknown_field"),
    ],
)
def test_an_adoption_holds_codes_of_the_list_and_nothing_else(
    shared: Federation, fields: dict[str, Any], code: str
) -> None:
    wire = written(shared.beta, type="adoption", fields=OLDER | fields)
    assert refused(shared.beta, wire) == [code]


def test_a_question_holds_nothing_that_an_adoption_may(shared: Federation) -> None:
    wire = written(shared.beta, fields=OLDER | {"outcome": "successful"})
    assert refused(shared.beta, wire) == ["unknown_field"]

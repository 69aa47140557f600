"""What units say of themselves, and what their adoptions make of a case."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select

from hub.cases import service
from hub.cases.content import clean, well_formed
from hub.cases.errors import OwnCaseError, UnknownChoiceError
from hub.cases.models import Document, Feedback, State, public_id
from hub.cases.service.adoptions import Report, context_of, figures
from hub.config import settings
from hub.database import db, transaction
from hub.errors import ForbiddenError
from hub.identity import service as identity
from hub.identity.models import EVERYBODY, MEMBERS, Actor, Organisation, Role, Scope
from hub.journal import children, log
from tests.factories import (
    make_actor,
    make_case,
    make_organisation,
    make_person,
    make_token,
    root_organisation,
)
from tests.federation.test_urls import statements
from tests.pages import bearer, sign_in, submit

DOCK = {"size": "15_to_50", "layout": "concentrated", "sector": "shipping"}


@dataclass
class Yard:
    """A published case of the dock branch, and its secretary."""

    case_id: UUID
    dock: Organisation
    secretary: Actor

    @property
    def document(self) -> Document:
        """Return what readers see."""
        return db.session.get_one(Document, self.case_id)

    @property
    def counts(self) -> tuple[int, int, str]:
        """Return how many adopted it, for how many it worked, and its level."""
        return self.document.adopted, self.document.effective, self.document.replicability


@pytest.fixture
def yard(alpha: Flask) -> Iterator[Yard]:
    with alpha.app_context(), transaction():
        dock = make_organisation("Dock", parent=root_organisation())
        identity.set_profile(dock, **DOCK)
        author = make_actor(Role.AUTHOR, organisation=dock)
        case = make_case(State.PUBLISHED, author=author, visibility="group")
        yield Yard(case.id, dock, make_actor(Role.BRANCH_SECRETARY, organisation=dock))


def adopter(name: str, role: Role = Role.BRANCH_SECRETARY, **profile: str) -> Actor:
    """Return somebody who may report for a unit of this node, made if it is new."""
    root = root_organisation()
    unit = db.session.scalar(select(Organisation).filter_by(name=name, parent_id=root.id))
    unit = unit or make_organisation(name, parent=root)
    identity.set_profile(unit, **profile)
    return make_actor(role, organisation=unit)


def report(yard: Yard, who: Actor, outcome: str = "successful") -> UUID:
    """Report an adoption and let it pass the secrecy review of its unit."""
    said = service.report(who, yard.case_id, "It saves an hour a day.", outcome)
    service.review_remark(make_actor(Role.SECRECY_REVIEWER), said, "cleared", "Nothing secret.")
    return said


def accepted(yard: Yard, who: Actor, outcome: str = "successful") -> UUID:
    """Report an adoption that the unit of the case accepts."""
    said = report(yard, who, outcome)
    service.accept(yard.secretary, said)
    return said


def test_an_entry_says_what_its_unit_is_like(yard: Yard) -> None:
    fields = yard.document.fields
    assert fields["unit_path"] == ["Committee", "Dock"]
    told = {part: fields[f"unit_{part}"] for part in ("level", *DOCK)}
    assert told == {"level": "branch", **DOCK}
    assert (yard.document.unit_level, yard.document.unit_path) == ("branch", ["Committee", "Dock"])


def test_what_withholds_the_name_of_its_unit_says_nothing_of_it(yard: Yard) -> None:
    author = make_actor(Role.AUTHOR, organisation=yard.dock)
    case = make_case(State.PUBLISHED, author=author, kind="pilot_lesson", hide_unit_name=True)
    document = db.session.get_one(Document, case.id)
    assert {name for name in document.fields if name.startswith("unit_")} == set()
    assert document.fields["submitting_unit"] == ""
    assert (document.unit_level, document.unit_path, document.context) == ("", [], {})


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"unit_level": "branch", "unit_size": "huge"}, {"own": {"level": "branch"}}),
        ({"unit_level": ["branch"], "unit_sector": {"power": 1}}, {}),
        ({"suits_levels": ["branch", "x", 7, None]}, {"suits": {"level": ["branch"]}}),
        ({"suits_levels": "branch", "suits_sectors": ["gold"]}, {}),
        ({"suits_layouts": ["dispersed"] * 9_000}, {"suits": {"layout": ["dispersed"]}}),
    ],
)
def test_of_what_another_node_says_only_known_codes_count(
    said: dict[str, Any], kept: dict[str, Any]
) -> None:
    assert context_of(said) == kept


@pytest.mark.parametrize("path", ["Dock", [], [""], ["a"] * 13, ["a" * 201], ["Dock", 7], [["a"]]])
def test_a_path_that_can_be_none_is_left_out(alpha: Flask, path: Any) -> None:
    assert path_of(alpha, path) == []


def test_names_of_a_path_can_not_reach_beyond_their_place(alpha: Flask) -> None:
    assert path_of(alpha, ["Top\tDock", " Yard\n"]) == ["Top Dock", "Yard"]


def path_of(node: Flask, said: Any) -> list[str]:
    """Return the path that is kept of an entry that says this."""
    entry = log.Publication(
        "case", str(UUID(int=1)), 1, "A case", "", {"unit_path": said}, {"group"}
    )
    with node.app_context(), transaction():
        service.receive(log.publish_all([entry]))
        kept = db.session.get_one(Document, public_id(settings().origin, entry.entry_id))
        return kept.unit_path


def test_a_case_says_for_whom_it_is_in_codes_of_the_list_only() -> None:
    kept = clean("case", {"suits_sectors": ["shipping", "power", "power"], "suits_levels": []})
    assert kept == {"suits_sectors": ["power", "shipping"]}
    with pytest.raises(UnknownChoiceError):
        clean("case", {"suits_sectors": ["gold"]})
    newer = {"suits_sectors": ["power", "fusion"], "suits_levels": 7}
    assert well_formed("case", newer) == {"suits_sectors": ["power"]}


def test_a_report_counts_once_it_is_accepted(yard: Yard) -> None:
    said = report(yard, adopter("Hall"))
    assert yard.counts == (0, 0, "R1")
    service.accept(yard.secretary, said)
    assert yard.counts == (1, 1, "R1")
    assert yard.document.context["worked"] == {"level": {"branch": 1}}


def test_what_the_secretary_has_not_said_themselves_is_not_confirmed(yard: Yard) -> None:
    accepted(yard, adopter("Hall", Role.ADOPTION_LIAISON))
    assert yard.counts == (1, 0, "R1")


@pytest.mark.parametrize("outcome", ["running", "partial", "unsuccessful", "stopped"])
def test_what_did_not_succeed_is_adopted_and_not_effective(yard: Yard, outcome: str) -> None:
    accepted(yard, adopter("Hall"), outcome)
    assert yard.counts == (1, 0, "R1")


@pytest.mark.on_both
def test_of_each_unit_the_newest_report_counts(yard: Yard, monkeypatch: Any) -> None:
    accepted(yard, adopter("Hall"), "running")
    later = children.document_of

    def in_2099(publication: Any) -> dict[str, Any]:
        return later(publication) | {"created": "2099-01-01T00:00:00Z"}

    monkeypatch.setattr(children, "document_of", in_2099)
    accepted(yard, adopter("Hall"), "successful")
    assert yard.counts == (1, 1, "R1")


def test_a_report_that_is_taken_back_counts_no_more(yard: Yard) -> None:
    said = accepted(yard, adopter("Hall"))
    feedback = db.session.get_one(Feedback, said)
    service.receive(children.release(feedback.origin, feedback.entry_id, ()))
    assert yard.counts == (0, 0, "R1")
    assert "worked" not in yard.document.context


def test_the_index_looks_again_at_a_case_whose_figures_changed(yard: Yard) -> None:
    before = yard.document.position
    report(yard, adopter("Hall"))
    assert yard.document.position == before
    accepted(yard, adopter("Mill"))
    assert yard.document.position == log.position() > before


def test_what_not_every_reader_may_see_counts_for_nobody(yard: Yard) -> None:
    said = report(yard, adopter("Hall"))  # While the group alone reads the case.
    both = make_actor(Role.BRANCH_SECRETARY, Role.SECRECY_REVIEWER, Role.GROUP_EDITOR)
    service.set_visibility(both, yard.case_id, "public")
    service.review_secrecy(both, yard.case_id, decision="cleared", grounds="Fine.")
    service.approve(both, yard.case_id, decision="approved")
    service.accept(yard.secretary, said)
    assert db.session.get_one(Feedback, said).audience == MEMBERS
    assert yard.document.audience == EVERYBODY
    assert yard.counts == (0, 0, "R1")

    service.set_visibility(both, yard.case_id, "group")
    assert yard.counts == (1, 1, "R1")


def test_a_withdrawn_case_has_no_figures(yard: Yard) -> None:
    accepted(yard, adopter("Hall"))
    service.withdraw(yard.secretary, yard.case_id, "Wrong figures.")
    assert yard.counts == (0, 0, "")
    assert yard.document.context == {}


def test_nobody_adopts_their_own_case(yard: Yard) -> None:
    with pytest.raises(OwnCaseError):
        service.report(yard.secretary, yard.case_id, "It works.", "successful")


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.BRANCH_SECRETARY, Role.ADOPTION_LIAISON}))
def test_only_the_secretary_and_the_liaison_report(yard: Yard, role: Role) -> None:
    with pytest.raises(ForbiddenError):
        service.report(adopter("Hall", role), yard.case_id, "It works.", "successful")


def test_who_is_secretary_of_another_unit_does_not_report_for_this_one(yard: Yard) -> None:
    hall, mill = (make_organisation(name, parent=root_organisation()) for name in ("Hall", "Mill"))
    person = make_person("visitor", organisation=hall)
    identity.grant(person, Role.BRANCH_SECRETARY, mill)
    with pytest.raises(ForbiddenError):
        service.report(identity.actor_of(person.id), yard.case_id, "It works.", "successful")


def test_an_outcome_is_one_of_the_list(yard: Yard) -> None:
    with pytest.raises(UnknownChoiceError):
        service.report(adopter("Hall"), yard.case_id, "It works.", "splendid")


# How far a case is proven.

KIT = [{"sha256": "0" * 64, "size": 1, "type": "application/pdf", "name": "plan.pdf"}]


def proven(*reports: Report, **changes: Any) -> str:
    document = {
        "kind": "case",
        "is_harvested": False,
        "audience": MEMBERS,
        "origin": "https://alpha.test",
        "unit": "Dock",
        "attachments": KIT,
        "context": {"own": {"level": "branch", **DOCK}},
    } | changes
    level: str = figures(document, reports)["replicability"]
    return level


def a_report(unit: str, *, outcome: str = "successful", sure: bool = True, **of: str) -> Report:
    profile = {"level": "branch", **DOCK} | of
    where = (UUID(int=1), "https://alpha.test", unit, MEMBERS, outcome, sure)
    return Report(*where, **profile)


def test_a_case_works_at_home_until_another_unit_confirms_it_with_a_kit() -> None:
    assert proven() == "R1"
    assert proven(a_report("Hall"), attachments=[]) == "R1"
    assert proven(a_report("Hall", sure=False)) == "R1"
    assert proven(a_report("Hall", outcome="partial")) == "R1"
    assert proven(a_report("Dock")) == "R1", "its own unit proves nothing"
    assert proven(a_report("Hall")) == "R2"
    assert proven(a_report("Hall"), kind="pilot_lesson") == "R0"
    assert proven(is_harvested=True) == "", "nobody has vouched for it"


def test_two_contexts_that_differ_from_home_and_from_each_other_make_it_r3() -> None:
    mine, road = a_report("Mine", sector="mining"), a_report("Road", layout="dispersed")
    assert proven(a_report("Hall"), mine) == "R2"
    assert proven(mine, a_report("Pit", sector="mining")) == "R2", "one context twice"
    assert proven(mine, a_report("Big", size="over_200")) == "R2", "size makes no context"
    assert proven(mine, road) == "R3"
    assert proven(mine, road, context={}) == "R2", "of its own unit nothing is known"
    unknown = a_report("Mill", level="", layout="", sector="")
    assert proven(mine, unknown) == "R2", "what is not known is no difference"


# At the URL.


@pytest.fixture
def shop(alpha: Flask) -> Flask:
    """Return a node with a published case, and `hall`, who may report on it."""
    with alpha.app_context(), transaction():
        root = root_organisation()
        dock, hall = (make_organisation(name, parent=root) for name in ("Dock", "Hall"))
        make_person("hall", Role.BRANCH_SECRETARY, organisation=hall)
        make_person("dock", Role.BRANCH_SECRETARY, organisation=dock)
        make_person("check", Role.SECRECY_REVIEWER, organisation=root)
        make_case(
            State.PUBLISHED,
            author=make_actor(Role.AUTHOR, organisation=dock),
            visibility="public",
            suits_layouts=["concentrated"],
        )
    return alpha


def address_of(node: Flask) -> str:
    with node.app_context():
        return f"/cases/{db.session.scalars(select(Document.id)).one()}"


@pytest.mark.on_both
def test_an_adoption_is_reported_cleared_accepted_and_shown(shop: Flask) -> None:
    page = address_of(shop)
    client = sign_in(shop, "hall")
    assert "R1" in client.get(page).text
    sent = submit(client, page, f"{page}/adoptions", outcome="successful", text="An hour a day.")
    assert sent.status_code == 303
    assert "waits for secrecy review" in client.get(page).text
    with shop.app_context():
        said = db.session.scalars(select(Feedback.id)).one()
    check, dock = sign_in(shop, "check"), sign_in(shop, "dock")
    bench = check.get("/workbench").text
    assert "An hour a day." in bench
    assert "Successful" in bench
    cleared = {"clear": "1", "grounds": "Nothing secret."}
    submit(check, "/workbench", f"/questions/{said}/secrecy-review", **cleared)
    assert submit(dock, "/workbench", f"/questions/{said}/acceptance").status_code == 303

    shown = shop.test_client().get(page).text
    assert "1 adopted, 1 effective" in shown
    assert "confirmed by its branch secretary" in shown
    assert "all in one place" in shown
    told = shop.test_client().get(f"/api/v1{page}/adoptions").json["adoptions"][0]
    assert (told["outcome"], told["is_confirmed"], told["level"]) == ("successful", True, "branch")
    assert shop.test_client().get(f"/api/v1{page}/questions").json == {"questions": []}
    case = shop.test_client().get(f"/api/v1{page}").json
    assert (case["adopted"], case["effective"], case["replicability"]) == (1, 1, "R1")


def test_a_report_without_an_outcome_comes_back_with_what_was_typed(shop: Flask) -> None:
    page = address_of(shop)
    client = sign_in(shop, "hall")
    refused = submit(client, page, f"{page}/adoptions", text="An hour a day.")
    assert refused.status_code == 400
    assert "An hour a day." in refused.text
    assert "Please choose one of these." in refused.text


def test_who_may_not_report_is_refused_at_the_url(shop: Flask) -> None:
    page = address_of(shop)
    dock = sign_in(shop, "dock")
    assert "Report how it went" not in dock.get(page).text
    sent = submit(dock, page, f"{page}/adoptions", outcome="successful", text="Fine.")
    assert sent.status_code == 403
    check = sign_in(shop, "check")
    assert submit(check, page, f"{page}/adoptions", outcome="running", text="x").status_code == 403
    sent = submit(shop.test_client(), "/sign-in", f"{page}/adoptions", outcome="running", text="x")
    assert sent.location.startswith("/sign-in")


@pytest.mark.on_both
def test_programs_report_with_the_scope_to_write(shop: Flask) -> None:
    page = address_of(shop)
    with shop.app_context(), transaction():
        unit = db.session.scalars(select(Organisation).filter_by(name="Hall")).one()
        person = make_person("robot", Role.ADOPTION_LIAISON, organisation=unit)
        writing, reading = (bearer(make_token(person, s)) for s in (Scope.WRITE, Scope.READ))
    said = {"text": "An hour a day.", "outcome": "partial"}
    post = shop.test_client().post
    assert post(f"/api/v1{page}/adoptions", json=said, headers=reading).status_code == 403
    wrong = said | {"outcome": "splendid"}
    assert post(f"/api/v1{page}/adoptions", json=wrong, headers=writing).json["field"] == "outcome"
    assert post(f"/api/v1{page}/adoptions", json=said, headers=writing).status_code == 201


def test_what_is_received_at_once_costs_the_same_statements_however_much(alpha: Flask) -> None:
    def entries(first: int, last: int) -> list[log.Publication]:
        fields = {"unit_level": "branch"}
        ids = (str(UUID(int=number)) for number in range(first, last))
        return [log.Publication("case", one, 1, "A case", "", fields, {"group"}) for one in ids]

    counts = []
    for first, last in ((1, 3), (10, 40)):
        with alpha.app_context(), transaction():
            changes = log.publish_all(entries(first, last))
            with statements() as seen:
                service.receive(changes)
            counts.append(len(seen))
    assert counts[0] == counts[1]

"""Makers of what tests need, as plain functions; call them inside a transaction."""

from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import select

from hub import clock
from hub.cases import service as cases
from hub.cases.models import Case, State
from hub.database import db
from hub.identity import service as identity
from hub.identity.models import Actor, Level, Organisation, Person, Role, Scope

PASSWORD = "correct horse battery staple"

_numbers = count(1)


def make_organisation(
    name: str = "", level: Level = Level.BRANCH, parent: Organisation | None = None
) -> Organisation:
    """Put an organisation into the tree."""
    return identity.add_organisation(name or f"Organisation {next(_numbers)}", level, parent)


def make_person(
    username: str = "",
    *roles: Role,
    organisation: Organisation | None = None,
    name: str = "",
    password: str = PASSWORD,
) -> Person:
    """Open an account with these roles at its organisation."""
    username = username or f"person{next(_numbers)}"
    organisation = organisation or make_organisation()
    person = identity.add_person(username, name or username.title(), password, organisation)
    for role in roles:
        identity.grant(person, role, organisation)
    return person


def make_token(person: Person, *scopes: Scope) -> str:
    """Make a personal token, with all scopes if none is named."""
    return identity.issue_token(person.id, "test", scopes or tuple(Scope), 30)


def root_organisation() -> Organisation:
    """Return the organisation at the top of this node's tree, made if there is none."""
    found = db.session.scalar(select(Organisation).where(Organisation.parent_id.is_(None)))
    return found or make_organisation("Committee", Level.SUBSIDIARY_COMMITTEE)


def make_actor(*roles: Role, organisation: Organisation | None = None) -> Actor:
    """Return somebody new who holds these roles; they can't sign in, as argon2 is slow on purpose.

    :param organisation: theirs, and where they hold the roles; the top of the tree if not given.
    """
    organisation = organisation or root_organisation()
    username = f"actor{next(_numbers)}"
    person = Person(
        username=username,
        name=username.title(),
        password_hash="none",
        organisation_id=organisation.id,
        created_at=clock.now(),
    )
    db.session.add(person)
    db.session.flush()
    for role in roles:
        identity.grant(person, role, organisation)
    return identity.actor_of(person.id)


def case_fields(**changes: Any) -> dict[str, Any]:
    """Return the fields of a case that may be submitted as it is; None leaves one out."""
    fields = {
        "title": "Dry docking without night shifts",
        "category": "business_integration",
        "period": "2026-01/2026-09",
        "summary": "Overtime fell by a third.",
        "background": "The yard docks forty ships a year.",
        "problem": "Night shifts piled up before each launch.",
        "practice": ["Ask the crews.", "Plan the crane first."],
        "outcomes": [
            {"metric": "Overtime", "baseline": "30 h", "value": "20 h", "source": "Time sheets"}
        ],
        "insight": "The crane was the bottleneck.",
        "preconditions": "A crane that can be booked.",
        "contact_post": "Secretary of the dock branch",
        "body": "## How it began\n\nWith a **crane**.",
    } | changes
    return {name: value for name, value in fields.items() if value is not None}


def pilot_fields(**changes: Any) -> dict[str, Any]:
    """Return the fields of a pilot lesson that may be submitted as it is."""
    fields = {
        "title": "A points screen, and why it was stopped",
        "how_chosen": "applied",
        "objective": "More meetings.",
        "scope": "Nine branches.",
        "stages": [{"name": "Build", "dates": "2025-03/2025-04", "done": "Rules were written."}],
        "indicators": [{"name": "Hours", "baseline": "3", "target": "6", "actual": "9"}],
        "problems": [
            {"what": "Idling", "cause": "Hours count", "solution": "None", "resolved": False}
        ],
        "verdict": "stop",
        "copy_conditions": "None.",
        "not_suitable_for": "Shift work.",
    } | changes
    return {name: value for name, value in fields.items() if value is not None}


def make_case(
    state: State = State.DRAFT, *, author: Actor | None = None, kind: str = "case", **changes: Any
) -> Case:
    """Write a case and take it along the real path to a state, by the hands of others.

    :param changes: fields, and `unit`, `visibility`, `partners`.
    """
    author = author or make_actor(Role.AUTHOR)
    fields = case_fields(**changes) if kind == "case" else pilot_fields(**changes)
    case = cases.create(author, kind, fields)
    path = list(State)
    for step in path[1 : path.index(state) + 1]:
        take_step(step, case.id, author)
    return case


def take_step(state: State, case_id: UUID, author: Actor) -> None:
    """Bring a case from the state before to this one."""
    others = make_actor(Role.SECRECY_REVIEWER, Role.BRANCH_SECRETARY, Role.SIGNATORY)
    match state:
        case State.SECRECY_REVIEW:
            cases.submit(author, case_id)
        case State.UNIT_REVIEW:
            cases.review_secrecy(others, case_id, decision="cleared", grounds="Nothing secret.")
        case State.APPROVED:
            cases.approve(others, case_id, decision="approved")
        case State.SIGNED:
            cases.sign(others, case_id)
        case State.PUBLISHED:
            cases.publish(others, case_id)
        case _:
            raise ValueError(f"{state} is not on the road to publication")

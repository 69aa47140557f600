"""Bringing content/ onto the demo's nodes, each text by the hands of four people."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from sqlalchemy import select

from hub.cases import service as cases
from hub.cases.models import Case, State
from hub.database import db, transaction
from hub.demo.nodes import CONTENT, DemoNode
from hub.demo.people import actor, root_of_node
from hub.identity import service as identity
from hub.identity.models import Level, Organisation

GROUNDS = "样例文本，单位与数据均为虚构，不含国家秘密、工作秘密和个人信息。"
NOTE = "样例文本，做法与成效完整，同意。"

# What moves a case on from each state, and who does it.
STEPS: dict[str, Callable[[UUID], object]] = {
    State.DRAFT: lambda case: cases.submit(actor("author"), case),
    State.SECRECY_REVIEW: lambda case: cases.review_secrecy(
        actor("secrecy_reviewer"), case, decision="cleared", grounds=GROUNDS
    ),
    State.UNIT_REVIEW: lambda case: cases.approve(
        actor("branch_secretary"), case, decision="approved", note=NOTE
    ),
    State.APPROVED: lambda case: cases.sign(actor("signatory"), case),
    State.SIGNED: lambda case: cases.publish(actor("signatory"), case),
}


@dataclass(frozen=True)
class Sample:
    """A text of content/."""

    path: Path

    @cached_property
    def digest(self) -> str:
        """Return what tells whether this text was brought in before."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @cached_property
    def fields(self) -> dict[str, Any]:
        """Return its front matter and body."""
        _, front, body = self.path.read_text().split("---\n", 2)
        return {**yaml.safe_load(front), "body": body.strip()}


def samples() -> list[Sample]:
    """Return all sample texts."""
    return [Sample(path) for path in sorted(CONTENT.glob("*/*.md"))]


def add_organisations(node: DemoNode) -> None:
    """Add the units of content/organisations.yaml that a node lacks."""
    listed = yaml.safe_load((CONTENT / "organisations.yaml").read_text())[node.plan.key]
    with node.opened(), transaction():
        root = root_of_node()
        _describe(root, listed)
        _add_below(root, listed["children"])


def _add_below(parent: Organisation, rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        same = select(Organisation).filter_by(name=row["name"], parent_id=parent.id)
        unit = db.session.scalar(same)
        if unit is None:
            unit = identity.add_organisation(row["name"], Level(row["level"]), parent)
            _describe(unit, row)
        _add_below(unit, row["children"])


def _describe(unit: Organisation, row: dict[str, Any]) -> None:
    said = {part: row[part] for part in ("size", "layout", "sector") if part in row}
    if said and not identity.profile_of(unit).is_described:
        identity.set_profile(unit, **said)


def load(node: DemoNode, texts: Sequence[Sample]) -> int:
    """Publish the texts that belong to a node and are not there yet; return how many."""
    own = [text for text in texts if text.fields["node"] == node.plan.key]
    with node.opened():
        return sum(_bring(text) for text in own)


def _bring(text: Sample) -> bool:
    """Lead one text along its path from where it stands; False when it was published before."""
    case_id, is_new = _create(text), False
    while (state := _unpublished_state(case_id)) is not None:
        with transaction():
            STEPS[state](case_id)
        is_new = True
    return is_new


def _unpublished_state(case_id: UUID) -> str | None:
    """Return where a case stands that no reader has seen, None for others: those are let be."""
    return db.session.scalar(select(Case.state).filter_by(id=case_id, published_rev=None))


def _create(text: Sample) -> UUID:
    values = {k: v for k, v in text.fields.items() if k not in {"node", "kind"}}
    with transaction():
        found = db.session.scalar(select(Case.id).filter_by(source_digest=text.digest))
        if found:
            return found
        kind = text.fields["kind"]
        return cases.create(actor("author"), kind, values, source_digest=text.digest).id

"""The accounts of the demo: at least one for each role on each node."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from hub.database import db, transaction
from hub.demo.nodes import DemoNode
from hub.identity import service as identity
from hub.identity.models import Actor, Organisation, Person, Role, Scope

TOKEN_DAYS = 365

# Username, name, role, and what its token may be used for.
CAST = (
    ("author", "陈晓岚", Role.AUTHOR, (Scope.READ, Scope.WRITE)),
    ("secrecy_reviewer", "周启明", Role.SECRECY_REVIEWER, (Scope.READ, Scope.REVIEW)),
    ("branch_secretary", "吴建国", Role.BRANCH_SECRETARY, tuple(Scope)[:4]),
    ("signatory", "郑敏", Role.SIGNATORY, tuple(Scope)[:4]),
    ("reader", "孙悦", Role.READER, (Scope.READ,)),
    ("group_editor", "林岳", Role.GROUP_EDITOR, (Scope.READ, Scope.REVIEW)),
    ("administrator", "何川", Role.ADMINISTRATOR, (Scope.READ, Scope.ADMIN)),
)


@dataclass(frozen=True)
class Account:
    """What somebody signs in with, as the demo prints it."""

    username: str
    password: str
    roles: list[str]
    token: str


def add_accounts(node: DemoNode) -> list[Account]:
    """Add the accounts that a node lacks, and return all of them.

    Passwords and tokens are kept beside the node, since a token can't be shown twice. Whoever is
    interrupted between the two gets new ones.
    """
    path = node.home / "accounts.json"
    known = {row["username"]: row for row in _read(path)}
    with node.opened():
        for username, name, role, scopes in CAST:
            if username not in known:
                account = _add(username, name, role, scopes)
                known[username] = asdict(account)
                _write(path, list(known.values()))
    return [Account(**row) for row in known.values()]


def actor(username: str) -> Actor:
    """Return somebody of the cast, with their rights, in the current application."""
    return identity.actor_of(identity.person_called(username).id)


def root_of_node() -> Organisation:
    """Return the organisation that everybody on the current node belongs to."""
    return db.session.scalars(select(Organisation).where(Organisation.parent_id.is_(None))).one()


def _add(username: str, name: str, role: Role, scopes: Sequence[Scope]) -> Account:
    password = f"jingwei-{secrets.token_hex(3)}"
    with transaction():
        root = root_of_node()
        person = db.session.scalar(select(Person).filter_by(username=username))
        if person is None:
            person = identity.add_person(username, name, password, root)
            identity.grant(person, role, root)
        else:
            password = identity.reset_password(person)
        token = identity.issue_token(person.id, "demo", scopes, TOKEN_DAYS)
    return Account(username, password, [role.value], token)


def _read(path: Path) -> list[dict[str, Any]]:
    return list(json.loads(path.read_text())) if path.exists() else []


def _write(path: Path, rows: Sequence[object]) -> None:
    draft = path.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(rows, ensure_ascii=False, indent=2))
    draft.rename(path)

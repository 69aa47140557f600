"""The tree of Party organisations."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from sqlalchemy import select

from hub.audit.service import record
from hub.database import db
from hub.errors import InvalidError, NotFoundError, mark
from hub.identity.errors import LevelError, OrganisationExistsError
from hub.identity.models import Level, Organisation, Profile
from hub.identity.profile import PARTS

MOST_LEVELS = 12
NAME_LENGTH = 200

_RANK = {
    Level.GROUP_COMMITTEE: 0,
    Level.SUBSIDIARY_COMMITTEE: 1,
    Level.GENERAL_BRANCH: 2,
    Level.BRANCH: 3,
    Level.JOINT_BRANCH: 3,
    Level.TEMPORARY_BRANCH: 3,
    Level.PARTY_GROUP: 4,
}


def add_organisation(
    name: str, level: Level, parent: Organisation | None = None, *, by: UUID | None = None
) -> Organisation:
    """Put an organisation into the tree, below its parent or as a root.

    :raises OrganisationExistsError: when a sibling has this name.
    :raises LevelError: when it would stand above its parent.
    """
    name = " ".join(name.split())
    if not 0 < len(name) <= NAME_LENGTH:
        raise InvalidError("name", mark("1 to 200 characters"))
    if parent is not None:
        _check_place(level, parent)
    same = select(Organisation.id).where(
        Organisation.name == name, Organisation.parent_id == (parent.id if parent else None)
    )
    if db.session.scalar(same):
        raise OrganisationExistsError(name=name)
    own_id = uuid4()
    path = f"{parent.path if parent else '/'}{own_id.hex}/"
    organisation = Organisation(
        id=own_id, name=name, level=level, parent_id=parent.id if parent else None, path=path
    )
    db.session.add(organisation)
    db.session.flush()
    record("organisation.added", actor_id=by, subject=str(own_id), name=name, level=level)
    return organisation


def profile_of(organisation: Organisation) -> Profile:
    """Return what is known of an organisation."""
    return Profile(organisation.level, organisation.size, organisation.layout, organisation.sector)


def set_profile(
    organisation: Organisation,
    *,
    size: str = "",
    layout: str = "",
    sector: str = "",
    by: UUID | None = None,
) -> None:
    """Say what an organisation is like, of which an empty word is what is not known.

    :raises InvalidError: naming the part that is no known code.
    """
    said = {"size": size, "layout": layout, "sector": sector}
    for part, value in said.items():
        if value and value not in PARTS[part]:
            raise InvalidError(part, mark("unknown"))
    organisation.size, organisation.layout, organisation.sector = size, layout, sector
    record("organisation.profile", actor_id=by, subject=str(organisation.id), **said)


def names_down_to(organisation: Organisation) -> list[str]:
    """Return the names of all above an organisation, highest first, and its own at the end."""
    if organisation.parent_id is None:
        return [organisation.name]
    above = Organisation.id.in_(organisation.lineage)
    rows = db.session.execute(select(Organisation.id, Organisation.name).where(above))
    names = {row.id: row.name for row in rows}
    return [names[id_] for id_ in organisation.lineage]


def _check_place(level: Level, parent: Organisation) -> None:
    if _RANK[Level(level)] < _RANK[Level(parent.level)]:
        raise LevelError
    if len(parent.lineage) >= MOST_LEVELS:
        raise InvalidError("parent", mark("the tree would become too deep"))


def find_organisation(organisation_id: UUID) -> Organisation:
    """Return an organisation by its id."""
    found = db.session.get(Organisation, organisation_id)
    if found is None:
        raise NotFoundError
    return found


def organisation_named(name: str) -> Organisation:
    """Return the one organisation of this name, for the command line.

    :raises InvalidError: when there is none, or more than one.
    """
    found = db.session.scalars(select(Organisation).where(Organisation.name == name)).all()
    if len(found) != 1:
        reason = mark("several organisations have this name") if found else mark("unknown")
        raise InvalidError("organisation", reason)
    return found[0]


def organisations_under(*paths: str) -> Sequence[Organisation]:
    """Return the organisations at and below these paths, each parent before its children.

    Children follow their parent in the order of their names.
    """
    rows = db.session.scalars(select(Organisation)).all()
    names = {row.id: row.name for row in rows}
    chosen = [row for row in rows if row.path.startswith(paths)]
    return sorted(chosen, key=lambda row: [(names[id_], id_) for id_ in row.lineage])

"""Tables of people, organisations and roles, and the actor that a request speaks for."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.database import Base


class Level(StrEnum):
    """Levels of Party organisations, highest first."""

    GROUP_COMMITTEE = "group_committee"
    SUBSIDIARY_COMMITTEE = "subsidiary_committee"
    GENERAL_BRANCH = "general_branch"
    BRANCH = "branch"
    PARTY_GROUP = "party_group"
    JOINT_BRANCH = "joint_branch"
    TEMPORARY_BRANCH = "temporary_branch"


class Size(StrEnum):
    """How many Party members a unit has."""

    UNDER_15 = "under_15"
    UP_TO_50 = "15_to_50"
    UP_TO_200 = "51_to_200"
    OVER_200 = "over_200"


class Layout(StrEnum):
    """Where the members of a unit work."""

    CONCENTRATED = "concentrated"
    DISPERSED = "dispersed"


class Sector(StrEnum):
    """What the enterprise around a unit does."""

    POWER = "power"
    OIL_GAS = "oil_gas"
    MINING = "mining"
    MATERIALS = "materials"
    MANUFACTURING = "manufacturing"
    CONSTRUCTION = "construction"
    TRANSPORT = "transport"
    SHIPPING = "shipping"
    TRADE = "trade"
    UTILITIES = "utilities"
    FINANCE = "finance"
    TECHNOLOGY = "technology"
    SERVICES = "services"


class Profile(NamedTuple):
    """What is known of a unit; an empty word is what is not."""

    level: str = ""
    size: str = ""
    layout: str = ""
    sector: str = ""

    @property
    def is_described(self) -> bool:
        """Say whether more is known than the level, which every unit has."""
        return bool(self.size or self.layout or self.sector)


UNKNOWN = Profile()


class Role(StrEnum):
    """What a person may do at an organisation and in everything below it."""

    READER = "reader"
    AUTHOR = "author"
    BRANCH_SECRETARY = "branch_secretary"
    SECRECY_REVIEWER = "secrecy_reviewer"
    SIGNATORY = "signatory"
    GROUP_EDITOR = "group_editor"
    EXPERT = "expert"
    ADOPTION_LIAISON = "adoption_liaison"
    PARTNER_LIAISON = "partner_liaison"
    ADMINISTRATOR = "administrator"
    SECURITY_OFFICER = "security_officer"
    AUDITOR = "auditor"


# Chinese classified protection (等保) separates these three duties.
SEPARATE_DUTIES = frozenset({Role.ADMINISTRATOR, Role.SECURITY_OFFICER, Role.AUDITOR})
# Roles that look over the cases of the units below them.
REVIEWING = frozenset(
    {Role.BRANCH_SECRETARY, Role.SECRECY_REVIEWER, Role.SIGNATORY, Role.GROUP_EDITOR}
)


class Scope(StrEnum):
    """What a personal API token may be used for."""

    READ = "read"
    WRITE = "write"
    REVIEW = "review"
    PUBLISH = "publish"
    ADMIN = "admin"


class Organisation(Base):
    """A Party organisation; together they form a tree."""

    __tablename__ = "organisation"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(String(200))
    level: Mapped[str] = mapped_column(String(30))
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("organisation.id"), index=True)
    path: Mapped[str] = mapped_column(Text, unique=True)  # "/top/…/own/", ids as hex.
    # What else is known of it; empty while nobody has said it.
    size: Mapped[str] = mapped_column(String(20), default="")
    layout: Mapped[str] = mapped_column(String(20), default="")
    sector: Mapped[str] = mapped_column(String(20), default="")

    @property
    def lineage(self) -> tuple[UUID, ...]:
        """Return the ids of this organisation and all above it, highest first."""
        return lineage(self.path)


class Person(Base):
    """Somebody with an account on this node. Personal data never leaves it."""

    __tablename__ = "person"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    username: Mapped[str] = mapped_column(String(100), unique=True)  # Folded: see `fold_username`.
    name: Mapped[str] = mapped_column(String(100))
    password_hash: Mapped[str] = mapped_column(String(200))
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"), index=True)
    created_at: Mapped[datetime]
    left_at: Mapped[datetime | None]


class RoleGrant(Base):
    """A role that somebody holds at an organisation and all below it."""

    __tablename__ = "role_grant"

    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), primary_key=True)
    role: Mapped[str] = mapped_column(String(30), primary_key=True)
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"), primary_key=True)


class SignIn(Base):
    """One session of a person in one browser; ending it makes its cookie worthless."""

    __tablename__ = "sign_in"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256 of the secret.
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class ApiToken(Base):
    """A personal token for the API, shown once and kept as a digest."""

    __tablename__ = "api_token"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    digest: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256 of the token.
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    scopes: Mapped[str] = mapped_column(String(100))  # Words separated by spaces.
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


@dataclass(frozen=True)
class Grant:
    """A role and where it is held."""

    role: Role
    path: str


@dataclass(frozen=True)
class Actor:
    """Whom a request speaks for, as read from the database when the request came in.

    `scopes` is None in a browser session, where the roles alone decide.
    """

    person_id: UUID | None = None
    name: str = ""
    organisation_id: UUID | None = None
    path: str = ""
    grants: tuple[Grant, ...] = ()
    scopes: frozenset[Scope] | None = None
    profile: Profile = UNKNOWN  # Of their organisation.

    @property
    def is_signed_in(self) -> bool:
        """Say whether this is somebody."""
        return self.person_id is not None

    def holds(self, role: Role, path: str | None = None) -> bool:
        """Say whether the role is held over the organisation at `path` (anywhere if None)."""
        return any(
            grant.role == role and (path is None or path.startswith(grant.path))
            for grant in self.grants
        )

    def has_scope(self, scope: Scope) -> bool:
        """Say whether the token, if there is one, may be used for this."""
        return self.scopes is None or scope in self.scopes


ANONYMOUS = Actor()

# Audiences: every document has one, and every actor may read a set of them.
EVERYBODY = "public"  # Signed in or not.
MEMBERS = "members"  # Signed in on this node.


def lineage(path: str) -> tuple[UUID, ...]:
    """Return the organisation ids that a path names, highest first."""
    return tuple(UUID(hex=part) for part in path.split("/") if part)


def unit_audience(organisation_id: UUID) -> str:
    """Return the audience of what one unit keeps to itself."""
    return f"unit:{organisation_id.hex}"

"""Taking in what a peer sent: each item is judged alone, and none of them stops the others."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from hub.cases.service import reading, recovery
from hub.config import settings
from hub.database import db
from hub.errors import HubError
from hub.federation import agreements, directory, freezing, hiding, revocation, shelf
from hub.federation.epochs import PASSED, check_place
from hub.federation.errors import NotAgreedError
from hub.federation.protocol import MAX_VIA, Item, claim, claimed_digest
from hub.federation.sender import Sender
from hub.journal import log
from hub.journal.errors import VerificationError
from hub.journal.holding import kid_of
from hub.journal.models import (
    DIRECTORY,
    PUT,
    RETRACT,
    Change,
    Entry,
    Live,
    LogItem,
    Release,
)
from hub.journal.repair import Taken
from hub.journal.verification import VerifiedEntry, VerifiedRelease, verify_entry, verify_release
from hub.registry import service as registry
from hub.registry import trust
from hub.registry.models import NodeKey

# What is missing may still arrive, or a person must look first.
PARKED = frozenset({"unknown_key", "early_key", "gap", freezing.HELD})


@dataclass(frozen=True)
class Outcome:
    """What became of one item: accepted when `code` is None."""

    digest: str
    code: str | None = None
    reason: str = ""
    seq: int | None = None  # In the log that we offer, if we offer it.


@dataclass
class Intake:
    """The items of one channel that one sender handed over, in the caller's transaction."""

    sender: Sender
    channel: str
    _keys: dict[tuple[str, str], NodeKey | None] = field(default_factory=dict)
    _enterprises: dict[str, str | None] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)  # Digests of releases.
    _chains: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    _revisions: dict[tuple[str, str, int], str] = field(default_factory=dict)
    _issuers: dict[str, str] = field(default_factory=dict)  # Entry digest → who may release it.
    _agreed: Collection[str] = ()
    _pending: list[Taken] = field(default_factory=list)
    _has_held_back: bool = False

    def take(self, items: Sequence[Item]) -> list[Outcome]:
        """Take in what can be taken in and quarantine the rest; one outcome for each item."""
        self._heads = log.lock_heads([self.channel] if settings().offers_all else [])
        self._agreed = agreements.categories_of(self.channel) if self.sender.is_ingest else ()
        self._prepare(items)
        self._bench = freezing.Bench(self.sender.origin, self._key_of, items)
        outcomes = [self._take(item) for item in items]
        self._store()
        if self._has_held_back:
            shelf.make_room(self.sender.origin)
        return self._with_places(outcomes)

    def _prepare(self, items: Iterable[Item]) -> None:
        """Ask the database once for the whole page, not once for each item."""
        digests = {d for item in items if (d := claimed_digest(item.release))}
        known = select(Release.digest).where(Release.digest.in_(digests), ~Release.is_held)
        self._known = set(db.session.scalars(known))
        ids = {str(i) for item in items if (i := claim(item.release, "id"))}
        for table, digest in ((Entry, Entry.digest), (Live, Live.entry_digest)):
            found = db.session.execute(
                select(table.origin, table.entry_id, table.rev, digest).where(
                    table.entry_id.in_(ids)
                )
            )
            self._revisions |= {(o, i, rev): name for o, i, rev, name in found}
        named = {str(name) for item in items if (name := claim(item.release, "digest"))}
        entries = select(Entry.digest, Entry.origin, Entry.parent_origin)
        authors = db.session.execute(entries.where(Entry.digest.in_(named)))
        self._issuers = {name: parent or origin for name, origin, parent in authors}

    def _take(self, item: Item) -> Outcome:
        digest = claimed_digest(item.release) or ""
        if digest in self._known:
            return Outcome(digest)
        try:
            release = verify_release(item.release, self._key_of)
            key = self._find_key(release.statement["iss"], kid_of(release.signed.header))
            revocation.check_counts(key, release)
            self._check_sender(release.statement)
            with self._bench.judging(item, release, self._store):
                self._check_chain(release)
                self._check_revision(release)
            entry = self._entry_of(item, release)
        except HubError as error:
            return self._refuse(item, digest, error)
        self._advance(release)
        is_agreed = not entry or agreements.covers(self._agreed, self.channel, entry.document)
        may_relay = self.channel in release.statement["relay"] and item.via < MAX_VIA
        is_offered = settings().offers_all and may_relay
        self._pending.append((release, entry if is_agreed else None, item.via + 1, is_offered))
        if not is_agreed:
            return Outcome(digest, NotAgreedError.code, str(NotAgreedError()))
        if entry and (self.channel == DIRECTORY or entry.document["type"] in directory.KINDS):
            self._learn(item, entry)
        return Outcome(digest)

    def _key_of(self, origin: str, kid: str) -> dict[str, Any] | None:
        """Return a key of the registry.

        :raises VerificationError: when its time has not come.
        """
        key = self._find_key(origin, kid)
        if key and trust.is_early(key):
            raise VerificationError("early_key", f"signed with a key before {key.not_before}")
        return key.jwk if key else None

    def _find_key(self, origin: str, kid: str) -> NodeKey | None:
        """Return a key, asked once for the whole page."""
        if (origin, kid) not in self._keys:
            self._keys[origin, kid] = trust.find_key(origin, kid)
        return self._keys[origin, kid]

    def _check_sender(self, statement: dict[str, Any]) -> None:
        """Refuse what the sender may not hand over in this channel."""
        iss = statement["iss"]
        if iss not in self._enterprises:
            self._enterprises[iss] = registry.enterprise_of(iss)
        self.sender.check(statement, self.channel, self._enterprises[iss])

    def _check_chain(self, release: VerifiedRelease) -> None:
        """Refuse what is not the next release of its issuer in this channel."""
        statement = release.statement
        iss = statement["iss"]
        if iss not in self._chains:
            chain = log.chains_of(iss, [self.channel]).get(self.channel)
            self._chains[iss] = (chain.epoch, chain.seq, chain.digest) if chain else ("", 0, "")
        epoch, seq, _ = self._chains[iss]
        if epoch and (statement["epoch"] != epoch or statement["seq"] <= seq):
            self._store()  # What stands in a place is known by what is stored.
        check_place(statement, *self._chains[iss])

    def _check_revision(self, release: VerifiedRelease) -> None:
        statement = release.statement
        # Without its entry nothing else would show whose text this release puts into a channel.
        issuer = self._issuers.get(statement["digest"], statement["iss"])
        if statement["op"] == PUT and issuer != statement["iss"]:
            raise VerificationError("foreign_origin", "not this issuer's to release")
        key = (statement["iss"], statement["id"], statement["rev"])
        if self._revisions.get(key) not in {None, statement["digest"]}:
            if not freezing.is_lifted(release):
                raise VerificationError("equivocation", "the same revision with another content")
            self._revisions[key] = statement["digest"]  # A person lets the later one count.

    def _entry_of(self, item: Item, release: VerifiedRelease) -> VerifiedEntry | None:
        """Return the entry of an item; a bad one is quarantined and its release kept.

        :raises VerificationError: at ingest when the bytes are not those that were released: the
            sender has the good ones and will send them again.
        """
        if item.entry is None or release.statement["op"] == RETRACT:
            return None
        try:
            if claimed_digest(item.entry) != release.statement["digest"]:
                raise VerificationError("other_digest", "not the entry that was released")
            entry = verify_entry(item.entry, self._key_of)
            _check_match(entry, release)
            self._check_child(entry)
        except VerificationError as error:
            if self.sender.is_ingest and error.code == "other_digest":
                raise
            self._quarantine(item, error.code, error.reason, is_parked=False)
            return None
        return entry

    def _check_child(self, entry: VerifiedEntry) -> None:
        """Refuse another content of a revision whose author is not the issuer."""
        document = entry.document
        key = (document["origin"], document["id"], document["rev"])
        if self._revisions.setdefault(key, entry.signed.digest) != entry.signed.digest:
            raise VerificationError("equivocation", "the same revision with another content")

    def _advance(self, release: VerifiedRelease) -> None:
        statement = release.statement
        digest = release.signed.digest
        self._chains[statement["iss"]] = (statement["epoch"], statement["seq"], digest)
        self._known.add(digest)
        key = (statement["iss"], statement["id"], statement["rev"])
        self._revisions[key] = statement["digest"]

    def _learn(self, item: Item, entry: VerifiedEntry) -> None:
        """Know a node or key at once, as the next item may be signed with it; obey in `dir`."""
        self._store()
        self._keys.clear()
        self._enterprises.clear()
        try:
            registry.learn(entry.document, signer_origin=entry.document["origin"])
        except HubError as error:
            self._quarantine(item, error.code, str(error), is_parked=False)
            return
        if self.channel == DIRECTORY:
            hiding.obey(entry.document)
        if entry.document["type"] == directory.KEY_REVOKED:
            fields = entry.document["fields"]
            revocation.apply(fields["node"], fields["kid"])
            self._chains.clear()

    def _store(self) -> None:
        changes = self._append(self._pending)
        revocation.forget_held(self.channel, [release for release, *_ in self._pending])
        self._pending = []
        if changes:
            reading.receive(changes)
            recovery.catch_up([c for c in changes if c.origin == settings().origin])

    def _append(self, items: Sequence[Taken]) -> list[Change]:
        return log.append_received(items, self._heads)

    def _refuse(self, item: Item, digest: str, error: HubError) -> Outcome:
        if error.code == PASSED:
            return Outcome(digest)
        # At ingest the sender keeps what we lack and sends it again: nothing to keep here.
        if not (self.sender.is_ingest and error.code in PARKED):
            self._quarantine(item, error.code, str(error), is_parked=error.code in PARKED)
        return Outcome(digest, error.code, str(error))

    def _quarantine(self, item: Item, code: str, reason: str, *, is_parked: bool) -> None:
        iss, seq = claim(item.release, "iss"), claim(item.release, "seq")
        unwanted = shelf.Unwanted(
            peer=self.sender.origin,
            channel=self.channel,
            iss=iss if isinstance(iss, str) and iss.isprintable() and len(iss) < 256 else "",
            seq=seq if isinstance(seq, int) and 0 <= seq < 2**53 else 0,
            via=item.via,
            code=code,
            reason=reason,
            release=item.release,
            entry=item.entry,
            is_parked=is_parked,
        )
        shelf.put([unwanted])
        self._has_held_back = True

    def _with_places(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Say at which place of our log each accepted release stands."""
        accepted = [outcome.digest for outcome in outcomes if outcome.code is None]
        rows = db.session.execute(
            select(Release.digest, LogItem.seq)
            .join(LogItem, LogItem.position == Release.position)
            .where(Release.digest.in_(accepted), ~Release.is_held, LogItem.channel == self.channel)
        )
        places = {row.digest: row.seq for row in rows}
        return [Outcome(o.digest, o.code, o.reason, places.get(o.digest)) for o in outcomes]


def _check_match(entry: VerifiedEntry, release: VerifiedRelease) -> None:
    document, statement = entry.document, release.statement
    if document["id"] != statement["id"] or document["rev"] != statement["rev"]:
        raise VerificationError("other_entry", "of another id or revision than its release")
    if entry.parent and entry.parent[0] != statement["iss"]:
        raise VerificationError("foreign_parent", "released by another node than its parent's")
    if not entry.parent and document["origin"] != statement["iss"]:
        raise VerificationError("foreign_origin", "written by another node than its issuer")

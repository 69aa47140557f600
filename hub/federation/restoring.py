"""Taking in what a peer has live, wherever it stands in its chain: from a snapshot, or one by one.

Each item is verified as always. Only its place is judged otherwise: it need not be the next of its
chain, and what is known already is looked at again, since part of it may be lost here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import delete, select

from hub.cases.models import Document, public_id
from hub.cases.service import reading
from hub.database import db
from hub.federation.directory import KEY_REVOKED
from hub.federation.models import Quarantined
from hub.federation.protocol import Item, claim, claimed_digest
from hub.federation.receiving import Intake, Outcome
from hub.journal import log, repair
from hub.journal.errors import VerificationError
from hub.journal.models import PUT, Change, Entry
from hub.journal.repair import Standing, Taken
from hub.journal.verification import VerifiedEntry, VerifiedRelease


@dataclass
class Restoration(Intake):
    """Items of one channel that shall be in force, in the caller's transaction."""

    _items: Sequence[Item] = ()
    _standing: dict[tuple[str, str, str], Standing] = field(default_factory=dict)
    _epochs: dict[str, str] = field(default_factory=dict)  # Issuer → that of its chain here.
    _places: dict[tuple[str, str, int], str] = field(default_factory=dict)

    def _prepare(self, items: Iterable[Item]) -> None:
        self._items = list(items)
        super()._prepare(self._items)
        issuers = {str(i) for item in self._items if (i := claim(item.release, "iss"))}
        self._epochs = log.epochs_of(issuers, self.channel)
        places = {place for item in self._items if (place := _claimed_place(item))}
        self._places = repair.releases_at(self.channel, places)
        self._look_again()

    def _look_again(self) -> None:
        """Let releases that are known, but not whole here, be taken in once more."""
        ids = {str(i) for item in self._items if (i := claim(item.release, "id"))}
        standings = repair.standings(self.channel, ids)
        self._standing = {(s.iss, s.origin, s.entry_id): s for s in standings}
        whole = _whole(standings)
        for item in self._items:
            iss, seq, named = (claim(item.release, name) for name in ("iss", "seq", "digest"))
            if (str(iss), str(seq), str(named)) not in whole:
                self._known.discard(claimed_digest(item.release) or "")

    def _check_chain(self, release: VerifiedRelease) -> None:
        """Refuse what contradicts a release that we hold; any other place in the chain is fine."""
        statement = release.statement
        place = (statement["iss"], statement["epoch"], statement["seq"])
        if self._places.get(place) not in {None, release.signed.digest}:
            raise VerificationError("fork", f"contradicts release {statement['seq']}")

    def _advance(self, release: VerifiedRelease) -> None:
        super()._advance(release)
        statement = release.statement
        place = (statement["iss"], statement["epoch"], statement["seq"])
        self._places[place] = release.signed.digest

    def _learn(self, item: Item, entry: VerifiedEntry) -> None:
        super()._learn(item, entry)
        if entry.document["type"] == KEY_REVOKED:
            self._prepare(self._items)  # Some of what stood is held now.

    def _append(self, items: Sequence[Taken]) -> list[Change]:
        due = [item for item in items if self._is_due(item[0], item[1])]
        return repair.restore(due, self._heads)

    def _is_due(self, release: VerifiedRelease, entry: VerifiedEntry | None) -> bool:
        """Say whether nothing newer stands of the same entry: a tombstone is never undone."""
        if entry is None:
            return False  # A retraction, or nothing that could be shown.
        iss = release.statement["iss"]
        stands = self._standing.get((iss, entry.document["origin"], entry.document["id"]))
        chain_epoch = self._epochs.get(iss, release.statement["epoch"])
        return stands is None or stands.yields_to(release.statement, chain_epoch)


@dataclass
class Ends(Restoration):
    """Releases at which chains begin or end: kept, and nothing follows but where chains go on."""

    def take(self, items: Sequence[Item]) -> list[Outcome]:
        """Take in releases, and let their chains go on from them.

        What was parked before that place waits for nothing any more.
        """
        outcomes = super().take(items)
        taken = [outcome.digest for outcome in outcomes if outcome.code is None]
        for iss, seq in repair.move_chains(self.channel, taken):
            db.session.execute(
                delete(Quarantined).where(
                    Quarantined.is_parked,
                    Quarantined.channel == self.channel,
                    Quarantined.iss == iss,
                    Quarantined.seq <= seq,
                )
            )
        return outcomes

    def _look_again(self) -> None:
        pass  # What is known need not be whole.

    def _append(self, items: Sequence[Taken]) -> list[Change]:
        repair.keep(items, self._heads)
        return []


def _claimed_place(item: Item) -> tuple[str, str, int] | None:
    iss, epoch, seq = (claim(item.release, name) for name in ("iss", "epoch", "seq"))
    if isinstance(iss, str) and isinstance(epoch, str) and type(seq) is int and 0 < seq < 2**53:
        return iss, epoch, seq
    return None


def _whole(standings: Sequence[Standing]) -> set[tuple[str, str, str]]:
    """Return what is live with its text and the document that readers see: issuer, seq, digest."""
    live = [s for s in standings if s.op == PUT]
    kinds = select(Entry.digest, Entry.type).where(
        Entry.digest.in_({s.entry_digest for s in live}), Entry.payload.is_not(None)
    )
    texts = {row.digest: row.type for row in db.session.execute(kinds)}
    ids = {public_id(s.origin, s.entry_id) for s in live}
    statement = select(Document.id).where(Document.id.in_(ids), Document.audience.is_not(None))
    shown = set(db.session.scalars(statement))
    return {
        (s.iss, str(s.seq), s.entry_digest)
        for s in live
        if s.entry_digest in texts
        and (texts[s.entry_digest] not in reading.KINDS or public_id(s.origin, s.entry_id) in shown)
    }

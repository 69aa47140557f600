"""The road of feedback: from its author's node, through headquarters, to its parent's origin."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import select

from hub.cases import remarks
from hub.cases import service as cases
from hub.config import settings
from hub.database import db, transaction
from hub.errors import HubError, InvalidError, mark
from hub.federation.client import PeerClient
from hub.federation.directory import introduce
from hub.federation.errors import MalformedError, RefusedError
from hub.federation.protocol import ChannelCursor, parse_cursor
from hub.federation.receiving import Outcome
from hub.federation.relay import CursorAheadError, CursorGoneError
from hub.federation.sender import Sender, sender_of
from hub.journal import log, outbox
from hub.journal.errors import VerificationError
from hub.journal.models import GROUP, PUBLIC, PUT, Live, partner_channel
from hub.journal.signing import Signed
from hub.journal.verification import VerifiedEntry, verify_entry
from hub.registry import service as registry
from hub.registry import trust
from hub.registry.models import PeerKind

PATH = "/fed/v1/feedback"
BATCH = 100  # Entries sent at once.
logger = structlog.get_logger()

PASSING = frozenset({"unknown_key"})  # Refusals after which the same may be sent again.


class ClosedParentError(HubError):
    """What feedback speaks of is not open to its author, or is not there: the two look alike."""

    code = "closed_parent"
    message = mark("What this speaks of is not open to you.")


@dataclass(frozen=True)
class Mail:
    """What waits for a spoke: numbered entries, and the epoch of the numbers."""

    epoch: str
    items: list[tuple[int, dict[str, Any]]]


def take(sender: Sender, wires: Collection[object]) -> list[Outcome]:
    """Take in feedback about entries of ours, and pass on the rest; one outcome for each.

    The caller owns the transaction. What was taken in before is accepted again and changes nothing.
    """
    outcomes: list[Outcome] = []
    onward: dict[str, list[Signed]] = {}
    for wire in wires:
        try:
            entry = _judge(wire, sender)
            addressee = _deliver(entry)
        except HubError as error:
            outcomes.append(Outcome("", error.code, str(error)))
            continue
        outcomes.append(Outcome(entry.signed.digest))
        if addressee:
            onward.setdefault(addressee, []).append(entry.signed)
    for addressee in sorted(onward):
        outbox.put(addressee, onward[addressee])
    return outcomes


def mail_for(origin: str, after: ChannelCursor | None) -> Mail:
    """Forget what a spoke says that it has, and return what else waits for it, oldest first.

    The caller owns the transaction.

    :raises CursorGoneError, CursorAheadError: for a cursor that this box never gave.
    """
    epoch, last = outbox.head_of(origin) or ("new", 0)
    if after and after.epoch != epoch:
        raise CursorGoneError
    if after and after.seq > last:
        raise CursorAheadError
    if after:
        outbox.drop_upto(origin, after.seq)
    rows = outbox.waiting(origin, limit=BATCH)
    return Mail(epoch, [(row.number, _wire(row)) for row in rows])


def waiting_for(origin: str) -> str | None:
    """Return the cursor of the last that waits for a spoke; None when nothing does."""
    head = outbox.head_of(origin)
    return str(ChannelCursor(*head)) if head and outbox.is_waiting(origin) else None


def dialled() -> list[str]:
    """Return the peers that we dial and for whom something waits."""
    kinds = (PeerKind.HEADQUARTERS, PeerKind.PARTNER)
    waiting = set(outbox.addressees())
    return [peer.origin for peer in registry.live_peers(*kinds) if peer.origin in waiting]


def send(peer_origin: str) -> int:
    """Hand a peer all that waits for it; return how many entries it took or refused for good.

    :raises PeerError: when it does not answer as it should, or lacks something that may still
        reach it; what it did not take stays and is sent again.
    """
    count = 0
    while True:
        peer = registry.find_peer(peer_origin)
        rows = outbox.waiting(peer_origin, limit=BATCH) if peer else []
        if peer is None or not rows:
            return count
        client = PeerClient.for_peer(peer)
        db.session.rollback()  # No transaction is held while the peer works.
        answer = client.post(PATH, {"items": [_wire(row) for row in rows]})
        count += _settle(peer_origin, [row.digest for row in rows], answer)


def fetch(client: PeerClient, head: object) -> int:
    """Take in what waits for us at headquarters; return how many entries came.

    :param head: what headquarters said of it with its channels.
    """
    count = 0
    while head is not None and str(head) != (after := log.read_cursor(_cursor_name(client.origin))):
        db.session.rollback()
        try:
            body = client.get(PATH, {"after": after or "0"})
        except RefusedError as error:
            if error.refusal not in {"cursor_gone", "cursor_ahead"} or after is None:
                raise
            with transaction():
                log.drop_cursor(_cursor_name(client.origin))
            continue
        mail = _parse(client.origin, body)
        taken = _take_mail(client.origin, mail, after)
        count += taken
        if taken < len(mail.items) or not mail.items:
            return count
    if count:
        client.get(PATH, {"after": log.read_cursor(_cursor_name(client.origin))})  # Acknowledges.
    return count


def _judge(wire: object, sender: Sender) -> VerifiedEntry:
    """Return an entry that its sender may hand over and whose parent its author may see."""
    entry = verify_entry(wire, _key_of)
    if entry.parent is None:
        raise VerificationError("no_feedback", "speaks of nothing, or is of another type")
    remarks.check(entry.document)
    author = entry.document["origin"]
    enterprise = registry.enterprise_of(author)
    if sender.kind == PeerKind.SUBSIDIARY and author != sender.origin:
        raise VerificationError("foreign_origin", "not written by the one who sent it")
    if sender.kind == PeerKind.PARTNER and enterprise != sender.enterprise:
        raise VerificationError("foreign_origin", "not written by a node of this partner")
    if entry.document["type"] == "answer" or not _is_open(entry.parent, enterprise or ""):
        raise ClosedParentError  # Only the parent's origin answers.
    return entry


def _key_of(origin: str, kid: str) -> dict[str, Any] | None:
    """Return a key under which a node may still say something new.

    Nothing tells when feedback was signed: unlike a release it has no place before a cutoff.

    :raises VerificationError: when the key was revoked.
    """
    key = trust.find_key(origin, kid)
    if key and key.revoked_at:
        raise VerificationError("revoked_key", "signed with a key that was revoked")
    return registry.key_of(origin, kid)


def _is_open(parent: tuple[str, str], enterprise: str) -> bool:
    """Say whether the nodes of an enterprise read an entry, as far as we know its channels."""
    channels = {partner_channel(enterprise), PUBLIC}
    if enterprise == settings().enterprise:
        channels.add(GROUP)
    return bool(_live_in(parent) & channels)


def _live_in(parent: tuple[str, str]) -> set[str]:
    statement = select(Live.channel).where(
        Live.iss == parent[0], Live.origin == parent[0], Live.entry_id == parent[1], Live.op == PUT
    )
    return set(db.session.scalars(statement))


def _deliver(entry: VerifiedEntry) -> str | None:
    """Take in an entry whose parent is ours; return the next node for any other."""
    assert entry.parent is not None
    origin = entry.parent[0]
    is_ours = origin == settings().origin
    addressee = None if is_ours else outbox.next_node(origin)
    if not is_ours and (addressee is None or not settings().is_headquarters):
        raise ClosedParentError
    if settings().is_headquarters:
        _introduce_author(entry, is_ours)
    if is_ours:
        cases.take_in(entry)
    return addressee


def _introduce_author(entry: VerifiedEntry, is_ours: bool) -> None:
    """Let partners know the key of a node of ours before they are handed what it says.

    A spoke that releases an entry of another is attended to when it publishes.
    """
    assert entry.parent is not None
    author, own = entry.document["origin"], settings().enterprise
    if registry.enterprise_of(author) != own:
        return
    channels = _live_in(entry.parent) if is_ours else set()
    is_public = PUBLIC in channels
    towards = registry.enterprise_of(entry.parent[0])
    for partner in registry.live_peers(PeerKind.PARTNER):
        named = partner_channel(partner.enterprise) in channels
        if named or (is_public and partner.shares_public) or partner.enterprise == towards:
            introduce(author, partner.enterprise)


def _settle(addressee: str, digests: list[str], answer: Mapping[str, Any]) -> int:
    """Forget what the peer took in or refused for good.

    :raises RefusedError: when it took nothing for good, so that the caller waits.
    """
    accepted, refused = answer.get("accepted"), answer.get("refused")
    if not isinstance(accepted, list) or not isinstance(refused, list):
        raise MalformedError(addressee, "neither accepted nor refused")
    final: dict[str, str] = {}
    passing: dict[str, str] = {}
    for row in refused:
        if not isinstance(row, dict) or row.get("index") not in range(len(digests)):
            raise MalformedError(addressee, "refused what was not sent")
        found = passing if row.get("code") in PASSING else final
        found[digests[row["index"]]] = str(row.get("code"))[:60]
    done = {digest for digest in accepted if digest in digests} | final.keys()
    with transaction():
        outbox.drop(addressee, done)
        for digest, code in final.items():
            cases.note_refused(digest, code)
    if not done:
        code = next(iter(passing.values()), "nothing_taken")
        raise RefusedError(addressee, code, "", answered=200, retry_after=None)
    return len(done)


def _take_mail(origin: str, mail: Mail, after: str | None) -> int:
    """Take in mail and move the cursor, both or neither; what lacks a key holds what follows."""
    with transaction():
        log.lock_heads([])
        peer = registry.find_peer(origin)
        if peer is None or log.read_cursor(_cursor_name(origin)) != after:
            return 0
        outcomes = take(sender_of(peer), [wire for _, wire in mail.items])
        taken = 0
        while taken < len(outcomes) and outcomes[taken].code not in PASSING:
            taken += 1
        for outcome in outcomes[:taken]:
            if outcome.code:
                logger.warning("feedback refused", code=outcome.code, reason=outcome.reason)
        if taken:
            cursor = f"{mail.epoch}:{mail.items[taken - 1][0]}"
            log.move_cursor(_cursor_name(origin), cursor)
    return taken


def _parse(origin: str, body: Mapping[str, Any]) -> Mail:
    epoch, items = body.get("epoch"), body.get("items")
    if not isinstance(epoch, str) or not isinstance(items, list) or len(items) > BATCH:
        raise MalformedError(origin, "no page of feedback")
    found = []
    for item in items:
        number = item.get("seq") if isinstance(item, dict) else None
        if type(number) is not int or parse_cursor(f"{epoch}:{number}") is None:
            raise MalformedError(origin, "feedback without a number")
        found.append((number, item.get("entry")))
    return Mail(epoch, found)


def parse_entries(items: object) -> list[object]:
    """Return the entries of a request; what they hold is not judged here.

    :raises InvalidError: when it is no list, or too long a one.
    """
    if not isinstance(items, list) or len(items) > BATCH:
        raise InvalidError("items", f"not a list of at most {BATCH}")
    return items


def _cursor_name(origin: str) -> str:
    return f"feedback {origin}"


def _wire(row: Any) -> dict[str, str]:
    return {"h": row.header, "p": row.payload, "s": row.signature}

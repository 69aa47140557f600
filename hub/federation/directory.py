"""What headquarters releases about nodes: who they are and with which keys they sign.

Its own nodes read this in `dir`. A partner never reads `dir`: an origin that publishes to it is
first introduced in the channel that the partner does read.
"""

import json
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import select

from hub.config import settings
from hub.database import db
from hub.federation.errors import NotHeadquartersError
from hub.journal import log
from hub.journal.holding import Counts, kid_of
from hub.journal.models import DIRECTORY, GROUP, PUBLIC, PUT, Entry, Live, partner_channel
from hub.journal.signing import node_keys
from hub.registry import service as registry
from hub.registry import trust
from hub.registry.models import NodeKey

NODE = "node"
KEY = "key"
KEY_REVOKED = "key_revoked"
PARTNER = "partner"
KINDS = frozenset({NODE, KEY, KEY_REVOKED})


def announce(
    origin: str, *, name: str, enterprise: str, is_headquarters: bool, jwk: dict[str, Any]
) -> None:
    """Vouch for a node and its key to all nodes of our enterprise, and know it ourselves.

    The caller owns the transaction. What was said before is not said again.

    :raises NotHeadquartersError: on any other node.
    """
    announce_self()
    _vouch(origin, name, enterprise, is_headquarters, jwk)


def introduce(origin: str, enterprise: str) -> None:
    """Vouch for a node of ours to a partner, before the first thing that it publishes there.

    The caller owns the transaction. Nothing happens when the partner knows the node already.

    :raises NotHeadquartersError: on any other node.
    """
    announce_self()
    channel = partner_channel(enterprise)
    kids = db.session.scalars(select(NodeKey.kid).where(NodeKey.origin == origin))
    wanted = [_node_id(origin), *(_key_id(origin, kid) for kid in kids)]
    known = _live_in(channel, wanted)
    missing = [entry_id for entry_id in wanted if entry_id not in known]
    if missing:
        # Whatever else the transaction will append to: locks are taken in one order.
        log.lock_heads([DIRECTORY, GROUP, PUBLIC, channel])
    for entry_id in missing:
        _show(entry_id, channel)
    if missing:
        _say_revoked_to(origin, channel)


def take_back(enterprise: str) -> None:
    """Vouch to a partner for nobody any longer; the caller owns the transaction."""
    channel, here = partner_channel(enterprise), settings().origin
    statement = (
        select(Live.entry_id)
        .join(Entry, Entry.digest == Live.entry_digest)
        .where(
            Live.iss == here,
            Live.channel == channel,
            Live.op == PUT,
            Entry.type.in_([NODE, KEY]),
        )
    )
    for entry_id in sorted(db.session.scalars(statement)):
        log.readdress(entry_id, _channels_of(entry_id) - {channel})


def say_of_partner(enterprise: str, state: str) -> None:
    """Tell our nodes whether what came from a partner may be shown; once for each change.

    The caller owns the transaction and has locked the head of `dir`.
    """
    entry_id = str(uuid5(NAMESPACE_URL, f"{settings().origin}#partner:{enterprise}"))
    _say(PARTNER, entry_id, {"enterprise": enterprise, "state": state}, {DIRECTORY})


def add_key(origin: str, jwk: dict[str, Any], not_before: int) -> None:
    """Vouch for the next key of a node wherever the node itself is known.

    The caller owns the transaction.

    :param not_before: seconds since 1970 from which it counts.
    """
    fields = {"node": origin, "jwk": jwk, "not_before": not_before}
    channels = {DIRECTORY} | _channels_of(_node_id(origin))
    _say(KEY, _key_id(origin, jwk["kid"]), fields, channels)


def revoke_key(origin: str, kid: str, cutoff: dict[str, str], counts: Counts) -> None:
    """Say that a key was revoked, to each partner only what concerns it. See `holding`.

    The caller owns the transaction and has locked `dir` and the channels of all partners.
    """
    fields = {"node": origin, "kid": kid, "cutoff": cutoff, "counts": counts}
    _say(KEY_REVOKED, _revocation_id(origin, kid, DIRECTORY), fields, {DIRECTORY})
    for channel in sorted(_channels_of(_node_id(origin)) - {DIRECTORY}):
        _say_revoked_to(origin, channel)


def _say_revoked_to(origin: str, channel: str) -> None:
    for key in trust.keys_of(origin):
        if not key.revoked_at or not key.revocation:
            continue
        fields: dict[str, Any] = {"node": origin, "kid": key.kid}
        for name in ("cutoff", "counts"):
            said = key.revocation[name]
            fields[name] = {c: said[c] for c in (channel, PUBLIC) if c in said}
        _say(KEY_REVOKED, _revocation_id(origin, key.kid, channel), fields, {channel})


def _show(entry_id: str, channel: str) -> None:
    """Release an entry of ours to one more channel, under a key that its readers know.

    A partner that comes after a change of our key knows the new one only.
    """
    entry = _newest(entry_id)
    channels = _channels_of(entry_id) | {channel}
    if entry and entry.payload and kid_of(entry.header) != node_keys().fingerprint:
        said = json.loads(entry.payload)
        _publish(said["type"], entry_id, entry.rev + 1, said["fields"], channels)
    else:
        log.readdress(entry_id, channels)


def announce_self() -> None:
    """Vouch for ourselves, once; see `announce`."""
    config, jwk = settings(), node_keys().signing_jwk
    if not config.is_headquarters:
        raise NotHeadquartersError
    if not _live_in(DIRECTORY, [_key_id(config.origin, jwk["kid"])]):
        registry.pin(
            config.origin,
            name=config.name,
            enterprise=config.enterprise,
            is_headquarters=True,
            jwk=jwk,
        )
        _vouch(config.origin, config.name, config.enterprise, True, jwk)


def _vouch(
    origin: str, name: str, enterprise: str, is_headquarters: bool, jwk: dict[str, Any]
) -> None:
    node = {"name": name, "enterprise": enterprise, "headquarters": is_headquarters}
    _say(NODE, _node_id(origin), {"node": origin} | node, {DIRECTORY})
    key_id = _key_id(origin, jwk["kid"])
    if not _live_in(DIRECTORY, [key_id]):  # Else the time from which it counts is said already.
        _say(KEY, key_id, {"node": origin, "jwk": jwk}, {DIRECTORY})


def _say(kind: str, entry_id: str, fields: dict[str, Any], channels: set[str]) -> None:
    """Publish an entry, or its next revision when what it says has changed."""
    registry.learn({"type": kind, "fields": fields}, signer_origin=settings().origin)
    before = _newest(entry_id)
    if before and before.payload and json.loads(before.payload)["fields"] == fields:
        return
    rev = before.rev + 1 if before else 1
    _publish(kind, entry_id, rev, fields, _channels_of(entry_id) | channels)


def _publish(
    kind: str, entry_id: str, rev: int, fields: dict[str, Any], channels: set[str]
) -> None:
    log.publish(
        type=kind,
        entry_id=entry_id,
        rev=rev,
        title="",
        body="",
        fields=fields,
        channels=channels,
    )


def _newest(entry_id: str) -> Entry | None:
    statement = select(Entry).where(Entry.origin == settings().origin, Entry.entry_id == entry_id)
    return db.session.scalar(statement.order_by(Entry.rev.desc()).limit(1))


def _channels_of(entry_id: str) -> set[str]:
    here = settings().origin
    statement = select(Live.channel).where(
        Live.iss == here, Live.origin == here, Live.entry_id == entry_id, Live.op == PUT
    )
    return set(db.session.scalars(statement))


def _live_in(channel: str, entry_ids: list[str]) -> set[str]:
    here = settings().origin
    statement = select(Live.entry_id).where(
        Live.iss == here,
        Live.channel == channel,
        Live.origin == here,
        Live.entry_id.in_(entry_ids),
        Live.op == PUT,
    )
    return set(db.session.scalars(statement))


def _node_id(origin: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"{origin}#node"))


def _key_id(origin: str, kid: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"{origin}#key:{kid}"))


def _revocation_id(origin: str, kid: str, channel: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"{origin}#key_revoked:{kid}:{channel}"))

"""What this node counts, in the Prometheus text format; the database is read at each scrape."""

import hmac
from collections.abc import Iterable, Iterator

from flask import Blueprint, Response, after_this_request, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from hub.config import Settings, of_this_node, settings
from hub.database import db
from hub.errors import NotFoundError
from hub.federation import freezing, relay, room, standing
from hub.federation.harvesting import service as harvesting
from hub.federation.quarantine import Held
from hub.identity import access
from hub.journal import log
from hub.journal.models import JOURNAL, Entry, Head
from hub.registry.errors import TokenError

# Peers may send entries of any type; those that are none of these are counted together.
TYPES = (
    "case",
    "pilot_lesson",
    "adoption",
    "comment",
    "question",
    "answer",
    "learning_resource",
    "node",
    "key",
    "key_revoked",
)
OBSTACLES = (room.DiskFullError.code, room.IndexBehindError.code)

blueprint = Blueprint("metrics", __name__)


def _check_token() -> None:
    """Let in who shows the token of the settings; without one there is nothing here."""
    token = settings().metrics_token
    if not token:
        raise NotFoundError
    shown = request.headers.get("Authorization", "")
    if not hmac.compare_digest(shown.encode(), f"Bearer {token}".encode()):
        after_this_request(_challenge)
        raise TokenError


def _challenge(response: Response) -> Response:
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


@blueprint.get("/metrics")
@access.requires(_check_token, "the metrics token")
def show() -> Response:
    """Show all metrics of this node."""
    text = generate_latest(of_this_node(_make_registry))
    return Response(text, content_type=CONTENT_TYPE_LATEST)


def _make_registry(config: Settings) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Numbers())
    return registry


class Numbers(Collector):
    """Reads what is stored; asks no peer."""

    def collect(self) -> Iterable[Metric]:
        """Return all metrics, as they stand at this moment."""
        found = standing.standings()
        yield from _of_peers(found)
        yield from _of_quarantine({each.peer.origin: each.held for each in found})
        yield from _of_sources()
        yield from _of_journal()
        held = relay.watcher().held
        yield _gauge("held_requests", "Requests that this process holds until there is news.", held)


def _of_peers(found: list[standing.Standing]) -> Iterator[Metric]:
    by_state: dict[tuple[str, str], int] = {}
    for each in found:
        key = (each.peer.kind, each.peer.state)
        by_state[key] = by_state.get(key, 0) + 1
    peers = GaugeMetricFamily("jingwei_peers", "Peers.", labels=["kind", "state"])
    for labels, number in by_state.items():
        peers.add_metric(labels, number)
    yield peers
    lags = {s.peer.origin: s.lag for s in found if s.lag}
    items = {peer: lag.items for peer, lag in lags.items()}
    seconds = {peer: lag.seconds for peer, lag in lags.items()}
    silence = {s.peer.origin: s.silent_for for s in found if s.silent_for is not None}
    red = {s.peer.origin: int(s.is_red) for s in found}
    yield _each("peer_red", "1 where somebody should look at a peer.", red)
    yield _each("peer_lag_items", "Items that a peer offers and we lack.", items)
    yield _each("peer_lag_seconds", "Seconds since we last took in something of these.", seconds)
    yield _each("peer_contact_seconds", "Seconds since the last contact.", silence)
    ages = GaugeMetricFamily(
        "jingwei_checkpoint_seconds",
        "Seconds since headquarters signed what a peer last handed on.",
        labels=["peer", "channel"],
    )
    for each in found:
        for channel, age in each.checkpoints.items():
            ages.add_metric([each.peer.origin, channel], age)
    yield ages


def _of_quarantine(held: dict[str, Held]) -> Iterator[Metric]:
    quarantined = {peer: numbers.items for peer, numbers in held.items()}
    parked = {peer: numbers.parked for peer, numbers in held.items()}
    yield _each("quarantined_items", "Items held back.", quarantined)
    yield _each("parked_items", "Items held back until something arrives.", parked)
    frozen = len(freezing.alarms())
    yield _gauge("frozen_origins", "Contradictions at which a person must look.", frozen)
    dropped = CounterMetricFamily(
        "jingwei_quarantine_dropped", "Items for which quarantine had no room.", labels=["peer"]
    )
    for peer, numbers in held.items():
        dropped.add_metric([peer], numbers.dropped)
    yield dropped


def _of_sources() -> Iterator[Metric]:
    sources = harvesting.sources()
    red = {shown.source.url: int(shown.trouble is not None) for shown in sources}
    items = {shown.source.url: shown.items for shown in sources}
    yield _each("source_red", "1 where somebody should look at a harvested source.", red, "source")
    yield _each("source_items", "Items shown of a harvested source.", items, "source")


def _of_journal() -> Iterator[Metric]:
    position, index = log.position(), room.index_position()
    yield _gauge("journal_position", "Last position of the journal.", position)
    yield _gauge("index_position", "Position up to which the index is complete.", index)
    yield _gauge("index_lag", "Positions that the index lacks.", max(0, position - index))
    obstacle = room.obstacle()
    paused = {code: int(obstacle is not None and obstacle.code == code) for code in OBSTACLES}
    yield _each("pull_paused", "1 while pulling pauses for this reason.", paused, "reason")
    counts = db.session.execute(select(Entry.type, func.count()).group_by(Entry.type))
    entries = dict.fromkeys((*TYPES, "other"), 0)
    for name, number in counts:
        entries[name if name in TYPES else "other"] += number
    yield _each("entries", "Signed entries in the journal.", entries, "type")
    heads = db.session.execute(select(Head.name, Head.seq).where(Head.name != JOURNAL))
    offered = {name: seq for name, seq in heads}  # noqa: C416
    yield _each("log_head", "Items offered to the readers of a channel.", offered, "channel")


def _gauge(name: str, text: str, value: int) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"jingwei_{name}", text, value)


def _each(name: str, text: str, values: dict[str, int], label: str = "peer") -> GaugeMetricFamily:
    found = GaugeMetricFamily(f"jingwei_{name}", text, labels=[label])
    for labelled, value in values.items():
        found.add_metric([labelled], value)
    return found

"""How the exchange stands, in lines for a terminal."""

from hub.federation import freezing, room, standing
from hub.federation.harvesting import service as harvesting
from hub.federation.models import Frozen


def report() -> tuple[list[str], bool]:
    """Return how it stands with each peer and source, and whether somebody should look."""
    obstacle, alarms = room.obstacle(), freezing.alarms()
    found, sources = standing.standings(), harvesting.sources()
    lines = [f"RED  {obstacle} {obstacle.fix}"] if obstacle else []
    lines += [f"RED  {_said_of(a)}: {a.code}, served by {a.served_by}" for a in alarms]
    lines += ["\n     ".join(_lines_of(each)) for each in found] or ["This node stands alone."]
    lines += [_line_of(shown) for shown in sources]
    is_red = any(each.is_red for each in found) or any(shown.trouble for shown in sources)
    return lines, bool(obstacle or alarms or is_red)


def _said_of(alarm: Frozen) -> str:
    is_frozen = alarm.code in freezing.CODES
    return f"{alarm.origin} {'is frozen' if is_frozen else 'contradicts itself'}"


def _line_of(shown: harvesting.Shown) -> str:
    """Return what is said of a source that is harvested."""
    source, trouble = shown.source, shown.source.failure or shown.trouble
    line = f"{'RED ' if trouble else 'ok  '} {source.name}  {source.url}, {source.state}"
    line += f"\n     items: {shown.items}, of these missing at the source: {shown.missing}"
    return f"{line}\n     {trouble}" if trouble else line


def _lines_of(each: standing.Standing) -> list[str]:
    """Return what is said of a peer; the first line names it."""
    peer, lag = each.peer, each.lag
    contact = "never" if each.silent_for is None else f"{each.silent_for} s ago"
    lines = [
        f"{'RED ' if each.is_red else 'ok  '} {peer.name}  {peer.origin}",
        f"{peer.kind} of {peer.enterprise}, {peer.state}, last contact {contact}",
        f"may read: {', '.join(each.reads) or 'nothing'}",
        f"held back: {each.held.items}, of these parked: {each.held.parked}, "
        f"dropped for lack of room: {each.held.dropped}",
    ]
    if lag:
        lines.insert(2, f"lag: {lag.items} items, {lag.seconds} s")
    if each.checkpoints:
        told = ", ".join(f"{channel} {age} s ago" for channel, age in each.checkpoints.items())
        lines.append(f"checkpoints signed: {told}")
    if each.trouble:
        lines.append(f"{each.trouble.code}: {each.trouble.what} {each.trouble.fix}")
    return lines

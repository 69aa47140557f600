"""Commands about the federation."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import click

from hub import clock
from hub.config import settings
from hub.database import db, transaction
from hub.federation import (
    closing,
    freezing,
    joining,
    peering,
    puller,
    quarantine,
    reconciling,
    report,
    revocation,
    rotation,
)
from hub.federation.agreements import Agreement
from hub.federation.errors import PeerError
from hub.federation.harvesting import follower as harvester
from hub.federation.harvesting import service as harvesting
from hub.federation.harvesting.models import SourceState
from hub.journal import keyring
from hub.journal.signing import node_keys
from hub.registry import service as registry
from hub.registry import trust
from hub.registry.models import PeerKind, PeerState

LIVE = SourceState.LIVE
INVITED = [PeerKind.SUBSIDIARY.value, PeerKind.SIBLING.value, PeerKind.PARTNER.value]


@click.group()
def federation() -> None:
    """Join a federation, and look after its peers."""


@federation.command("invite")
@click.argument("origin")
@click.option("--enterprise", help="Slug of its enterprise; ours for a subsidiary.")
@click.option("--kind", type=click.Choice(INVITED), default="subsidiary", show_default=True)
@click.option(
    "--ends-at",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Last day of the agreement with a partner; a year from now if not given.",
)
@click.option(
    "--categories", default="", help="Codes of what the partner may read, by commas; all if empty."
)
@click.option(
    "--public/--no-public",
    "shares_public",
    default=True,
    show_default=True,
    help="Whether the partner also reads what is public.",
)
def invite(
    origin: str,
    enterprise: str | None,
    kind: str,
    ends_at: datetime | None,
    categories: str,
    shares_public: bool,
) -> None:
    """Print a code with which the node at ORIGIN may join within 24 hours."""
    named = tuple(code.strip() for code in categories.split(",") if code.strip())
    agreement = Agreement(_end_of(ends_at), named, shares_public)
    with transaction():
        code = joining.invite(
            origin, enterprise or settings().enterprise, PeerKind(kind), agreement
        )
    click.echo(code)


@federation.command("join")
@click.argument("code")
def join(code: str) -> None:
    """Join the headquarters, or accept the partner, that gave you CODE."""
    admission = joining.register(code)
    with transaction():
        joined = joining.keep(admission)
        name, shown = joined.name, peering.grouped(joined.fingerprint)
        is_live = joined.state == PeerState.LIVE
    click.echo(f"Joined {name} at {admission.origin}, whose fingerprint is {shown}.")
    if not is_live:
        click.echo(
            "Compare it by telephone, then: "
            f"hub federation confirm {admission.origin} --fingerprint …"
        )


@federation.command("confirm")
@click.argument("origin")
@click.option("--fingerprint", required=True, help="As the partner reads it out; spaces are fine.")
def confirm(origin: str, fingerprint: str) -> None:
    """Trust the partner at ORIGIN, whose fingerprint you compared by another road."""
    with transaction():
        is_live = peering.confirm(origin, fingerprint).state == PeerState.LIVE
    click.echo(f"{origin} is confirmed" + (" and live." if is_live else "; it must invite us too."))


@federation.command("close")
@click.argument("origin")
@click.confirmation_option(prompt="This can't be undone. Close it for good?")
def close(origin: str) -> None:
    """End the peering with the partner at ORIGIN for good, and drop what came from it."""
    with transaction():
        closing.close(origin)
    click.echo(f"{origin} is closed. Its texts are gone from this enterprise within 24 hours.")


@federation.command("fingerprint")
def fingerprint() -> None:
    """Print this node's fingerprint, for a partner to compare."""
    click.echo(peering.grouped(node_keys().fingerprint))


@federation.command("peers")
def peers() -> None:
    """List the peers, their state and their last contact."""
    for peer in registry.peers():
        seen = peer.seen_at.isoformat(timespec="seconds") if peer.seen_at else "never"
        line = f"{peer.origin}\t{peer.enterprise}\t{peer.kind}\t{peer.state}\tseen {seen}"
        click.echo(f"{line}\t{peer.failure}" if peer.failure else line)


@federation.command("unfreeze")
@click.argument("origin")
@click.option("--reason", required=True, help="What you found out; the audit log keeps it.")
def unfreeze(origin: str, reason: str) -> None:
    """Trust the node at ORIGIN again, which had signed two things that can't both be true."""
    with transaction():
        freezing.unfreeze(origin, reason=reason)
    with transaction():  # Locks the journal, which comes before the audit log.
        count = quarantine.retry_parked()
    click.echo(f"{origin} is trusted again; {count} items that waited were taken in.")


@federation.command("status")
@click.pass_context
def status(context: click.Context) -> None:
    """Say how the exchange with each peer stands, and what to do; exit with 1 if something is red.

    Asks no peer: it says what this node knows, also while nothing can be reached.
    """
    lines, is_red = report.report()
    click.echo("\n".join(lines))
    context.exit(1 if is_red else 0)


@federation.command("pull")
@click.pass_context
def pull(context: click.Context) -> None:
    """Pull once from every peer that offers something, and verify and store it."""
    failed = False
    for origin in puller.upstream():
        try:
            click.echo(f"{origin}: {puller.pull(origin)} items")
        except PeerError as error:
            db.session.rollback()
            click.echo(str(error), err=True)
            failed = True
    context.exit(1 if failed else 0)


@federation.command("harvest")
@click.argument("name", required=False)
@click.pass_context
def harvest(context: click.Context, name: str | None) -> None:
    """Harvest the source called NAME now, or all that are not paused; exit with 1 if one fails."""
    failed = False
    found = [shown.source for shown in harvesting.sources()]
    for source_id, called in [(source.id, source.name) for source in found]:
        if name not in {None, called} or harvesting.find(source_id).source.state != LIVE:
            continue
        error = harvester.harvest(source_id)
        shown = harvesting.find(source_id)
        told = f"{shown.items} items, {shown.missing} missing"
        click.echo(f"{called}: {error or told}", err=error is not None)
        failed |= shown.trouble is not None
    context.exit(1 if failed else 0)


@federation.group("key")
def key() -> None:
    """Look after the keys with which nodes sign."""


@key.command("list")
@click.argument("origin", required=False)
def list_keys(origin: str | None) -> None:
    """List the signing keys of the node at ORIGIN, or of this one, as they are known here."""
    for known in trust.keys_of(origin or settings().origin):
        since = known.not_before.isoformat() if known.not_before else "the beginning"
        line = f"{known.kid}\tfrom {since}"
        click.echo(f"{line}\trevoked" if known.revoked_at else line)


@key.command("rotate")
def rotate() -> None:
    """Make the next signing key of this node; it counts a day later, without a restart."""
    kid, since = rotation.rotate()
    click.echo(f"{peering.grouped(kid)} counts from {datetime.fromtimestamp(since, UTC)}.")


@key.command("revoke", context_settings={"ignore_unknown_options": True})  # "-" begins some.
@click.argument("origin")
@click.argument("kid")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="When the key was lost, by this node's clock and time zone; now if not given.",
)
def revoke(origin: str, kid: str, since: datetime | None) -> None:
    """Let the key KID of the node at ORIGIN count no further than what arrived here before."""
    zone = ZoneInfo(settings().time_zone)
    with transaction():
        revocation.revoke(origin, kid, since=since.replace(tzinfo=zone) if since else None)
    click.echo(f"Revoked. For another key: hub federation invite {origin}")


@key.command("replace")
@click.argument("code")
def replace(code: str) -> None:
    """Join again by CODE with a new key, after headquarters revoked the old one."""
    following = keyring.prepare_next()
    admission = joining.register(code, following)
    keyring.activate(following, clock.timestamp())
    with transaction():
        joining.keep(admission)
    click.echo(f"{peering.grouped(following.fingerprint)} counts from now on.")


@federation.command("reconcile")
@click.pass_context
def reconcile(context: click.Context) -> None:
    """Compare now what we hold with what each peer has live, and mend what differs."""
    failed = False
    for origin in puller.upstream():
        for channel in puller.expected(peering.find(origin)):
            try:
                found = reconciling.compare(origin, channel)
                click.echo(f"{origin}\t{channel}\t{_said(found)}")
            except PeerError as error:
                db.session.rollback()
                click.echo(f"{origin}\t{channel}\t{error}", err=True)
                failed = True
    context.exit(1 if failed else 0)


def _said(found: reconciling.Difference | None) -> str:
    """Return what a comparison found, in words."""
    if found is None:
        return "not compared: the two stand at different places; pull, and try again"
    if found.is_bootstrapped:
        return "taken anew from the snapshot"
    if not found.lacking and not found.stale:
        return "equal"
    return f"{found.lacking} fetched again, {found.stale} hidden"


def _end_of(day: datetime | None) -> datetime | None:
    """Return the end of a day in this node's time zone."""
    if day is None:
        return None
    return day.replace(tzinfo=ZoneInfo(settings().time_zone)) + timedelta(days=1)

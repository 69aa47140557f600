"""Keys that follow each other, and keys that are revoked."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import select

from hub import clock
from hub.audit.models import AuditEntry
from hub.database import db, transaction
from hub.federation import freezing, joining, puller, pusher, revocation, rotation
from hub.federation.cli import federation as commands
from hub.federation.errors import RefusedError
from hub.federation.protocol import parse_items
from hub.federation.receiving import Intake
from hub.federation.sender import Sender
from hub.journal import keyring, log
from hub.journal.models import GROUP, LogItem, Release
from hub.journal.signing import Ring, node_keys
from hub.registry import trust
from hub.registry.models import Peer, PeerKind, PeerState
from tests.federation import test_exchange
from tests.federation.test_exchange import Federation, publish, quarantine, readdress, titles
from tests.in_process import invite, join, pair

HQ, ALPHA, BETA = (f"https://{name}.test" for name in ("headquarters", "alpha", "beta"))
DAY = timedelta(hours=24)

federation = test_exchange.federation


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = clock.now().replace(microsecond=0)

    def move(self, step: timedelta) -> None:
        self.now += step


@pytest.fixture(autouse=True)
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    moment = Time()
    monkeypatch.setattr(clock, "now", lambda: moment.now)
    return moment


def run(node: Flask, *words: str) -> Result:
    with node.app_context():
        result = CliRunner().invoke(commands, ["key", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def kid_of(node: Flask) -> str:
    with node.app_context():
        return node_keys().fingerprint


def known_keys(node: Flask, origin: str) -> list[str]:
    with node.app_context():
        return [key.kid for key in trust.keys_of(origin)]


def signers(node: Flask, channel: str) -> list[str]:
    """Return the keys under which the releases that stand in a channel are signed, in order."""
    with node.app_context():
        rows = select(Release.header).where(Release.channel == channel, ~Release.is_held)
        headers = db.session.scalars(rows.order_by(Release.position))
        return [json.loads(header)["kid"] for header in headers]


def audited(node: Flask) -> list[str]:
    with node.app_context():
        return list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.seq)))


def ask(node: Flask, body: Any) -> dict[str, Any]:
    """Ask headquarters for a change of key, with the token of a node."""
    with node.app_context():
        peer = db.session.scalars(select(Peer)).one()
        return puller.PeerClient.for_peer(peer).post("/fed/v1/keys", body)


def refusal(node: Flask, body: Any) -> tuple[int, str]:
    with pytest.raises(RefusedError) as caught:
        ask(node, body)
    return caught.value.answered, caught.value.refusal


def change(node: Flask, **proof: Any) -> dict[str, Any]:
    """Return a node's request for its next key."""
    with node.app_context():
        following = keyring.prepare_next()
        found = rotation.prove(HQ, node_keys(), following) | proof
        return {"jwk": following.signing_jwk, "proof": found}


def revoke(headquarters: Flask, kid: str, since: datetime | None = None) -> None:
    with headquarters.app_context(), transaction():
        revocation.revoke(ALPHA, kid, since=since)


def replace(federation: Federation) -> None:
    """Let alpha join again with another key, as its administrator would."""
    code = invite(federation.headquarters, federation.alpha, PeerKind.SUBSIDIARY)
    run(federation.alpha, "replace", code)


@pytest.mark.on_both
def test_a_rotation_while_publishing_loses_nothing(federation: Federation, time: Time) -> None:
    alpha, first = federation.alpha, kid_of(federation.alpha)
    publish(alpha, GROUP, "partner:globex", title="以前")
    run(alpha, "rotate")
    publish(alpha, GROUP, "partner:globex", title="其间")
    federation.sync()
    time.move(DAY)
    second = kid_of(alpha)
    assert second != first
    publish(alpha, GROUP, "partner:globex", title="以后")
    federation.sync()
    everything = ["以前", "以后", "其间"]
    for node in (federation.headquarters, federation.beta, federation.partner):
        assert titles(node) == everything
        assert quarantine(node) == []
        assert known_keys(node, ALPHA) == [first, second]
    assert signers(federation.beta, GROUP) == [first, first, second]


def test_a_key_counts_a_day_after_it_was_announced(federation: Federation, time: Time) -> None:
    first = kid_of(federation.alpha)
    said = run(federation.alpha, "rotate").stdout
    assert run(federation.alpha, "rotate").stdout == said, "asked again, nothing changes"
    time.move(DAY - timedelta(seconds=1))
    assert kid_of(federation.alpha) == first
    time.move(timedelta(seconds=1))
    assert kid_of(federation.alpha) != first


def test_another_process_signs_with_the_new_key_too(federation: Federation, time: Time) -> None:
    with federation.alpha.app_context():
        other = Ring(federation.alpha.extensions["hub.settings"])
        first = other.current().fingerprint
    run(federation.alpha, "rotate")
    time.move(DAY)
    assert first != other.current().fingerprint == kid_of(federation.alpha)


def test_a_key_verifies_nothing_before_its_time(federation: Federation, time: Time) -> None:
    alpha, beta = federation.alpha, federation.beta
    run(alpha, "rotate")
    federation.sync()
    hasty = [{"from": 0, "kid": known_keys(beta, ALPHA)[1]}]
    listing = alpha.extensions["hub.settings"].home / "keys" / "signing.json"
    listing.write_text(json.dumps(hasty))
    publish(alpha, GROUP, title="太早")
    with alpha.app_context(), pytest.raises(RefusedError) as caught:
        pusher.push(HQ)
    assert caught.value.refusal == "early_key"
    with alpha.app_context():
        items = [item for _, item in pusher._items(GROUP, *_first_place(GROUP))]
    with beta.app_context(), transaction():
        outcomes = Intake(Sender(HQ, PeerKind.HEADQUARTERS, "acme"), GROUP).take(parse_items(items))
    assert [outcome.code for outcome in outcomes] == ["early_key"]
    assert titles(beta) == []
    time.move(DAY - timedelta(seconds=61))
    with beta.app_context():
        puller.pull_all()
    assert titles(beta) == [], "61 seconds are more than clocks may differ"
    time.move(timedelta(seconds=1))
    with beta.app_context():
        puller.pull_all()
    assert titles(beta) == ["太早"]
    assert quarantine(beta) == []


def _first_place(channel: str) -> tuple[str, int]:
    [chain] = [chain for chain in pusher.own_chains() if chain[0] == channel]
    return chain[1], 0


def test_headquarters_changes_its_own_key(
    federation: Federation, time: Time, make_node: Any
) -> None:
    first = kid_of(federation.headquarters)
    run(federation.headquarters, "rotate")
    federation.sync()
    time.move(DAY)
    second = kid_of(federation.headquarters)
    publish(federation.headquarters, GROUP, "partner:globex", title="总部的新钥匙")
    gamma: Flask = make_node("gamma")
    join(federation.headquarters, gamma)
    federation.sync()
    with gamma.app_context():
        puller.pull_all()
    for node in (federation.alpha, federation.beta, federation.partner, gamma):
        assert titles(node) == ["总部的新钥匙"]
        assert quarantine(node) == []
        assert set(known_keys(node, HQ)) == {first, second}


def test_a_partner_that_comes_after_the_change_reads_everything(
    federation: Federation, time: Time, make_node: Any
) -> None:
    run(federation.headquarters, "rotate")
    federation.sync()
    time.move(DAY)
    other: Flask = make_node("initech", enterprise="initech", role="headquarters")
    pair(federation.headquarters, other)
    publish(federation.alpha, GROUP, "partner:initech", title="给新伙伴")
    federation.sync()
    with other.app_context():
        puller.pull_all()
    assert titles(other) == ["给新伙伴"]
    assert quarantine(other) == []


@pytest.mark.parametrize("spoiled", ["old", "new"])
def test_a_new_key_without_continuity_is_refused_and_audited(
    federation: Federation, spoiled: str
) -> None:
    alpha = federation.alpha
    body = change(alpha)
    body["proof"][spoiled] = body["proof"]["new" if spoiled == "old" else "old"]
    assert refusal(alpha, body) == (400, "proof")
    assert audited(federation.headquarters)[-1] == "key.refused"
    assert len(known_keys(federation.headquarters, ALPHA)) == 1


@pytest.mark.on_both
def test_a_node_does_not_change_the_key_of_another(federation: Federation) -> None:
    assert refusal(federation.beta, change(federation.alpha)) == (400, "proof")
    assert audited(federation.headquarters)[-1] == "key.refused"
    assert len(known_keys(federation.headquarters, ALPHA)) == 1
    assert len(known_keys(federation.headquarters, BETA)) == 1


def test_strangers_and_partners_change_no_key(federation: Federation) -> None:
    body = change(federation.alpha)
    answer = federation.headquarters.test_client().post("/fed/v1/keys", json=body)
    assert answer.status_code == 401
    assert refusal(federation.partner, body) == (403, "scope")


@pytest.mark.parametrize(
    "broken", [{}, {"jwk": {}, "proof": {}}, {"jwk": None, "proof": None}, {"proof": {}}, []]
)
def test_a_request_that_is_no_change_of_key_is_refused(federation: Federation, broken: Any) -> None:
    assert refusal(federation.alpha, broken)[0] == 400


def test_a_key_that_was_followed_vouches_for_no_other(federation: Federation, time: Time) -> None:
    alpha = federation.alpha
    with alpha.app_context():
        first = node_keys()
    run(alpha, "rotate")
    time.move(DAY)
    with alpha.app_context():
        following = keyring.prepare_next()
        body = {"jwk": following.signing_jwk, "proof": rotation.prove(HQ, first, following)}
    assert refusal(alpha, body) == (400, "proof")


def test_a_second_change_waits_for_the_first(federation: Federation) -> None:
    alpha = federation.alpha
    ask(alpha, change(alpha))
    (alpha.extensions["hub.settings"].home / "keys" / "next.pem").unlink()
    assert refusal(alpha, change(alpha)) == (409, "key_waiting")


def test_killed_before_the_announcement_it_announces_the_same_key(federation: Federation) -> None:
    with federation.alpha.app_context():
        made = keyring.prepare_next().fingerprint
    run(federation.alpha, "rotate")
    assert known_keys(federation.headquarters, ALPHA)[1] == made


def test_killed_after_the_announcement_it_gets_the_same_time(
    federation: Federation, time: Time
) -> None:
    told = ask(federation.alpha, change(federation.alpha))
    time.move(timedelta(hours=1))
    run(federation.alpha, "rotate")
    with federation.alpha.app_context():
        assert keyring.waiting() == (told["kid"], told["not_before"])


def stolen(federation: Federation, time: Time) -> tuple[str, datetime]:
    """Let alpha publish, lose its key, and publish again; return the key and when it was lost."""
    publish(federation.alpha, GROUP, "partner:globex", title="以前")
    federation.sync()
    lost = time.now
    time.move(timedelta(hours=1))
    publish(federation.alpha, GROUP, "partner:globex", title="以后")
    federation.sync()
    return kid_of(federation.alpha), lost


def test_what_came_after_the_cutoff_is_hidden_everywhere(
    federation: Federation, time: Time
) -> None:
    kid, lost = stolen(federation, time)
    others = (federation.headquarters, federation.beta, federation.partner)
    assert [titles(node) for node in others] == [["以前", "以后"]] * 3
    revoke(federation.headquarters, kid, lost)
    for node in (federation.partner, federation.beta):
        with node.app_context():
            puller.pull_all()
    for node in others:
        assert titles(node) == ["以前"]
        assert set(quarantine(node)) == {"revoked_key"}


@pytest.mark.on_both
def test_the_cutoff_is_a_place_in_the_logs_of_headquarters(
    federation: Federation, time: Time
) -> None:
    kid, lost = stolen(federation, time)
    revoke(federation.headquarters, kid, lost)
    with federation.headquarters.app_context():
        key = trust.find_key(ALPHA, kid)
        assert key is not None
        assert key.revocation is not None
        cutoff, counts = key.revocation["cutoff"], key.revocation["counts"]
    assert {name: text.partition(":")[2] for name, text in cutoff.items()} == {
        GROUP: "1",
        "partner:globex": str(_introduction(federation.headquarters)),
    }
    assert {name: [t.partition(":")[2] for t in texts] for name, texts in counts.items()} == {
        GROUP: ["1"],
        "partner:globex": ["1"],
    }


def _introduction(headquarters: Flask) -> int:
    """Return the place in the partner's channel of the first case of alpha."""
    with headquarters.app_context():
        places = (
            select(LogItem.seq)
            .join(Release, Release.position == LogItem.position)
            .where(LogItem.channel == "partner:globex", Release.iss == ALPHA)
        )
        return min(db.session.scalars(places))


def test_a_node_without_a_key_is_turned_away_until_it_has_another(
    federation: Federation, time: Time
) -> None:
    kid, _ = stolen(federation, time)
    revoke(federation.headquarters, kid)
    with federation.alpha.app_context(), pytest.raises(RefusedError) as caught:
        puller.pull(HQ)
    assert caught.value.refusal == "peer_frozen"
    code = invite(federation.headquarters, federation.alpha, PeerKind.SUBSIDIARY)
    with federation.alpha.app_context(), pytest.raises(RefusedError) as caught:
        joining.register(code)
    assert caught.value.refusal == "revoked_key"
    run(federation.alpha, "replace", code)
    with federation.headquarters.app_context():
        peer = db.session.scalars(select(Peer).where(Peer.origin == ALPHA)).one()
        assert (peer.state, peer.fingerprint) == (PeerState.LIVE, kid_of(federation.alpha))
    assert kid_of(federation.alpha) != kid


def test_signed_again_it_appears_again(federation: Federation, time: Time) -> None:
    kid, lost = stolen(federation, time)
    revoke(federation.headquarters, kid, lost)
    for node in (federation.partner, federation.beta):
        with node.app_context():
            puller.pull_all()
    publish(federation.alpha, GROUP, title="等着")
    replace(federation)
    with federation.alpha.app_context():
        puller.pull_all()
    publish(federation.alpha, GROUP, "partner:globex", title="新的")
    federation.sync()
    federation.sync()
    assert titles(federation.partner) == ["以前", "以后", "新的"]
    for node in (federation.headquarters, federation.beta):
        assert titles(node) == ["以前", "以后", "新的", "等着"]
        assert quarantine(node) == []
        with node.app_context():
            assert freezing.alarms() == [], "the same under another key contradicts nothing"
    assert signers(federation.alpha, GROUP)[0] == kid
    assert kid not in signers(federation.alpha, GROUP)[1:]


def test_who_joins_later_reads_the_same(federation: Federation, time: Time, make_node: Any) -> None:
    kid, lost = stolen(federation, time)
    revoke(federation.headquarters, kid, lost)
    gamma: Flask = make_node("gamma")
    join(federation.headquarters, gamma)
    with gamma.app_context():
        puller.pull_all()
    assert titles(gamma) == ["以前"]
    replace(federation)
    with federation.alpha.app_context():
        puller.pull_all()
    federation.sync()
    with gamma.app_context():
        puller.pull_all()
    assert titles(gamma) == ["以前", "以后"]
    delta: Flask = make_node("delta")
    join(federation.headquarters, delta)
    with delta.app_context():
        puller.pull_all()
    assert titles(delta) == ["以前", "以后"]


@pytest.mark.on_both
def test_what_a_thief_published_makes_room_for_the_true_one(
    federation: Federation, time: Time
) -> None:
    kid, lost = stolen(federation, time)
    with federation.alpha.app_context(), transaction():
        # The node never wrote what headquarters has: a thief with its keys did.
        forged = select(Release).where(Release.channel == GROUP, Release.seq == 2)
        row = db.session.scalars(forged).one()
        before = db.session.scalars(
            select(Release).where(Release.channel == GROUP, Release.seq == 1)
        ).one()
        db.session.delete(row)
        chain = log.chains_of(ALPHA, [GROUP])[GROUP]
        chain.seq, chain.digest = 1, before.digest
    publish(federation.alpha, GROUP, title="真的")
    revoke(federation.headquarters, kid, lost)
    replace(federation)
    with federation.alpha.app_context():
        puller.pull_all()
    federation.sync()
    assert titles(federation.beta) == ["以前", "真的"]
    assert quarantine(federation.beta) == ["revoked_key"], "what the thief wrote is evidence"
    with federation.beta.app_context():
        assert freezing.alarms() == []


@pytest.mark.on_both
def test_a_withdrawal_after_the_cutoff_does_not_count_either(
    federation: Federation, time: Time
) -> None:
    entry_id = publish(federation.alpha, GROUP, "partner:globex", title="以前")
    federation.sync()
    lost = time.now
    time.move(timedelta(hours=1))
    readdress(federation.alpha, entry_id, GROUP)
    federation.sync()
    assert titles(federation.partner) == []
    revoke(federation.headquarters, kid_of(federation.alpha), lost)
    with federation.headquarters.app_context():
        counting = select(Release.op).where(
            Release.iss == ALPHA, Release.channel == "partner:globex", ~Release.is_held
        )
        assert db.session.scalars(counting).all() == ["put"]


@pytest.mark.on_both
def test_a_key_that_waits_goes_with_the_one_that_vouched_for_it(federation: Federation) -> None:
    kid = kid_of(federation.alpha)
    run(federation.alpha, "rotate")
    revoke(federation.headquarters, kid)
    assert "revoked" in run(federation.headquarters, "list", ALPHA).stdout.splitlines()[1]
    replace(federation)
    with federation.alpha.app_context():
        assert keyring.waiting() is None


def test_the_command_revokes_by_the_clock_of_headquarters(
    federation: Federation, time: Time
) -> None:
    kid, lost = stolen(federation, time)
    since = f"{lost:%Y-%m-%dT%H:%M:%S}"
    run(federation.headquarters, "revoke", ALPHA, kid, "--since", since)
    assert titles(federation.headquarters) == ["以前"]
    assert audited(federation.headquarters)[-1] == "key.revoked"


def test_a_key_may_begin_with_a_dash(federation: Federation) -> None:
    with federation.headquarters.app_context(), pytest.raises(revocation.UnknownKeyError):
        CliRunner().invoke(commands, ["key", "revoke", ALPHA, "-0abc"], catch_exceptions=False)


@pytest.mark.parametrize("origin", [HQ, "https://partner.test", "https://nobody.test"])
def test_headquarters_revokes_the_keys_of_its_own_nodes_only(
    federation: Federation, origin: str
) -> None:
    with federation.headquarters.app_context():
        known = trust.keys_of(origin)
        kid = known[0].kid if known else "none"
        with pytest.raises(revocation.UnknownKeyError), transaction():
            revocation.revoke(origin, kid)


def test_no_other_node_revokes_a_key(federation: Federation) -> None:
    kid = kid_of(federation.alpha)
    with (
        federation.alpha.app_context(),
        pytest.raises(revocation.NotHeadquartersError),
        transaction(),
    ):
        revocation.revoke(ALPHA, kid)


def test_a_partner_reads_of_a_revocation_only_what_concerns_it(
    federation: Federation, time: Time
) -> None:
    kid, _ = stolen(federation, time)
    revoke(federation.headquarters, kid)
    with federation.partner.app_context():
        puller.pull_all()
        key = trust.find_key(ALPHA, kid)
        assert key is not None
        assert key.revocation is not None
        assert set(key.revocation["counts"]) == {"partner:globex"}

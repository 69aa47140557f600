"""How the exchange stands: in a terminal, for a monitor, and for peers."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from hub import clock
from hub.database import db, transaction
from hub.errors import HubError
from hub.federation import peering, puller, room
from hub.federation.cli import federation
from hub.journal.models import GROUP, Cursor, LogItem
from hub.registry.models import Peer, PeerState
from tests.federation.test_exchange import publish
from tests.federation.test_urls import bearer, get, ingest
from tests.in_process import connect, join, pair

HEADQUARTERS, ALPHA = "https://headquarters.test", "https://alpha.test"
TOKEN = "of the monitor"


@pytest.fixture
def hub_and_spoke(headquarters: Flask, alpha: Flask) -> tuple[Flask, Flask]:
    join(headquarters, alpha)
    with alpha.app_context():
        puller.pull(HEADQUARTERS)
    return headquarters, alpha


def status(node: Flask) -> Result:
    with node.app_context():
        return CliRunner().invoke(federation, ["status"])


def open_metrics(node: Flask, token: str = TOKEN) -> None:
    node.extensions["hub.settings"] = replace(node.extensions["hub.settings"], metrics_token=token)


def scrape(node: Flask) -> dict[str, float]:
    """Return all metrics of a node: the name with its labels → the value."""
    client = node.test_client()
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200, answer.text
    return {
        f"{sample.name}{list(sample.labels.values())}": sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def fall_behind(headquarters: Flask, alpha: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let alpha learn of three items and take in none of them."""
    for _ in range(3):
        publish(headquarters, GROUP)
    with monkeypatch.context() as patch, alpha.app_context():
        patch.setattr(room, "free_bytes", lambda folder: 0)
        with pytest.raises(HubError):
            puller.pull(HEADQUARTERS)


def change_peer(node: Flask, **values: object) -> None:
    with node.app_context(), transaction():
        db.session.execute(update(Peer).values(**values))


def test_a_node_whose_peers_are_well_says_so_and_exits_with_zero(
    hub_and_spoke: tuple[Flask, Flask],
) -> None:
    headquarters, alpha = hub_and_spoke
    theirs, ours = status(headquarters), status(alpha)
    assert (theirs.exit_code, ours.exit_code) == (0, 0), theirs.output + ours.output
    assert f"ok   Alpha  {ALPHA}" in theirs.output
    assert "may read: dir, group, partner:acme, public" in theirs.output
    assert re.search(r"subsidiary of acme, live, last contact \d+ s ago", theirs.output)
    assert "lag: 0 items, 0 s" in ours.output
    assert "held back: 0, of these parked: 0" in ours.output


def test_a_node_alone_is_not_red(alpha: Flask) -> None:
    assert (status(alpha).exit_code, status(alpha).output) == (0, "This node stands alone.\n")


def test_a_suspended_peer_is_red_and_reads_nothing(hub_and_spoke: tuple[Flask, Flask]) -> None:
    headquarters, _ = hub_and_spoke
    with headquarters.app_context(), transaction():
        peering.suspend(ALPHA)
    said = status(headquarters)
    assert said.exit_code == 1
    assert f"RED  Alpha  {ALPHA}" in said.output
    assert "may read: nothing" in said.output
    assert "peer_suspended: The connection is suspended here." in said.output


def test_what_was_closed_for_good_alarms_nobody(hub_and_spoke: tuple[Flask, Flask]) -> None:
    headquarters, _ = hub_and_spoke
    change_peer(headquarters, state=PeerState.CLOSED)
    said = status(headquarters)
    assert said.exit_code == 0
    assert "The connection was closed for good." in said.output


def test_a_failure_is_named_with_what_to_do(hub_and_spoke: tuple[Flask, Flask]) -> None:
    _, alpha = hub_and_spoke
    change_peer(alpha, failing_since=clock.now(), failure="unreachable: nobody is there")
    said = status(alpha)
    assert said.exit_code == 1
    assert "unreachable: The other node can't be reached. Check the network" in said.output


@pytest.mark.parametrize("kind", ["headquarters", "subsidiary"])
def test_a_peer_that_is_silent_for_two_minutes_is_red(
    hub_and_spoke: tuple[Flask, Flask], kind: str
) -> None:
    headquarters, alpha = hub_and_spoke
    node = alpha if kind == "headquarters" else headquarters
    change_peer(node, seen_at=clock.now() - timedelta(seconds=119))
    assert status(node).exit_code == 0
    change_peer(node, seen_at=clock.now() - timedelta(seconds=121))
    assert status(node).exit_code == 1
    assert "silent: Nothing heard from it" in status(node).output


def test_the_lag_is_what_a_peer_told_less_what_was_taken_in(
    hub_and_spoke: tuple[Flask, Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    headquarters, alpha = hub_and_spoke
    publish(headquarters, GROUP)
    with alpha.app_context():
        puller.pull(HEADQUARTERS)
    fall_behind(headquarters, alpha, monkeypatch)
    assert "lag: 3 items" in status(alpha).output
    assert status(alpha).exit_code == 0, "a moment's lag is ordinary"
    with alpha.app_context(), transaction():
        db.session.execute(update(Cursor).values(moved_at=clock.now() - timedelta(seconds=300)))
    said = status(alpha)
    assert re.search(r"lag: 3 items, 30\d s", said.output)
    assert (said.exit_code, "lagging: This node is behind" in said.output) == (1, True)
    with alpha.app_context():
        puller.pull(HEADQUARTERS)
    assert "lag: 0 items, 0 s" in status(alpha).output


def test_what_was_never_begun_lags_too(
    headquarters: Flask, alpha: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    join(headquarters, alpha)
    fall_behind(headquarters, alpha, monkeypatch)
    assert "lag: 7 items" in status(alpha).output  # With four of the directory.


def test_a_full_disk_is_red_and_named_with_what_to_do(
    hub_and_spoke: tuple[Flask, Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, alpha = hub_and_spoke
    monkeypatch.setattr(room, "free_bytes", lambda folder: 0)
    said = status(alpha)
    assert said.exit_code == 1
    assert "RED  The disk of this node is almost full" in said.output
    assert "Free or add space" in said.output


def test_no_peer_is_asked_to_say_how_it_stands(hub_and_spoke: tuple[Flask, Flask]) -> None:
    headquarters, alpha = hub_and_spoke
    network = connect(headquarters, alpha)
    network.seen.clear()
    open_metrics(alpha)
    assert status(alpha).exit_code == 0
    scrape(alpha)
    assert network.seen == []


@pytest.mark.parametrize("shown", ["", "Bearer ", "Bearer x", "Bearer None"])
def test_metrics_are_closed_until_there_is_a_token(alpha: Flask, shown: str) -> None:
    answer = alpha.test_client().get("/metrics", headers={"Authorization": shown})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer wrong", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN} ", "Bearer é"]
)
def test_metrics_are_refused_to_who_does_not_know_the_token(alpha: Flask, shown: str) -> None:
    open_metrics(alpha)
    answer = alpha.test_client().get("/metrics", headers={"Authorization": shown})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "jingwei" not in answer.text


def test_metrics_count_peers_lag_and_journal(
    hub_and_spoke: tuple[Flask, Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    headquarters, alpha = hub_and_spoke
    fall_behind(headquarters, alpha, monkeypatch)
    for node in hub_and_spoke:
        open_metrics(node)
    theirs, ours = scrape(headquarters), scrape(alpha)
    assert theirs["jingwei_peers['subsidiary', 'live']"] == 1
    assert f"jingwei_peer_lag_items['{ALPHA}']" not in theirs, "it reads us, we do not read it"
    assert ours["jingwei_peers['headquarters', 'live']"] == 1, "each node counts by itself"
    assert ours[f"jingwei_peer_lag_items['{HEADQUARTERS}']"] == 3
    assert ours[f"jingwei_peer_contact_seconds['{HEADQUARTERS}']"] >= 0
    assert ours[f"jingwei_peer_red['{HEADQUARTERS}']"] == 0
    assert (theirs["jingwei_log_head['group']"], theirs["jingwei_log_head['dir']"]) == (3, 4)
    assert (theirs["jingwei_entries['case']"], ours["jingwei_entries['case']"]) == (3, 0)
    assert theirs["jingwei_journal_position[]"] == 7
    assert (theirs["jingwei_index_position[]"], theirs["jingwei_index_lag[]"]) == (0, 7)
    assert theirs["jingwei_held_requests[]"] == 0
    assert ours["jingwei_pull_paused['disk_full']"] == 0


def test_metrics_count_what_is_held_back(hub_and_spoke: tuple[Flask, Flask]) -> None:
    headquarters, alpha = hub_and_spoke
    open_metrics(headquarters)
    ingest(alpha, {"release": 5, "entry": None})
    found = scrape(headquarters)
    assert found[f"jingwei_quarantined_items['{ALPHA}']"] == 1
    assert found[f"jingwei_parked_items['{ALPHA}']"] == 0
    assert found[f"jingwei_quarantine_dropped_total['{ALPHA}']"] == 0


def test_types_that_peers_invent_are_counted_together(
    hub_and_spoke: tuple[Flask, Flask],
) -> None:
    headquarters, _ = hub_and_spoke
    open_metrics(headquarters)
    for name in ("weather", "tide"):
        publish(headquarters, GROUP, type=name)
    found = scrape(headquarters)
    assert found["jingwei_entries['other']"] == 2
    assert not any("weather" in name for name in found)


def test_the_status_that_peers_read_names_their_channels_and_nothing_else(
    headquarters: Flask, alpha: Flask, partner: Flask
) -> None:
    join(headquarters, alpha)
    pair(headquarters, partner)
    publish(headquarters, GROUP, "partner:globex")
    ours, theirs = get(alpha, "/fed/v1/status"), get(partner, "/fed/v1/status")
    assert set(ours) == set(theirs) == {"v", "version", "time", "channels"}
    assert [row["ch"] for row in ours["channels"]] == ["dir", "group", "partner:acme", "public"]
    assert [row["ch"] for row in theirs["channels"]] == ["partner:globex", "public"]
    assert theirs["channels"][0]["head"].endswith(":3")  # The node, its key, and the case.
    assert theirs["channels"][0]["oldest"] == 1
    assert theirs["channels"][1]["head"].endswith(":0")
    assert theirs["channels"][1]["oldest"] == 0
    assert "group" not in str(theirs)


def test_the_oldest_item_is_the_first_that_can_still_be_read(
    hub_and_spoke: tuple[Flask, Flask],
) -> None:
    headquarters, alpha = hub_and_spoke
    with headquarters.app_context(), transaction():
        db.session.execute(db.delete(LogItem).where(LogItem.channel == "dir", LogItem.seq < 3))
    rows = get(alpha, "/fed/v1/status")["channels"]
    assert [row["oldest"] for row in rows if row["ch"] == "dir"] == [3]


def test_the_status_is_refused_to_strangers_and_to_suspended_peers(
    hub_and_spoke: tuple[Flask, Flask],
) -> None:
    headquarters, alpha = hub_and_spoke
    client, token = headquarters.test_client(), bearer(alpha)
    assert client.get("/fed/v1/status").status_code == 401
    assert client.get("/fed/v1/status", headers=token).status_code == 200
    with headquarters.app_context(), transaction():
        peering.suspend(ALPHA)
    assert client.get("/fed/v1/status", headers=token).status_code == 403

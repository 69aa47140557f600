"""The commands about the federation."""

from click.testing import CliRunner, Result
from flask import Flask

from hub.federation.cli import federation
from hub.registry import service as registry
from hub.registry.models import PeerState
from tests.in_process import connect, origin_of


def run(node: Flask, *words: str) -> Result:
    with node.app_context():
        return CliRunner().invoke(federation, words)


def test_a_node_joins_and_pulls_from_the_command_line(headquarters, alpha):
    connect(headquarters, alpha)
    code = run(headquarters, "invite", origin_of(alpha)).stdout
    assert code.startswith("jw1.")
    assert len(code.split()) == 1  # Nothing else, so that a script can use it.
    assert run(alpha, "join", code.strip()).exit_code == 0
    assert f"{origin_of(headquarters)}\tacme\theadquarters\tlive" in run(alpha, "peers").stdout
    pulled = run(alpha, "pull")
    assert (pulled.exit_code, pulled.stdout) == (0, f"{origin_of(headquarters)}: 4 items\n")


def test_partners_meet_on_the_command_line(headquarters, partner):
    connect(headquarters, partner)
    for host, guest, enterprise in (
        (headquarters, partner, "globex"),
        (partner, headquarters, "acme"),
    ):
        words = ("--enterprise", enterprise, "--kind", "partner", "--ends-at", "2099-12-31")
        code = run(host, "invite", origin_of(guest), *words).stdout.strip()
        assert "Compare it by telephone" in run(guest, "join", code).stdout
    for here, there in ((headquarters, partner), (partner, headquarters)):
        shown = run(there, "fingerprint").stdout.strip()
        assert run(here, "confirm", origin_of(there), "--fingerprint", shown).exit_code == 0
    with headquarters.app_context():
        [peer] = registry.peers()
        assert peer.state == PeerState.LIVE
        assert peer.agreement_ends_at.isoformat() == "2100-01-01T00:00:00+00:00"


def test_an_agreement_is_made_and_a_peering_closed_on_the_command_line(headquarters, partner):
    connect(headquarters, partner)
    words = ("--enterprise", "globex", "--kind", "partner", "--no-public")
    unknown = run(headquarters, "invite", origin_of(partner), *words, "--categories", "weather")
    assert unknown.exit_code == 1
    code = run(headquarters, "invite", origin_of(partner), *words, "--categories", "rules, brand")
    assert run(partner, "join", code.stdout.strip()).exit_code == 0
    with headquarters.app_context():
        [peer] = registry.peers()
        assert (peer.categories, peer.shares_public) == (["rules", "brand"], False)
    assert run(headquarters, "close", origin_of(partner)).exit_code == 1, "nobody said yes"
    assert run(headquarters, "close", origin_of(partner), "--yes").exit_code == 0
    with headquarters.app_context():
        assert registry.peers()[0].state == PeerState.CLOSED


def test_a_pull_that_fails_says_so_to_scripts(headquarters, alpha):
    adapter = connect(headquarters, alpha)
    run(alpha, "join", run(headquarters, "invite", origin_of(alpha)).stdout.strip())
    adapter.down.add(origin_of(headquarters))
    pulled = run(alpha, "pull")
    assert pulled.exit_code == 1
    assert "can't be reached" in pulled.stderr

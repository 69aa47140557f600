"""The peers of a node, asked for by programs."""

from hub.database import transaction
from hub.identity.models import Role, Scope
from tests.factories import make_person, make_token
from tests.in_process import join, origin_of, pair
from tests.pages import bearer

PEERS = "/api/v1/peers"


def test_an_administrator_sees_each_peer_and_its_state(headquarters, alpha, partner):
    join(headquarters, alpha)
    pair(headquarters, partner)
    with headquarters.app_context(), transaction():
        token = make_token(make_person("admin", Role.ADMINISTRATOR), Scope.ADMIN)
    found = headquarters.test_client().get(PEERS, headers=bearer(token)).json
    told = {(peer["origin"], peer["enterprise"], peer["kind"], peer["state"]) for peer in found}
    assert told == {
        (origin_of(alpha), "acme", "subsidiary", "live"),
        (origin_of(partner), "globex", "partner", "live"),
    }
    assert all("jwk" not in name and "client" not in name for name in found[0])


def test_others_see_none(headquarters):
    with headquarters.app_context(), transaction():
        reader = make_token(make_person("reader", Role.READER), *Scope)
        narrow = make_token(make_person("admin", Role.ADMINISTRATOR), Scope.READ)
    client = headquarters.test_client()
    assert client.get(PEERS).status_code == 401
    assert client.get(PEERS, headers=bearer(reader)).status_code == 403
    assert client.get(PEERS, headers=bearer(narrow)).status_code == 403

"""What a node says of itself, and how it lets others in."""

import requests

from tests.conformance.suite import World, check


@check("a node says who it is at /.well-known/jingwei")
def describes_itself(world: World) -> None:
    told = requests.get(f"{world.hub}/.well-known/jingwei", timeout=20).json()
    wanted = {"v", "node", "name", "enterprise", "headquarters", "fed", "jwks", "software"}
    assert wanted <= told.keys(), f"lacks {wanted - told.keys()}"
    assert told["v"] == 1
    assert told["node"] == told["headquarters"], "not a headquarters"


@check("the authorization server's metadata name its endpoints and method (RFC 8414)")
def names_endpoints(world: World) -> None:
    url = f"{world.hub}/.well-known/oauth-authorization-server"
    told = requests.get(url, timeout=20).json()
    issuer = requests.get(f"{world.hub}/.well-known/jingwei", timeout=20).json()["node"]
    assert told["issuer"] == issuer
    assert "private_key_jwt" in told["token_endpoint_auth_methods_supported"]
    assert told["grant_types_supported"] == ["client_credentials"]


@check("a code lets in only the node that it names")
def refuses_another_origin(world: World) -> None:
    answer = world.spare.register(world.spare_code, node="https://somebody-else.example")
    assert answer.status_code in {400, 401, 403}, answer.status_code


@check("a node that does not hold the keys that it shows is not let in")
def refuses_borrowed_keys(world: World) -> None:
    shown = {"keys": [world.writer.signing.jwk, world.writer.token_key.jwk]}
    answer = world.spare.register(world.spare_code, jwks=shown)
    assert answer.status_code in {400, 401}, answer.status_code


@check("the same code with the same keys gets the same answer; with others it is refused")
def answers_a_lost_registration_again(world: World) -> None:
    first, again = (world.spare.register(world.spare_code) for _ in range(2))
    assert first.status_code == again.status_code == 201, (first.status_code, again.text)
    assert first.json()["client_id"] == again.json()["client_id"]
    other = type(world.spare)(world.hub, world.spare.origin, world.enterprise)
    assert other.register(world.spare_code).status_code in {401, 403, 409}


@check("an unknown code is refused")
def refuses_an_unknown_code(world: World) -> None:
    code = world.spare_code[:-6] + ("AAAAAA" if world.spare_code[-6:] != "AAAAAA" else "BBBBBB")
    assert world.spare.register(code).status_code == 401

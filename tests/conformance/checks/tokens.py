"""Access tokens: who gets one, and what is none."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.conformance import wire
from tests.conformance.suite import World, check

TYP = "client-authentication+jwt"


def _status(world: World, header: dict[str, Any] | None = None, **changes: Any) -> int:
    writer = world.writer
    text = wire.compact(writer.token_key, writer.assertion(**changes), TYP, **(header or {}))
    return writer.ask_token(text).status_code


@check("an assertion for two audiences, or for the token endpoint, is refused")
def refuses_other_audiences(world: World) -> None:
    assert _status(world) == 200
    for audience in ([world.hub], [world.hub, "https://x.example"], f"{world.hub}/oauth/token"):
        assert _status(world, aud=audience) in {400, 401}, f"accepted for {audience}"


@check("an assertion that holds longer than 300 s, or has expired, is refused")
def refuses_long_assertions(world: World) -> None:
    now = int(time.time())
    for iat, exp in ((now, now + 301), (now - 400, now - 10), (now + 200, now + 260)):
        assert _status(world, iat=iat, exp=exp) in {400, 401}, (iat - now, exp - now)
    assert _status(world, exp=None) in {400, 401}


@check("of fifty uses of one assertion at once, exactly one brings a token")
def uses_up_an_assertion(world: World) -> None:
    writer = world.writer
    text = wire.compact(writer.token_key, writer.assertion(), TYP)
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: writer.ask_token(text).status_code, range(50)))
    assert answers.count(200) == 1, answers
    assert set(answers) <= {200, 400, 401}, answers


@check("an assertion under `none`, HS256 or a key of its own header is refused")
def refuses_other_algorithms(world: World) -> None:
    writer = world.writer
    for header in ({"alg": "none"}, {"alg": "nOnE"}, {"alg": "HS256"}, {"jwk": {}}, {"crit": []}):
        assert _status(world, header) in {400, 401}, f"accepted with {header}"
    head = wire.b64(json.dumps({"alg": "none"}).encode())
    body = wire.b64(json.dumps(writer.assertion()).encode())
    assert writer.ask_token(f"{head}.{body}.").status_code in {400, 401}


@check("an assertion with foreign characters behind it is refused")
def refuses_another_spelling(world: World) -> None:
    writer = world.writer
    text = wire.compact(writer.token_key, writer.assertion(), TYP)
    assert writer.ask_token(text + "!!!!").status_code in {400, 401}


@check("another grant, and client secrets, are refused")
def refuses_other_grants(world: World) -> None:
    writer = world.writer
    text = wire.compact(writer.token_key, writer.assertion(), TYP)
    assert writer.ask_token(text, grant_type="password").status_code in {400, 401}
    basic = base64.b64encode(f"{writer.client_id}:secret".encode()).decode()
    answer = writer.send(
        "POST",
        "/oauth/token",
        data={"grant_type": "client_credentials"},
        headers={"Authorization": f"Basic {basic}"},
    )
    assert answer.status_code in {400, 401}, answer.status_code


@check("without a token, with a broken one, or with an entry for one: 401")
def refuses_what_is_no_token(world: World) -> None:
    writer = world.writer
    signed = writer.signing.object(wire.entry(writer.origin, "不是令牌"), "jw-entry+jws")
    as_token = f"{wire.b64(signed['h'].encode())}.{wire.b64(signed['p'].encode())}.{signed['s']}"
    good = writer.token()
    for text in ("", "x", good[:-2] + "AA", f"{good}!!!!", good + "=", as_token):
        headers = {"Authorization": f"Bearer {text}"} if text else {}
        answer = writer.send("GET", "/fed/v1/channels", headers=headers)
        assert answer.status_code == 401, f"{answer.status_code} for {text[:40]!r}"


@check("an assertion is no access token")
def refuses_an_assertion_as_token(world: World) -> None:
    writer = world.writer
    text = wire.compact(writer.token_key, writer.assertion(), "at+jwt")
    headers = {"Authorization": f"Bearer {text}"}
    assert writer.send("GET", "/fed/v1/channels", headers=headers).status_code == 401

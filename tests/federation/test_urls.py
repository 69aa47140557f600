"""The routes that peers call, with good tokens and bad requests."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from time import monotonic
from typing import Any

import pytest
import zstandard
from flask import Flask
from sqlalchemy import event, select

from hub.database import db, transaction
from hub.federation import relay
from hub.federation.client import PeerClient
from hub.federation.errors import RefusedError
from hub.federation.models import Quarantined
from hub.journal import log
from hub.journal.models import GROUP, Head, Release
from hub.journal.signing import ENTRY, RELEASE, node_keys
from hub.registry.models import Peer
from tests.federation.record import FIRST, SECOND, THEIRS, entry, flipped, item, release
from tests.federation.test_exchange import publish
from tests.in_process import pair
from tests.live import wait_for

ORIGIN = "https://alpha.test"


def client_of(node: Flask) -> PeerClient:
    with node.app_context():
        return PeerClient.for_peer(db.session.scalars(select(Peer)).first())


def get(node: Flask, path: str, **params: Any) -> dict[str, Any]:
    client = client_of(node)
    with node.app_context():
        return client.get(path, params)


def post(node: Flask, path: str, body: Any) -> dict[str, Any]:
    client = client_of(node)
    with node.app_context():
        return client.post(path, body)


def refusal(node: Flask, path: str, **params: Any) -> tuple[int, str]:
    with pytest.raises(RefusedError) as caught:
        get(node, path, **params)
    return caught.value.answered, caught.value.refusal


def bearer(node: Flask) -> dict[str, str]:
    client = client_of(node)
    with node.app_context():
        return {"Authorization": f"Bearer {client._access_token()[0]}"}


def proven(node: Flask, path: str, method: str = "GET") -> dict[str, str]:
    """Return what a partner shows with one request: its token and the proof of its key."""
    client = client_of(node)
    with node.app_context():
        return client._credentials(method, path, client._access_token()[0])


def signed(node: Flask, number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return an item that the node itself signed."""
    with node.app_context():
        keys = node_keys()
    one = entry(FIRST, keys, origin=ORIGIN)
    if number == 1:
        return item(release(one, signer=keys, iss=ORIGIN, **changes), one)
    first = release(one, signer=keys, iss=ORIGIN)
    two = entry(SECOND, keys, origin=ORIGIN)
    return item(release(two, 2, first, signer=keys, iss=ORIGIN, **changes), two)


def ingest(node: Flask, *items: Any, channel: str = GROUP) -> tuple[int, list[str]]:
    """Return how many items were accepted, and why the others were not."""
    answer = post(node, "/fed/v1/ingest", {"ch": channel, "items": list(items)})
    return len(answer["accepted"]), [refused["code"] for refused in answer["refused"]]


def quarantined(node: Flask) -> list[str]:
    with node.app_context():
        return list(db.session.scalars(select(Quarantined.code).order_by(Quarantined.id)))


PATHS = [
    "/fed/v1/channels",
    "/fed/v1/channels/group/items",
    "/fed/v1/ingest/head",
]


@pytest.mark.parametrize("path", PATHS)
def test_nobody_enters_without_a_token(headquarters: Flask, path: str) -> None:
    answer = headquarters.test_client().get(path)
    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_closed_and_an_unknown_channel_look_the_same(headquarters: Flask, partner: Flask) -> None:
    pair(headquarters, partner)
    client = headquarters.test_client()
    names = ("group", "dir", "local", "partner:acme", "partner:nobody", "group%00", "..")
    paths = [f"/fed/v1/channels/{name}/items" for name in names]
    answers = [client.get(path, headers=proven(partner, path)) for path in paths]
    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.data for answer in answers}) == 1


def test_a_closed_and_an_unknown_channel_cost_the_same(headquarters: Flask, partner: Flask) -> None:
    pair(headquarters, partner)
    publish(headquarters, GROUP)
    client = headquarters.test_client()
    asked: list[list[str]] = []
    for name in ("group", "partner:nobody"):
        path = f"/fed/v1/channels/{name}/items"
        headers = proven(partner, path)
        with headquarters.app_context(), statements() as seen:
            client.get(path, headers=headers)
        asked.append(seen)
    assert asked[0] == asked[1]


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect the statements that reach the database of the current application."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def test_a_cursor_of_another_log_is_gone(hub_and_spoke: tuple[Flask, Flask]) -> None:
    _, alpha = hub_and_spoke
    assert refusal(alpha, "/fed/v1/channels/dir/items", after="other:1") == (410, "cursor_gone")


def test_a_cursor_beyond_the_head_is_ahead(hub_and_spoke: tuple[Flask, Flask]) -> None:
    headquarters, alpha = hub_and_spoke
    with headquarters.app_context():
        head = db.session.get_one(Head, "dir")
        at, beyond = f"{head.epoch}:{head.seq}", f"{head.epoch}:{head.seq + 1}"
    assert get(alpha, "/fed/v1/channels/dir/items", after=at)["items"] == []
    assert refusal(alpha, "/fed/v1/channels/dir/items", after=beyond) == (409, "cursor_ahead")


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/fed/v1/channels/dir/items", {"after": "x"}),
        ("/fed/v1/channels/dir/items", {"after": "a:-1"}),
        ("/fed/v1/channels/dir/items", {"after": "a:" + "9" * 40}),
        ("/fed/v1/channels/dir/items", {"limit": "all"}),
        ("/fed/v1/channels", {"seen": "local:a:1"}),
        ("/fed/v1/channels", {"seen": "group"}),
        ("/fed/v1/channels", {"wait": "-1"}),
    ],
)
def test_what_is_no_cursor_is_refused(
    hub_and_spoke: tuple[Flask, Flask], path: str, params: dict[str, str]
) -> None:
    if params == {"seen": "group"}:
        assert get(hub_and_spoke[1], path, **params)["channels"]  # Nothing seen of it yet.
    else:
        assert refusal(hub_and_spoke[1], path, **params)[0] == 400


@pytest.mark.parametrize("limit", [1, 2, 3, 500, 10**8])
def test_pages_follow_each_other_without_a_gap(
    hub_and_spoke: tuple[Flask, Flask], limit: int
) -> None:
    headquarters, alpha = hub_and_spoke
    for _ in range(4):
        publish(headquarters, GROUP)
    after, seen = "0", []
    while True:
        page = get(alpha, "/fed/v1/channels/group/items", after=after, limit=limit)
        seen += [item["seq"] for item in page["items"]]
        after = f"{page['epoch']}:{page['to']}"
        if page["to"] >= page["head"]:
            break
    assert seen == [1, 2, 3, 4]
    assert get(alpha, "/fed/v1/channels/group/items", after=after)["items"] == []


def test_a_held_request_returns_when_something_is_published(
    hub_and_spoke: tuple[Flask, Flask],
) -> None:
    headquarters, alpha = hub_and_spoke
    publish(headquarters, GROUP)
    with headquarters.app_context():
        heads = {head.name: f"{head.epoch}:{head.seq}" for head in db.session.scalars(select(Head))}
        watcher = relay.watcher()
    seen = ",".join(f"{name}:{head}" for name, head in heads.items() if name != "journal")
    started, answers = monotonic(), []

    def wait() -> None:
        answers.append(get(alpha, "/fed/v1/channels", seen=seen, wait="20"))

    waiting = Thread(target=wait)
    waiting.start()
    wait_for(lambda: watcher.held, "the request to be held")
    publish(headquarters, GROUP)
    waiting.join(20)
    assert monotonic() - started < 15
    assert {row["ch"]: row["head"] for row in answers[0]["channels"]}[GROUP].endswith(":2")


def test_a_channel_without_an_item_is_no_news(hub_and_spoke: tuple[Flask, Flask]) -> None:
    headquarters, alpha = hub_and_spoke
    with headquarters.app_context(), transaction():
        log.lock_heads([GROUP])
    listed = get(alpha, "/fed/v1/channels")["channels"]
    seen = ",".join(f"{row['ch']}:{row['head']}" for row in listed if row["ch"] != GROUP)
    started = monotonic()

    again = get(alpha, "/fed/v1/channels", seen=seen, wait="1")["channels"]

    assert monotonic() - started >= 1, "it was held"
    assert again == listed
    assert {row["ch"]: row["head"] for row in listed}[GROUP] == "0"


@pytest.mark.parametrize(
    ("accepted", "unpack"),
    [
        ("gzip", gzip.decompress),
        ("zstd", lambda data: zstandard.ZstdDecompressor().decompress(data)),
        ("identity", bytes),
    ],
)
def test_pages_are_packed_as_the_reader_understands(
    hub_and_spoke: tuple[Flask, Flask], accepted: str, unpack: Any
) -> None:
    headquarters, alpha = hub_and_spoke
    headers = bearer(alpha) | {"Accept-Encoding": accepted}
    answer = headquarters.test_client().get("/fed/v1/channels/dir/items", headers=headers)
    assert answer.headers.get("Content-Encoding", "identity") == accepted
    assert json.loads(unpack(answer.data))["ch"] == "dir"


def test_a_good_item_is_accepted_once(hub_and_spoke: tuple[Flask, Flask]) -> None:
    headquarters, alpha = hub_and_spoke
    good = {"ch": GROUP, "items": [signed(alpha)]}
    first = post(alpha, "/fed/v1/ingest", good)
    assert [row["seq"] for row in first["accepted"]] == [1]
    assert ingest(alpha, signed(alpha, 2)) == (1, [])
    assert post(alpha, "/fed/v1/ingest", good) == first, "at the place that it has"
    with headquarters.app_context():
        assert len(db.session.scalars(select(Release).where(Release.iss == ORIGIN)).all()) == 2
    head = get(alpha, "/fed/v1/ingest/head")["heads"]
    assert head == {GROUP: "k3v9:2"}


def test_a_forged_item_is_quarantined_and_the_rest_taken_in(
    hub_and_spoke: tuple[Flask, Flask],
) -> None:
    headquarters, alpha = hub_and_spoke
    forged = item(release(entry(), signer=THEIRS, iss=ORIGIN), None)
    assert ingest(alpha, forged, signed(alpha)) == (1, ["unknown_key"])
    altered = signed(alpha, 2)
    altered["release"]["s"] = "A" * 86
    assert ingest(alpha, altered, signed(alpha, 2)) == (1, ["bad_signature"])
    assert quarantined(headquarters) == ["bad_signature"]


def test_an_altered_entry_is_sent_back_for_the_good_one(
    hub_and_spoke: tuple[Flask, Flask],
) -> None:
    headquarters, alpha = hub_and_spoke
    altered = signed(alpha)
    altered["entry"]["p"] = flipped(altered["entry"]["p"])
    assert ingest(alpha, altered) == (0, ["other_digest"])
    assert quarantined(headquarters) == ["other_digest"]
    assert ingest(alpha, signed(alpha)) == (1, [])


def test_nobody_publishes_in_the_name_of_another(hub_and_spoke: tuple[Flask, Flask]) -> None:
    headquarters, alpha = hub_and_spoke
    with headquarters.app_context():
        keys = node_keys()
    theirs = entry(FIRST, keys, origin="https://headquarters.test")
    stolen = item(release(theirs, signer=keys, iss="https://headquarters.test"), theirs)
    assert ingest(alpha, stolen) == (0, ["foreign_issuer"])
    assert quarantined(headquarters) == ["foreign_issuer"]


def test_an_entry_of_another_origin_is_not_shown(hub_and_spoke: tuple[Flask, Flask]) -> None:
    headquarters, alpha = hub_and_spoke
    with alpha.app_context():
        keys = node_keys()
    theirs = keys.sign(json.loads(entry().payload), ENTRY)
    statement = json.loads(release(theirs).payload) | {"iss": ORIGIN}
    mixed = item(keys.sign(statement, RELEASE), theirs)
    assert ingest(alpha, mixed) == (1, [])
    assert quarantined(headquarters) == ["unknown_key"]


def test_a_gap_waits_for_what_is_missing(hub_and_spoke: tuple[Flask, Flask]) -> None:
    headquarters, alpha = hub_and_spoke
    assert ingest(alpha, signed(alpha, 2)) == (0, ["gap"])
    assert quarantined(headquarters) == []
    assert ingest(alpha, signed(alpha), signed(alpha, 2)) == (2, [])


@pytest.mark.parametrize("channel", ["local", "dir", "partner:globex", "other", "group/../dir"])
def test_a_node_publishes_to_open_channels_only(
    hub_and_spoke: tuple[Flask, Flask], channel: str
) -> None:
    _, alpha = hub_and_spoke
    with pytest.raises(RefusedError) as caught:
        ingest(alpha, signed(alpha, ch=channel), channel=channel)
    assert caught.value.answered in {400, 403}


def test_a_partner_publishes_nothing_here(headquarters: Flask, partner: Flask) -> None:
    pair(headquarters, partner)
    with pytest.raises(RefusedError) as caught:
        post(partner, "/fed/v1/ingest", {"ch": GROUP, "items": []})
    assert caught.value.answered == 403


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"ch": GROUP},
        {"ch": GROUP, "items": {}},
        {"ch": GROUP, "items": [None]},
        {"ch": GROUP, "items": [{}] * 501},
        {"ch": GROUP, "items": [{"seq": -1}]},
        {"ch": GROUP, "items": [{"via": "1"}]},
        {"ch": 5, "items": []},
    ],
)
def test_a_body_that_is_no_ingest_is_refused(hub_and_spoke: tuple[Flask, Flask], body: Any) -> None:
    with pytest.raises(RefusedError) as caught:
        post(hub_and_spoke[1], "/fed/v1/ingest", body)
    assert caught.value.answered == 400


@pytest.mark.parametrize(
    "data",
    [b"{", b"\xff", b"[" * 100_000, b'{"ch":"group","ch":"group","items":[]}', b'{"ch":NaN}'],
)
def test_a_body_with_no_or_two_readings_is_refused(
    hub_and_spoke: tuple[Flask, Flask], data: bytes
) -> None:
    answer = (
        hub_and_spoke[0]
        .test_client()
        .post(
            "/fed/v1/ingest",
            data=data,
            content_type="application/json",
            headers=bearer(hub_and_spoke[1]),
        )
    )

    assert answer.status_code == 400
    assert answer.json["code"]


@pytest.mark.parametrize(
    "broken",
    [{}, {"release": None}, {"release": 5, "entry": []}, {"release": {"h": 1, "p": 2, "s": 3}}],
)
def test_an_item_that_is_nothing_is_refused_alone(
    hub_and_spoke: tuple[Flask, Flask], broken: Any
) -> None:
    headquarters, alpha = hub_and_spoke
    assert ingest(alpha, broken, signed(alpha)) == (1, ["malformed"])
    assert quarantined(headquarters) == ["malformed"]


def test_a_body_beyond_eight_mebibytes_is_too_large(hub_and_spoke: tuple[Flask, Flask]) -> None:
    headquarters, alpha = hub_and_spoke
    headers = bearer(alpha) | {"Content-Type": "application/json"}
    answer = headquarters.test_client().post(
        "/fed/v1/ingest", headers=headers, data=b'{"ch":"' + b"x" * 8 * 1024 * 1024 + b'"}'
    )
    assert answer.status_code == 413
    assert answer.json["code"] == "too_large"


def test_another_type_of_body_is_refused(hub_and_spoke: tuple[Flask, Flask]) -> None:
    headquarters, alpha = hub_and_spoke
    headers = bearer(alpha) | {"Content-Type": "text/html"}
    answer = headquarters.test_client().post("/fed/v1/ingest", headers=headers, data="{}")
    assert answer.status_code == 415


def test_a_hint_wakes_and_carries_nothing(hub_and_spoke: tuple[Flask, Flask]) -> None:
    headquarters, alpha = hub_and_spoke
    assert post(alpha, "/fed/v1/hint", {"heads": {GROUP: "a:5"}}) == {}
    with headquarters.app_context():
        assert db.session.scalars(select(Peer.hinted_at)).one() is not None
        assert log.position() == len(db.session.scalars(select(Release)).all())


def test_a_node_says_who_it_is(headquarters: Flask) -> None:
    said = headquarters.test_client().get("/.well-known/jingwei").json
    assert said["node"] == "https://headquarters.test"
    assert said["enterprise"] == "acme"
    assert [key["alg"] for key in said["jwks"]["keys"]] == ["Ed25519", "ES256"]
    assert all("d" not in key for key in said["jwks"]["keys"])


def test_what_lost_its_agreement_is_closed_at_once(headquarters: Flask, partner: Flask) -> None:
    pair(headquarters, partner)
    client = headquarters.test_client()
    path = "/fed/v1/channels/partner:globex/items"
    shown = [proven(partner, path), proven(partner, path)]
    assert client.get(path, headers=shown[0]).status_code == 200
    with headquarters.app_context(), transaction():
        db.session.scalars(select(Peer)).one().agreement_ends_at = log.clock.now()
    assert client.get(path, headers=shown[1]).status_code == 403

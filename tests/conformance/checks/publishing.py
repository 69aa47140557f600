"""What is taken in, and what is not."""

import json
from typing import Any

from tests.conformance import wire
from tests.conformance.suite import World, check


def _document(world: World, title: str, **changes: Any) -> dict[str, Any]:
    return wire.entry(world.writer.origin, title, **changes)


def _found(world: World, digest: str) -> list[dict[str, Any]]:
    items = world.reader.read("group")
    return [item for item in items if wire.digest(item["release"]) == digest]


@check("what one spoke publishes another reads, byte for byte")
def relays_bytes(world: World) -> None:
    item = world.writer.publish("group", _document(world, "逐字节"))
    found = _found(world, wire.digest(item["release"]))
    assert len(found) == 1, f"{len(found)} times there"
    assert found[0]["release"] == item["release"]
    assert found[0]["entry"] == item["entry"]
    assert found[0]["via"] == 1, f"via {found[0]['via']}"


@check("an unknown type and unknown fields are relayed byte for byte")
def relays_the_unknown(world: World) -> None:
    document = _document(world, "未知类型", type="recipe", flavour={"salt": ["盐", 1]})
    item = world.writer.publish("group", document)
    found = _found(world, wire.digest(item["release"]))
    assert found, "not relayed"
    assert found[0]["entry"] == item["entry"]


@check("the same item twice is one item, at the same place")
def takes_in_once(world: World) -> None:
    writer = world.writer
    item = writer.item("group", _document(world, "重复"))
    first, again = (writer.ingest("group", [item])["accepted"] for _ in range(2))
    writer.advance(item)
    assert first == again, (first, again)
    assert len(_found(world, wire.digest(item["release"]))) == 1


@check("ingest/head names the last release that was taken in")
def tells_the_head(world: World) -> None:
    item = world.writer.publish("group", _document(world, "头"))
    said = json.loads(item["release"]["p"])
    heads = world.writer.get("/fed/v1/ingest/head")["heads"]
    assert heads["group"] == f"{said['epoch']}:{said['seq']}", heads


@check("of two revisions only the last has its text; the first replayed changes nothing")
def keeps_the_last_revision(world: World) -> None:
    first = _document(world, "第一版")
    old = world.writer.publish("group", first)
    second = first | {"rev": 2, "title": "第二版", "prev": wire.digest(old["entry"])}
    world.writer.publish("group", second)
    world.writer.ingest("group", [old])
    found = _found(world, wire.digest(old["release"]))
    assert [item["entry"] for item in found] == [None], "the text of the first is still there"


@check("a retraction takes the text away and stays as a release")
def retracts(world: World) -> None:
    document = _document(world, "要撤回的")
    put = world.writer.publish("group", document)
    gone = world.writer.publish("group", document, op="retract")
    found = _found(world, wire.digest(put["release"]))
    assert [item["entry"] for item in found] == [None], "the text is still served"
    assert len(_found(world, wire.digest(gone["release"]))) == 1


@check("a release of another node, or for another channel, is refused")
def refuses_foreign_items(world: World) -> None:
    writer, document = world.writer, _document(world, "冒名")
    foreign = writer.item("group", document, iss=world.reader.origin)
    assert writer.refused("group", foreign) in {"foreign_issuer", "unknown_key"}
    elsewhere = writer.item("public", document)
    assert writer.refused("group", elsewhere) == "wrong_channel"


@check("a gap is refused as such and asked for again; what fills it is taken in")
def finds_gaps(world: World) -> None:
    writer = world.writer
    first = writer.item("group", _document(world, "缺口一"))
    said = json.loads(first["release"]["p"])
    second = writer.item(
        "group", _document(world, "缺口二"), seq=said["seq"] + 1, prev=wire.digest(first["release"])
    )
    assert writer.refused("group", second) == "gap"
    answer = writer.ingest("group", [first, second])
    assert len(answer["accepted"]) == 2, answer
    writer.advance(second)


@check("a bit changed anywhere in a signed object is refused")
def refuses_changed_bits(world: World) -> None:
    writer = world.writer
    good = writer.item("group", _document(world, "翻转"))
    for part in "hps":
        text = good["release"][part]
        place = len(text) // 2
        other = "A" if text[place] != "A" else "B"
        bad = good | {"release": good["release"] | {part: text[:place] + other + text[place + 1 :]}}
        assert writer.ingest("group", [bad])["refused"], f"accepted with {part} changed"
    answer = writer.ingest("group", [good])
    assert answer["accepted"], "the good one was refused afterwards"
    writer.advance(good)


@check("duplicate keys, fractions, 2^53, lone surrogates and another order are refused")
def parses_strictly(world: World) -> None:
    writer = world.writer
    text = wire.canonical(json.loads(writer.release("group", _document(world, "严格"))["p"]))
    bad = {
        "duplicate key": text[:-1] + ',"v":1}',
        "fraction": text.replace('"v":1', '"v":1.0'),
        "2^53": text.replace('"v":1', '"v":9007199254740992'),
        "surrogate": text.replace('"op":"put"', '"op":"put","zz":"\\ud800"'),
        "order": "{" + '"v":1,' + text[1:].replace(',"v":1', ""),
        "space": text.replace('"v":1', '"v": 1'),
        "depth": text[:-1] + ',"z":' + "[" * 40 + "]" * 40 + "}",
    }
    for name, payload in bad.items():
        item = {
            "release": writer.signing.object(payload, "jw-release+jws"),
            "entry": None,
            "via": 0,
        }
        assert writer.ingest("group", [item])["refused"], f"accepted: {name}"


@check("another algorithm, another type or a key in the header is refused")
def refuses_other_headers(world: World) -> None:
    writer, document = world.writer, _document(world, "头部")
    payload = json.loads(writer.release("group", document)["p"])
    for header in ({"alg": "none"}, {"alg": "HS256"}, {"jwk": writer.signing.jwk}, {"kid": None}):
        release = writer.signing.object(payload, "jw-release+jws", **header)
        item = {"release": release, "entry": None, "via": 0}
        assert writer.ingest("group", [item])["refused"], f"accepted with {header}"
    for typ in ("jw-entry+jws", "at+jwt", "JWT"):
        item = {"release": writer.signing.object(payload, typ), "entry": None, "via": 0}
        assert writer.ingest("group", [item])["refused"], f"accepted as {typ}"


@check("one bad item among good ones is refused alone")
def refuses_alone(world: World) -> None:
    writer = world.writer
    good = writer.item("group", _document(world, "好的"))
    answer = writer.ingest("group", [{"release": "x", "entry": None, "via": 0}, good])
    assert [row["index"] for row in answer["refused"]] == [0], answer
    assert len(answer["accepted"]) == 1, answer
    writer.advance(good)


@check("bodies that are no ingest, or too large, are refused with 400, 413 or 415")
def bounds_bodies(world: World) -> None:
    call = world.writer.call
    for body in ([], {}, {"ch": "group"}, {"ch": "group", "items": {}}, {"ch": "x", "items": []}):
        assert call("POST", "/fed/v1/ingest", json=body).status_code == 400, body
    for data, status in ((b"{", {400}), (b"[" * 100_000, {400}), (b" " * 9_000_000, {413})):
        headers = {"Content-Type": "application/json"}
        answer = call("POST", "/fed/v1/ingest", data=data, headers=headers)
        assert answer.status_code in status, (data[:5], answer.status_code)
    answer = call("POST", "/fed/v1/ingest", data=b"{}", headers={"Content-Type": "text/html"})
    assert answer.status_code in {400, 415}, answer.status_code


@check("errors are problem documents with a stable code (RFC 9457)")
def tells_problems(world: World) -> None:
    answer = world.writer.call("GET", "/fed/v1/channels/group/items", params={"after": "x"})
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json()["code"], "no code"

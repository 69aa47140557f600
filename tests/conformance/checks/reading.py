"""Channels, cursors and pages."""

import threading
import time

from tests.conformance import wire
from tests.conformance.suite import World, check


@check("a spoke is offered `dir` and `group`, and finds its own key in `dir`")
def offers_channels(world: World) -> None:
    heads = world.reader.heads()
    assert {"dir", "group"} <= heads.keys(), heads
    texts = [item["entry"]["p"] for item in world.reader.read("dir") if item["entry"]]
    assert any(world.reader.signing.jwk["x"] in text for text in texts), "own key is not in dir"


@check("a closed and an unknown channel give the same answer")
def hides_closed_channels(world: World) -> None:
    answers = [
        world.reader.call("GET", f"/fed/v1/channels/{name}/items", params={"after": "0"})
        for name in ("partner:somebody", "partner:nobody-at-all")
    ]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].json()["code"] == answers[1].json()["code"] == "closed_channel"


@check("`local` is served to nobody")
def keeps_local_at_home(world: World) -> None:
    answer = world.reader.call("GET", "/fed/v1/channels/local/items", params={"after": "0"})
    assert answer.status_code in {400, 403, 404}, answer.status_code


@check("pages follow each other without gap or phantom, whatever their size")
def pages_are_dense(world: World) -> None:
    for number in range(4):
        world.writer.publish("group", wire.entry(world.writer.origin, f"分页{number}"))
    whole = world.reader.read("group")
    numbers = [item["seq"] for item in whole]
    assert numbers == list(range(1, len(numbers) + 1)), "the log has gaps"
    for limit in (1, 2, len(whole), len(whole) + 1):
        assert world.reader.read("group", limit=limit) == whole, f"differs with limit {limit}"


@check("after the head: nothing; of another epoch: 410; what is no cursor: 400")
def judges_cursors(world: World) -> None:
    head = world.reader.heads()["group"]
    epoch, seq = head.split(":")
    assert world.reader.read("group", after=head) == []
    other = {"after": f"{'y' if epoch[0] == 'x' else 'x'}{epoch[1:]}:{seq}"}
    answer = world.reader.call("GET", "/fed/v1/channels/group/items", params=other)
    assert (answer.status_code, answer.json()["code"]) == (410, "cursor_gone"), answer.text
    for cursor in ("x", "-1", f"{epoch}:-1", f"{epoch}:{seq}:1", "é:1"):
        answer = world.reader.call("GET", "/fed/v1/channels/group/items", params={"after": cursor})
        assert answer.status_code == 400, f"{answer.status_code} for {cursor!r}"


@check("a held request returns as soon as something is published")
def wakes_a_held_request(world: World) -> None:
    seen = ",".join(f"{name}:{head}" for name, head in world.reader.heads().items() if head != "0")
    publish = threading.Timer(
        1.0, world.writer.publish, ("group", wire.entry(world.writer.origin, "唤醒"))
    )
    publish.start()
    start = time.monotonic()
    heads = world.reader.heads(seen=seen, wait=20)
    taken = time.monotonic() - start
    publish.join()
    assert f"group:{heads['group']}" not in seen.split(","), "returned without news"
    assert taken < 10, f"returned after {taken:.1f} s"


@check("pages come packed with gzip where that is accepted")
def packs_pages(world: World) -> None:
    answer = world.reader.call(
        "GET",
        "/fed/v1/channels/group/items",
        params={"after": "0"},
        headers={"Accept-Encoding": "gzip"},
    )
    assert answer.headers.get("Content-Encoding") == "gzip", answer.headers

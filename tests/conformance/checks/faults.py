"""Requests that get lost, late or twice."""

import time
from collections.abc import Callable
from typing import TypeVar

import requests

from tests.conformance import wire
from tests.conformance.proxy import FaultyProxy
from tests.conformance.suite import World, check

T = TypeVar("T")
TIMES = 40
PATIENCE = 60.0  # Seconds.


def _until_answered(ask: Callable[[], T]) -> T:
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            return ask()
        except (requests.RequestException, ValueError):
            if time.monotonic() > ends:
                raise


@check("with a fifth of all requests lost, late or twice, both sides end with the same")
def converges(world: World) -> None:
    with FaultyProxy(world.hub) as proxy:
        writer, reader = world.writer, world.reader
        writer.via = reader.via = proxy.url
        try:
            sent = []
            for number in range(TIMES):
                item = writer.item("group", wire.entry(writer.origin, f"风浪{number}"))
                answer = _until_answered(lambda i=item: writer.ingest("group", [i]))  # type: ignore[misc]
                assert answer["accepted"], answer
                writer.advance(item)
                sent.append(wire.digest(item["release"]))
            items = _until_answered(lambda: reader.read("group", limit=7))
        finally:
            writer.via = reader.via = ""
    found = [wire.digest(item["release"]) for item in items]
    assert len(found) == len(set(found)), "something is there twice"
    assert [name for name in found if name in set(sent)] == sent, "not all, or not in order"
    assert proxy.faults, "nothing went wrong, so nothing was tried"


@check("a cursor beyond the head: 409, and nothing else")
def tells_a_cursor_that_is_ahead(world: World) -> None:
    epoch, seq = world.reader.heads()["group"].split(":")
    ahead = {"after": f"{epoch}:{int(seq) + 1}"}
    answer = world.reader.call("GET", "/fed/v1/channels/group/items", params=ahead)
    assert (answer.status_code, answer.json()["code"]) == (409, "cursor_ahead"), answer.text

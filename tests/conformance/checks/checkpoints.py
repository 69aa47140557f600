"""What headquarters signs of its logs; the first may come a minute after its start."""

import json
import re
import time
from typing import Any

import requests

from tests.conformance import wire
from tests.conformance.suite import World, check

PATIENCE = 75.0  # Seconds: one is signed each minute.
MEMBERS = {"v", "iss", "ch", "epoch", "seq", "ends", "iat"}


def _asked(world: World) -> dict[str, Any]:
    """Return the answer of a poll that asks for checkpoints, once both of all nodes are there."""
    ends = time.monotonic() + PATIENCE
    while True:
        answer: dict[str, Any] = world.reader.get("/fed/v1/channels", checkpoints=1)
        told = {json.loads(signed["p"])["ch"] for signed in answer.get("checkpoints", [])}
        if {"dir", "group"} <= told or time.monotonic() > ends:
            return answer
        time.sleep(1)  # Nothing tells when it is signed.


@check("whoever asks with `checkpoints=1` gets what headquarters signed of each open channel")
def signs_checkpoints(world: World) -> None:
    answer = _asked(world)
    told = requests.get(f"{world.hub}/.well-known/jingwei", timeout=20).json()
    keys = {jwk["kid"]: jwk for jwk in told["jwks"]["keys"] if jwk["kty"] == "OKP"}
    open_channels = [row["ch"] for row in answer["channels"]]
    channels = []
    for signed in answer["checkpoints"]:
        assert signed.keys() == {"h", "p", "s"}, signed.keys()
        header, said = json.loads(signed["h"]), json.loads(signed["p"])
        assert header["typ"] == "jw-checkpoint+jws", header
        assert wire.holds(signed, keys[header["kid"]]), "the signature does not hold"
        assert wire.canonical(said) == signed["p"], "not in canonical form"
        assert said.keys() >= MEMBERS, f"lacks {MEMBERS - said.keys()}"
        assert (said["v"], said["iss"]) == (1, told["node"]), said
        assert abs(said["iat"] - time.time()) < 2 * PATIENCE, "old, or of the future"
        channels.append(said["ch"])
    assert len(set(channels)) == len(channels), "two of one channel"
    assert {"dir", "group"} <= set(channels) <= set(open_channels), channels


@check("the ends in a checkpoint are the last that each issuer has up to that place of the log")
def names_ends(world: World) -> None:
    said = {c["ch"]: c for c in (json.loads(s["p"]) for s in _asked(world)["checkpoints"])}
    for channel in ("dir", "group"):
        place, last = said[channel], dict[str, list[str]]()
        for item in world.reader.read(channel):
            if item["seq"] <= place["seq"]:
                release = json.loads(item["release"]["p"])
                cursor = f"{release['epoch']}:{release['seq']}"
                last[release["iss"]] = [cursor, wire.digest(item["release"])]
        assert place["ends"], f"no ends in {channel}"
        for iss, end in place["ends"].items():
            assert re.fullmatch(r"[0-9a-f]{64}", end[1]), end
            assert last.get(iss) == end, f"{channel}: {iss} ends at {last.get(iss)}, not {end}"


@check("whoever does not ask gets no checkpoints; a parameter that is no number gives 400")
def tells_only_who_asks(world: World) -> None:
    assert "checkpoints" not in world.reader.get("/fed/v1/channels")
    answer = world.reader.call("GET", "/fed/v1/channels", params={"checkpoints": "all"})
    assert answer.status_code == 400, answer.status_code

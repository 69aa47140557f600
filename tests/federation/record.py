"""Writes the recorded documents: `python -m tests.federation.record`.

They were signed once with keys that are no secret, so that another implementation can check
itself against the same bytes. Each names the keys that count, what is handed over in which
channel, and what must become of every item.
"""

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import OKPKey

from hub.journal.signing import (
    ENTRY,
    RELEASE,
    NodeKeys,
    Signed,
    digest,
    signing_input,
    urlsafe_b64encode,
)
from hub.registry import keys

FOLDER = Path(__file__).parent / "documents"
ORIGIN = "https://u7.test"
OTHER = "https://u8.test"
FIRST, SECOND = (f"0192f0c1-1111-7000-8000-00000000000{n}" for n in (1, 2))


def make_keys(seed: int) -> NodeKeys:
    """Return a signing key that is the same at each run."""
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return NodeKeys(private, keys.public_jwk(OKPKey.import_key(keys.pem(private)), keys.SIGNING))


MINE, THEIRS = make_keys(7), make_keys(8)


def entry(entry_id: str = FIRST, signer: NodeKeys = MINE, **changes: Any) -> Signed:
    """Return a signed entry."""
    document = {
        "v": 1,
        "type": "case",
        "id": entry_id,
        "rev": 1,
        "origin": ORIGIN,
        "prev": None,
        "created": "2026-11-23T01:02:03Z",
        "lang": "zh-CN",
        "title": "党员责任区怎样划到检修班组",
        "body": "责任区跟着设备走，不跟着科室走。",
        "fields": {"category": "business_integration", "summary": "一台设备一个责任人。"},
        "attachments": [],
    }
    return signer.sign(document | changes, ENTRY)


def release(
    of: Signed,
    seq: int = 1,
    prev: Signed | None = None,
    signer: NodeKeys = MINE,
    **changes: Any,
) -> Signed:
    """Return a signed release of an entry."""
    document = json.loads(of.payload)
    statement = {
        "v": 1,
        "iss": ORIGIN,
        "epoch": "k3v9",
        "ch": "group",
        "seq": seq,
        "prev": prev.digest if prev else None,
        "op": "put",
        "id": document["id"],
        "rev": document["rev"],
        "digest": of.digest,
        "relay": ["group"],
        "iat": 1795396800,
    }
    return signer.sign(statement | changes, RELEASE)


def question(signer: NodeKeys = THEIRS, **changes: Any) -> Signed:
    """Return a signed entry of another node that speaks of the first one."""
    said = {"text": "检修班组怎样排班？", "unit": "机修党支部", "post": "author"}
    about = {"parent": {"origin": ORIGIN, "id": FIRST}, "title": "", "body": "", "fields": said}
    return entry(SECOND, signer, **{"type": "question", "origin": OTHER} | about | changes)


def item(of_release: Signed, of_entry: Signed | None) -> dict[str, Any]:
    """Return the shape on the wire."""
    return {
        "release": of_release.as_wire(),
        "entry": of_entry.as_wire() if of_entry else None,
        "via": 0,
    }


def flipped(text: str) -> str:
    """Return a text with one letter changed."""
    return text.replace("设备", "装备", 1)


def raw(payload: str, typ: str) -> Signed:
    """Return something signed whose payload need not be canonical."""
    signed = MINE.sign({}, typ)
    signature = MINE.signing.sign(signing_input(signed.header, payload))
    return Signed(signed.header, payload, urlsafe_b64encode(signature).decode())


def second_of(of: Signed) -> Signed:
    """Return the release of an entry right behind that of the first one."""
    return release(of, 2, release(entry()))


def documents() -> dict[str, tuple[list[dict[str, Any]], list[str | None]]]:
    """Return the items of each recorded document and what must become of each."""
    one, two = entry(), entry(SECOND, title="第二篇")
    first = release(one)
    second = release(two, 2, first)
    later = entry(weather="晴", fields={"later": {"版本": 2}})
    twice = raw(one.payload.replace('"v":1', '"v":1,"v":1'), ENTRY)
    doubled = release(one, digest=digest(twice.payload))
    bad = Signed(one.header, flipped(one.payload), one.signature)
    forged = release(one, signer=THEIRS)
    foreign = entry(origin=OTHER, signer=THEIRS)
    fork = release(two)
    other_text = entry(title="同一版，另一种说法")
    asked = question()
    elsewhere = question(parent={"origin": OTHER, "id": FIRST})
    orphan = question(parent={"origin": ORIGIN})
    unordered = raw('{"z":1,"a":2}', RELEASE)
    return {
        "valid": ([item(first, one), item(second, two)], [None, None]),
        "unknown-field": ([item(release(later), later)], [None]),
        "unknown-type": (
            [item(release(weather := entry(type="weather")), weather)],
            [None],
        ),
        "altered-entry": ([item(first, bad), item(second, two)], [None, None]),
        "duplicate-key": (
            [item(doubled, twice), item(release(two, 2, doubled), two)],
            [None, None],
        ),
        "altered-release": (
            [
                {**item(first, one), "release": first.as_wire() | {"p": first.payload + " "}},
                item(second, two),
            ],
            ["not_canonical", "gap"],
        ),
        "wrong-key": ([item(forged, one)], ["unknown_key"]),
        "gap": ([item(second, two)], ["gap"]),
        "replay": ([item(first, one), item(first, one)], [None, None]),
        "withdrawn-then-replayed": (
            [
                item(first, one),
                item(release(one, 2, first, op="retract"), None),
                item(first, one),
            ],
            [None, None, None],
        ),
        "foreign-origin": (
            [item(release(foreign), foreign)],
            [None],
        ),
        "child": ([item(first, one), item(second_of(asked), asked)], [None, None]),
        "child-withdrawn": (
            [
                item(first, one),
                item(second_of(asked), asked),
                item(release(one, 3, second_of(asked), op="retract"), None),
                item(
                    release(
                        asked, 4, release(one, 3, second_of(asked), op="retract"), op="retract"
                    ),
                    None,
                ),
            ],
            [None] * 4,
        ),
        "child-of-another": (
            [item(first, one), item(second_of(elsewhere), elsewhere)],
            [None, None],
        ),
        "child-without-parent": (
            [item(first, one), item(second_of(orphan), orphan)],
            [None, None],
        ),
        "foreign-issuer": (
            [item(release(one, iss="https://nobody.test"), one)],
            ["unknown_key"],
        ),
        "wrong-channel": ([item(release(one, ch="public"), one)], ["wrong_channel"]),
        "fork": ([item(first, one), item(fork, two)], [None, "fork"]),
        "equivocation": (
            [item(first, one), item(release(other_text, 2, first), other_text)],
            [None, "equivocation"],
        ),
        "not-canonical": ([{"release": unordered.as_wire(), "entry": None}], ["not_canonical"]),
        "token-as-release": (
            [
                {
                    **item(first, one),
                    "release": MINE.sign(json.loads(first.payload), "at+jwt").as_wire(),
                }
            ],
            ["bad_header"],
        ),
    }


def main() -> None:
    """Write every document anew."""
    for name, (items, outcomes) in documents().items():
        recorded = {
            "keys": [
                {"node": ORIGIN, "jwk": MINE.signing_jwk},
                {"node": OTHER, "jwk": THEIRS.signing_jwk},
            ],
            "channel": "group",
            "items": items,
            "outcomes": outcomes,
        }
        text = json.dumps(recorded, ensure_ascii=False, indent=1)
        (FOLDER / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()

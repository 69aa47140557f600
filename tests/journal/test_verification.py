"""What is signed, and what is refused."""

import string
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from hub.journal import signing, verification
from hub.journal.errors import VerificationError
from hub.journal.signing import ENTRY, RELEASE, NodeKeys
from hub.journal.verification import (
    VerifiedEntry,
    parse_strictly,
    verify_entry,
    verify_release,
)

ORIGIN = "https://u7.test"


@pytest.fixture
def keys(tmp_path: Path) -> NodeKeys:
    return signing.make_or_load(tmp_path / "keys" / "signing.pem")


def document(**changes: Any) -> dict[str, Any]:
    return {
        "v": 1,
        "type": "case",
        "id": "0192f0c1-1111-7000-8000-000000000001",
        "rev": 1,
        "origin": ORIGIN,
        "prev": None,
        "created": "2026-11-23T01:02:03Z",
        "lang": "zh-CN",
        "title": "责任区",
        "body": "正文",
        "fields": {"summary": "一句话"},
        "attachments": [],
    } | changes


def statement(**changes: Any) -> dict[str, Any]:
    return {
        "v": 1,
        "iss": ORIGIN,
        "epoch": "k3v9",
        "ch": "group",
        "seq": 1,
        "prev": None,
        "op": "put",
        "id": "0192f0c1-1111-7000-8000-000000000001",
        "rev": 1,
        "digest": "4c" * 32,
        "relay": ["group"],
        "iat": 1795396800,
    } | changes


def finder(keys: NodeKeys) -> verification.FindKey:
    known = {(ORIGIN, keys.fingerprint): keys.signing_jwk}
    return lambda origin, kid: known.get((origin, kid))


def refusal(wire: object, keys: NodeKeys) -> str:
    with pytest.raises(VerificationError) as caught:
        verify_entry(wire, finder(keys))
    return caught.value.code


def test_what_a_node_signs_verifies_under_its_key(keys: NodeKeys) -> None:
    wire = keys.sign(document(), ENTRY).as_wire()
    assert verify_entry(wire, finder(keys)).document["title"] == "责任区"


def test_a_release_verifies_under_its_issuers_key(keys: NodeKeys) -> None:
    wire = keys.sign(statement(), RELEASE).as_wire()
    assert verify_release(wire, finder(keys)).statement["seq"] == 1


def test_only_verification_makes_a_verified_entry(keys: NodeKeys) -> None:
    with pytest.raises(TypeError):
        VerifiedEntry(keys.sign(document(), ENTRY), document(), object())


def test_every_flipped_byte_is_refused(keys: NodeKeys) -> None:
    wire = keys.sign(document(), ENTRY).as_wire()
    for part, text in wire.items():
        for place in range(0, len(text), max(1, len(text) // 40)):
            altered = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
            assert refusal(wire | {part: altered}, keys)


def test_a_signature_has_one_spelling(keys: NodeKeys) -> None:
    wire = keys.sign(document(), ENTRY).as_wire()
    assert refusal(wire | {"s": wire["s"] + "!!!!"}, keys) == "bad_signature"
    assert refusal(wire | {"s": wire["s"] + "=="}, keys) == "bad_signature"
    digits = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    # Of the last of 86 digits two bits count; this one stands for the same 64 bytes.
    alike = digits[digits.index(wire["s"][-1]) ^ 1]
    assert refusal(wire | {"s": wire["s"][:-1] + alike}, keys) == "bad_signature"


def test_a_key_counts_under_its_own_node_only(keys: NodeKeys) -> None:
    wire = keys.sign(document(origin="https://other.test"), ENTRY).as_wire()
    assert refusal(wire, keys) == "unknown_key"


def test_a_release_does_not_pass_for_an_entry(keys: NodeKeys) -> None:
    wire = keys.sign(document(), RELEASE).as_wire()
    assert refusal(wire, keys) == "bad_header"


@pytest.mark.parametrize(
    "header",
    [
        '{"alg":"none","kid":"KID","typ":"jw-entry+jws"}',
        '{"alg":"HS256","kid":"KID","typ":"jw-entry+jws"}',
        '{"alg":"Ed25519","kid":"KID","typ":"jw-entry+jws","jwk":{}}',
        '{"alg":"Ed25519","alg":"Ed25519","kid":"KID","typ":"jw-entry+jws"}',
        '{"alg":"Ed25519","crit":["b64"],"kid":"KID","typ":"jw-entry+jws"}',
        '{"alg":"Ed25519","kid":null,"typ":"jw-entry+jws"}',
        "[]",
        "",
    ],
)
def test_a_header_has_one_form(keys: NodeKeys, header: str) -> None:
    text = header.replace("KID", keys.fingerprint)
    payload = signing.canonical(document())
    signature = keys.signing.sign(signing.signing_input(text, payload))
    encoded = signing.urlsafe_b64encode(signature).decode()
    assert refusal({"h": text, "p": payload, "s": encoded}, keys)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ('{"a":1,"a":2}', "duplicate_key"),
        ('{"a":1.5}', "float"),
        ('{"a":1e3}', "float"),
        ('{"a":NaN}', "float"),
        ('{"a":9007199254740992}', "integer_too_large"),
        ('{"a":-9007199254740992}', "integer_too_large"),
        ('{"a":' + "9" * 5000 + "}", "integer_too_large"),
        ('{"a":"\\ud800"}', "surrogate"),
        ('{"b":1,"a":2}', "not_canonical"),
        ('{"a": 1}', "not_canonical"),
        ('{"a":"\\u0041"}', "not_canonical"),
        ("[" * 17 + "]" * 17, "too_deep"),
        ("[" * 200_000, "too_deep"),
        ("{", "malformed"),
        ("[]", "malformed"),
        ('{"a":1}', "malformed"),
    ],
)
def test_a_payload_has_one_reading(keys: NodeKeys, payload: str, code: str) -> None:
    assert refusal({"h": "{}", "p": payload, "s": ""}, keys) == code


@pytest.mark.parametrize(
    "wire",
    [
        None,
        [],
        {},
        {"h": "", "p": ""},
        {"h": 1, "p": "", "s": ""},
        {"h": "", "p": "\ud800", "s": ""},
    ],
)
def test_what_is_no_signed_object_is_refused(keys: NodeKeys, wire: object) -> None:
    assert refusal(wire, keys) in {"malformed", "surrogate"}


def test_an_entry_is_bounded_in_size(keys: NodeKeys) -> None:
    wire = keys.sign(document(body="字" * 100_000), ENTRY).as_wire()
    assert refusal(wire, keys) == "too_large"


@pytest.mark.parametrize(
    "changes",
    [
        {"rev": 0},
        {"rev": "1"},
        {"rev": True},
        {"rev": 2**31},
        {"id": "0192F0C1-1111-7000-8000-000000000001"},
        {"id": "x"},
        {"title": "长" * 201},
        {"v": 2},
        {"fields": []},
        {"origin": None},
    ],
)
def test_an_entry_of_the_wrong_shape_is_refused(keys: NodeKeys, changes: dict[str, Any]) -> None:
    assert refusal(keys.sign(document(**changes), ENTRY).as_wire(), keys)


def test_unknown_fields_and_types_pass_untouched(keys: NodeKeys) -> None:
    wire = keys.sign(document(type="weather", later="版本二"), ENTRY).as_wire()
    assert verify_entry(wire, finder(keys)).signed.as_wire() == wire


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON))
def test_the_fast_canonical_form_is_that_of_rfc_8785(value: dict[str, Any]) -> None:
    assert verification._canonical(value) == signing.canonical(value)


@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parse_strictly(text)
    except VerificationError as error:
        assert error.code  # noqa: PT017 - either is fine, anything else is not


def test_a_node_keeps_its_key(make_node: Any) -> None:
    app: Flask = make_node("alpha")
    with app.app_context():
        first = signing.node_keys().fingerprint
        assert signing.Ring(app.extensions["hub.settings"]).current().fingerprint == first

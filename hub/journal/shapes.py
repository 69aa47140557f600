"""What a verified object must look like, member by member (docs/federation.md)."""

from typing import Any
from uuid import UUID

from hub.journal.errors import VerificationError

MAX_ENTRY = 256 * 1024  # Bytes of an entry's payload.
MAX_REVISION = 2**31
CHILDREN = frozenset({"adoption", "answer", "comment", "question"})  # They speak of a parent.

ENTRY_SHAPE: dict[str, tuple[type, ...]] = {
    "v": (int,),
    "type": (str,),
    "id": (str,),
    "rev": (int,),
    "origin": (str,),
    "prev": (str, type(None)),
    "created": (str,),
    "lang": (str,),
    "title": (str,),
    "body": (str,),
    "fields": (dict,),
}
RELEASE_SHAPE: dict[str, tuple[type, ...]] = {
    "v": (int,),
    "iss": (str,),
    "epoch": (str,),
    "ch": (str,),
    "seq": (int,),
    "prev": (str, type(None)),
    "op": (str,),
    "id": (str,),
    "rev": (int,),
    "digest": (str,),
    "relay": (list,),
    "iat": (int,),
}
_LONGEST = {
    "type": 40, "id": 36, "origin": 255, "iss": 255, "ch": 80, "epoch": 20, "digest": 64,
    "prev": 64, "lang": 20, "created": 30, "title": 200,
}  # fmt: skip


def check_shape(value: dict[str, Any], shape: dict[str, tuple[type, ...]]) -> None:
    """Refuse an object that lacks a member of this shape, or has one that is no such thing.

    :raises VerificationError: with the codes malformed and unknown_version.
    """
    for name, types in shape.items():
        if name not in value or not isinstance(value[name], types) or value[name] is True:
            raise VerificationError("malformed", f"{name} is missing or of the wrong type")
        if isinstance(value[name], str) and len(value[name]) > _LONGEST.get(name, MAX_ENTRY):
            raise VerificationError("malformed", f"{name} is too long")
        if isinstance(value[name], int) and value[name] < 0:
            raise VerificationError("malformed", f"{name} is negative")
    if value["v"] != 1:
        raise VerificationError("unknown_version", "not version 1")
    if not 1 <= value["rev"] < MAX_REVISION or value.get("seq", 1) < 1:
        raise VerificationError("malformed", "rev and seq count from 1")
    _check_id(value["id"])


def _check_id(text: str) -> None:
    try:
        if str(UUID(text)) != text:
            raise ValueError(text)
    except ValueError as error:
        raise VerificationError("malformed", "id is not a UUID in its usual form") from error


def check_parent(document: dict[str, Any]) -> None:
    """Refuse a child that does not say what it speaks of.

    :raises VerificationError: with the codes malformed and parent_missing.
    """
    if "parent" not in document:
        if document["type"] in CHILDREN:
            raise VerificationError("parent_missing", "does not say what it speaks of")
        return
    parent = document["parent"]
    if not isinstance(parent, dict) or parent.keys() != {"origin", "id"}:
        raise VerificationError("malformed", "parent is not an object of origin and id")
    if not all(isinstance(part, str) and len(part) <= 255 for part in parent.values()):
        raise VerificationError("malformed", "origin and id of the parent are not short texts")
    _check_id(parent["id"])

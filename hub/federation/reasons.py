"""Why something was held back, by its stable code: what it means, and what to do."""

from hub.errors import mark

_ASK = mark("Tell the administrator of the node that sent it.")
_WAIT = mark("It is tried again by itself when what is missing arrives.")
_WARN = mark("Call the administrator of the node that sent it: somebody may have altered it.")
_SHAPE = (mark("It is not written as the protocol says."), _ASK)
_STRANGER = (mark("It was published by a node that may not publish this here."), _WARN)
_SWAPPED = (mark("The text is not the one that was signed."), _WARN)
_TWO = (
    mark("It contradicts what the same node signed before."),
    mark("Look at both versions on the page of federation, and call that node's administrator."),
)
_UNKNOWN = (mark("It could not be verified."), _ASK)

_REASONS = {
    **dict.fromkeys(
        (
            "malformed",
            "surrogate",
            "not_canonical",
            "duplicate_key",
            "float",
            "integer_too_large",
            "too_deep",
            "bad_header",
            "parent_missing",
            "no_feedback",
        ),
        _SHAPE,
    ),
    **dict.fromkeys(("foreign_issuer", "foreign_origin", "foreign_parent"), _STRANGER),
    **dict.fromkeys(("other_digest", "other_entry"), _SWAPPED),
    **dict.fromkeys(("fork", "equivocation"), _TWO),
    "not_agreed": (
        mark("The agreement with the partner has ended or does not cover its category."),
        _ASK,
    ),
    "too_large": (mark("It is larger than allowed."), _ASK),
    "unknown_version": (
        mark("It was written by a newer version of the software."),
        mark("Bring this node up to date, then try it again."),
    ),
    "bad_signature": (mark("The signature does not hold."), _WARN),
    "wrong_channel": (mark("It was sent among other readers than it was signed for."), _WARN),
    "unknown_key": (mark("The key that signed it is not known here yet."), _WAIT),
    "early_key": (mark("The key that signed it does not count yet."), _WAIT),
    "gap": (mark("Something that comes before it has not arrived yet."), _WAIT),
    "omitted": (mark("The node that sent it left out what comes before."), _ASK),
    "revoked_key": (
        mark("The key that signed it was revoked."),
        mark("It comes again by itself once its node has signed it with another key."),
    ),
    "frozen_origin": (
        mark("Its node contradicted itself; nothing of it is taken in until somebody has looked."),
        mark("Look at both versions on the page of federation, and decide there."),
    ),
    "superseded_epoch": (mark("It belongs to a log that its node has given up."), _ASK),
    "text_missing": (mark("Its text never came in the state in which it was signed."), _ASK),
}


def reason(code: str, *, is_parked: bool = True) -> tuple[str, str]:
    """Return what a code means and what to do about it, both marked for translation.

    :param is_parked: whether it is tried again by itself; what is not kept whole never is.
    """
    what, fix = _REASONS.get(code, _UNKNOWN)
    return what, _ASK if fix is _WAIT and not is_parked else fix

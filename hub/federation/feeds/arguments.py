"""The arguments of OAI-PMH 2.0, judged strictly, and its resumption tokens.

A token holds all that a next page needs, signed with the node's cookie key: nothing is kept here,
and it never expires. What we did not write, to the letter, is refused.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime

from itsdangerous import BadData, URLSafeSerializer

from hub.cases.fields import CATEGORIES, KINDS
from hub.config import settings

PREFIX = "oai_dc"
KIND_SET, CATEGORY_SET = "kind.", "category."

_RESUMABLE = frozenset({"from", "until", "set", "metadataPrefix", "resumptionToken"})
VERBS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {  # Verb: what it takes, and needs.
    "Identify": (frozenset(), frozenset()),
    "ListMetadataFormats": (frozenset({"identifier"}), frozenset()),
    "ListSets": (frozenset({"resumptionToken"}), frozenset()),
    "GetRecord": (
        frozenset({"identifier", "metadataPrefix"}),
        frozenset({"identifier", "metadataPrefix"}),
    ),
    "ListIdentifiers": (_RESUMABLE, frozenset({"metadataPrefix"})),
    "ListRecords": (_RESUMABLE, frozenset({"metadataPrefix"})),
}

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SECOND = re.compile(rf"{_DAY.pattern}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}Z")
_SET = re.compile(r"[A-Za-z0-9_.!~*'()-]+(:[A-Za-z0-9_.!~*'()-]+)*")


class OaiError(Exception):
    """What OAI-PMH 2.0 calls an error or exception condition (section 3.6); a 200 to HTTP."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


@dataclass(frozen=True)
class Page:
    """A place in a list: what was asked for, and what was served already."""

    verb: str
    set_name: str | None
    since: str | None  # The `from` and `until` of the request, as they came.
    until: str | None
    after: int  # Place of the last record served.
    served: int  # Records served.


def check(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the arguments of a request by name, `verb` among them.

    :raises OaiError: `badVerb` or `badArgument`.
    """
    arguments = dict(pairs)
    verbs = [value for name, value in pairs if name == "verb"]
    if len(verbs) != 1 or verbs[0] not in VERBS:
        raise OaiError("badVerb", "the verb is missing, repeated or not one of OAI-PMH 2.0")
    if len(arguments) != len(pairs):
        raise OaiError("badArgument", "an argument is repeated")
    taken, needed = VERBS[verbs[0]]
    given = arguments.keys() - {"verb"}
    if given - taken:
        raise OaiError("badArgument", f"{verbs[0]} takes no other argument than {_list(taken)}")
    if "resumptionToken" in given:
        if len(given) > 1:
            raise OaiError("badArgument", "resumptionToken stands alone")
    elif needed - given:
        raise OaiError("badArgument", f"{verbs[0]} needs {_list(needed)}")
    return arguments


def first_page(arguments: Mapping[str, str]) -> Page:
    """Return where the list begins that was asked for.

    :raises OaiError: `badArgument` or `cannotDisseminateFormat`.
    """
    since, until = arguments.get("from"), arguments.get("until")
    check_period(since, until)
    set_name = arguments.get("set")
    if set_name is not None and not _SET.fullmatch(set_name):
        raise OaiError("badArgument", "the set is malformed")
    check_format(arguments["metadataPrefix"])
    return Page(arguments["verb"], set_name, since, until, 0, 0)


def check_format(prefix: str) -> None:
    """Make sure that a format is the one that we write.

    :raises OaiError: `cannotDisseminateFormat`.
    """
    if prefix != PREFIX:
        raise OaiError("cannotDisseminateFormat", f"the only format is {PREFIX}")


def check_period(since: str | None, until: str | None) -> None:
    """Make sure that a period is well-formed, of one granularity, and not backwards.

    :raises OaiError: `badArgument`.
    """
    start, end = since and moment(since), until and moment(until, is_end=True)
    if since and until and len(since) != len(until):
        raise OaiError("badArgument", "from and until differ in granularity")
    if start and end and start > end:
        raise OaiError("badArgument", "from is later than until")


def moment(text: str, *, is_end: bool = False) -> datetime:
    """Return a moment; of a day its first second, or its last.

    :raises OaiError: `badArgument`.
    """
    try:
        if _DAY.fullmatch(text):
            day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
            return day.replace(hour=23, minute=59, second=59) if is_end else day
        if _SECOND.fullmatch(text):
            return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise OaiError("badArgument", "there is no such day or time") from error
    raise OaiError("badArgument", "dates are YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ")


def set_filter(name: str | None) -> dict[str, str] | None:
    """Return what a set means for `reading.Window`; None when there is no such set."""
    if name is None:
        return {}
    for prefix, words, column in (
        (KIND_SET, KINDS, "kind"),
        (CATEGORY_SET, CATEGORIES, "category"),
    ):
        word = name.removeprefix(prefix)
        if name.startswith(prefix) and word in words:
            return {column: word}
    return None


def write_token(page: Page) -> str:
    """Return the token with which a list goes on."""
    text = _serialiser().dumps(astuple(page))
    return text if isinstance(text, str) else text.decode()


def read_token(text: str, verb: str) -> Page:
    """Return where a list goes on.

    :raises OaiError: `badResumptionToken` for anything but a token that this node gave out for
        this verb.
    """
    try:
        page = Page(*_serialiser().loads(text))
    except (BadData, UnicodeError) as error:
        raise OaiError("badResumptionToken", "not a token of this node") from error
    # Base64 has several spellings of the same bytes.
    if page.verb != verb or write_token(page) != text:
        raise OaiError("badResumptionToken", "not a token of this node for this verb")
    return page


def _serialiser() -> URLSafeSerializer:
    return URLSafeSerializer(settings().cookie_key, salt="oai-resumption")


def _list(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "verb"

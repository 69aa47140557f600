"""Which cases fit a unit, and why: the one place that says so, to engines and to people.

It compares what is known of the reader's organisation with what a document knows of itself (its
`context`, see `cases.service.adoptions`): for whom it says that it is, else the unit that it comes
from and those that it worked for. It knows nothing of a person.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from flask_babel import gettext, ngettext

from hub.identity.models import Level, Profile
from hub.identity.profile import PARTS

ANY = "any"  # Of a property of which nothing is known.
# Levels whose practice carries over as it is: branches by any name.
_ALIKE = (Level.BRANCH, Level.JOINT_BRANCH, Level.TEMPORARY_BRANCH)

Context = Mapping[str, Mapping[str, Any]]


class Wish(NamedTuple):
    """What a reader's unit asks of an engine (`engine.Request`)."""

    needs: tuple[tuple[str, ...], ...] = ()
    likes: tuple[str, ...] = ()


NOTHING = Wish()


class Fit(NamedTuple):
    """In words, why a document fits a unit, and why not."""

    speaks_for: Sequence[str] = ()
    speaks_against: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.speaks_for or self.speaks_against)


def tokens(context: Context) -> list[str]:
    """Return what a document suits, as the engines keep it: `level:branch`, `sector:any`."""
    return [f"{part}:{code}" for part in PARTS for code in _suited(context, part) or (ANY,)]


def wish(profile: Profile, *, is_filter: bool = False) -> Wish:
    """Return what to ask for a unit; nothing while no more than its level is known of it.

    :param is_filter: whether only what fits in everything that is known shall be found.
    """
    if not profile.is_described:
        return NOTHING
    wanted = {part: _peers(part, code) for part, code in _known(profile)}
    likes = tuple(f"{part}:{code}" for part, codes in wanted.items() for code in codes)
    if not is_filter:
        return Wish(likes=likes)
    needs = tuple(
        tuple(f"{part}:{code}" for code in (*codes, ANY)) for part, codes in wanted.items()
    )
    return Wish(needs, likes)


def explain(context: Context, profile: Profile) -> Fit:
    """Return why a document fits a unit or not; nothing while too little is known of the unit."""
    if not profile.is_described:
        return Fit()
    speaks_for, speaks_against = [], []
    for part, code in _known(profile):
        peers = _peers(part, code)
        worked = sum(_of(context, "worked", part).get(peer, 0) for peer in peers)
        said, own = _of(context, "suits", part), _of(context, "own", part)
        if not (said or own or worked):
            continue
        is_for = bool(set(peers) & set(said)) if said else own in peers
        if said and not is_for:
            speaks_against.append(_meant_for(part, code, said))
        elif said:
            speaks_for.append(_made_for(part))
        elif is_for:
            speaks_for.append(_same(part, code, own))
        elif own and not worked:
            speaks_against.append(_other(part))
        if worked and (part == "level" or not is_for):  # Enough for one line.
            speaks_for.append(_worked(part, worked))
    return Fit(speaks_for, speaks_against)


def _known(profile: Profile) -> Iterator[tuple[str, str]]:
    return ((part, code) for part, code in zip(PARTS, profile, strict=True) if code)


def _peers(part: str, code: str) -> tuple[str, ...]:
    """Return the codes that count as the same, this one first."""
    if part == "level" and code in _ALIKE:
        return (code, *(other.value for other in _ALIKE if other != code))
    return (code,)


def _of(context: Context, name: str, part: str) -> Any:
    return context.get(name, {}).get(part, {})


def _suited(context: Context, part: str) -> list[str]:
    if said := _of(context, "suits", part):
        return list(said)
    own = _of(context, "own", part)
    return list(dict.fromkeys([*([own] if own else ()), *_of(context, "worked", part)]))


def _made_for(part: str) -> str:
    """Return that a document says that it is for units like this."""
    words = {
        "level": gettext("made for this level"),
        "size": gettext("made for units of this size"),
        "layout": gettext("made for members who work like yours"),
        "sector": gettext("made for this sector"),
    }
    return str(words[part])


def _meant_for(part: str, code: str, said: Sequence[str]) -> str:
    """Return that a document says that it is for other units."""
    if part == "layout" and code == "dispersed":
        return str(gettext("needs members in one place, yours are dispersed"))
    if part == "layout":
        return str(gettext("made for dispersed members, yours are in one place"))
    names = gettext(", ").join(gettext(PARTS[part][other]) for other in said)
    return str(gettext("meant for other units: %(names)s", names=names))


def _same(part: str, code: str, own: str) -> str:
    """Return that a document comes from a unit like this."""
    if part == "level" and own != code:
        return str(gettext("from a unit of the same rank"))
    words = {
        "level": gettext("also from: %(name)s", name=gettext(PARTS[part][code])),
        "size": gettext("unit of similar size"),
        "layout": gettext("members who work like yours"),
        "sector": gettext("same sector"),
    }
    return str(words[part])


def _other(part: str) -> str:
    """Return that a document comes from a unit unlike this."""
    words = {
        "level": gettext("from another level"),
        "size": gettext("unit of another size"),
        "layout": gettext("members who work differently"),
        "sector": gettext("another sector"),
    }
    return str(words[part])


def _worked(part: str, count: int) -> str:
    """Return that a document worked in units like this."""
    words = {
        "level": ngettext(
            "worked in %(num)s unit of your level", "worked in %(num)s units of your level", count
        ),
        "size": ngettext(
            "worked in %(num)s unit of your size", "worked in %(num)s units of your size", count
        ),
        "layout": ngettext(
            "worked in %(num)s unit whose members work like yours",
            "worked in %(num)s units whose members work like yours",
            count,
        ),
        "sector": ngettext(
            "worked in %(num)s unit of your sector", "worked in %(num)s units of your sector", count
        ),
    }
    return str(words[part])

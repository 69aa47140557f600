"""Every text that people read is there in Chinese, and says the same everywhere."""

from functools import cache
from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

ROOT = Path(__file__).parent.parent.parent
KEYWORDS = {
    "_": None,
    "gettext": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
    "lazy_ngettext": (1, 2),
    "mark": None,
}


@cache
def written() -> dict[str, str]:
    """Return the texts of the program, each with a file that holds it."""
    with (ROOT / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    found = extract_from_dir(ROOT / "hub", methods, options, KEYWORDS)
    return {_first(text): name for name, _, text, _, _ in found if text}


def _first(text: str | tuple[str, ...]) -> str:
    return text if isinstance(text, str) else text[0]


@cache
def translated() -> dict[str, dict[str, str]]:
    """Return the Chinese of each text, by the catalogue that it stands in."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted((ROOT / "hub").rglob("zh_CN/LC_MESSAGES/messages.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale="zh_CN"):
                if message.id and _first(message.string) and not message.fuzzy:
                    name = str(path.relative_to(ROOT / "hub").parent.parent.parent)
                    found.setdefault(_first(message.id), {})[name] = _first(message.string)
    return found


def test_every_text_is_translated() -> None:
    missing = {text: name for text, name in written().items() if text not in translated()}
    assert missing == {}


def test_no_translation_is_of_a_text_that_is_gone() -> None:
    gone = {text: names for text, names in translated().items() if text not in written()}
    assert gone == {}


def test_slices_translate_a_text_that_they_share_alike() -> None:
    differing = {
        text: found for text, found in translated().items() if len(set(found.values())) > 1
    }
    assert differing == {}


def test_a_translation_has_no_gap_that_its_text_does_not_fill() -> None:
    for text, found in translated().items():
        for chinese in found.values():
            assert _gaps(chinese) <= _gaps(text) | {"num"}, text


def _gaps(text: str) -> set[str]:
    return {part.split(")")[0] for part in text.split("%(")[1:]}

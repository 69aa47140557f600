"""Reading files: each text in them, or why it can't be read. One bad text harms no other."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from hub.cases.content import LONG_FORM
from hub.cases.importing import notes
from hub.cases.importing.mending import mend, strip_controls
from hub.cases.importing.notes import Note, note
from hub.cases.importing.shaping import TITLE, cut, part_title, parts_of, title_of, to_markdown

LARGEST = 64  # MB of a file.
SUFFIXES = (".md", ".txt", ".jsonl")
BESIDE = ".files"  # Ending of the folders in which the files of texts are.
NOT_CONTENT = frozenset(  # Of front matter; `node` says where the demo puts it.
    {"kind", "node", "origin", "unsigned", "source", "source_link", "long_form", "files"}
)


@dataclass(frozen=True)
class Text:
    """One text to become a case."""

    name: str  # Where it was found, for people.
    kind: str
    values: dict[str, Any]
    is_long_form: bool
    digest: str  # Of what was read: the same text is never brought in twice.
    told: tuple[Note, ...] = ()
    files: tuple[Path, ...] = ()  # That lie beside it.


@dataclass(frozen=True)
class Unreadable:
    """One text that could not be read, and why."""

    name: str
    reason: Note


Found = Text | Unreadable


def read(path: Path) -> Iterator[Found]:
    """Yield what is in a file, or in the files of a folder and below, in the order of names."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            name = file.relative_to(path)
            is_own = file.is_file() and not file.is_symlink() and not _is_beside(name)
            if is_own and file.suffix in SUFFIXES:
                yield from _read_file(file, str(name))
    else:
        yield from _read_file(path, path.name)


def _is_beside(name: Path) -> bool:
    """Say whether a file is attached to a text, not one itself."""
    return any(part.endswith(BESIDE) for part in name.parts[:-1])


def _read_file(path: Path, name: str) -> Iterator[Found]:
    if path.stat().st_size > LARGEST * 1_000_000:
        yield Unreadable(name, note(notes.TOO_LARGE, limit=LARGEST))
        return
    if path.suffix == ".jsonl":
        yield from _read_lines(path, name)
        return
    data = path.read_bytes()
    text = decode(data)
    if text is None or path.suffix not in SUFFIXES:
        yield Unreadable(name, note(notes.ENCODING if text is None else notes.WRONG_KIND))
    elif not text.strip():
        yield Unreadable(name, note(notes.EMPTY))
    elif path.suffix == ".md":
        for found in read_markdown(text, name, sha256(data).hexdigest()):
            yield _with_files(found, text, path)
    else:
        yield from read_pasted(text, name, sha256(data).hexdigest())


def read_pasted(text: str, name: str, digest: str) -> Iterator[Found]:
    """Yield a text as somebody pasted it: mended, with a title, in parts if it is long."""
    mended, told = mend(text)
    if not mended:
        yield Unreadable(name, note(notes.EMPTY))
        return
    title, rest, is_made = title_of(mended)
    if is_made:
        told.append(note(notes.TITLE_MADE))
    yield from _long_form({"title": title, "body": to_markdown(rest)}, name, digest, told)


def read_markdown(text: str, name: str, digest: str) -> Iterator[Found]:
    """Yield a Markdown text; with a `kind` in its front matter it has fields, else only a body."""
    front, body = front_matter(text)
    if front is None:
        yield Unreadable(name, note(notes.FRONT_MATTER))
        return
    values = {key: plain(value) for key, value in front.items() if key not in NOT_CONTENT}
    if "kind" in front:
        is_long_form = front.get("long_form") is True
        yield Text(name, str(front["kind"]), values | {"body": body}, is_long_form, digest)
        return
    told: list[Note] = []
    if "title" not in values:
        first, _, rest = body.partition("\n")
        is_heading = first.startswith("# ")
        values["title"], body = first.lstrip("# "), rest.strip() if is_heading else body
        told.append(note(notes.TITLE_MADE))
    yield from _long_form(values | {"body": body}, name, digest, told)


def _with_files(found: Found, text: str, path: Path) -> Found:
    """Return a text with the files that its front matter names, below the folder that it is in."""
    front, _ = front_matter(text)
    names = (front or {}).get("files") or []
    if not names or isinstance(found, Unreadable):
        return found
    root = path.parent.resolve()
    files = [(root / str(name)).resolve() for name in (names if isinstance(names, list) else [])]
    if not files or not all(file.is_relative_to(root) and file.is_file() for file in files):
        return Unreadable(found.name, note(notes.NO_FILE))
    return replace(found, files=tuple(files))


def _read_lines(path: Path, name: str) -> Iterator[Found]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield from _read_line(line.strip(), f"{name}:{number}")


def _read_line(line: bytes, name: str) -> Iterator[Found]:
    try:
        row = json.loads(line)
        title, body = row["title"], row["body"]
        readable = isinstance(title, str) and isinstance(body, str)
    except (ValueError, KeyError, TypeError, RecursionError):
        readable = False
    if not readable:
        yield Unreadable(name, note(notes.NOT_JSON))
        return
    told: list[Note] = []
    values = {"title": strip_controls(title, told), "body": strip_controls(body, told)}
    yield from _long_form(values, name, sha256(line).hexdigest(), told)


def _long_form(values: dict[str, Any], name: str, digest: str, told: list[Note]) -> Iterator[Found]:
    """Yield a text of title and body, cut to what the fields hold."""
    title, body = str(values.get("title") or "").strip(), values["body"].strip()
    if not body:
        yield Unreadable(name, note(notes.EMPTY))
        return
    if not title:
        title, told = title_of(body)[0], [*told, note(notes.TITLE_MADE)]
    if len(title) > TITLE:
        title, told = cut(title), [*told, note(notes.TITLE_CUT)]
    parts = parts_of(body)
    for number, part in enumerate(parts, 1):
        said = list(told)
        if len(parts) > 1:
            said.append(note(notes.SPLIT, limit=LONG_FORM, count=len(parts), part=number))
        yield Text(
            name,
            "case",
            values | {"title": part_title(title, number, len(parts)), "body": part},
            True,
            digest if number == 1 else sha256(f"{digest}#{number}".encode()).hexdigest(),
            tuple(said),
        )


def decode(data: bytes) -> str | None:
    """Return a text in UTF-8 or GB 18030; None when it is in neither."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def front_matter(text: str) -> tuple[dict[str, Any] | None, str]:
    """Return front matter and body; None for front matter that can't be understood."""
    text = text.replace("\r\n", "\n")
    if not text.startswith("---\n"):
        return {}, text.strip()
    front, fence, body = text[4:].partition("\n---\n")
    try:
        values = yaml.safe_load(front) if fence and not _repeats(front) else None
    except (yaml.YAMLError, RecursionError):
        values = None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        return None, ""
    return values, body.strip()


def _repeats(front: str) -> bool:
    """Say whether a text refers to parts of itself: a few lines may so stand for billions."""
    return any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(front, yaml.SafeLoader))


def plain(value: Any) -> Any:
    """Return YAML as fields take it: numbers and dates as the text that stands for them."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if isinstance(value, bool | str) or value is None else str(value)

"""An index that is built anew: wherever its builder is killed, the next one goes on there."""

import gc
import json
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from flask import Flask

from hub import clock
from hub.config import of_this_node, settings
from hub.identity.models import EVERYBODY
from hub.search import building, progress, service
from hub.search import engine as engines
from hub.search.coordination import Coordination
from hub.search.folder import Folder, FolderIndex
from hub.search.follower import Follower, follow_once
from hub.search.shelf import Index
from tests.search.published import publish, readdress

DOCUMENTS = 9


def files_end_with_their_process(test: Any) -> Any:
    """Overlook files that stay open only because a test is not really killed."""
    for warning in ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning"):
        test = pytest.mark.filterwarnings(f"ignore::{warning}")(test)
    return test


class Killed(BaseException):
    """The process ends here, at once."""


@pytest.fixture
def node(alpha: Flask, monkeypatch):
    monkeypatch.setattr(building, "PAGE", 2)
    monkeypatch.setattr(building, "PAGES", 2)
    with alpha.app_context():
        for number in range(DOCUMENTS):
            publish(f"责任区{number}")
        follow_once()
        yield alpha
        of_this_node(Follower).close()


def folder(engine: str = "") -> Folder:
    return Folder(settings().home, engines.choose(engine))


def note() -> Path:
    return settings().home / progress.NOTE


def build(
    tell: Callable[[int, int], None] = lambda done, total: None, engine: str = ""
) -> FolderIndex:
    return building.build(folder(engine), Coordination(settings().home), tell)


def build_and_note() -> list[int]:
    """Build an index; return how many documents were done after each page."""
    seen: list[int] = []
    build(lambda done, total: seen.append(done))
    return seen


def _killing_after(pages: int) -> Callable[[int, int], None]:
    left = [pages]

    def count(done: int, total: int) -> None:
        left[0] -= 1
        if not left[0]:
            raise Killed

    return count


def kill_after(pages: int) -> None:
    """Begin to build an index and be killed after so many pages."""
    with pytest.raises(Killed):
        build(_killing_after(pages))
    gc.collect()  # With the process its lock on the index would be gone.


def found() -> tuple[int | None, int]:
    follow_once()
    index = of_this_node(service.OpenIndex).newest()
    assert index is not None
    return service.search("责任区", audiences={EVERYBODY}).total, index.count


def test_the_next_builder_goes_on_after_what_was_committed(node):
    kill_after(3)

    assert build_and_note() == [6, 8, 9]
    assert found() == (DOCUMENTS, DOCUMENTS)


@files_end_with_their_process
def test_with_the_other_engine_too(node):
    with pytest.raises(Killed):
        build(_killing_after(3), "whoosh")
    gc.collect()
    seen: list[int] = []

    index = build(lambda done, total: seen.append(done), "whoosh")

    assert seen == [6, 8, 9]
    reader = index.open_reader()
    assert reader.count == DOCUMENTS
    reader.close()


def test_what_was_committed_and_not_noted_is_not_doubled(node, monkeypatch):
    noted = []

    keep = progress.Progress.keep

    def keep_once(self: progress.Progress, index: Index, place: progress.Place) -> None:
        if noted:
            raise Killed
        noted.append(place)
        keep(self, index, place)

    with monkeypatch.context() as patched:
        patched.setattr(progress.Progress, "keep", keep_once)
        with pytest.raises(Killed):
            build()
    gc.collect()

    assert build_and_note() == [2, 4, 6, 8, 9]
    assert found() == (DOCUMENTS, DOCUMENTS)


def test_killed_again_and_again_it_still_ends(node):
    kill_after(2)
    kill_after(3)
    kill_after(1)

    assert build_and_note()[-1] == DOCUMENTS
    assert found() == (DOCUMENTS, DOCUMENTS)


def test_what_changes_between_two_builders_is_caught_up_with(node):
    gone = publish("责任区的旧办法")
    kill_after(4)
    readdress(gone, None)
    publish("责任区的新办法")

    build_and_note()

    assert found() == (DOCUMENTS + 1, DOCUMENTS + 1)
    assert service.search("旧办法", audiences={EVERYBODY}).is_loosened


def test_nothing_is_left_of_what_was_unfinished(node):
    kill_after(3)
    build_and_note()

    current = folder().current().path
    assert [path for path in folder().path.iterdir() if path.is_dir()] == [current]
    assert not note().exists()


def _unfinished() -> Any:
    current = folder().current().path
    [path] = [p for p in folder().path.iterdir() if p.is_dir() and p != current]
    return path


def _spoil_version() -> None:
    path = _unfinished()
    path.rename(path.with_name(path.name.replace("-", "-0", 1)))


def _spoil_position() -> None:
    note().write_text(json.dumps(json.loads(note().read_text()) | {"position": 10_000}))


def _spoil_note() -> None:
    note().write_text('{"last": 3')


def _spoil_files() -> None:
    for path in _unfinished().glob("*.term"):
        path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize("spoil", [_spoil_version, _spoil_position, _spoil_note, _spoil_files])
def test_one_that_does_not_fit_any_more_is_begun_anew(node, spoil):
    kill_after(3)
    spoil()

    assert build_and_note() == [2, 4, 6, 8, 9]
    assert found() == (DOCUMENTS, DOCUMENTS)


def test_one_that_is_days_old_is_begun_anew(node, monkeypatch):
    kill_after(3)
    later = clock.now() + timedelta(days=2)
    monkeypatch.setattr(clock, "now", lambda: later)

    assert build_and_note() == [2, 4, 6, 8, 9]


@files_end_with_their_process
def test_killed_at_any_line_nothing_is_doubled_or_lost(node):
    lines = _lines_of_building()
    assert len(lines) > 100
    for number in range(0, len(lines), 7):
        _kill_at(number)
        build_and_note()
        assert found() == (DOCUMENTS, DOCUMENTS), lines[number]


def _traced(see: Any) -> None:
    ours = {building.__file__, progress.__file__, sys.modules["hub.search.folder"].__file__}

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        # A lock ends with its process; here it would outlive it.
        if frame.f_code.co_filename not in ours or frame.f_code.co_name in {"lock", "building"}:
            return None
        if event == "line":
            see(f"{frame.f_code.co_name}:{frame.f_lineno}")
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        build()
    finally:
        sys.settrace(before)


def _lines_of_building() -> list[str]:
    lines: list[str] = []
    _traced(lines.append)
    return lines


def _kill_at(number: int) -> None:
    left = [number]

    def see(line: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            left[0] = 10**9  # Once: what is cleaned up behind it may run.
            raise Killed

    with pytest.raises(Killed):
        _traced(see)
    gc.collect()

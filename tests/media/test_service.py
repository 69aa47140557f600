"""Files come whole or not at all, are there once, and go when nobody names them."""

import os
import time
from collections.abc import Collection, Iterator
from hashlib import sha256

import pytest
from sqlalchemy import select

from hub.database import db, transaction
from hub.media import service as media
from hub.media.errors import (
    EmptyFileError,
    FileTooLargeError,
    FullError,
    NoRoomError,
    OtherHashError,
)
from hub.media.models import MissingFile, StoredFile
from hub.media.service import Received
from tests.media.conftest import files

CONTENT = b"one" * 1000
NAME = sha256(CONTENT).hexdigest()


def store(content: bytes = CONTENT) -> None:
    media.take([content], most=len(content), check=lambda received: None)


def rows() -> list[str]:
    return list(db.session.scalars(select(StoredFile.sha256)))


def nothing(names: Collection[str]) -> set[str]:
    return set()


def test_a_file_is_kept_under_its_hash_once(home):
    store()
    store()
    assert files(home) == rows() == [NAME]
    assert media.held([NAME, "0" * 64]) == {NAME: len(CONTENT)}


def test_a_source_that_breaks_off_leaves_nothing(home):
    def parts() -> Iterator[bytes]:
        yield CONTENT
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        media.take(parts(), most=10_000, check=lambda received: None)
    assert files(home) == rows() == []


def test_other_bytes_than_those_wanted_leave_nothing(home):
    def check(received: Received) -> None:
        raise OtherHashError

    with pytest.raises(OtherHashError):
        media.take([CONTENT], most=10_000, check=check)
    assert files(home) == rows() == []


def test_a_file_that_is_too_large_is_cut_off_at_once(home):
    def endless() -> Iterator[bytes]:
        while True:
            yield CONTENT

    with pytest.raises(FileTooLargeError):
        media.take(endless(), most=10_000, check=lambda received: None)
    with pytest.raises(EmptyFileError):
        media.take([], most=10_000, check=lambda received: None)
    assert files(home) == rows() == []


def test_no_file_is_taken_in_that_would_fill_the_disk(home, monkeypatch):
    monkeypatch.setattr(media, "free_bytes", lambda config: media.RESERVE + 9_999)
    with pytest.raises(FullError):
        media.take([CONTENT], most=10_000, check=lambda received: None)


def test_no_more_is_kept_than_the_node_may_and_what_is_here_already_needs_no_room(
    alpha, home, monkeypatch
):
    config = alpha.extensions["hub.settings"]
    most = len(CONTENT) + 10
    monkeypatch.setattr(type(config), "most_kept", property(lambda _: most))
    store()
    with pytest.raises(NoRoomError):
        store(b"eleven byte")
    assert files(home) == rows() == [NAME]
    store()
    store(b"ten bytes!")
    assert len(rows()) == 2


def test_killed_between_file_and_row_leaves_a_file_that_is_swept_and_no_row(home, monkeypatch):
    def die(received: Received) -> None:
        raise KeyboardInterrupt  # As near to a kill as a test can come.

    monkeypatch.setattr(media, "keep", die)
    with pytest.raises(KeyboardInterrupt):
        store()
    assert rows() == []
    assert files(home) == [NAME]
    assert media.sweep() == 1
    assert files(home) == []


def test_a_half_written_file_is_swept_once_it_has_no_writer(home):
    store()
    draft = home / "incoming" / "half"
    draft.write_bytes(b"half")
    assert media.sweep() == 0, "somebody may be writing it"
    old = time.time() - 2 * media.ABANDONED
    os.utime(draft, (old, old))
    assert media.sweep() == 1
    assert files(home) == [NAME], "what has a row stays"


def test_what_nobody_names_is_removed_and_the_rest_stays(home):
    store()
    store(b"another")
    with transaction():
        media.note_missing("0" * 64, "unreachable")
    assert media.tidy(lambda names: set(names) & {NAME}) == 2
    assert files(home) == rows() == [NAME]
    assert db.session.scalars(select(MissingFile.sha256)).all() == []
    assert media.tidy(lambda names: set(names)) == 0


def test_nothing_is_removed_while_a_file_is_being_added(home):
    store()
    with media.adding():
        assert media.tidy(nothing) == 0
        assert media.sweep() == 0
    assert files(home) == rows() == [NAME]
    assert media.tidy(nothing) == 1


def test_a_file_that_was_named_just_before_it_is_removed_stays(home):
    store()
    answers = iter([set(), {NAME}])
    assert media.tidy(lambda names: next(answers)) == 0
    assert files(home) == rows() == [NAME]


def test_a_file_that_came_after_all_is_no_longer_missing(home):
    with transaction():
        media.note_missing(NAME, "unreachable")
    assert NAME in media.missing([NAME])
    store()
    assert media.missing([NAME]) == {}

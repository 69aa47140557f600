"""From the journal to the index, whatever happens on the way."""

import shutil

import pytest
from flask import Flask

from hub.config import of_this_node, settings
from hub.identity.models import EVERYBODY
from hub.journal import log
from hub.search import engine as engines
from hub.search import service
from hub.search.building import CURSOR, build
from hub.search.coordination import BusyError, Coordination
from hub.search.engine import BrokenIndexError
from hub.search.follower import Follower, follow_once
from hub.search.shelves import shelf_of
from tests.search.published import publish, readdress, revise


class Killed(BaseException):
    """The process ends here, at once."""


@pytest.fixture
def node(alpha: Flask):
    with alpha.app_context():
        yield alpha
        of_this_node(Follower).close()


def total(text: str = "") -> int | None:
    return service.search(text, audiences={EVERYBODY}).total


def start_again(node: Flask) -> None:
    """Lose everything that a process holds, as a kill does."""
    follower = of_this_node(Follower)
    follower.close()
    node.extensions["hub.kept"].clear()


def test_what_is_published_is_found_after_following(node):
    follow_once()
    publish("责任区")

    assert follow_once() == 2  # One release for the group, one for the public.
    assert total("责任区") == 1
    assert follow_once() == 0
    assert log.read_cursor(CURSOR) == str(log.position())


def test_an_empty_journal_makes_an_empty_index(node):
    assert follow_once() == 0
    assert total() == 0


def test_many_releases_are_followed_in_pages(node, monkeypatch):
    monkeypatch.setattr("hub.search.follower.PAGE", 3)
    for number in range(8):
        publish(f"责任区{number}")

    follow_once()

    assert total("责任区") == 8


def test_a_withdrawal_and_its_revisions_leave_nothing(node):
    entry_id = publish("第一版责任区")
    follow_once()
    revise(entry_id, "第二版责任区", rev=2)
    readdress(entry_id, None)
    follow_once()

    assert total() == 0
    assert of_this_node(Follower)._writer is not None
    assert of_this_node(service.OpenIndex).newest().count == 0


def test_killed_between_index_and_cursor_nothing_is_doubled_or_lost(node, monkeypatch):
    publish("责任区")
    follow_once()
    publish("责任区第二篇")

    def die(name: str, value: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(log, "move_cursor", die)
        with pytest.raises(Killed):
            follow_once()
    start_again(node)
    follow_once()

    assert total("责任区") == 2
    assert of_this_node(service.OpenIndex).newest().count == 2


def test_killed_before_the_index_commits_nothing_is_lost(node, monkeypatch):
    publish("责任区")
    follow_once()
    writer = of_this_node(Follower)._writer
    publish("责任区第二篇")

    def die(position: int) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(writer, "commit", die)
        with pytest.raises(Killed):
            follow_once()
    start_again(node)
    follow_once()

    assert total("责任区") == 2


def test_killed_in_mid_build_the_old_index_serves_and_the_new_one_is_gone_on_with(
    node, monkeypatch
):
    publish("责任区")
    follow_once()
    shelf, coordination = shelf_of(settings()), Coordination(settings().home)
    before = shelf.current()

    def die(path: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(shelf, "switch_to", die)
        with pytest.raises(Killed):
            build(shelf, coordination)
    assert shelf.current() == before
    assert total("责任区") == 1
    build(shelf, coordination)

    assert shelf.current() != before
    assert len([path for path in (settings().home / "index").iterdir() if path.is_dir()]) == 1


def test_the_follower_goes_on_in_an_index_that_was_built_beside_it(node):
    publish("责任区")
    follow_once()
    done: list[tuple[int, int]] = []

    build(shelf_of(settings()), Coordination(settings().home), lambda *seen: done.append(seen))
    publish("责任区第二篇")
    follow_once()

    assert done == [(1, 1)]
    assert total("责任区") == 2


def test_an_index_deleted_under_the_follower_is_built_again(node):
    publish("责任区")
    follow_once()
    shutil.rmtree(settings().home / "index")
    publish("责任区第二篇")

    for _ in range(3):
        follow_once()

    assert total("责任区") == 2


def test_an_older_copy_of_the_index_catches_up(node, tmp_path):
    publish("责任区")
    follow_once()
    start_again(node)
    index = settings().home / "index"
    shutil.copytree(index, tmp_path / "copy")
    gone = publish("责任区第二篇")
    follow_once()
    readdress(gone, None)
    publish("责任区第三篇")
    follow_once()
    start_again(node)
    shutil.rmtree(index)
    shutil.copytree(tmp_path / "copy", index)

    assert total("责任区") == 1
    follow_once()

    assert total("责任区") == 2


def test_an_index_ahead_of_a_restored_database_is_built_again(node):
    publish("责任区")
    follow_once()
    writer = of_this_node(Follower)._writer
    writer.commit(log.position() + 100)
    start_again(node)

    follow_once()

    assert of_this_node(service.OpenIndex).newest().position == log.position()


def test_an_index_of_another_version_serves_until_the_new_one_is_ready(node, monkeypatch):
    publish("责任区")
    follow_once()
    start_again(node)
    shelf = shelf_of(settings())
    before = shelf.current()
    monkeypatch.setattr(engines, "digest", lambda engine, **more: "0123456789abcdef")

    assert total("责任区") == 1
    follow_once()

    assert shelf.current() != before
    assert total("责任区") == 1


def test_a_second_follower_is_told_that_there_is_one(node):
    follow_once()

    with pytest.raises(BusyError):
        Follower(settings()).follow()


def test_a_failed_search_makes_the_follower_look(node, monkeypatch):
    publish("责任区")
    follow_once()
    index = of_this_node(service.OpenIndex)
    reader = index.newest()

    def fail(reader: object, request: object) -> None:
        raise BrokenIndexError

    with monkeypatch.context() as patched:
        patched.setattr(type(reader), "search", fail)
        assert service.search("责任区", audiences={EVERYBODY}).gap == "rebuilding"
    for path in index.shelf.current().path.glob("*.term"):
        content = path.read_bytes()
        path.unlink()  # A file is never written over while it may be mapped into memory.
        path.write_bytes(content[:-20])
    follow_once()

    assert total("责任区") == 1

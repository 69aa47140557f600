"""The commands about the index."""

import shutil
from datetime import timedelta

import pytest
from click.testing import CliRunner
from flask import Flask

from hub import clock
from hub.config import of_this_node, settings
from hub.search.cli import search
from hub.search.files.follower import read_next
from hub.search.follower import Follower, follow_once
from hub.search.shelves import shelf_of
from tests.search.files.attached import hold, publish_with
from tests.search.files.made import docx
from tests.search.published import publish


@pytest.fixture
def node(alpha: Flask):
    with alpha.app_context():
        publish("责任区")
        follow_once()
        yield alpha
        of_this_node(Follower).close()


def run(*words: str) -> str:
    result = CliRunner().invoke(search, words, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_status_says_how_far_the_index_is(node):
    assert "up to date" in run("status")
    assert "1 documents, position 2 of 2" in run("status")


def test_status_says_when_there_is_no_index(node):
    shutil.rmtree(settings().home / "index")

    assert "There is no usable index" in run("status")


def test_rebuild_puts_a_new_index_in_place_of_the_old(node):
    before = shelf_of(settings()).current()
    publish("责任区第二篇")

    told = run("rebuild")

    assert "2 documents, position 4 of 4" in told
    assert shelf_of(settings()).current() != before
    assert not before.exists()
    assert follow_once() == 0


def test_status_says_how_long_what_is_new_has_waited(node, monkeypatch):
    publish("责任区第二篇")
    later = clock.now() + timedelta(seconds=90)
    monkeypatch.setattr(clock, "now", lambda: later)

    told = run("status")

    assert "2 changes are not indexed yet, the oldest for 9" in told


def test_status_says_what_became_of_files(node):
    content = docx("责任")
    for name, bytes_ in (("a.docx", content), ("b.docx", content[:-30])):
        hold(bytes_)
        publish_with("方案", (name, bytes_))
    while read_next():
        pass

    assert "1 files read, 1 without a text" in run("status")

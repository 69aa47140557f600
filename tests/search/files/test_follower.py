"""Texts of files are found with their documents, for whoever may read those, and go with them."""

import pytest
from flask import Flask

from hub.cases.follower import sweep_files, tidy_files
from hub.cases.models import Document
from hub.config import of_this_node, settings
from hub.database import db, transaction
from hub.identity.models import EVERYBODY, MEMBERS
from hub.search import service
from hub.search.building import build
from hub.search.coordination import Coordination
from hub.search.files import follower as files
from hub.search.files.extraction import Extract, Reason
from hub.search.follower import Follower, follow_once
from hub.search.hits import Hit
from hub.search.models import FileText
from hub.search.shelves import shelf_of
from hub.search.snippets import as_html
from tests.search.files import made
from tests.search.files.attached import hold, publish_with
from tests.search.published import id_of, readdress

PLAN = made.docx("前言。", "每季度开展一次党员亮身份活动。")
TABLE = made.xlsx("谈心谈话记录", number="20261")


@pytest.fixture
def node(alpha: Flask):
    with alpha.app_context():
        yield alpha
        of_this_node(Follower).close()


def read_all() -> int:
    count = 0
    while files.read_next():
        count += 1
    return count


def find(text: str, *audiences: str) -> list[Hit]:
    return list(service.search(text, audiences=set(audiences) or {EVERYBODY}).hits)


def known() -> dict[str, str]:
    db.session.rollback()
    return {row.sha256: row.state for row in db.session.query(FileText)}


def test_a_text_in_a_file_is_found_and_the_hit_names_the_file(node):
    hold(PLAN)
    hold(TABLE)
    entry_id = publish_with("活动方案", ("台账.xlsx", TABLE), ("实施方案.docx", PLAN))
    assert read_all() == 2
    follow_once()

    [hit] = find("党员亮身份")

    assert (hit.id, hit.file) == (id_of(entry_id), "实施方案.docx")
    assert as_html(hit.snippet) == "前言。 每季度开展一次<mark>党员亮身份</mark>活动。"
    assert find("20261")[0].file == "台账.xlsx"


def test_a_file_that_is_read_after_its_document_was_indexed_is_found(node):
    entry_id = publish_with("活动方案", ("实施方案.docx", PLAN))
    follow_once()
    assert find("亮身份") == []
    hold(PLAN)

    assert read_all() == 1
    follow_once()

    assert [hit.id for hit in find("亮身份")] == [id_of(entry_id)]
    assert follow_once() == 0
    assert of_this_node(service.OpenIndex).newest().count == 1


def test_a_file_is_found_by_its_name_before_it_is_held_here(node):
    publish_with("活动方案", ("结对共建协议.docx", PLAN))
    follow_once()

    [hit] = find("共建协议")

    assert hit.file == "结对共建协议.docx"
    assert as_html(hit.snippet) == "一句话结果。"
    assert read_all() == 0


def test_words_may_stand_apart_in_the_text_and_in_a_file(node):
    hold(PLAN)
    publish_with("活动方案", ("实施方案.docx", PLAN))
    publish_with("活动总结")
    read_all()
    follow_once()

    assert [hit.title for hit in find("活动方案 亮身份")] == ["活动方案"]
    assert service.search("活动总结 亮身份", audiences={EVERYBODY}).is_loosened


def test_what_a_document_says_itself_comes_first_and_names_no_file(node):
    hold(PLAN)
    publish_with("活动方案", ("实施方案.docx", PLAN))
    publish_with("党员亮身份的做法")
    read_all()
    follow_once()

    assert [(hit.title, hit.file) for hit in find("亮身份")] == [
        ("党员亮身份的做法", ""),
        ("活动方案", "实施方案.docx"),
    ]


def test_a_file_is_open_to_those_who_may_read_its_document_and_to_no_others(node):
    hold(PLAN)
    publish_with("内部方案", ("绝密代号.docx", PLAN), visibility="group")
    read_all()
    follow_once()

    for words in ("亮身份", "绝密代号"):
        strangers = service.search(words, audiences={EVERYBODY})
        assert (strangers.total, list(strangers.hits)) == (0, [])
        assert len(find(words, EVERYBODY, MEMBERS)) == 1


def test_one_file_of_two_documents_is_read_once_and_found_in_each_readers_own(node):
    hold(PLAN)
    publish_with("公开方案", ("实施方案.docx", PLAN))
    publish_with("内部方案", ("内部方案.docx", PLAN), visibility="group")
    assert read_all() == 1
    follow_once()

    assert [hit.title for hit in find("亮身份")] == ["公开方案"]
    assert len(find("亮身份", EVERYBODY, MEMBERS)) == 2


def test_a_file_of_a_draft_is_not_read(node):
    hold(PLAN)

    assert read_all() == 0
    assert known() == {}


def test_a_file_of_a_document_that_is_hidden_is_not_read(node):
    hold(PLAN)
    entry_id = publish_with("活动方案", ("实施方案.docx", PLAN))
    with transaction():  # As when an agreement with its enterprise has ended.
        db.session.get_one(Document, id_of(entry_id)).audience = None

    assert read_all() == 0


def test_a_withdrawn_document_is_not_found_by_its_files_and_their_text_is_deleted(node):
    name = hold(PLAN)
    entry_id = publish_with("活动方案", ("实施方案.docx", PLAN))
    read_all()
    follow_once()
    assert known() == {name: "ok"}

    readdress(entry_id, None)
    assert find("亮身份") == []  # Even before the index knows.
    follow_once()
    tidy_files()
    sweep_files()

    assert find("亮身份") == []
    assert known() == {}


def test_a_file_that_a_revision_drops_is_not_found_any_more(node):
    hold(PLAN)
    entry_id = publish_with("活动方案", ("实施方案.docx", PLAN))
    read_all()
    follow_once()

    publish_with("活动方案", entry_id=entry_id, rev=2)
    follow_once()

    assert find("亮身份") == []


def test_a_hostile_file_is_tried_once_and_found_by_its_name(node):
    broken = made.docx("责任")[:-30] + b"PK\x05\x06" + bytes(18)
    name = hold(broken)
    publish_with("活动方案", ("损坏的方案.docx", broken))

    assert read_all() == 1
    assert known() == {name: "failed"}
    assert read_all() == 0
    follow_once()

    assert find("损坏的方案")[0].file == "损坏的方案.docx"


def test_a_text_whose_file_is_removed_while_it_is_read_is_not_kept(node, monkeypatch):
    hold(PLAN)
    entry_id = publish_with("活动方案", ("实施方案.docx", PLAN))

    def withdraw_meanwhile(*_: object) -> Extract:
        readdress(entry_id, None)
        tidy_files()
        return Extract(Reason.NONE, "每季度开展一次党员亮身份活动。")

    monkeypatch.setattr(files, "extract", withdraw_meanwhile)
    read_all()

    assert known() == {}


def test_killed_between_reading_and_indexing_nothing_is_lost(node, monkeypatch):
    hold(PLAN)
    publish_with("活动方案", ("实施方案.docx", PLAN))
    follow_once()
    read_all()

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(files, "note_indexed", die)
        with pytest.raises(Killed):
            follow_once()
    of_this_node(Follower).close()
    follow_once()

    assert len(find("亮身份")) == 1
    assert of_this_node(service.OpenIndex).newest().count == 1


def test_what_is_read_while_another_index_is_built_is_found_in_that(node, monkeypatch):
    hold(PLAN)
    publish_with("活动方案", ("实施方案.docx", PLAN))
    follow_once()

    def read_meanwhile(done: int, total: int) -> None:  # Its documents are added already.
        read_all()
        follow_once()

    build(shelf_of(settings()), Coordination(settings().home), read_meanwhile)
    follow_once()

    assert len(find("亮身份")) == 1


def test_the_same_search_finds_more_once_a_file_was_read(node):
    publish_with("活动方案", ("实施方案.docx", PLAN))
    follow_once()
    assert find("亮身份") == []  # And this is remembered.
    hold(PLAN)
    read_all()
    follow_once()

    assert len(find("亮身份")) == 1


def test_the_files_of_a_bucket_are_read_too(node, monkeypatch):
    name = hold(PLAN)
    publish_with("活动方案", ("实施方案.docx", PLAN))
    monkeypatch.setattr(type(files.store()), "path", lambda self, sha256: None)

    assert read_all() == 1
    assert known() == {name: "ok"}

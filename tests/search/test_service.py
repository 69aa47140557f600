"""What is found, by whom, and what is not."""

import shutil
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from flask import Flask

from hub import clock
from hub.config import of_this_node, settings
from hub.database import db
from hub.errors import HubError
from hub.identity.models import EVERYBODY, MEMBERS
from hub.search import hits, service
from hub.search.engine import FACETS
from hub.search.follower import Follower, follow_once
from hub.search.service import Gap, Results
from hub.search.snippets import as_html
from tests.search.published import id_of, publish, readdress, revise

STRANGERS = frozenset({EVERYBODY})
COLLEAGUES = frozenset({EVERYBODY, MEMBERS})


def search(text: str = "", audiences: frozenset[str] = STRANGERS, **more: object) -> Results:
    db.session.rollback()  # Each search is a request of its own.
    filters = {name: more.pop(name) for name in FACETS if name in more}
    return service.search(text, audiences=audiences, filters=filters, **more)  # type: ignore[arg-type]


def titles(text: str = "", audiences: frozenset[str] = STRANGERS, **more: object) -> list[str]:
    return [hit.title for hit in search(text, audiences, **more).hits]


@pytest.fixture
def node(alpha: Flask):
    with alpha.app_context():
        yield alpha
        of_this_node(Follower).close()


@pytest.fixture
def library(node, monkeypatch):
    start, numbers = clock.now(), count()
    # Times of publication are whole seconds; each document is to have its own.
    monkeypatch.setattr(clock, "now", lambda: start + timedelta(seconds=next(numbers)))
    publish(
        "党员责任区",
        "把责任落实到每个责任区，责任区有牌子。",
        category="brand",
        tags=["班组"],
    )
    publish("任务责成区域公司", "把任务责成区域公司去做。", unit="区域公司党委")
    publish("黨建平臺上線", "數字黨建平臺，手機上就能學習。", category="digital_party_building")
    publish("积分屏为什么停了", "5G 网络与 AI 积分。", kind="pilot_lesson")
    publish("内部台账减负", "台账从十二本减到三本。责任区也并了。", visibility="group")
    follow_once()


def test_a_word_of_two_characters_is_found_exactly(library):
    assert titles("责任区") == ["党员责任区"]
    assert titles("区域") == ["任务责成区域公司"]


def test_a_single_character_is_found(library):
    assert titles("牌") == ["党员责任区"]


@pytest.mark.parametrize("text", ["数字党建", "數字黨建", "數字党建", "平台", "平臺"])
def test_either_script_finds_the_other(library, text):
    assert titles(text) == ["黨建平臺上線"]


@pytest.mark.parametrize("text", ["5g", "５Ｇ", "ai", "Ai 积分", "“5G 网络”"])
def test_other_words_are_found_in_any_case_and_width(library, text):
    assert titles(text) == ["积分屏为什么停了"]


@pytest.mark.parametrize("text", ["区域公司党委", "班组", "数字党建", "Digital Party building"])
def test_unit_tags_and_category_are_found(library, text):
    assert len(titles(text)) == 1


def test_all_words_are_needed_and_a_quotation_stands_as_it_is(library):
    assert titles("责任区 牌子") == ["党员责任区"]
    assert titles("“有牌子”") == ["党员责任区"]


def test_when_nothing_says_it_all_its_parts_are_looked_for_and_that_is_said(library):
    found = search("责任区牌匾")

    assert found.is_loosened
    assert found.hits[0].title == "党员责任区"
    assert not search("责任区").is_loosened
    assert not search("毫无踪影").is_loosened


def test_the_newest_come_first_without_words(library):
    assert titles() == ["积分屏为什么停了", "黨建平臺上線", "任务责成区域公司", "党员责任区"]


def test_filters_and_counts_agree(library):
    everything = search()

    assert dict(everything.facets["kind"]) == {"case": 3, "pilot_lesson": 1}
    for name, values in everything.facets.items():
        assert name == "place" or sum(count for _, count in values) == everything.total
        for value, number in values:
            assert not value or search(**{name: value}).total == number
    assert titles(kind="case", category="digital_party_building") == ["黨建平臺上線"]
    assert titles(unit="没有这个单位") == []


def test_pages_follow_each_other(library):
    first, second = search(per_page=3), search(per_page=3, page=2)

    assert (len(first.hits), first.has_more) == (3, True)
    assert (len(second.hits), second.has_more) == (1, False)
    assert {hit.id for hit in first.hits}.isdisjoint(hit.id for hit in second.hits)


def test_nothing_of_what_others_may_read_shows(library):
    assert titles("台账") == []
    assert search("台账").total == 0
    assert search("台账").facets == search("毫无踪影").facets
    assert search("责任区").total == 1
    assert titles("台账", COLLEAGUES) == ["内部台账减负"]
    assert search("责任区", COLLEAGUES).total == 2


def test_letters_of_a_hidden_word_give_nothing_away(library):
    publish("鹳雀穿杨", "鹳雀穿杨。", visibility="group")
    follow_once()
    assert titles("鹳雀穿杨", COLLEAGUES) == ["鹳雀穿杨"]
    for end in range(1, 5):
        found = search("鹳雀穿杨"[:end])
        nothing = search("竑龘靐齉"[:end])
        assert (found.total, found.facets) == (nothing.total, nothing.facets)


def test_a_withdrawn_document_is_gone_before_the_index_knows(node, library):
    gone = publish("马上撤回", "撤回演练。")
    follow_once()
    assert titles("撤回演练") == ["马上撤回"]

    readdress(gone, None)

    found = search("撤回演练")
    assert (found.hits, found.total, found.facets["kind"]) == ([], 0, [])
    follow_once()
    assert search("撤回演练").total == 0


def test_a_narrowed_document_is_gone_for_strangers_before_the_index_knows(node, library):
    narrowed = publish("范围收窄", "收窄演练。")
    follow_once()

    readdress(narrowed, "group")

    assert search("收窄演练").total == 0
    follow_once()
    assert search("收窄演练").total == 0
    assert titles("收窄演练", COLLEAGUES) == ["范围收窄"]


def test_an_old_text_is_not_found_once_a_new_one_is_out(node, library):
    entry_id = publish("第一版", "旧的说法。")
    follow_once()

    revise(entry_id, "第二版", "新的说法。", rev=2)

    assert titles("旧的") == []
    follow_once()
    assert titles("旧的") == []
    assert titles("新的说法") == ["第二版"]
    assert search("新的说法").hits[0].id == id_of(entry_id)


def test_far_behind_the_totals_are_left_out_and_nothing_leaks(node, library, monkeypatch):
    gone = publish("将要撤回", "撤回演练。")
    follow_once()
    monkeypatch.setattr(hits, "MOST_CHANGED", 2)
    readdress(gone, None)
    for number in range(2):
        publish(f"后来的{number}")

    found = search("撤回演练")

    assert (found.hits, found.total, found.facets, found.gap) == ([], None, None, Gap.LAGGING)


def test_without_an_index_titles_are_compared_and_that_is_said(node, library):
    shutil.rmtree(settings().home / "index")

    found = search("责任区")

    assert [hit.title for hit in found.hits] == ["党员责任区"]
    assert (found.total, found.facets, found.gap) == (None, None, Gap.REBUILDING)
    assert titles("台账") == []
    assert titles("台账", COLLEAGUES) == ["内部台账减负"]
    assert titles(kind="pilot_lesson") == ["积分屏为什么停了"]


def test_a_deleted_index_comes_back_by_itself(node, library):
    shutil.rmtree(settings().home / "index")

    follow_once()

    assert search("责任区").gap == Gap.NONE
    assert titles("责任区") == ["党员责任区"]


def test_a_damaged_index_is_no_failure_and_is_replaced(node, library):
    of_this_node(Follower).close()
    node.extensions["hub.kept"].clear()  # As in processes that start now.
    for path in (settings().home / "index").glob("*/*.idx"):
        size = path.stat().st_size
        path.unlink()  # A file is never written over while it may be mapped into memory.
        path.write_bytes(b"\0" * size)

    assert search("责任区").gap == Gap.REBUILDING
    follow_once()

    assert search("责任区").gap == Gap.NONE
    assert titles("责任区") == ["党员责任区"]


def test_marks_stand_in_the_raw_text_in_either_script(library):
    assert "<mark>數字黨建</mark>平臺" in as_html(search("数字党建").hits[0].snippet)
    assert "<mark>责任区</mark>" in as_html(search("責任區").hits[0].snippet)
    found = search("責任區")
    assert as_html(found.marker.mark(found.hits[0].title)) == "党员<mark>责任区</mark>"


def test_markup_in_texts_and_queries_stays_text(node):
    publish("<b>粗体</b>责任区", "<script>alert(1)</script>责任区 & “引号”。")
    follow_once()

    for text in ("责任区", "<script>alert(1)</script>", "script", "<b>"):
        found = search(text)
        for hit in found.hits:
            for html in (as_html(hit.snippet), as_html(found.marker.mark(hit.title))):
                rest = html.replace("<mark>", "").replace("</mark>", "")
                assert "<" not in rest
                assert ">" not in rest


HOSTILE = [
    *("*", "*a*", "?", "~", "^2", "责任*", "责任~2", "a* OR b*", "field:*", "audience:members"),
    *("x) OR (audience:members", "(" * 90 + ")" * 90, "[a TO z]", "{", "}", "/.*/", "\\", "\\\\"),
    *("'", '"', '"责任', "“", "“”", "''", "``", "AND", "OR NOT", "NOT 责任", "+ -", "--", "&&"),
    *(
        "\t\n\r",
        "\x01\x02",
        "\ud800",
        "责任\udfff区",
        "\ufeff",
        "\u202e责任",
        " ",
        "\xa0",
        "\u3000",
    ),
    *(
        "a" * 200,
        "责" * 200,
        "责 " * 100,
        "１２３",
        "㈱㊙",
        "🎉",
        "👨\u200d👩",
        "e\u0301",
        "ß",
        "İ",
    ),
    *("\u0301" * 200, "%", "_", "%_%", "1; DROP TABLE document", "{{7*7}}", "{0.__class__}"),
    *("%s%s%n", "<script>", "\u3000", "İ"),
]


@pytest.mark.parametrize("engine", ["tantivy", "whoosh"])
def test_whatever_is_typed_is_text(node, engine):
    node.extensions["hub.settings"] = replace(settings(), search_engine=engine)
    publish("党员责任区", "把责任落实到每个责任区。")
    publish("内部台账", "内部台账。", visibility="group")
    follow_once()

    for text in HOSTILE:
        found = search(text)
        assert "内部台账" not in [hit.title for hit in found.hits], text
        assert found.gap == Gap.NONE, text
        for name in ("kind", "category", "unit", "origin"):
            assert search("责任", **{name: text}).gap == Gap.NONE, text
    (settings().home / "index" / "current").unlink()
    for text in HOSTILE:
        assert search(text).gap == Gap.REBUILDING
        search(unit=text)


def test_bounds_are_refused_with_the_field_at_fault(library):
    for field, asked in {
        "q": {"text": "责" * 201},
        "page": {"page": 1001, "per_page": 10},
        "per_page": {"per_page": 51},
    }.items():
        with pytest.raises(HubError) as refused:
            search(**asked)
        assert refused.value.field == field


def test_both_engines_find_the_same(node, library):
    asked = ["责任区", "台账", "平台 学习", "责任区牌匾", "5G", "区", ""]
    first = [(titles(text, COLLEAGUES), search(text, COLLEAGUES).facets) for text in asked]
    of_this_node(Follower).close()
    node.extensions["hub.kept"].clear()
    node.extensions["hub.settings"] = replace(settings(), search_engine="whoosh")
    follow_once()

    assert of_this_node(service.OpenIndex).shelf.current().name.startswith("whoosh-")
    assert [(titles(t, COLLEAGUES), search(t, COLLEAGUES).facets) for t in asked] == first

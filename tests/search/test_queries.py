"""What a query asks for, whatever is typed."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.search import loosening, queries, synonyms
from hub.search.engine import Query, Way
from hub.search.parts import LONGEST, Boxes, parts
from hub.search.queries import understand
from hub.search.synonyms import Synonyms

KNOWN = Synonyms(synonyms.parse("党建 = 党的建设\n国企 = 国有企业\nQC小组 = 质量管理小组"))
TYPED = st.text(
    alphabet="责任区台账党建国企a b-－“”\"「」:：标题title单位'.,/3月2026年 ", max_size=80
)


def asked(text: str) -> set[tuple[str, ...]]:
    return {way.tokens for ways in understand(text).exact.all_of for way in ways}


def excluded(text: str) -> list[tuple[str, ...]]:
    return [way.tokens for way in understand(text).exact.none_of]


def test_all_words_are_asked_for_and_a_quotation_as_it_stands():
    assert asked("责任区 牌子") == {("责任", "任区"), ("牌子",)}
    assert asked("“责任区 牌子”") == {("责任", "任区", "牌子")}
    assert asked("「責任區」") == {("责任", "任区")}
    assert asked('前面"责任区"后面') == {("前面",), ("责任", "任区"), ("后面",)}


@pytest.mark.parametrize("text", ["责任 -台账", "责任 －台账", "-台账 责任", "责任 −台账"])
def test_a_word_behind_a_minus_must_not_be_there(text):
    assert asked(text) == {("责任",)}
    assert excluded(text) == [("台账",)]


def test_several_words_and_quotations_can_be_excluded():
    assert excluded("-台账 -“内部 文件” -5G") == [("台账",), ("内部", "文件"), ("5g",)]


@pytest.mark.parametrize(
    "text", ["COVID-19", "2026-03", "2025-2026", "责任-台账", "责任 - 台账", "--", "-"]
)
def test_a_minus_within_a_word_or_alone_excludes_nothing(text):
    assert excluded(text) == []


def test_a_query_of_exclusions_only_says_something():
    question = understand("-台账")

    assert question.says_something
    assert question.exact == Query(none_of=(Way("text", ("台账",)),))
    assert not question.loose
    assert not understand("- --").says_something


def test_what_a_minus_or_a_point_joins_stands_together():
    assert asked("COVID-19") == {("covid", "19")}
    assert asked("v1.6") == {("v1", "6")}
    assert asked("2026年3月") == asked("2026-03") == asked("2026 年 3 月") == {("2026", "3月")}
    assert asked("AI,5G") == asked("AI/5G") == asked("AI、5G") == {("ai",), ("5g",)}


def test_the_end_of_a_quotation_may_be_part_of_a_longer_run():
    assert asked("“5G 网”") == {("5g",), ("网",)}


def test_words_can_be_asked_for_in_the_title_or_the_unit():
    assert asked("标题:责任区 单位：能源 title:“A B”") == {
        ("^责任", "^任区"),
        ("@能源",),
        ("^a", "^b"),
    }
    assert excluded("-标题:台账") == [("^台账",)]
    assert asked("小标题:责任") == {("小标", "标题"), ("责任",)}


def test_in_loosened_queries_titles_units_and_exclusions_still_count():
    loose = understand("责任区牌匾 标题:党员 -台账").loose

    assert loose.all_of == ((Way("names", ("^党员",)),),)
    assert loose.none_of == (Way("text", ("台账",)),)
    assert Way("text", ("责任",)) in loose.any_of


def in_text(ways: Sequence[Way]) -> list[Way]:
    """Return the ways but that in which a file may say the same."""
    return [way for way in ways if way.field != "files"]


def test_synonyms_are_further_ways_and_marks():
    question = understand("国企党建品牌", KNOWN)
    (ways,) = question.exact.all_of

    assert len(in_text(ways)) == 4
    assert ways[0].weight == 1 > ways[1].weight
    assert "国有企业党的建设品牌" in question.exact_marks


def test_synonyms_of_several_words_are_seen_across_words():
    (ways,) = understand("qc小组", KNOWN).exact.all_of

    assert {way.tokens for way in in_text(ways)} == {
        ("qc", "小组"),
        ("质量", "量管", "管理", "理小", "小组"),
    }


def test_a_quotation_means_what_it_says():
    for text in ("“党建”", "党建 “党建”"):
        (ways,) = understand(text, KNOWN).exact.all_of
        assert in_text(ways) == [Way("text", ("党建",))]


def test_latin_words_sound_like_names_only_in_a_second_reading():
    question = understand("dangjian 5G")

    assert {way.field for ways in question.exact.all_of for way in ways} == {"text", "files"}
    assert Way("sounds", ("dang'jian",)) in question.sounded.all_of[0]
    assert question.sounded.all_of[1:] == question.exact.all_of[1:]
    assert not understand("责任 5G “dangjian”").sounded


@given(TYPED)
def test_whatever_is_typed_is_bounded(text):
    question = understand(text, KNOWN)

    for query in (question.exact, question.sounded, question.loose):
        ways = [way for group in query.all_of for way in group]
        assert len(query.all_of) <= 2 * queries.MOST_WORDS
        assert len(ways) <= 3 * queries.MOST_WAYS
        assert len(query.any_of) <= loosening.MOST
        assert len(query.none_of) <= queries.MOST_WORDS
        for way in (*ways, *query.any_of, *query.better, *query.none_of):
            assert 0 < len(way.tokens) <= LONGEST
            assert all(way.tokens)


@pytest.mark.parametrize(
    "text", ["党建" * 100, "党建 " * 60, "国企党建 " * 40, "a " * 100, "-党 " * 60]
)
def test_long_queries_are_bounded(text):
    question = understand(text, KNOWN)

    ways = sum(len(in_text(ways)) for ways in question.exact.all_of)
    assert ways <= queries.MOST_WAYS + queries.MOST_WORDS
    assert len(question.exact.none_of) <= queries.MOST_WORDS
    assert len(question.exact_marks) <= 500


def test_boxes_make_the_query_that_one_could_have_typed():
    boxes = Boxes("责任区 牌子", "先锋 模范", "台账 内部", "党员", "能源公司")
    text = "责任区 牌子 “先锋 模范” -台账 -内部 标题:党员 单位:能源公司"

    assert boxes.query() == text
    assert Boxes.of(text) == boxes


def test_signs_in_boxes_do_no_harm():
    assert Boxes(exact="“a” b").query() == "“a b”"
    assert Boxes(without="-台账").query() == "-台账"
    assert Boxes(title="-标题:“a b” c").query() == "标题:“a b” 标题:c"
    assert len(Boxes(*["责" * 190] * 5).query()) <= LONGEST


# Without signs of dates: 2“月 is a number and a sign, and 2 月 a month.
@given(TYPED.filter(lambda text: not set(text) & set("年月")))
def test_taken_apart_and_put_together_a_query_asks_for_the_same(text):
    again = Boxes.of(text).query()

    if len(again) < LONGEST:
        assert set(understand(again, KNOWN).exact.all_of) == set(
            understand(text, KNOWN).exact.all_of
        )
        assert set(understand(again).exact.none_of) == set(understand(text).exact.none_of)


def test_what_is_quoted_or_not_comes_in_its_order():
    assert [part.text for part in parts('a "b c" d')] == ["a", "b c", "d"]
    assert parts("") == parts('""')[1:] == []

"""What a word is: numbers, dates, plurals, widths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.search import analysis, writings
from hub.search.snippets import Marker, as_html


@pytest.mark.parametrize(
    "text",
    ["2026年3月", "2026-03", "2026.3", "2026/3", "２０２６年３月", "2026 年 03 月", "2026-3"],
)
def test_a_month_is_the_same_however_it_is_written(text):
    assert analysis.words(text) == ["2026", "3月"]


@pytest.mark.parametrize("text", ["2026年3月5日", "2026-03-05", "2026.3.5", "2026/03/05"])
def test_a_day_is_the_same_however_it_is_written(text):
    assert analysis.words(text) == ["2026", "3月", "5日"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026年", ["2026"]),
        ("2026年度", ["2026", "年度"]),
        ("3月底", ["3月", "月底"]),
        ("12月份", ["12月", "月份"]),
        ("2026-01/2026-09", ["2026", "1月", "2026", "9月"]),
        ("13月", ["13", "月"]),
        ("3个月", ["3", "个月"]),
        ("20260315", ["20260315"]),
        ("2026-13", ["2026", "13"]),
        ("1.6", ["1", "6"]),
        ("COVID-19", ["covid", "19"]),
    ],
)
def test_what_only_looks_like_a_date_is_left_as_it_is(text, words):
    assert analysis.words(text) == words


@pytest.mark.parametrize("text", ["1,200", "1200", "１，２００", "１２００"])
def test_a_number_is_the_same_with_commas_and_in_either_width(text):
    assert analysis.words(text) == ["1200"]


def test_commas_that_part_no_thousands_part_numbers():
    assert analysis.words("1,20") == ["1", "20"]
    assert analysis.words("2026,1200") == ["2026", "1200"]


@pytest.mark.parametrize(
    ("singular", "plural"),
    [
        ("case", "cases"),
        ("policy", "policies"),
        ("process", "processes"),
        ("box", "boxes"),
        ("branch", "branches"),
        ("lesson", "LESSONS"),
    ],
)
def test_a_simple_plural_is_the_same_word(singular, plural):
    assert analysis.words(singular) == analysis.words(plural)


@pytest.mark.parametrize("word", ["analysis", "status", "process", "news", "gas", "5g", "班组s"])
def test_what_is_no_plural_keeps_its_end(word):
    assert analysis.words(word)[-1][-1] == word[-1]


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("三项 Policies，policy", "policy", "三项 <mark>Policies</mark>，<mark>policy</mark>"),
        ("cases 与 showcase", "case", "<mark>cases</mark> 与 showcase"),
        ("共１，２００人，12000", "1200", "共<mark>１，２００</mark>人，12000"),
        (
            "自2026年03月起，2026-03、2026.13",
            "3月",
            "自2026年<mark>03月</mark>起，2026-<mark>03</mark>、2026.13",
        ),
        ("13月 3 月", "3月", "13月 <mark>3 月</mark>"),
        ("3月5日，2026-03-05", "5日", "3月<mark>5日</mark>，2026-03-<mark>05</mark>"),
        ("2026年", "2026", "<mark>2026</mark>年"),
    ],
)
def test_marks_stand_on_whatever_writing_was_found(text, word, expected):
    assert as_html(Marker([word]).mark(text)) == expected


@given(st.text(alphabet="责任2026年3月-/.,0 sesyi日", max_size=40))
def test_every_word_of_a_text_is_seen_in_it(text):
    folded = analysis.fold(text)
    for word in analysis.words(text):
        if not analysis.is_month(word) and word[-1] != "日":
            assert next(writings.places(folded, word), None), word


def test_pairs_stay_within_their_run_and_a_lone_character_stands_for_itself():
    found = analysis.tokens("好，支部 AI，办公室；𠮷𠮷：一")
    assert found.text == "好 支部 ai 办公 公室 𠮷𠮷 一"
    assert found.characters == "好 支 部 办 公 室 𠮷 𠮷 一"


def test_a_text_without_chinese_has_no_characters_and_one_without_words_nothing():
    assert analysis.tokens("COVID-19") == ("covid 19", "")
    assert analysis.tokens("…") == ("", "")

"""Snippets: the right place, the right marks, nothing but text."""

import pytest

from hub.search.snippets import LENGTH, Marker, as_html

FAR = "没有要找的字。" * 60


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("黨員責任區", "责任区", "黨員<mark>責任區</mark>"),
        ("党员责任区", "责任", "党员<mark>责任</mark>区"),
        ("５Ｇ网络 5g", "5g", "<mark>５Ｇ</mark>网络 <mark>5g</mark>"),
        ("5G网络，15g 不是", "5g", "<mark>5G</mark>网络，15g 不是"),
        ("㈱责任①责任", "责任", "㈱<mark>责任</mark>①<mark>责任</mark>"),
        ("Cafe\u0301 责任", "责任", "Cafe\u0301 <mark>责任</mark>"),
        ("CAFÉ", "cafe", "<mark>CAFÉ</mark>"),
        ("𠮷野家责任", "责任", "𠮷野家<mark>责任</mark>"),
        ("a<b>责任&", "责任", "a&lt;b&gt;<mark>责任</mark>&amp;"),
    ],
)
def test_marks_stand_where_the_words_stand(text, word, expected):
    assert as_html(Marker([word]).mark(text)) == expected


def test_marks_that_overlap_or_touch_become_one():
    assert as_html(Marker(["责任", "任区"]).mark("责任区")) == "<mark>责任区</mark>"
    assert as_html(Marker(["党员", "责任"]).mark("党员责任")) == "<mark>党员责任</mark>"


def test_a_text_marked_is_the_text():
    text = "Ｗord ㈱①責任 e\u0301 İ 任\n责任"
    assert "".join(part.text for part in Marker(["责任"]).mark(text)) == text


@pytest.mark.parametrize("word", ["责任区", "責任區"])
def test_a_snippet_shows_the_place(word):
    snippet = as_html(Marker(["责任区"]).cut([FAR, f"{FAR}我们的{word}在这里。{FAR}"]))

    assert f"<mark>{word}</mark>在这里" in snippet
    assert snippet.endswith("…")
    assert len(snippet) < LENGTH + 30


def test_a_word_at_the_end_is_shown_with_what_stands_before_it():
    snippet = as_html(Marker(["责任"]).cut([f"{FAR}前面还有一句话。\n责任"]))

    assert snippet.endswith("前面还有一句话。 <mark>责任</mark>")
    assert len(snippet) > 60


def test_a_snippet_shows_the_place_where_most_words_are():
    text = f"责任。{FAR}牌子和责任都在。{FAR}"

    snippet = as_html(Marker(["责任", "牌子"]).cut([text]))

    assert "<mark>牌子</mark>和<mark>责任</mark>" in snippet


def test_a_snippet_is_of_the_text_that_holds_most_words():
    texts = ("只有责任。", "责任和牌子。")

    assert as_html(Marker(["责任", "牌子"]).cut(texts)) == "<mark>责任</mark>和<mark>牌子</mark>。"


def test_more_texts_are_looked_at_when_the_first_hold_none():
    marker = Marker(["责任"])

    assert as_html(marker.cut(["开头"], iter(["別的", "責任"]))) == "<mark>責任</mark>"
    assert as_html(marker.cut(["开头"], iter(["別的"]))) == "开头"


@pytest.mark.parametrize("words", [["责任"], ["责任", "abc"]])
def test_where_the_title_says_it_all_no_further_text_is_looked_at(words):
    def never():
        raise AssertionError("looked at")
        yield

    snippet = Marker(words).cut(["开头。"], never(), title="责任 ABC")

    assert as_html(snippet) == "开头。"


def test_an_accent_that_vanishes_does_not_hide_a_letter_that_grows():
    text = "e\u0301㎡责任"  # One character less and one more: as long as before.

    assert as_html(Marker(["责任"]).mark(text)) == "e\u0301㎡<mark>责任</mark>"


def test_without_a_word_a_snippet_is_the_beginning():
    assert as_html(Marker([]).cut(["", "开头。", "后面"])) == "开头。"
    assert as_html(Marker(["没有"]).cut(["开头。"])) == "开头。"
    assert as_html(Marker(["没有"]).cut(["", ""])) == ""


def test_signs_of_markdown_are_left_out():
    text = "责任\n\n# 标题\n\n> **责任**区 `x`\n- 一\n| a | b |\n|---|---|\n3 > 2 * 1"

    snippet = as_html(Marker(["责任"]).cut([text]))

    assert snippet == "<mark>责任</mark> 标题 <mark>责任</mark>区 x 一 a b 3 &gt; 2 * 1"

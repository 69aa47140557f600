"""How Chinese sounds, and what is found by it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypinyin import lazy_pinyin

from hub.demo import loading
from hub.search import analysis, naming, pinyin
from tests.search import pinyin_table

NAMES = naming.Names("党建品牌：5G Digital 班组", "重庆银行党支部", ("一岗双责",))


def test_the_table_is_what_pypinyin_says():
    assert pinyin.TABLE.read_text() == pinyin_table.draw()


def test_whole_texts_are_read_as_pypinyin_reads_them():
    texts = (sample.fields["title"] + sample.fields["body"] for sample in loading.samples())
    runs = {run for text in texts for run in analysis.words(text) if analysis.is_chinese(run)}
    pairs = [
        (ours, theirs)
        for run in runs
        for ours, theirs in zip(pinyin.syllables(run), lazy_pinyin(run, v_to_u=False), strict=True)
    ]

    differing = sum(ours != theirs for ours, theirs in pairs)
    assert len(pairs) > 20_000
    assert differing < len(pairs) / 2_000


@pytest.mark.parametrize(
    ("run", "read"),
    [
        ("党建", "dang jian"),
        ("银行行长", "yin hang hang zhang"),
        ("重庆", "chong qing"),
        ("重要", "zhong yao"),
        ("女工", "nv gong"),
    ],
)
def test_a_character_is_read_as_in_its_phrase(run, read):
    assert " ".join(pinyin.syllables(run)) == read


def test_what_has_no_known_reading_has_none():
    assert pinyin.syllables("𠮷党") == ["", "dang"]
    assert pinyin.readings("𠮷") == ()


@pytest.mark.parametrize(
    ("word", "ways"),
    [
        ("dangjian", {("dang", "jian"), ("dang", "ji", "an")}),
        ("xian", {("xian",), ("xi", "an")}),
        ("zerenqu", {("ze", "ren", "qu")}),
        ("djpp", set()),
        ("责任", set()),
        ("", set()),
        ("5g", set()),
    ],
)
def test_a_word_is_divided_in_each_way(word, ways):
    assert set(pinyin.divided(word)) == ways


@given(st.text(alphabet="angieuzhc", max_size=60))
def test_dividing_is_bounded_and_right(word):
    for way in pinyin.divided(word):
        assert "".join(way) == word
    assert len(pinyin.divided(word)) <= pinyin.MOST_READINGS
    for way, rest in pinyin.begun(word):
        assert "".join(way) + rest == word
        assert not rest or pinyin.beginning_with(rest)


@pytest.mark.parametrize("word", ["dangjian", "dangji", "dj", "pinpai", "djpp", "dangj"])
def test_a_run_is_heard_in_a_word_that_goes_on(word):
    assert pinyin.is_heard(word, "数字党建品牌", is_begun=True)


def test_a_whole_word_is_heard_only_as_a_whole():
    assert pinyin.is_heard("dangjian", "党建")
    assert not pinyin.is_heard("dangji", "党建")
    assert not pinyin.is_heard("dangjianpin", "党建")
    assert not pinyin.is_heard("djp", "党建")


def test_names_are_indexed_by_their_words_their_sounds_and_their_initials():
    tokens = naming.tokens(NAMES)

    assert tokens["names"].startswith("^党建 ^建品 ^品牌 ^5g ^digital ^班组 | ^党 ^建")
    assert {"@银行", "@部", "#双责"} <= set(tokens["names"].split())
    assert "@党建" not in tokens["names"].split()
    assert tokens["sounds"].startswith("dang'jian jian'pin pin'pai | ban'zu | dang jian pin")
    assert "chong'qing qing'yin yin'hang hang'dang dang'zhi zhi'bu |" in tokens["sounds"]
    assert tokens["initials"].startswith("dj jp pp | bz | 5* 5g* d* di*")


@pytest.mark.parametrize("tags", [None, "班组", {"a": 1}, [1, None, ["x"], "长" * 61]])
def test_tags_of_another_node_may_be_anything(tags):
    assert naming.tags_of(tags) == ()

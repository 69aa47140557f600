"""The promise of `hub.search.engine`, kept by every engine in the same way."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest

from hub.search import analysis
from hub.search import engine as engines
from hub.search.engine import (
    FACETS,
    SUITING,
    BrokenIndexError,
    Engine,
    Indexed,
    Order,
    Query,
    Reader,
    Request,
    Way,
    Writer,
)

TEXTS = {
    "area": "党员责任区\n党员责任区\n把责任落实到每个责任区，责任区有牌子。",
    "task": "任务责成区域\n任务责成区域\n把任务责成区域公司去做。",
    "traditional": "黨員責任區\n黨員責任區\n數字黨建平臺。",
    "network": "5G网络进车间\n5G网络进车间\nAI 与 5G 网络，第 2026 号。",
    "hidden": "保密方案\n保密方案\n只给一个支部看的责任区方案。",
    "long": "支部台账\n支部台账\n" + "台账减负，会议合并。" * 60 + "责任区。",
}
AUDIENCES = {"hidden": "unit:1"}
KINDS = {"network": "pilot_lesson"}
EVERYBODY = frozenset({"public"})
SINGLE = [name for name in FACETS if name != "place"]


def name_of(name: str) -> UUID:
    return uuid5(UUID(int=0), name)


def make(name: str, text: str | None = None, **changes: Any) -> Indexed:
    words = analysis.tokens(text or TEXTS[name])
    values = dict.fromkeys(SINGLE, "") | {
        "kind": KINDS.get(name, "case"),
        "category": "responsibility",
        "unit": "示范 第一党支部",
        "origin": "https://alpha.test",
    }
    indexed: dict[str, Any] = {
        "id": name_of(name),
        "tokens": {"text": words.text, "characters": words.characters},
        "audience": AUDIENCES.get(name, "public"),
        "values": values | {key: changes.pop(key) for key in SINGLE if key in changes},
        "places": (),
        "suits": (),
        "published_at": list(TEXTS).index(name) if name in TEXTS else 0,
        "confirmed": 0,
    }
    return Indexed(**(indexed | changes))


@pytest.fixture(params=[*engines.ENGINES, pytest.param("opensearch", marks=pytest.mark.opensearch)])
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param in engines.ENGINES:
        return engines.load(request.param)
    on_cluster: Engine = request.getfixturevalue("on_cluster")
    return on_cluster


in_files = pytest.mark.parametrize("engine", engines.ENGINES, indirect=True)


@pytest.fixture
def writer(engine: Engine, tmp_path: Path) -> Iterator[Writer]:
    opened = engine.create(tmp_path)
    opened.add([make(name) for name in TEXTS])
    opened.commit(7)
    yield opened
    opened.close()


@pytest.fixture
def reader(engine: Engine, writer: Writer, tmp_path: Path) -> Iterator[Reader]:
    opened = engine.open_reader(tmp_path)
    yield opened
    opened.close()


def way(text: str, field: str = "text") -> Way:
    return Way(field, tuple(pair for word in analysis.words(text) for pair in analysis.pairs(word)))


def phrase(text: str) -> Query:
    return Query(all_of=tuple((way(word),) for word in analysis.words(text)))


def find(reader: Reader, query: Query, **more: object) -> list[str]:
    names = {name_of(name): name for name in TEXTS}
    request = Request(query, more.pop("audiences", EVERYBODY), **more)  # type: ignore[arg-type]
    return [names[hit] for hit, _ in reader.search(request).hits]


def test_a_run_of_chinese_is_found_as_it_stands_and_nothing_else(reader):
    assert set(find(reader, phrase("责任区"))) == {"area", "traditional", "long"}


def test_the_more_a_document_is_about_it_the_higher_it_stands(reader):
    assert find(reader, phrase("责任区")) == ["area", "traditional", "long"]


def test_traditional_and_simplified_find_each_other(reader):
    assert find(reader, phrase("數字黨建")) == ["traditional"]
    assert find(reader, phrase("数字党建")) == ["traditional"]
    assert "area" in find(reader, phrase("責任區"))


def test_what_is_excluded_is_not_found_wherever_it_stands_in_the_index(engine, tmp_path):
    writer = engine.create(tmp_path)
    texts = {"area": "台账", "task": "责任台账", "long": "责任", "network": "责任台账"}
    writer.add([make(name, text) for name, text in texts.items()])
    writer.commit(1)
    writer.close()
    opened = engine.open_reader(tmp_path)
    without = (way("台账"),)

    assert find(opened, Query(all_of=((way("责任"),),), none_of=without)) == ["long"]
    assert find(opened, Query(none_of=without)) == ["long"]
    assert len(find(opened, Query(none_of=(way("无此"),)))) == 4
    opened.close()


def test_words_and_numbers_are_found_whole(reader):
    assert find(reader, phrase("5g")) == ["network"]
    assert find(reader, phrase("ＡＩ")) == ["network"]
    assert find(reader, phrase("2026")) == ["network"]
    assert find(reader, phrase("202")) == []


def test_all_phrases_must_fit(reader):
    assert find(reader, phrase("责任区 台账")) == ["long"]
    assert find(reader, phrase("责任区 5g")) == []


def test_a_single_character_finds(reader):
    assert set(find(reader, Query(all_of=((Way("characters", ("账",)),),)))) == {"long"}
    assert set(find(reader, Query(all_of=((Way("characters", ("区",)),),)))) == {
        "area",
        "task",
        "traditional",
        "long",
    }


def test_any_tokens_need_one_and_score_all(reader):
    query = Query(
        any_of=(way("网络"), way("台账"), way("没有")), better=(Way("characters", ("责",)),)
    )

    assert set(find(reader, query)) == {"network", "long"}


def test_single_characters_only_add_to_the_score(reader):
    plain = Query(any_of=(way("责任"),))
    helped = Query(any_of=(way("责任"),), better=(Way("characters", ("牌",)),))

    assert set(find(reader, plain)) == set(find(reader, helped))
    assert find(reader, helped)[0] == "area"


def test_only_the_askers_audiences_exist(reader):
    assert find(reader, phrase("保密方案")) == []
    assert find(reader, phrase("保密方案"), audiences=frozenset({"public", "unit:1"})) == ["hidden"]
    assert find(reader, phrase("责任区"), audiences=frozenset()) == []


def test_counts_cover_the_askers_documents_only_and_are_exact(reader):
    found = reader.search(Request(phrase("责任区"), EVERYBODY, limit=1))

    assert (found.total, found.position) == (3, 7)
    assert found.facets["kind"] == [("case", 3)]
    assert found.facets["unit"] == [("示范 第一党支部", 3)]
    assert reader.search(Request(phrase("责任区"), frozenset({"unit:1"}))).facets["kind"] == [
        ("case", 1)
    ]
    assert reader.search(Request(phrase("保密"), EVERYBODY)).facets["kind"] == []


def test_filters_leave_only_what_fits(reader):
    assert find(reader, Query(), filters=(("kind", "pilot_lesson"),)) == ["network"]
    assert find(reader, Query(), filters=(("unit", "示范"),)) == []
    assert len(find(reader, Query(), filters=(("unit", "示范 第一党支部"),))) == 5


def test_of_several_ways_to_say_a_thing_one_is_enough(reader):
    query = Query(all_of=((way("5g"), way("牌子")), (way("责任"), way("网络"))))

    assert set(find(reader, query)) == {"area", "network"}


def test_what_must_not_be_there_is_left_out(reader):
    query = Query(all_of=((way("责任区"),),), none_of=(way("牌子"), way("毫无")))

    assert find(reader, query) == ["traditional", "long"]


def test_each_field_is_looked_in_by_itself(engine, tmp_path):
    writer = engine.create(tmp_path)
    writer.add(
        [
            make("area", tokens={"text": "区域", "sounds": "dang jian", "initials": "d j"}),
            make("task", tokens={"text": "党建 dj", "names": "党建"}),
        ]
    )
    writer.commit(1)
    reader = engine.open_reader(tmp_path)

    assert find(reader, Query(all_of=((Way("sounds", ("dang", "jian")),),))) == ["area"]
    assert find(reader, Query(all_of=((Way("initials", ("d", "j")),),))) == ["area"]
    assert find(reader, Query(all_of=((Way("names", ("党建",)),),))) == ["task"]
    assert find(reader, Query(all_of=((Way("sounds", ("jian", "dang")),),))) == []
    writer.close()
    reader.close()


@pytest.fixture
def units(engine: Engine, tmp_path: Path) -> Iterator[Reader]:
    """Documents of units at different places, for different units, confirmed differently."""
    writer = engine.create(tmp_path)
    above = ("华衡", "华衡\t能源公司")
    writer.add(
        [
            make("area", places=above, suits=("level:branch", "size:small"), confirmed=2),
            make("task", places=above[:1], suits=("level:any", "size:small"), confirmed=12),
            make("long", places=(*above, "华衡\t能源公司\t二 支部"), suits=("level:branch",)),
        ]
    )
    writer.commit(1)
    reader = engine.open_reader(tmp_path)
    yield reader
    writer.close()
    reader.close()


def test_a_place_holds_all_below_it(units):
    found = units.search(Request(Query(), EVERYBODY))

    assert found.facets["place"] == [
        ("华衡", 3),
        ("华衡\t能源公司", 2),
        ("华衡\t能源公司\t二 支部", 1),
    ]
    assert set(find(units, Query(), filters=(("place", "华衡\t能源公司"),))) == {"area", "long"}
    assert find(units, Query(), filters=(("place", "能源公司"),)) == []


def test_the_most_confirmed_come_first_when_that_is_asked(units):
    assert find(units, Query(), order=Order.CONFIRMED) == ["task", "area", "long"]
    assert find(units, phrase("责任区"), order=Order.CONFIRMED) == ["area", "long"]
    assert find(units, phrase("责任区"), order=Order.NEWEST) == ["long", "area"]


def test_what_is_needed_leaves_out_and_what_is_liked_only_lifts(units):
    assert find(units, Query(), needs=(("level:branch", "level:any"), ("size:small",))) == [
        "task",
        "area",
    ]
    either = Query(all_of=((way("责任"), way("任务")),))
    plain = Request(either, EVERYBODY)
    lifted = Request(either, EVERYBODY, likes=("level:branch", "level:none"))
    before, after = dict(units.search(plain).hits), dict(units.search(lifted).hits)

    assert before.keys() == after.keys()
    assert after[name_of("area")] == pytest.approx(before[name_of("area")] + SUITING)
    assert after[name_of("task")] == pytest.approx(before[name_of("task")])


def test_nothing_is_counted_when_that_is_not_wanted(reader):
    found = reader.search(Request(phrase("责任区"), EVERYBODY, is_counted=False))

    assert (len(found.hits), found.total, found.facets) == (3, 0, {})


def test_without_words_the_newest_come_first(reader):
    assert find(reader, Query()) == ["long", "network", "traditional", "task", "area"]


def test_pages_follow_each_other(reader):
    pages = [find(reader, Query(), limit=2, offset=offset) for offset in (0, 2, 4, 6)]

    assert pages == [["long", "network"], ["traditional", "task"], ["area"], []]


def test_excluded_documents_are_neither_found_nor_counted(reader):
    request = Request(
        phrase("责任区"), EVERYBODY, excluded=frozenset({name_of("area"), name_of("none")})
    )

    assert reader.search(request).total == 2
    assert name_of("area") not in [hit for hit, _ in reader.search(request).hits]


def test_many_units_are_counted_exactly(engine, tmp_path):
    writer = engine.create(tmp_path)
    for n in range(4):
        many = [make(f"{n}-{m}", "支部", unit=f"单位{m}") for m in range(12 * (n + 1))]
        writer.add(many)
        writer.commit(n)
    reader = engine.open_reader(tmp_path)

    counts = dict(reader.search(Request(phrase("支部"), EVERYBODY)).facets["unit"])

    assert counts == {f"单位{m}": 4 - m // 12 for m in range(48)}
    writer.close()
    reader.close()


def test_a_change_is_seen_after_commit_and_refresh(reader, writer):
    writer.delete([name_of("area"), name_of("unknown")])
    writer.add([make("area", "全新的说法")])
    assert "area" in find(reader, phrase("责任区"))

    writer.commit(9)
    reader.refresh()

    assert "area" not in find(reader, phrase("责任区"))
    assert find(reader, phrase("全新")) == ["area"]
    assert (reader.position, writer.position, reader.count) == (9, 9, len(TEXTS))


def test_what_was_not_committed_is_not_kept(engine, writer, tmp_path):
    writer.add([make("never", "从未提交")])
    writer.close()
    reader = engine.open_reader(tmp_path)

    assert reader.position == 7
    assert reader.search(Request(phrase("从未"), EVERYBODY)).total == 0
    reader.close()


def test_an_index_is_opened_again_where_it_was(engine, writer, tmp_path):
    writer.close()
    again = engine.open_writer(tmp_path)

    assert again.position == 7
    again.close()


@in_files
def test_a_second_writer_fails_at_once(engine, writer, tmp_path):
    with pytest.raises(BrokenIndexError):
        engine.open_writer(tmp_path)


def test_a_folder_without_an_index_is_broken(engine, tmp_path):
    with pytest.raises(BrokenIndexError):
        engine.open_reader(tmp_path)
    with pytest.raises(BrokenIndexError):
        engine.open_writer(tmp_path)
    assert not engine.is_sound(tmp_path)


@in_files
def test_damage_is_noticed(engine, writer, tmp_path):
    writer.delete([name_of("task")])
    writer.commit(8)
    writer.close()
    assert engine.is_sound(tmp_path)
    noticed = set()

    for path in [path for path in tmp_path.iterdir() if path.suffix and path.stat().st_size]:
        content = path.read_bytes()
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        flipped = not engine.is_sound(tmp_path)
        path.write_bytes(content[: len(content) // 2])
        if flipped and not engine.is_sound(tmp_path):
            noticed.add(path.suffix)
        path.write_bytes(content)

    assert noticed >= CHECKED[engine.name]
    assert engine.is_sound(tmp_path)


CHECKED = {
    "tantivy": {".term", ".idx", ".pos", ".store", ".fast", ".fieldnorm", ".json"},
    "whoosh": {".seg", ".toc", ".json"},
}

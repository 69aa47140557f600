"""A node whose index is in a cluster: nothing is lost, doubled or mixed up, whatever happens."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from click.testing import CliRunner
from flask import Flask

from hub.config import Settings, of_this_node, settings
from hub.identity.models import EVERYBODY, MEMBERS
from hub.journal import log
from hub.search import engine as engines
from hub.search import service
from hub.search.cli import search as commands
from hub.search.engine import BrokenIndexError, Request, Way
from hub.search.engines.opensearch.cluster import Cluster
from hub.search.engines.opensearch.connection import Connection
from hub.search.engines.opensearch.writing import OpenSearchWriter
from hub.search.follower import Follower, follow_once
from hub.search.service import Gap
from hub.search.shelves import shelf_of
from tests.conftest import MakeNode
from tests.search.published import publish, readdress
from tests.search.test_engines import EVERYBODY as ALL
from tests.search.test_engines import TEXTS, make
from tests.search.test_service import HOSTILE

pytestmark = pytest.mark.opensearch
ORIGINS = ("https://alpha.test", "https://beta.test")


class Killed(BaseException):
    """The process ends here, at once."""


def move_to(app: Flask, cluster_url: str) -> None:
    """Let a node have its index in the cluster, as in processes that start now."""
    with app.app_context():
        app.extensions["hub.settings"] = replace(settings(), search_url=cluster_url)
    start_again(app)


def start_again(app: Flask) -> None:
    with app.app_context():
        of_this_node(Follower).close()
    app.extensions["hub.kept"].clear()


def names(cluster_url: str) -> set[str]:
    """Return the indexes of the nodes of these tests; others may have some here, too."""
    found: set[str] = set()
    for origin in ORIGINS:
        prefix = Cluster(Settings(origin=origin, search_url=cluster_url))._prefix
        with Connection(cluster_url).asking() as client:
            found |= set(client.indices.get_alias(index=f"{prefix}-*"))
    return found


def clear(cluster_url: str) -> None:
    with Connection(cluster_url).asking() as client:
        for name in names(cluster_url):
            client.indices.delete(index=name)


@pytest.fixture
def node(alpha: Flask, cluster_url: str) -> Iterator[Flask]:
    move_to(alpha, cluster_url)
    with alpha.app_context():
        yield alpha
        of_this_node(Follower).close()
    clear(cluster_url)


def total(text: str = "") -> int | None:
    return service.search(text, audiences={EVERYBODY}).total


def written(shelf: Cluster) -> OpenSearchWriter:
    index = shelf.current()
    assert index is not None
    return index.open_writer()


def test_what_is_published_is_found_after_following_and_gone_after_withdrawal(node):
    entry_id = publish("责任区")
    publish("台账", visibility="group")
    follow_once()
    assert (total("责任区"), total("台账")) == (1, 0)

    readdress(entry_id, None)
    follow_once()

    assert total("责任区") == 0
    assert of_this_node(service.OpenIndex).newest().count == 1


def test_it_finds_and_counts_what_the_index_at_home_does(alpha, cluster_url):
    asked = ["责任区", "台账", "平台 学习", "责任区牌匾", "5G", "区", "", "-责任区 台账"]

    def answers() -> list[object]:
        follow_once()
        found = [service.search(text, audiences={EVERYBODY, MEMBERS}) for text in asked]
        return [({hit.id for hit in one.hits}, one.total, one.facets) for one in found]

    with alpha.app_context():
        publish("党员责任区", "把责任落实到每个责任区，责任区有牌子。", category="brand")
        publish("任务责成区域公司", "把任务责成区域公司去做。", unit="区域公司党委")
        publish("黨建平臺上線", "數字黨建平臺，手機上就能學習。")
        publish("积分屏为什么停了", "5G 网络与 AI 积分。", kind="pilot_lesson")
        publish("内部台账减负", "台账从十二本减到三本。责任区也并了。", visibility="group")
        at_home = answers()
    move_to(alpha, cluster_url)
    with alpha.app_context():
        in_cluster = answers()
        of_this_node(Follower).close()
    clear(cluster_url)

    assert in_cluster == at_home


def test_scores_are_those_of_the_other_engines(on_cluster, tmp_path):
    """Over several shards, and for fields that few documents have."""
    documents = [make(f"{name}-{n}", text) for n in range(40) for name, text in TEXTS.items()]
    documents += [
        make(f"file-{n}", "附件", tokens={"text": "附件", "files": "制度 汇编 " * (n + 20)})
        for n in range(60)
    ]
    ways = [Way("text", ("责任", "任区")), Way("text", ("网络",), 2.0), Way("files", ("汇编",))]

    def scores(engine: engines.Engine, place: str) -> list[list[float]]:
        path = tmp_path / place
        path.mkdir()
        writer = engine.create(path)
        writer.add(documents)
        writer.commit(1)
        reader = engine.open_reader(path)
        asked = [Request(engines.Query(any_of=(way,)), ALL, limit=50) for way in ways]
        found = [[score for _, score in reader.search(one).hits] for one in asked]
        writer.close()
        reader.close()
        return found

    at_home = scores(engines.load("tantivy"), "home")
    for expected, given in zip(at_home, scores(on_cluster, "cluster"), strict=True):
        assert len(given) == 50 or len(given) == 40
        assert given == pytest.approx(expected, rel=0.02)


def test_a_rebuilt_index_takes_over_at_once_and_the_old_one_is_deleted(node, cluster_url):
    publish("责任区")
    follow_once()
    before = shelf_of(settings()).current()
    publish("责任区第二篇")

    told = CliRunner().invoke(commands, ["rebuild"], catch_exceptions=False).output

    after = shelf_of(settings()).current()
    assert "2 documents, position 4 of 4" in told
    assert names(cluster_url) == {after.name} != {before.name}
    assert total("责任区") == 2
    assert follow_once() == 0
    publish("责任区第三篇")
    follow_once()
    assert total("责任区") == 3


def test_searches_go_on_while_an_index_is_built_and_a_killed_one_is_swept(node, monkeypatch):
    publish("责任区")
    follow_once()
    seen: list[int | None] = []

    def look_and_die(shelf: object, index: object) -> None:
        seen.append(total("责任区"))
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Cluster, "switch_to", look_and_die)
        with pytest.raises(Killed):
            CliRunner().invoke(commands, ["rebuild"], catch_exceptions=False)
    CliRunner().invoke(commands, ["rebuild"], catch_exceptions=False)

    assert seen == [1]
    assert len(names(settings().search_url)) == 1


def test_nodes_that_share_a_cluster_have_indexes_of_their_own(
    node, make_node: MakeNode, cluster_url
):
    publish("积分屏")
    follow_once()
    other = make_node("beta")
    move_to(other, cluster_url)
    with other.app_context():
        publish("台账")
        follow_once()
        assert (total("积分屏"), total("台账")) == (0, 1)
        CliRunner().invoke(commands, ["rebuild"], catch_exceptions=False)
        of_this_node(Follower).close()

    assert (total("积分屏"), total("台账")) == (1, 0)


def test_killed_before_the_position_is_written_nothing_is_doubled_or_lost(node, monkeypatch):
    publish("责任区")
    gone = publish("责任区第二篇")
    follow_once()
    publish("责任区第三篇")
    readdress(gone, None)
    sent, send = [], OpenSearchWriter._send

    def die(writer: OpenSearchWriter, lines: list[str]) -> None:
        if "position" in lines[0] and sent:
            raise Killed
        sent.append(lines)
        send(writer, lines)

    with monkeypatch.context() as patched:
        patched.setattr(OpenSearchWriter, "_send", die)
        with pytest.raises(Killed):
            follow_once()
    assert sent
    assert service.search("责任区", audiences={EVERYBODY}).gap == Gap.NONE
    start_again(node)
    follow_once()

    assert total("责任区") == 2
    reader = of_this_node(service.OpenIndex).newest()
    assert (reader.count, reader.position) == (2, log.position())


def test_who_opens_an_index_for_writing_shuts_out_whoever_wrote_before(node):
    publish("责任区")
    follow_once()
    shelf = shelf_of(settings())
    first, second = written(shelf), written(shelf)

    first.add([make("late", "迟到的内容")])
    with pytest.raises(BrokenIndexError):
        first.commit(99)
    second.commit(second.position)

    assert shelf.current().open_reader().position == log.position()


def test_a_change_that_arrives_late_undoes_no_deletion(node):
    publish("责任区")
    follow_once()
    shelf = shelf_of(settings())
    late, writer = written(shelf), written(shelf)
    document = make("late", "迟到的内容")
    writer.add([document])
    writer.commit(writer.position)
    writer.delete([document.id])
    writer.commit(writer.position)

    late.add([document])
    with pytest.raises(BrokenIndexError):
        late._send_waiting()
    writer.commit(writer.position)

    assert shelf.current().open_reader().count == 1


def test_an_index_deleted_under_the_follower_is_built_again(node, cluster_url):
    publish("责任区")
    follow_once()
    writer = of_this_node(Follower)._writer
    clear(cluster_url)
    writer.add([make("late", "迟到的内容")])
    with pytest.raises(BrokenIndexError):
        writer.commit(99)
    assert names(cluster_url) == set()  # What is written to it does not make it anew.
    publish("责任区第二篇")

    for _ in range(3):
        follow_once()

    assert total("责任区") == 2


def test_an_index_that_is_gone_is_no_failure(node, cluster_url):
    publish("责任区")
    follow_once()
    clear(cluster_url)

    assert service.search("责任区", audiences={EVERYBODY}).gap == Gap.REBUILDING
    follow_once()
    assert total("责任区") == 1


def test_whatever_is_typed_is_text(node):
    publish("党员责任区", "把责任落实到每个责任区。")
    publish("内部台账", "内部台账。", visibility="group")
    follow_once()

    for text in HOSTILE:
        found = service.search(text, audiences={EVERYBODY})
        assert "内部台账" not in [hit.title for hit in found.hits], text
        assert found.gap == Gap.NONE, text


def test_counts_over_several_shards_are_exact_when_there_are_many_values(on_cluster, tmp_path):
    counts = {f"单位{n}": n % 7 + 1 for n in range(300)}
    writer = on_cluster.create(tmp_path)
    writer.add(
        make(f"{unit}-{n}", "支部", unit=unit) for unit, most in counts.items() for n in range(most)
    )
    writer.commit(1)

    found = on_cluster.open_reader(tmp_path).search(Request(engines.Query(), ALL))

    expected = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    assert found.facets["unit"] == expected[: engines.MOST_VALUES]
    assert found.total == sum(counts.values())


def test_what_was_sent_before_the_commit_is_shown_to_nobody(on_cluster, tmp_path, monkeypatch):
    monkeypatch.setattr("hub.search.engines.opensearch.writing.MOST_CHANGES", 1)
    writer = on_cluster.create(tmp_path)
    writer.add([make("area")])
    reader = on_cluster.open_reader(tmp_path)

    assert reader.count == 0
    name = on_cluster.index(tmp_path).name
    with on_cluster.connection.asking() as client:
        kept = client.indices.get_settings(index=name)[name]["settings"]["index"]
    assert kept["refresh_interval"] == "-1"  # Nor later.
    writer.commit(1)
    assert reader.count == 1


def test_a_large_batch_is_taken_in_pieces(on_cluster, tmp_path, monkeypatch):
    monkeypatch.setattr("hub.search.engines.opensearch.writing.MOST_CHANGES", 7)
    monkeypatch.setattr("hub.search.engines.opensearch.writing.MOST_BYTES", 2_000)
    writer = on_cluster.create(tmp_path)

    writer.add([make(f"{n}", "支部" + "长文。" * (n * 20)) for n in range(50)])
    writer.commit(1)

    assert on_cluster.open_reader(tmp_path).count == 50

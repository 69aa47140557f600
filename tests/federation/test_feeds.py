"""The Atom feed of public cases, as feedparser and an XML parser read it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import feedparser
import pytest
from flask import Flask
from lxml import etree

from hub import clock
from hub.cases.follower import render_missing
from hub.cases.models import State, public_id
from hub.database import transaction
from hub.federation import puller, pusher
from hub.federation.feeds import atom
from hub.federation.feeds.follower import follow
from hub.journal.models import GROUP, LOCAL, PUBLIC
from tests.factories import make_case
from tests.federation.test_exchange import publish, readdress
from tests.in_process import connect, join, origin_of, pair

NAMES = {"a": atom.ATOM, "at": atom.TOMBSTONES, "fh": atom.HISTORY}
SECRET = "暗号玄武"


def settle(node: Flask) -> None:
    """Let the follower of the feeds come to rest."""
    with node.app_context():
        while follow():
            pass


def urn(node: Flask, entry_id: str) -> str:
    """Return the name of a case of this node in all feeds."""
    return public_id(origin_of(node), entry_id).urn


def fetch(node: Flask, path: str = atom.PATH) -> etree._Element:
    answer = node.test_client().get(path)
    assert answer.status_code == 200
    assert answer.content_type == "application/atom+xml; charset=utf-8"
    return etree.fromstring(answer.data)


def documents(node: Flask) -> Iterator[etree._Element]:
    """Return the feed and all its archives, newest first, as RFC 5005 walks through them."""
    path: str | None = atom.PATH
    while path:
        document = fetch(node, path)
        yield document
        older = document.xpath("string(a:link[@rel='prev-archive']/@href)", namespaces=NAMES)
        path = older.removeprefix(origin_of(node))


def read(node: Flask) -> dict[str, str | None]:
    """Return the logical feed: the title of each entry, None for one that was deleted."""
    found: dict[str, str | None] = {}
    for document in documents(node):
        for element in document:
            if element.tag == f"{{{atom.TOMBSTONES}}}deleted-entry":
                found.setdefault(element.get("ref"), None)
            elif element.tag == f"{{{atom.ATOM}}}entry":
                name = element.findtext("a:id", namespaces=NAMES)
                found.setdefault(name, element.findtext("a:title", namespaces=NAMES))
    return found


def everything(node: Flask) -> bytes:
    """Return every byte that the feeds of a node have to say to strangers."""
    client = node.test_client()
    answers = [client.get(atom.PATH)]
    answers += [client.get(f"/feeds/public/{number}.atom") for number in range(1, 4)]
    verbs = ("Identify", "ListSets", "ListMetadataFormats")
    lists = ("ListRecords", "ListIdentifiers")
    answers += [client.get(f"/oai?verb={verb}") for verb in verbs]
    answers += [client.get(f"/oai?verb={verb}&metadataPrefix=oai_dc") for verb in lists]
    return b"".join(answer.data for answer in answers if answer.status_code == 200)


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atom, "SIZE", 4)


def test_a_feed_reader_finds_public_cases_newest_first(alpha: Flask) -> None:
    publish(alpha, GROUP, PUBLIC, title="第一篇", summary="先说结果", submitting_unit="船坞支部")
    entry_id = publish(alpha, GROUP, PUBLIC, title="第二篇", category="rules")
    settle(alpha)
    feed = feedparser.parse(alpha.test_client().get(atom.PATH).data)
    assert not feed.bozo
    assert feed.version == "atom10"
    assert [entry.title for entry in feed.entries] == ["第二篇", "第一篇"]
    assert feed.entries[0].id == urn(alpha, entry_id)
    assert feed.entries[0].link == f"https://alpha.test/cases/{urn(alpha, entry_id)[9:]}"
    assert [tag.term for tag in feed.entries[0].tags] == ["case", "rules"]
    assert feed.entries[1].summary == "先说结果"
    assert feed.entries[1].author == "船坞支部"


@pytest.mark.on_both
def test_every_document_has_what_rfc_4287_requires(alpha: Flask) -> None:
    for number in range(9):
        publish(alpha, GROUP, PUBLIC, title=f"第{number}篇")
    settle(alpha)
    for document in documents(alpha):
        for place in [document, *document.findall("a:entry", NAMES)]:
            for name in ("id", "title", "updated"):
                assert len(place.findall(f"a:{name}", NAMES)) == 1, name
            assert place.findall("a:author/a:name", NAMES)
        assert document.xpath("count(a:link[@rel='self'])", namespaces=NAMES) == 1
        assert len({e.findtext("a:id", namespaces=NAMES) for e in document}) > 1


def test_an_empty_feed_is_a_feed(alpha: Flask) -> None:
    feed = feedparser.parse(alpha.test_client().get(atom.PATH).data)
    assert not feed.bozo
    assert feed.entries == []
    assert alpha.test_client().get("/feeds/public/1.atom").status_code == 404


def test_the_archives_hold_everything_and_each_page_is_bounded(alpha: Flask) -> None:
    titles = {urn(alpha, publish(alpha, GROUP, PUBLIC, title=f"{n}")): f"{n}" for n in range(17)}
    settle(alpha)
    assert read(alpha) == titles
    sizes = [len(document.findall("a:entry", NAMES)) for document in documents(alpha)]
    assert sizes == [5, 4, 4, 4]
    archives = list(documents(alpha))[1:]
    assert all(document.find("fh:archive", NAMES) is not None for document in archives)


def test_an_archive_never_changes_while_its_cases_do_not(alpha: Flask) -> None:
    for number in range(8):
        publish(alpha, GROUP, PUBLIC, title=f"{number}")
    settle(alpha)
    before = alpha.test_client().get("/feeds/public/1.atom").data
    for number in range(8):
        publish(alpha, GROUP, PUBLIC, title=f"更新{number}")
    settle(alpha)
    assert alpha.test_client().get("/feeds/public/1.atom").data == before
    assert alpha.test_client().get("/feeds/public/5.atom").status_code == 404, "not full yet"


def test_what_is_withdrawn_is_deleted_and_its_text_in_no_document(alpha: Flask) -> None:
    gone = publish(alpha, GROUP, PUBLIC, title=SECRET, summary=SECRET)
    for number in range(9):
        publish(alpha, GROUP, PUBLIC, title=f"{number}")
    settle(alpha)
    assert SECRET.encode() in everything(alpha)
    readdress(alpha, gone)
    assert SECRET.encode() not in everything(alpha), "before the follower comes by"
    settle(alpha)
    assert SECRET.encode() not in everything(alpha)
    assert read(alpha)[urn(alpha, gone)] is None
    newest = fetch(alpha)
    assert newest.find("at:deleted-entry", NAMES).get("ref") == urn(alpha, gone)
    assert newest.find("at:deleted-entry", NAMES).get("when").endswith("Z")


@pytest.mark.on_both
def test_narrowing_looks_like_withdrawal_and_later_revisions_leave_no_trace(alpha: Flask) -> None:
    entry_id = publish(alpha, GROUP, PUBLIC, title="曾经公开")
    settle(alpha)
    readdress(alpha, entry_id, GROUP)
    settle(alpha)
    before = everything(alpha)
    assert read(alpha) == {urn(alpha, entry_id): None}
    publish(alpha, GROUP, "partner:globex", rev=2, entry_id=entry_id, title=SECRET)
    settle(alpha)
    after = everything(alpha)
    assert _without_times(after) == _without_times(before)


def _without_times(answers: bytes) -> list[bytes]:
    lines = answers.replace(b"><", b">\n<").splitlines()
    return [line for line in lines if b"responseDate" not in line]


def test_what_was_never_public_appears_in_no_form(alpha: Flask) -> None:
    for channels in ((LOCAL,), (GROUP,), (GROUP, "partner:globex")):
        entry_id = publish(alpha, *channels, title=SECRET, summary=SECRET, tags=[SECRET])
        settle(alpha)
        assert urn(alpha, entry_id)[9:].encode() not in everything(alpha)
        readdress(alpha, entry_id)
        settle(alpha)
        assert urn(alpha, entry_id)[9:].encode() not in everything(alpha)
    assert SECRET.encode() not in everything(alpha)
    assert b"globex" not in everything(alpha)
    assert read(alpha) == {}


def test_a_case_that_is_opened_again_comes_back(alpha: Flask) -> None:
    entry_id = publish(alpha, GROUP, PUBLIC)
    settle(alpha)
    readdress(alpha, entry_id, GROUP)
    settle(alpha)
    readdress(alpha, entry_id, GROUP, PUBLIC)
    settle(alpha)
    assert read(alpha) == {urn(alpha, entry_id): "划好责任区"}


def test_a_revision_moves_its_case_to_the_front(alpha: Flask) -> None:
    entry_id = publish(alpha, GROUP, PUBLIC, title="第一版")
    publish(alpha, GROUP, PUBLIC, title="别的")
    settle(alpha)
    publish(alpha, GROUP, PUBLIC, title="第二版", rev=2, entry_id=entry_id)
    settle(alpha)
    assert list(read(alpha).values()) == ["第二版", "别的"]


def test_two_changes_before_the_follower_comes_by_are_one(alpha: Flask) -> None:
    first = publish(alpha, GROUP, PUBLIC, title="第一版")
    publish(alpha, GROUP, PUBLIC, title="别的")
    publish(alpha, GROUP, PUBLIC, title="第二版", rev=2, entry_id=first)
    publish(alpha, GROUP, PUBLIC, title="第三版", rev=3, entry_id=first)
    settle(alpha)
    assert list(read(alpha).values()) == ["第三版", "别的"]
    with alpha.app_context():
        assert not follow(), "it has come to rest"


def exchange(*nodes: Flask) -> None:
    """Let nodes push and pull, and their feeds follow."""
    headquarters, *spokes = nodes
    for node in spokes:
        with node.app_context():
            if pusher.headquarters():
                pusher.push(origin_of(headquarters))
    for node in nodes:
        with node.app_context():
            puller.pull_all()
        settle(node)


def test_headquarters_shows_its_groups_cases_under_the_same_names(
    headquarters: Flask, alpha: Flask, partner: Flask
) -> None:
    join(headquarters, alpha)
    pair(headquarters, partner)
    connect(headquarters, alpha, partner)
    ours = publish(alpha, GROUP, PUBLIC, title="分公司的")
    theirs = publish(partner, GROUP, PUBLIC, title="伙伴的")
    for _ in range(2):
        exchange(headquarters, alpha, partner)
    assert read(alpha) == read(headquarters) == {urn(alpha, ours): "分公司的"}
    assert read(partner) == {urn(partner, theirs): "伙伴的"}, "each case at its own enterprise"
    readdress(alpha, ours, GROUP)
    exchange(headquarters, alpha, partner)
    assert read(headquarters) == {urn(alpha, ours): None}


@pytest.mark.on_both
def test_a_revision_for_the_group_that_arrives_first_is_not_shown_to_all(
    headquarters: Flask, alpha: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    join(headquarters, alpha)
    entry_id = publish(alpha, GROUP, PUBLIC, title="公开的一版")
    exchange(headquarters, alpha)
    publish(alpha, GROUP, rev=2, entry_id=entry_id, title=SECRET)
    sent = pusher.PeerClient.post

    def only_group(client: Any, path: str, body: Any, **more: Any) -> Any:
        return sent(client, path, body, **more) if body["ch"] == GROUP else {"accepted": []}

    monkeypatch.setattr(pusher.PeerClient, "post", only_group)
    with alpha.app_context():
        pusher.push(origin_of(headquarters))
    settle(headquarters)
    assert SECRET.encode() not in everything(headquarters)
    assert SECRET.encode() not in headquarters.test_client().get("/").data


@pytest.mark.on_both
def test_hostile_text_is_legal_xml_and_harmless_html(alpha: Flask) -> None:
    nasty = "a\x01\x0b\x1f]]>&<b>\ufffe\uffff\x7f😀"
    script = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    publish(alpha, GROUP, PUBLIC, title=nasty, summary=nasty + script, problem=script, tags=[nasty])
    settle(alpha)
    entry = feedparser.parse(alpha.test_client().get(atom.PATH).data, sanitize_html=False).entries[
        0
    ]
    assert "]]>" in entry.title
    assert "😀" in entry.title
    document = fetch(alpha)
    html = document.findtext("a:entry/a:content", namespaces=NAMES)
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html


def test_the_content_is_the_whole_case(alpha: Flask) -> None:
    with alpha.app_context():
        with transaction():
            make_case(State.PUBLISHED, visibility="public")
        settle(alpha)
        plain = fetch(alpha).findtext("a:entry/a:content", namespaces=NAMES)
        render_missing()
    html = fetch(alpha).findtext("a:entry/a:content", namespaces=NAMES)
    assert "<p>With a **crane**.</p>" in plain
    assert "<p>With a <strong>crane</strong>.</p>" in html
    assert "<li>Ask the crews.</li>" in html
    assert "<td>Time sheets</td>" in html
    assert "<h3>Problem</h3>" in html
    assert "<p>Night shifts piled up before each launch.</p>" in html


def test_a_reader_that_has_it_already_gets_nothing_again(
    alpha: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(alpha, GROUP, PUBLIC)
    settle(alpha)
    client = alpha.test_client()
    fresh = client.get(atom.PATH)
    assert "Last-Modified" not in fresh.headers, "another change may fall into the same second"
    tag = {"If-None-Match": fresh.headers["ETag"]}
    assert client.get(atom.PATH, headers=tag).status_code == 304
    later = clock.now() + timedelta(minutes=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    since = {"If-Modified-Since": client.get(atom.PATH).headers["Last-Modified"]}
    assert client.get(atom.PATH, headers=since).status_code == 304
    publish(alpha, GROUP, PUBLIC, title="又一篇")
    settle(alpha)
    assert client.get(atom.PATH, headers=tag).status_code == 200
    assert client.get(atom.PATH, headers=since).status_code == 200


@pytest.mark.on_both
def test_the_home_page_names_the_feed(alpha: Flask) -> None:
    page = alpha.test_client().get("/").text
    assert '<link rel="alternate" type="application/atom+xml"' in page
    assert f'href="{atom.PATH}"' in page


@pytest.mark.parametrize("number", ["0", "-1", "x", "9" * 30, "2"])
def test_an_archive_that_is_not_there_is_not_found(alpha: Flask, number: str) -> None:
    for title in range(5):
        publish(alpha, GROUP, PUBLIC, title=f"{title}")
    settle(alpha)
    assert alpha.test_client().get(f"/feeds/public/{number}.atom").status_code == 404

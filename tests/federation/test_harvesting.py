"""Harvesting those who have no node: OAI-PMH, Atom and RSS, and what hostile sources send."""

import gzip
from collections.abc import Callable, Iterable
from datetime import timedelta
from html import escape
from threading import Event
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import pytest
from click.testing import CliRunner
from flask import Flask
from prometheus_client import generate_latest
from sqlalchemy import select

from hub import clock
from hub.audit import service as audit
from hub.cases import service as cases
from hub.cases.errors import NoWayError
from hub.cases.harvested import provenance_of
from hub.cases.models import Document
from hub.cases.shown import document_shown
from hub.config import of_this_node
from hub.database import db, transaction
from hub.federation import follower as node_follower
from hub.federation import metrics, puller
from hub.federation.cli import federation as commands
from hub.federation.feeds import atom, oai
from hub.federation.harvesting import fetching, follower, keeping, service, texts, xml
from hub.federation.harvesting.errors import SourceAddressError
from hub.federation.harvesting.models import SourceKind
from hub.federation.harvesting.oai import OVERLAP
from hub.identity.models import Role
from hub.journal.models import GROUP, LOCAL, PUBLIC, LogItem, Release
from hub.search import service as search
from hub.search.follower import follow_once
from tests.factories import make_actor
from tests.federation.test_exchange import publish, readdress
from tests.federation.test_feeds import settle
from tests.federation.test_oversight import browser_of
from tests.in_process import NodeAdapter, connect, join
from tests.pages import csrf_token, submit

LIBRARY = "https://library.test"
OAI, FEED = SourceKind.OAI, SourceKind.FEED
Answer = bytes | tuple[str, list[tuple[str, str]], bytes]
SOURCES = "/admin/federation/sources"


class Library:
    """Somebody else's server: answers by path, keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | Callable[[dict[str, str]], Answer]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path, query = environ["PATH_INFO"], dict(parse_qsl(environ["QUERY_STRING"]))
        self.asked.append((path, query))
        found = self.answers.get(path, ("404 NOT FOUND", [], b""))
        answer = found(query) if callable(found) else found
        status, headers, body = answer if isinstance(answer, tuple) else ("200 OK", [], answer)
        start(status, headers)
        return [body]


class Repository:
    """A repository that forgets what is deleted, in pages of four."""

    def __init__(self, *names: str) -> None:
        self.names, self.titles = list(names), {}
        self.deletes = "no"
        self.dated = "2026-01-02"

    def __call__(self, query: dict[str, str]) -> bytes:
        verb = query["verb"]
        if verb == "Identify":
            return answer(
                f"<Identify><repositoryName>图书馆</repositoryName><deletedRecord>{self.deletes}"
                "</deletedRecord><granularity>YYYY-MM-DD</granularity></Identify>"
            )
        start = int(query.get("resumptionToken", "0"))
        shown = self.names[start : start + 4]
        if not shown:
            return answer('<error code="noRecordsMatch">nothing</error>')
        items = "".join(self.item(verb, name) for name in shown)
        more = str(start + 4) if start + 4 < len(self.names) else ""
        return answer(f"<{verb}>{items}<resumptionToken>{more}</resumptionToken></{verb}>")

    def item(self, verb: str, name: str) -> str:
        head = f"<header><identifier>{name}</identifier><datestamp>2026-02-03</datestamp></header>"
        if verb == "ListIdentifiers":
            return head
        fields = {"title": self.titles.get(name, name), "date": self.dated}
        return f"<record>{head}{dc(**fields, identifier=f'{LIBRARY}/{name}')}</record>"


def answer(body: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
        f"<responseDate>2026-11-01T00:00:00Z</responseDate>{body}</OAI-PMH>"
    ).encode()


def dc(**fields: str) -> str:
    inner = "".join(f"<dc:{name}>{value}</dc:{name}>" for name, value in fields.items())
    return (
        '<metadata><oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/">{inner}</oai_dc:dc></metadata>'
    )


def records(*inner: str) -> Callable[[dict[str, str]], bytes]:
    """Return a repository with one page of records."""

    def reply(query: dict[str, str]) -> bytes:
        if query["verb"] == "Identify":
            return Repository()(query)
        return answer(f"<ListRecords>{''.join(inner)}</ListRecords>")

    return reply


def rss(*items: str) -> bytes:
    inner = f"<title>部门动态</title>{''.join(items)}"
    return f'<rss version="2.0"><channel>{inner}</channel></rss>'.encode()


def item(name: str, **fields: str) -> str:
    inner = "".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in fields.items())
    return f"<item><guid>{name}</guid><title>{name}</title>{inner}</item>"


@pytest.fixture
def library() -> Library:
    return Library()


@pytest.fixture
def reader(alpha: Flask, partner: Flask, library: Library) -> Flask:
    """Return the node that harvests: it knows alpha and the library by their addresses only."""
    network: NodeAdapter = connect(alpha, partner)
    network.nodes[LIBRARY] = library  # type: ignore[assignment]  # All it needs is WSGI.
    return partner


def add(node: Flask, kind: SourceKind, url: str, name: str = "图书馆", set_name: str = "") -> UUID:
    with node.app_context(), transaction():
        return service.add(service.Offer(kind, url, set_name, name, 60)).id


def harvest(node: Flask, source_id: UUID) -> str | None:
    """Harvest a source; return the code of what went wrong."""
    with node.app_context():
        follower.harvest(source_id)
        return service.find(source_id).trouble


def titles(node: Flask) -> list[str]:
    with node.app_context():
        statement = select(Document.title).where(
            Document.is_harvested, Document.audience.is_not(None)
        )
        return sorted(db.session.scalars(statement))


def document(node: Flask, title: str) -> Document:
    with node.app_context():
        return db.session.scalars(select(Document).where(Document.title == title)).one()


def metrics_of() -> str:
    return generate_latest(of_this_node(metrics._make_registry)).decode()


def wait(monkeypatch: pytest.MonkeyPatch, **duration: int) -> None:
    moment = clock.now() + timedelta(**duration)
    monkeypatch.setattr(clock, "now", lambda: moment)


@pytest.mark.parametrize("way", ["oai", "atom"])
def test_what_another_hub_shows_to_everybody_is_harvested_with_its_deletions(
    alpha: Flask, reader: Flask, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oai, "SIZE", 3)
    monkeypatch.setattr(atom, "SIZE", 3)
    names = [publish(alpha, GROUP, PUBLIC, title=f"第{n}篇", category="rules") for n in range(8)]
    publish(alpha, GROUP, title="只给集团")
    settle(alpha)
    url = "https://alpha.test/oai" if way == "oai" else f"https://alpha.test{atom.PATH}"
    source = add(reader, OAI if way == "oai" else FEED, url)
    assert harvest(reader, source) is None
    assert titles(reader) == sorted(f"第{n}篇" for n in range(8))
    assert document(reader, "第3篇").category == "rules"
    readdress(alpha, names[2])
    publish(alpha, GROUP, PUBLIC, rev=2, entry_id=names[5], title="第5篇，改过")
    settle(alpha)
    assert harvest(reader, source) is None
    assert titles(reader) == sorted({f"第{n}篇" for n in (0, 1, 3, 4, 6, 7)} | {"第5篇，改过"})
    with reader.app_context():
        count = db.session.query(Release).count()
    wait(monkeypatch, days=8)  # With a sweep, which finds everything where it was.
    assert harvest(reader, source) is None
    with reader.app_context():
        assert db.session.query(Release).count() == count, "what comes twice changes nothing"


def test_harvested_items_are_for_the_readers_of_this_node_alone(
    reader: Flask, library: Library
) -> None:
    library.answers["/rss"] = rss(item("春季清淤", description="先排水。"))
    harvest(reader, add(reader, FEED, f"{LIBRARY}/rss"))
    found = document(reader, "春季清淤")
    with reader.app_context():
        releases = db.session.scalars(select(Release)).all()
        assert {(row.channel, row.iss) for row in releases} == {(LOCAL, "https://partner.test")}
        assert db.session.scalars(select(LogItem)).all() == [], "offered to no other node"
    stranger, member = reader.test_client(), browser_of(reader, Role.READER)
    assert stranger.get(f"/cases/{found.id}").status_code == 404
    assert member.get(f"/cases/{found.id}").status_code == 200
    settle(reader)
    assert "春季清淤" not in stranger.get(atom.PATH).text
    assert "春季清淤" not in stranger.get("/oai?verb=ListRecords&metadataPrefix=oai_dc").text


def test_a_harvested_item_says_that_nobody_signed_it_and_where_it_came_from(
    reader: Flask, library: Library
) -> None:
    link = f"{LIBRARY}/a?b=1"
    library.answers["/rss"] = rss(
        item("春季清淤", link=link, pubDate="Mon, 02 Mar 2026 08:00:00 GMT", category="责任")
    )
    harvest(reader, add(reader, FEED, f"{LIBRARY}/rss", name="水利学会"))
    found = document(reader, "春季清淤")
    assert found.published_at.isoformat() == "2026-03-02T08:00:00+00:00"
    assert found.category == "", "its term names none"
    page = browser_of(reader, Role.AUTHOR).get(f"/cases/{found.id}").text
    assert "Unsigned: fetched from “水利学会”" in page
    assert f'<a href="{link}" rel="noopener noreferrer nofollow">' in page
    assert "Ask the unit" not in page
    with reader.app_context():
        while follow_once():
            pass
        [hit] = search.search("清淤", audiences={"members"}).hits
        assert hit.is_harvested
        with transaction(), pytest.raises(NoWayError):
            cases.ask(make_actor(Role.AUTHOR), found.id, "怎么排水？")
        shown = document_shown(db.session.get_one(Document, found.id))
    assert (shown["unsigned"], shown["source_link"]) == (True, link)
    client = browser_of(reader, Role.READER)
    assert "unsigned, from elsewhere" in client.get("/search?q=清淤").text
    assert "unsigned, from elsewhere" in client.get("/").text


def test_what_a_person_removed_stays_removed_whatever_its_source_says(
    reader: Flask, library: Library
) -> None:
    library.answers["/rss"] = rss(item("春季清淤"), item("秋季清淤"))
    source = add(reader, FEED, f"{LIBRARY}/rss")
    harvest(reader, source)
    page = f"/cases/{document(reader, '春季清淤').id}/removal"
    assert browser_of(reader, Role.AUTHOR, Role.SIGNATORY).get(page).status_code == 403
    secretary = browser_of(reader, Role.BRANCH_SECRETARY)
    assert submit(secretary, page, reason=" ").status_code == 400
    assert submit(secretary, page, reason="与本单位无关").status_code == 303
    assert secretary.get(page.removesuffix("/removal")).status_code == 410
    assert secretary.get(page).status_code == 404, "only once"
    library.answers["/rss"] = rss(item("春季清淤", description="改了一版"), item("秋季清淤"))
    harvest(reader, source)
    assert titles(reader) == ["秋季清淤"]
    with reader.app_context(), transaction():
        service.remove(source)
    assert titles(reader) == [], "with its source goes all that came from it"
    assert add(reader, FEED, f"{LIBRARY}/rss") == source
    harvest(reader, source)
    assert titles(reader) == ["秋季清淤"]


def test_an_old_item_that_leaves_the_window_of_a_feed_stays(
    reader: Flask, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.answers["/rss"] = rss(item("一月"), item("二月"))
    source = add(reader, FEED, f"{LIBRARY}/rss")
    harvest(reader, source)
    library.answers["/rss"] = rss(item("三月"))
    wait(monkeypatch, days=8)
    assert harvest(reader, source) is None
    assert titles(reader) == ["一月", "三月", "二月"]


def test_what_a_feed_says_in_words_of_others_is_left_aside(reader: Flask, library: Library) -> None:
    gml = '<gml:posList xmlns:gml="http://www.opengis.net/gml">x</gml:posList>'
    library.answers["/rss"] = rss(gml, item("一月"))
    assert harvest(reader, add(reader, FEED, f"{LIBRARY}/rss")) is None
    assert titles(reader) == ["一月"]


def test_a_node_that_runs_harvests_by_itself(
    reader: Flask, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Event()

    def reply(query: dict[str, str]) -> bytes:
        stop.set()
        return rss(item("一月"))

    library.answers["/rss"] = reply
    add(reader, FEED, f"{LIBRARY}/rss")
    monkeypatch.setattr(node_follower, "LOOK", 0.01)
    node_follower.Follower(reader, stop)._harvest()
    assert titles(reader) == ["一月"]


def test_a_feed_that_says_it_is_complete_removes_by_leaving_out(
    reader: Flask, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = '<c:complete xmlns:c="http://purl.org/syndication/history/1.0"/>'
    names = [f"第{n:02}篇" for n in range(12)]
    library.answers["/rss"] = rss(whole, *map(item, names))
    source = add(reader, FEED, f"{LIBRARY}/rss")
    harvest(reader, source)
    library.answers["/rss"] = rss(whole, *map(item, names[1:]))
    harvest(reader, source)
    assert len(titles(reader)) == 12, "it is compared once a week"
    wait(monkeypatch, days=8)
    harvest(reader, source)
    assert titles(reader) == names[1:]


def test_a_sweep_finds_what_a_repository_forgot_without_a_word(
    reader: Flask, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(*(f"n{n:02}" for n in range(20)))
    library.answers["/oai"] = repository
    source = add(reader, OAI, f"{LIBRARY}/oai")
    assert harvest(reader, source) is None
    del repository.names[3:5]
    wait(monkeypatch, days=6)
    harvest(reader, source)
    assert len(titles(reader)) == 20
    wait(monkeypatch, days=2)
    assert harvest(reader, source) is None, "a tenth is not more than a tenth"
    assert titles(reader) == repository.names
    repository.deletes = "persistent"
    del repository.names[0]
    wait(monkeypatch, days=8)
    harvest(reader, source)
    assert len(titles(reader)) == 18, "who tells deletions is believed, and not compared"


def test_a_sweep_that_would_take_more_than_a_tenth_stops_and_waits_for_a_person(
    reader: Flask, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(*(f"n{n:02}" for n in range(20)))
    library.answers["/oai"] = repository
    source = add(reader, OAI, f"{LIBRARY}/oai")
    harvest(reader, source)
    lost, repository.names = repository.names[:3], repository.names[3:]
    wait(monkeypatch, days=8)
    assert harvest(reader, source) == "vanishing"
    assert len(titles(reader)) == 20
    with reader.app_context():
        assert "source.vanishing" in [entry.action for entry in audit.entries()]
        assert CliRunner().invoke(commands, ["harvest"]).exit_code == 1
        said = CliRunner().invoke(commands, ["status"])
        assert (said.exit_code, "RED  图书馆" in said.output) == (1, True)
        assert 'jingwei_source_red{source="https://library.test/oai"} 1.0' in metrics_of()
    admin = browser_of(reader, Role.ADMINISTRATOR)
    page = admin.get(SOURCES).text
    assert "did not find 3 of 20 items" in page
    assert "Nothing was removed here" in page
    address = f"{SOURCES}/{source}/missing"
    assert submit(admin, SOURCES, address, number=2).status_code == 409
    repository.names.append(lost[0])
    harvest(reader, source)
    assert submit(admin, SOURCES, address, number=3).status_code == 409, "one of them came back"
    assert submit(admin, SOURCES, address, number=2).status_code == 303
    assert titles(reader) == sorted(repository.names)
    assert harvest(reader, source) is None


def test_a_sweep_that_breaks_off_removes_nothing(
    reader: Flask, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(*(f"n{n:02}" for n in range(20)))
    library.answers["/oai"] = repository
    source = add(reader, OAI, f"{LIBRARY}/oai")
    harvest(reader, source)
    del repository.names[19]

    def breaks_off(query: dict[str, str]) -> Answer:
        is_late = query.get("resumptionToken") == "16" and query["verb"] == "ListIdentifiers"
        return ("500 OOPS", [], b"") if is_late else repository(query)

    library.answers["/oai"] = breaks_off
    wait(monkeypatch, days=8)
    assert harvest(reader, source) == "http_500"
    assert len(titles(reader)) == 20
    library.answers["/oai"] = repository
    assert harvest(reader, source) is None, "and is made up for at the next harvest"
    assert len(titles(reader)) == 19


def test_a_harvest_asks_for_what_changed_since_the_last_one_and_a_little_more(
    reader: Flask, library: Library
) -> None:
    repository = Repository("a")
    library.answers["/oai"] = repository
    source = add(reader, OAI, f"{LIBRARY}/oai", set_name="cases")
    harvest(reader, source)
    library.asked.clear()
    repository.titles["a"] = "换了题目"
    harvest(reader, source)
    [query] = [query for _, query in library.asked if query["verb"] == "ListRecords"]
    assert (query["from"], query["set"]) == ("2026-10-30", "cases")
    assert timedelta(days=2) == OVERLAP
    assert titles(reader) == ["换了题目"]


ACTIVE = "javascript://library.test/%0aalert(1)"


def test_a_bad_record_harms_no_other_and_is_counted(reader: Flask, library: Library) -> None:
    head = "<header><identifier>{}</identifier><datestamp>{}</datestamp></header>"
    library.answers["/oai"] = records(
        f"<record>{dc(title='没有名字')}</record>",
        f"<record>{head.format('x', 'gestern')}</record>",
        f"<record>{head.format('y' * 501, '2026')}{dc(title='名字太长')}</record>",
        f"<record>{head.format('z', 'gestern')}{dc(title='好的', date='2026-99-99')}</record>",
        f"<record>{head.format('f', '2026')}{dc(title='未来', date='2999-01-01')}</record>",
        f"<record>{head.format('j', '2026')}{dc(title='链接', identifier=ACTIVE)}</record>",
    )
    source = add(reader, OAI, f"{LIBRARY}/oai")
    assert harvest(reader, source) is None
    assert titles(reader) == ["好的", "未来", "链接"]
    assert provenance_of(document(reader, "链接").fields).link == ""
    assert document(reader, "未来").published_at <= clock.now()
    with reader.app_context():
        assert service.find(source).source.unreadable == 3


def test_no_markup_of_a_source_becomes_active_and_no_text_is_boundless(
    reader: Flask, library: Library
) -> None:
    body = (
        "<p>第一段，<b>重点</b></p><script>alert(1)</script><style>p{}</style>"
        '<p onclick="x()">第二段<img src=x onerror=alert(2)></p>'
    )
    bad = "javascript:alert(3)"
    library.answers["/rss"] = rss(
        item("坏链接", link=bad, description=body + "\u202e"),
        f"<item><guid>b</guid><title>{'很长' * 300}</title><description>{'长。' * 9_000}"
        "</description></item>",
    )
    harvest(reader, add(reader, FEED, f"{LIBRARY}/rss"))
    found = document(reader, "坏链接")
    assert provenance_of(found.fields).link == ""
    assert (found.summary, found.body) == ("第一段，重点", "第一段，重点\n\n第二段")
    page = browser_of(reader, Role.READER).get(f"/cases/{found.id}").text
    assert not any(word in page for word in ("alert(", "onerror", "javascript:"))
    [long] = [title for title in titles(reader) if title.startswith("很长")]
    assert len(long) == texts.TITLE
    assert len(document(reader, long).body) <= 5_000
    assert document(reader, long).body.endswith(texts.MORE)


BOMB = b"""<!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><rss><channel><title>&c;</title></channel></rss>"""
OUTSIDE = b"""<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/hostname">]><rss><channel><item>
<guid>&x;</guid></item></channel></rss>"""


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"", "not_xml"),
        (b"/etc/hostname", "not_xml"),
        (b"<rss><channel>", "not_xml"),
        (b"<rss>\xff\xfe</rss>", "not_xml"),
        (BOMB, "forbidden_xml"),
        (OUTSIDE, "forbidden_xml"),
        (OUTSIDE.decode().encode("utf-16"), "forbidden_xml"),
        (b'<!DOCTYPE rss SYSTEM "https://library.test/x.dtd"><rss/>', "forbidden_xml"),
        (b"<rss>" + b"<a>" * 150 + b"</a>" * 150 + b"</rss>", "forbidden_xml"),
        (b"<rss>" + b"<a/>" * (xml.MOST_ELEMENTS + 1) + b"</rss>", "forbidden_xml"),
        (b"<html/>", "other_kind"),
        (rss("<item><width><content>x</content></width></item>"), "unreadable_feed"),
        (b"<rss>" + b" " * 8 * 1024 * 1024 + b"</rss>", "malformed_answer"),
        (("200 OK", [("Content-Encoding", "gzip")], b"not packed"), "malformed_answer"),
        (
            ("200 OK", [("Content-Encoding", "gzip")], gzip.compress(b" " * 9 * 1024 * 1024)),
            "malformed_answer",
        ),
        (("302 FOUND", [("Location", "http://127.0.0.1:1/")], b""), "redirect"),
        (("503 BUSY", [("Retry-After", "1800")], b""), "http_503"),
    ],
)
def test_what_a_hostile_source_sends_is_told_on_its_row_and_takes_nothing_away(
    reader: Flask, library: Library, sent: Answer, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.answers["/rss"] = rss(item("先来的"))
    source = add(reader, FEED, f"{LIBRARY}/rss")
    harvest(reader, source)
    library.answers["/rss"] = sent
    library.asked.clear()
    wait(monkeypatch, hours=2)
    assert harvest(reader, source) == code
    assert len(library.asked) == 1, "nothing else is fetched because of it"
    assert titles(reader) == ["先来的"]
    with reader.app_context():
        pause = service.find(source).source.due_at - clock.now()
    assert pause == timedelta(minutes=30 if code == "http_503" else 15)
    library.answers["/rss"] = rss(item("后来的"))
    assert harvest(reader, source) is None
    assert titles(reader) == ["先来的", "后来的"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("<rss/>", "other_kind"),
        ('<error code="badArgument">no such set</error>', "repository"),
        ('<error code="">x</error>', "repository"),
        ('<error code="__class__">x</error>', "repository"),
        ("<Nothing/>", "other_kind"),
    ],
)
def test_a_repository_that_refuses_is_told_on_its_row(
    reader: Flask, library: Library, body: str, code: str
) -> None:
    library.answers["/oai"] = answer(body)
    assert harvest(reader, add(reader, OAI, f"{LIBRARY}/oai")) == code


def test_a_list_without_end_is_left_and_what_came_of_it_stays(
    reader: Flask, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(*(f"n{n:02}" for n in range(8)))

    def circles(query: dict[str, str]) -> bytes:
        said = repository(query)
        return said.replace(b"<resumptionToken></", b"<resumptionToken>4</")

    library.answers["/oai"] = circles
    monkeypatch.setattr("hub.federation.harvesting.oai.BATCH", 4)
    source = add(reader, OAI, f"{LIBRARY}/oai")
    assert harvest(reader, source) == "endless"
    assert len(titles(reader)) == 8
    with reader.app_context():
        assert service.find(source).source.reached is None, "it begins at the same place again"
    monkeypatch.setattr(fetching, "MOST_REQUESTS", 3)
    more = b"<resumptionToken>%d</"
    library.answers["/oai"] = lambda query: repository({"verb": query["verb"]}).replace(
        more % 4, more % len(library.asked)
    )
    assert harvest(reader, source) == "endless"
    assert len(library.asked) < 12


def test_no_source_brings_more_items_than_are_kept_of_one(
    reader: Flask, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "MOST_ITEMS", 2)
    library.answers["/rss"] = rss(item("一"), item("二"))
    source = add(reader, FEED, f"{LIBRARY}/rss")
    assert harvest(reader, source) is None
    assert harvest(reader, source) is None
    library.answers["/rss"] = rss(item("二"), item("三"))
    assert harvest(reader, source) == "too_many_items"
    assert titles(reader) == ["一", "二"]


def test_an_archive_elsewhere_is_not_fetched_nor_one_that_leads_back(
    reader: Flask, library: Library
) -> None:
    older = '<a:link xmlns:a="http://www.w3.org/2005/Atom" rel="prev-archive" href="{}"/>'
    source = add(reader, FEED, f"{LIBRARY}/rss")
    for href, code in (
        ("https://alpha.test/feeds/public.atom", "other_origin"),
        ("http://169.254.169.254/latest", "other_origin"),
        ("file:///etc/hostname", "other_origin"),
        ("//[", "other_origin"),
        ("/rss", "endless"),
    ):
        library.answers["/rss"] = rss(older.format(href), item("先来的"))
        library.asked.clear()
        assert harvest(reader, source) == code
        assert len(library.asked) == 1
    assert titles(reader) == ["先来的"]


def test_a_feed_that_broke_off_in_its_archives_is_read_to_its_end_the_next_time(
    reader: Flask, library: Library
) -> None:
    older = '<a:link xmlns:a="http://www.w3.org/2005/Atom" rel="prev-archive" href="{}"/>'
    new = item("新", description="新的说法")
    library.answers |= {"/rss": rss(older.format("/2"), new), "/1": rss(item("最早"))}
    source = add(reader, FEED, f"{LIBRARY}/rss")
    assert harvest(reader, source) == "http_404"
    library.answers["/2"] = rss(older.format("/1"), item("旧"), item("新", description="旧的说法"))
    assert harvest(reader, source) is None
    assert document(reader, "新").summary == "新的说法", "what stands in front counts"
    assert titles(reader) == ["新", "旧", "最早"]
    library.asked.clear()
    harvest(reader, source)
    assert [path for path, _ in library.asked] == ["/rss"], "archives that are known are not read"
    library.answers["/rss"] = rss(older.format("/3"), item("更新"))
    assert harvest(reader, source) == "http_404"
    library.answers["/3"] = rss(older.format("/2"), item("其次"), new)
    assert harvest(reader, source) is None
    assert titles(reader) == sorted(["更新", "其次", "新", "旧", "最早"])


@pytest.mark.parametrize(
    "url",
    [
        "http://library.test/rss",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://user:word@library.test/rss",
        "https://library.test/rss#x",
        "https://library.test:0x1/rss",
        "https://library.test/" + "x" * 500,
        "https://library.test/ a",
        "https://127.0.0.1@library.test/",
        "//library.test/rss",
        "",
    ],
)
def test_only_https_addresses_are_sources(reader: Flask, url: str) -> None:
    with reader.app_context(), pytest.raises(SourceAddressError):
        fetching.Fetcher(url)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "[::1]", "0.0.0.0"])
def test_no_source_leads_to_this_machine_or_to_where_clouds_keep_secrets(
    make_node: Callable[..., Flask], host: str
) -> None:
    alone = make_node("alone")  # With the real transport.
    assert harvest(alone, add(alone, FEED, f"https://{host}/")) == "unreachable"


def test_an_administrator_adds_a_source_once_it_answered(reader: Flask, library: Library) -> None:
    admin = browser_of(reader, Role.ADMINISTRATOR)
    new = f"{SOURCES}/new"
    given = {"name": "水利学会", "kind": "feed", "url": f"{LIBRARY}/rss", "interval": "60"}
    failed = submit(admin, new, SOURCES, **given)
    assert failed.status_code == 400
    assert "There is nothing at this address any more." in failed.text
    library.answers["/rss"] = rss(item("春季清淤"))
    assert submit(admin, new, SOURCES, **given | {"kind": "oai"}).status_code == 400
    assert submit(admin, new, SOURCES, **given | {"url": "http://x"}).status_code == 400
    assert submit(admin, new, SOURCES, **given).status_code == 303
    page = admin.get(SOURCES).text
    assert "It calls itself “部门动态” and showed 1 items" in page
    assert "The first harvest is under way." in page
    again = submit(admin, new, SOURCES, **given)
    assert again.status_code == 400
    assert "harvested already" in again.text
    with reader.app_context():
        assert follower.harvest_due()
        assert not follower.harvest_due(), "not before its time"
    assert titles(reader) == ["春季清淤"]


def test_an_administrator_pauses_resumes_hurries_and_removes_a_source(
    reader: Flask, library: Library
) -> None:
    library.answers["/rss"] = rss(item("春季清淤"))
    source = add(reader, FEED, f"{LIBRARY}/rss")
    harvest(reader, source)
    admin = browser_of(reader, Role.ADMINISTRATOR)

    def press(noun: str) -> None:
        assert submit(admin, SOURCES, f"{SOURCES}/{source}/{noun}").status_code == 303

    press("harvest")
    press("suspension")
    with reader.app_context():
        assert not follower.harvest_due()
    library.answers["/rss"] = rss(item("秋季清淤"))
    assert harvest(reader, source) is None, "a paused source is not harvested, and that is no error"
    assert titles(reader) == ["春季清淤"]
    press("resumption")
    with reader.app_context():
        assert follower.harvest_due()
    assert titles(reader) == ["春季清淤", "秋季清淤"]
    assert "2 items" in admin.get(f"{SOURCES}/{source}/removal").text
    press("removal")
    assert titles(reader) == []
    assert admin.get(f"{SOURCES}/{source}/removal").status_code == 404
    with reader.app_context():
        done = [entry.action for entry in audit.entries() if entry.subject == str(source)]
    assert done == ["source.removed", "source.resumed", "source.paused", "source.added"]


def test_nobody_but_an_administrator_touches_sources(reader: Flask, library: Library) -> None:
    library.answers["/rss"] = rss(item("春季清淤"))
    source = add(reader, FEED, f"{LIBRARY}/rss")
    other = browser_of(reader, Role.BRANCH_SECRETARY, Role.SIGNATORY, Role.GROUP_EDITOR)
    token = {"csrf_token": csrf_token(other.get("/me"))}
    for path in (SOURCES, f"{SOURCES}/new", f"{SOURCES}/{source}/removal"):
        assert other.get(path).status_code == 403
        assert reader.test_client().get(path).status_code == 302
    nouns = ("suspension", "resumption", "harvest", "missing", "removal")
    for path in (SOURCES, *(f"{SOURCES}/{source}/{noun}" for noun in nouns)):
        assert other.post(path, data=token).status_code == 403
    assert library.asked == []


def test_no_other_node_can_call_its_cases_harvested(headquarters: Flask, alpha: Flask) -> None:
    join(headquarters, alpha)
    told = {"source": "x", "link": "javascript:alert(1)", "dated": "never"}
    publish(headquarters, GROUP, title="总部的", harvested=told)
    with alpha.app_context():
        puller.pull("https://headquarters.test")
    found = document(alpha, "总部的")
    assert not found.is_harvested
    admin = browser_of(alpha, Role.ADMINISTRATOR)
    assert "Unsigned" not in admin.get(f"/cases/{found.id}").text
    assert admin.get(f"/cases/{found.id}/removal").status_code == 404

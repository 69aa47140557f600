"""OAI-PMH 2.0, as Sickle harvests it and as the specification describes it."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from flask import Flask
from lxml import etree
from sickle import Sickle
from sickle.oaiexceptions import NoRecordsMatch
from sqlalchemy import select

from hub import clock
from hub.database import db, transaction
from hub.federation.feeds import keeping, oai
from hub.federation.feeds.follower import follow
from hub.federation.feeds.models import PublicRecord
from hub.journal.models import GROUP, LOCAL, PUBLIC
from tests.federation.oai_rules import DC, OAI, check
from tests.federation.test_exchange import publish, readdress
from tests.federation.test_feeds import SECRET, settle, urn
from tests.in_process import NodeAdapter, origin_of

BASE = "https://alpha.test/oai"
LIST = {"verb": "ListRecords", "metadataPrefix": "oai_dc"}


class Harvester(Sickle):
    """Sickle, on the way through this process instead of a network."""

    def __init__(self, node: Flask, method: str = "GET") -> None:
        super().__init__(f"{origin_of(node)}/oai", http_method=method)
        self.session = requests.Session()
        self.session.mount("https://", NodeAdapter([node]))

    def _request(self, arguments: dict[str, str]) -> requests.Response:
        if self.http_method == "GET":
            return self.session.get(self.endpoint, params=arguments)
        return self.session.post(self.endpoint, data=arguments)


def ask(node: Flask, *pairs: tuple[str, str], **arguments: str) -> etree._Element:
    """Return the body of an answer that keeps all rules; the same comes to GET and to POST."""
    given = [*arguments.items(), *pairs]
    client = node.test_client()
    answers = [
        client.get("/oai", query_string=urlencode(given)),
        client.post(
            "/oai", data=urlencode(given), content_type="application/x-www-form-urlencoded"
        ),
    ]
    bodies = []
    for answer in answers:
        assert answer.status_code == 200
        assert answer.content_type == "text/xml; charset=utf-8"
        assert "Set-Cookie" not in answer.headers
        bodies.append(check(answer.data, base_url=f"{origin_of(node)}/oai"))
    assert bodies[0].tag == bodies[1].tag
    assert bodies[0].get("code") == bodies[1].get("code")
    return bodies[0]


def code(node: Flask, *pairs: tuple[str, str], **arguments: str) -> str | None:
    """Return the code of the error that a request gets, None when it gets none."""
    return ask(node, *pairs, **arguments).get("code")


def harvest(node: Flask, method: str = "GET", **arguments: str) -> dict[str, str | None]:
    """Return what a whole harvest finds: titles by name, None for what is deleted."""
    found = {}
    records = Harvester(node, method).ListRecords(metadataPrefix="oai_dc", **arguments)
    for record in records:
        assert record.header.identifier not in found, "each record once"
        title = None if record.deleted else record.metadata["title"][0]
        found[record.header.identifier] = title
    return found


def moment_of(node: Flask, entry_id: str) -> datetime | None:
    with node.app_context():
        record = urn(node, entry_id)
        rows = db.session.scalars(select(PublicRecord)).all()
        return next(row.stamped_at for row in rows if row.id.urn == record)


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(clock, "now", lambda: moment)


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oai, "SIZE", 3)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_sickle_reads_everything_deletions_included(alpha: Flask, method: str) -> None:
    wanted: dict[str, str | None] = {}
    for number in range(8):
        entry_id = publish(alpha, GROUP, PUBLIC, title=f"第{number}篇")
        wanted[urn(alpha, entry_id)] = f"第{number}篇"
    publish(alpha, GROUP, title=SECRET)
    settle(alpha)
    gone = publish(alpha, GROUP, PUBLIC, title=SECRET)
    narrowed = publish(alpha, GROUP, PUBLIC, title=SECRET)
    settle(alpha)
    readdress(alpha, gone)
    readdress(alpha, narrowed, GROUP)
    wanted |= {urn(alpha, gone): None, urn(alpha, narrowed): None}
    assert harvest(alpha, method) == wanted, "before the follower comes by"
    settle(alpha)
    assert harvest(alpha, method) == wanted
    headers = list(Harvester(alpha, method).ListIdentifiers(metadataPrefix="oai_dc"))
    assert {h.identifier: h.deleted for h in headers} == {n: t is None for n, t in wanted.items()}


@pytest.mark.parametrize("count", [1, 3, 4, 6])
def test_the_last_page_ends_the_list(alpha: Flask, count: int) -> None:
    for number in range(count):
        publish(alpha, GROUP, PUBLIC, title=f"{number}")
    settle(alpha)
    body, cursors = ask(alpha, **LIST), []
    while (token := body.find(f"{OAI}resumptionToken")) is not None:
        cursors.append(token.get("cursor"))
        if not token.text:
            break
        body = ask(alpha, verb="ListRecords", resumptionToken=token.text)
    pages = -(-count // 3)
    assert cursors == ([] if pages == 1 else [str(3 * n) for n in range(pages)])


def test_sickle_understands_the_other_verbs(alpha: Flask) -> None:
    entry_id = publish(
        alpha,
        GROUP,
        PUBLIC,
        title="划好责任区",
        category="rules",
        summary="先说结果",
        submitting_unit="船坞支部",
        tags=["班组"],
    )
    settle(alpha)
    harvester = Harvester(alpha)
    identity = harvester.Identify()
    assert identity.repositoryName == "Alpha"
    assert identity.deletedRecord == "persistent"
    assert [f.metadataPrefix for f in harvester.ListMetadataFormats()] == ["oai_dc"]
    sets = {s.setSpec for s in harvester.ListSets()}
    assert {"kind.case", "kind.pilot_lesson", "category.rules"} <= sets
    record = harvester.GetRecord(identifier=urn(alpha, entry_id), metadataPrefix="oai_dc")
    assert record.header.setSpecs == ["kind.case", "category.rules"]
    assert record.metadata["title"] == ["划好责任区"]
    assert record.metadata["creator"] == ["船坞支部"]
    assert record.metadata["subject"] == ["rules", "班组"]
    assert record.metadata["description"] == ["先说结果"]
    page = f"https://alpha.test/cases/{urn(alpha, entry_id)[9:]}"
    assert record.metadata["identifier"] == [page]
    assert alpha.test_client().get(page).status_code == 200


@pytest.mark.parametrize(
    "verb",
    ["Identify", "ListSets", "ListMetadataFormats", "ListRecords", "ListIdentifiers", "GetRecord"],
)
def test_every_verb_keeps_the_rules_of_the_specification(alpha: Flask, verb: str) -> None:
    entry_id = publish(alpha, GROUP, PUBLIC, category="rules")
    readdress(alpha, publish(alpha, GROUP, PUBLIC))
    settle(alpha)
    more = {"metadataPrefix": "oai_dc"} if verb in {"ListRecords", "ListIdentifiers"} else {}
    if verb == "GetRecord":
        more = {"metadataPrefix": "oai_dc", "identifier": urn(alpha, entry_id)}
    assert ask(alpha, verb=verb, **more).tag == OAI + verb


def test_a_set_holds_its_own_and_keeps_what_was_deleted(alpha: Flask) -> None:
    rules = publish(alpha, GROUP, PUBLIC, title="制度", category="rules")
    brand = publish(alpha, GROUP, PUBLIC, title="品牌", category="brand")
    pilot = publish(alpha, GROUP, PUBLIC, title="试点", type="pilot_lesson")
    publish(alpha, GROUP, PUBLIC, title="别处的", category="no such category")
    settle(alpha)
    assert harvest(alpha, set="category.rules") == {urn(alpha, rules): "制度"}
    assert harvest(alpha, set="kind.pilot_lesson") == {urn(alpha, pilot): "试点"}
    readdress(alpha, brand, GROUP)
    publish(alpha, GROUP, rev=2, entry_id=brand, title=SECRET, category="rules")
    settle(alpha)
    assert harvest(alpha, set="category.brand") == {urn(alpha, brand): None}
    assert harvest(alpha, set="category.rules") == {urn(alpha, rules): "制度"}


def test_from_and_until_are_both_inclusive(alpha: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    start = clock.now().replace(microsecond=0)
    names = []
    for number in range(3):
        at(monkeypatch, start + timedelta(minutes=number))
        names.append(urn(alpha, publish(alpha, GROUP, PUBLIC, title=f"{number}")))
        settle(alpha)
    at(monkeypatch, start + timedelta(days=1))
    stamps = [f"{start + timedelta(minutes=n):%Y-%m-%dT%H:%M:%SZ}" for n in range(3)]
    assert list(harvest(alpha, **{"from": stamps[1]})) == names[1:]
    assert list(harvest(alpha, until=stamps[1])) == names[:2]
    assert list(harvest(alpha, **{"from": stamps[1], "until": stamps[1]})) == [names[1]]
    assert list(harvest(alpha, **{"from": stamps[0][:10], "until": "9999-12-31"})) == names
    assert list(harvest(alpha, until=stamps[2][:10])) == names
    with pytest.raises(NoRecordsMatch):
        harvest(alpha, **{"from": f"{start + timedelta(minutes=3):%Y-%m-%dT%H:%M:%SZ}"})
    with pytest.raises(NoRecordsMatch):
        harvest(alpha, until=f"{start - timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}")


def test_harvesting_from_the_last_answer_misses_nothing_that_was_under_way(
    alpha: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = clock.now().replace(microsecond=0)
    publish(alpha, GROUP, PUBLIC, title="早先的")
    settle(alpha)
    # Its time was taken before the harvest; its transaction ended after it.
    at(monkeypatch, start + timedelta(seconds=1))
    late = urn(alpha, publish(alpha, GROUP, PUBLIC, title="晚到的"))
    at(monkeypatch, start + timedelta(seconds=90))
    last = f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"
    assert late not in harvest(alpha)
    at(monkeypatch, start + timedelta(seconds=95))
    with alpha.app_context(), transaction():
        keeping.take(100)  # Committed, and without a datestamp yet.
    assert late in harvest(alpha, **{"from": last})
    at(monkeypatch, start + timedelta(seconds=99))
    settle(alpha)
    assert list(harvest(alpha, **{"from": last})) == [late]


def test_no_transaction_stamps_what_it_adds_itself(alpha: Flask) -> None:
    entry_id = publish(alpha, GROUP, PUBLIC)
    with alpha.app_context():
        assert follow()
    assert moment_of(alpha, entry_id) is None
    with alpha.app_context():
        assert follow()
        assert not follow()
    assert moment_of(alpha, entry_id)


def test_a_record_without_a_datestamp_is_in_every_list_that_may_get_it(
    alpha: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = clock.now().replace(microsecond=0)
    at(monkeypatch, start)
    new = urn(alpha, publish(alpha, GROUP, PUBLIC))
    at(monkeypatch, start + timedelta(seconds=9))
    with alpha.app_context(), transaction():
        keeping.take(100)
    until = f"{start + timedelta(seconds=5):%Y-%m-%dT%H:%M:%SZ}"
    record = ask(alpha, **LIST, until=until).find(f"{OAI}record/{OAI}header")
    assert record.findtext(f"{OAI}identifier") == new
    assert record.findtext(f"{OAI}datestamp") == until
    assert code(alpha, **LIST, until=f"{start - timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}")


def test_datestamps_never_run_backwards_though_the_clock_does(
    alpha: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    first = publish(alpha, GROUP, PUBLIC)
    settle(alpha)
    at(monkeypatch, now - timedelta(hours=1))
    second = publish(alpha, GROUP, PUBLIC)
    settle(alpha)
    assert moment_of(alpha, second) >= moment_of(alpha, first)
    stamp = f"{moment_of(alpha, first):%Y-%m-%dT%H:%M:%SZ}"
    assert list(harvest(alpha, **{"from": stamp})) == [urn(alpha, first), urn(alpha, second)]


def test_a_list_that_changes_while_it_is_read_loses_nothing(alpha: Flask) -> None:
    names = [publish(alpha, GROUP, PUBLIC, title=f"{number}") for number in range(7)]
    settle(alpha)
    records = Harvester(alpha).ListRecords(metadataPrefix="oai_dc")
    found = [next(records) for _ in range(3)]
    readdress(alpha, names[0])
    publish(alpha, GROUP, PUBLIC, title="新版", rev=2, entry_id=names[5])
    new = publish(alpha, GROUP, PUBLIC, title="新来的")
    settle(alpha)
    found += list(records)
    last = {r.header.identifier: None if r.deleted else r.metadata["title"][0] for r in found}
    assert last == harvest(alpha)
    assert last[urn(alpha, names[0])] is None
    assert last[urn(alpha, names[5])] == "新版"
    assert last[urn(alpha, new)] == "新来的"


def test_a_later_datestamp_follows_each_change(
    alpha: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    entry_id = publish(alpha, GROUP, PUBLIC)
    settle(alpha)
    before = moment_of(alpha, entry_id)
    at(monkeypatch, now + timedelta(hours=1))
    readdress(alpha, entry_id, GROUP)
    settle(alpha)
    narrowed = moment_of(alpha, entry_id)
    assert narrowed > before
    at(monkeypatch, now + timedelta(hours=2))
    publish(alpha, GROUP, rev=2, entry_id=entry_id)
    settle(alpha)
    assert moment_of(alpha, entry_id) == narrowed, "what goes on in the group is not told"


BAD_VERB: list[list[tuple[str, str]]] = [
    [],
    [("verb", "")],
    [("verb", "identify")],
    [("verb", "Identify\x0b]]>")],
    [("verb", "__class__")],
    [("verb", "Identify"), ("verb", "Identify")],
    [("verb", "Identify"), ("verb", "ListSets")],
    [("metadataPrefix", "oai_dc")],
]


def test_a_bad_verb_is_said_to_be_one(alpha: Flask) -> None:
    for pairs in BAD_VERB:
        assert code(alpha, *pairs) == "badVerb", pairs


BAD_ARGUMENTS: list[dict[str, str]] = [
    {"verb": "Identify", "metadataPrefix": "oai_dc"},
    {"verb": "Identify", "x": "\ufffe\x1b"},
    {"verb": "ListMetadataFormats", "set": "kind.case"},
    {"verb": "ListSets", "from": "2026-01-01"},
    {"verb": "GetRecord"},
    {"verb": "GetRecord", "metadataPrefix": "oai_dc"},
    {"verb": "GetRecord", "identifier": "urn:uuid:x"},
    {"verb": "GetRecord", "identifier": "x", "metadataPrefix": "oai_dc", "set": "kind.case"},
    {"verb": "ListRecords"},
    {"verb": "ListIdentifiers"},
    {"verb": "ListRecords", "resumptionToken": "x", "metadataPrefix": "oai_dc"},
    {"verb": "ListRecords", "resumptionToken": "x", "set": "kind.case"},
    {**LIST, "set": ""},
    {**LIST, "set": "kind case"},
    {**LIST, "set": "a::b"},
    {**LIST, "from": "2026-02-01", "until": "2026-01-01"},
    {**LIST, "from": "2026-01-01", "until": "2026-01-01T00:00:00Z"},
    *(
        {**LIST, name: text}
        for name in ("from", "until")
        for text in (
            "",
            "2026",
            "2026-13-01",
            "2026-02-30",
            "0000-01-01",
            "2026-01-01T25:00:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.5Z",
            "2026-01-01T00:00:00+08:00",
            "2026-1-1",
            " 2026-01-01",
            "2026-01-01\n",
            "２０２６-01-01",
            "99999-01-01",
            "' OR 1=1",
            "9" * 5000,
        )
    ),
]


def test_a_bad_argument_is_said_to_be_one(alpha: Flask) -> None:
    for arguments in BAD_ARGUMENTS:
        assert code(alpha, **arguments) == "badArgument", arguments


def test_a_repeated_argument_is_refused(alpha: Flask) -> None:
    for name in ("metadataPrefix", "from", "until", "set", "resumptionToken"):
        assert code(alpha, (name, "x"), (name, "x"), verb="ListRecords") == "badArgument"


@pytest.mark.parametrize("period", [{"from": "9999-12-31"}, {"until": "0001-01-01"}])
def test_the_ends_of_time_are_dates_like_others(alpha: Flask, period: dict[str, str]) -> None:
    publish(alpha, GROUP, PUBLIC)
    settle(alpha)
    assert code(alpha, **LIST, **period) == "noRecordsMatch"


def test_an_unknown_format_is_said_to_be_one(alpha: Flask) -> None:
    entry_id = publish(alpha, GROUP, PUBLIC)
    settle(alpha)
    for verb in ("ListRecords", "ListIdentifiers"):
        assert code(alpha, verb=verb, metadataPrefix="marc21") == "cannotDisseminateFormat"
    wanted = {"identifier": urn(alpha, entry_id), "metadataPrefix": "OAI_DC"}
    assert code(alpha, verb="GetRecord", **wanted) == "cannotDisseminateFormat"


def test_what_is_not_open_and_what_is_not_there_look_the_same(alpha: Flask) -> None:
    hidden = [publish(alpha, channel, title=SECRET) for channel in (LOCAL, GROUP)]
    settle(alpha)
    names = [urn(alpha, entry_id) for entry_id in hidden]
    names += [
        "",
        "x",
        "urn:uuid:",
        "urn:uuid:" + "0" * 32,
        "urn:uuid:" + "f" * 8,
        "\x0b",
        names[0].upper(),
    ]
    client, answers = alpha.test_client(), set()
    for name in names:
        assert code(alpha, verb="ListMetadataFormats", identifier=name) == "idDoesNotExist"
        arguments = {"verb": "GetRecord", "metadataPrefix": "oai_dc", "identifier": name}
        assert code(alpha, **arguments) == "idDoesNotExist"
        error = check(client.get("/oai", query_string=arguments).data, base_url=BASE)
        answers.add(etree.tostring(error))
    assert len(answers) == 1


@pytest.mark.parametrize("name", ["kind.case", "category.rules", "nothing", "kind", "category.x"])
def test_an_empty_list_is_said_to_be_one(alpha: Flask, name: str) -> None:
    publish(alpha, GROUP, title=SECRET, category="rules")
    settle(alpha)
    assert code(alpha, **LIST, set=name) == "noRecordsMatch"
    assert code(alpha, **LIST) == "noRecordsMatch"


def test_only_the_tokens_of_this_node_are_good(alpha: Flask) -> None:
    for number in range(5):
        publish(alpha, GROUP, PUBLIC, title=f"{number}")
    settle(alpha)
    token = ask(alpha, **LIST).findtext(f"{OAI}resumptionToken")
    payload, signature = token.rsplit(".", 1)
    assert ask(alpha, verb="ListRecords", resumptionToken=token).tag == f"{OAI}ListRecords"
    assert code(alpha, verb="ListIdentifiers", resumptionToken=token) == "badResumptionToken"
    assert code(alpha, verb="ListSets", resumptionToken=token) == "badResumptionToken"
    flipped = [
        token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1 :] for i in range(len(token))
    ]
    others = ["", ".", "x", "0", token + "=", token + ".", token + "!", " " + token, token[:-1]]
    others += [f"{payload}.", f".{signature}", f"{payload}.{signature[:-1]}!{signature[-1]}"]
    others += ["\ufffd", "责任", "\x0b", "A" * 9000, "null", "[]"]
    for forged in flipped + others:
        answer = code(alpha, verb="ListRecords", resumptionToken=forged)
        assert answer == "badResumptionToken", forged


def test_a_token_goes_on_where_it_did_however_often_it_is_used(alpha: Flask) -> None:
    for number in range(5):
        publish(alpha, GROUP, PUBLIC, title=f"{number}")
    settle(alpha)
    token = ask(alpha, **LIST).findtext(f"{OAI}resumptionToken")
    pages = [ask(alpha, verb="ListRecords", resumptionToken=token) for _ in range(2)]
    titles = [[e.text for e in page.iter(f"{DC}title")] for page in pages]
    assert titles == [["3", "4"], ["3", "4"]]


def test_hostile_text_is_legal_xml(alpha: Flask) -> None:
    nasty = "a\x01\x0b\x1f]]>&<b>\ufffe\uffff😀"
    fields: dict[str, Any] = {"summary": nasty, "submitting_unit": nasty, "tags": [nasty, ""]}
    publish(alpha, GROUP, PUBLIC, title=nasty, category="\x02", **fields)
    publish(alpha, GROUP, PUBLIC, title="坏字段", tags={"no": "list"}, category=7, summary=[])
    settle(alpha)
    titles = [e.text for e in ask(alpha, **LIST).iter(f"{DC}title")]
    assert titles == ["a]]>&<b>😀", "坏字段"]


def test_a_nul_is_refused_and_no_failure(alpha: Flask) -> None:
    client = alpha.test_client()
    assert client.get("/oai?verb=Identify%00").status_code == 400
    answer = client.post("/oai", data={"verb": "GetRecord\0"})
    assert check(answer.data, base_url=BASE).get("code") == "badVerb"


def test_no_other_method_is_answered(alpha: Flask) -> None:
    for method in ("PUT", "DELETE", "PATCH"):
        assert alpha.test_client().open("/oai", method=method).status_code == 405

"""A node that leaves what others wrote to the search of headquarters, as its readers meet it."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from html import unescape
from threading import Event
from time import monotonic
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask, Response, request
from flask.testing import FlaskClient
from sqlalchemy import select, update

from hub import clock
from hub.cases.models import Document
from hub.config import of_this_node
from hub.database import db, transaction
from hub.federation import offering, searching
from hub.identity.access import anyone as everybody
from hub.identity.models import MEMBERS, Role
from hub.journal.models import GROUP, LOCAL, PUBLIC
from hub.registry import access
from hub.registry.models import Peer, PeerKind
from hub.search.follower import Follower, follow_once
from hub.search.reading import OpenIndex
from tests.conftest import Stage
from tests.factories import make_person, make_token
from tests.federation.test_exchange import Federation, publish, readdress
from tests.in_process import accept, connect, invite, join, pair
from tests.pages import bearer, sign_in

HQ, ALPHA = "https://headquarters.test", "https://alpha.test"
ASKED = f"{HQ}/fed/v1/search"
AWAY, UNABLE, UNCOUNTED = "does not answer just now", "does not know this order", "Not all that"
BESIDE = 'id="beside"'
WORD = "责任区"


@pytest.fixture
def federation(stage: Stage) -> Federation:
    nodes = stage("four", ("headquarters", "alpha", "beta", "partner"), _meet)
    federation = Federation(*nodes, connect(*nodes))
    set_up(federation.alpha, search_delegate=True)
    return federation


def _meet(headquarters: Flask, alpha: Flask, beta: Flask, partner: Flask) -> None:
    join(headquarters, alpha)
    join(headquarters, beta)
    pair(headquarters, partner)


@pytest.fixture
def member(federation: Federation) -> FlaskClient:
    return sign_in(federation.alpha, add_member(federation.alpha))


@dataclass
class Door:
    """What headquarters answers in place of its search, and what it was asked."""

    answer: Callable[[], Any]
    asked: list[Any]


@pytest.fixture
def door(federation: Federation) -> Door:
    found = Door(lambda: told(), [])

    @access.peer("fed.read")
    def find() -> Any:
        found.asked.append(request.get_json())
        return found.answer()

    federation.headquarters.view_functions["search_fed.find"] = find
    return found


def set_up(node: Flask, **settings: object) -> None:
    node.extensions["hub.settings"] = replace(node.extensions["hub.settings"], **settings)
    node.extensions.pop("hub.kept", None)


def add_member(node: Flask) -> str:
    with node.app_context(), transaction():
        return make_person("member", Role.READER).username


def index(*nodes: Flask) -> None:
    for node in nodes:
        with node.app_context():
            follow_once()
            of_this_node(Follower).close()


def share(federation: Federation, *titles: str) -> None:
    """Publish something at beta for the enterprise, and let it arrive everywhere."""
    for title in titles:
        publish(federation.beta, GROUP, title=title)
    federation.sync()
    federation.sync()
    index(federation.headquarters, federation.alpha)


def keep_home(federation: Federation, *titles: str, audience: str = MEMBERS) -> None:
    """Publish something that never leaves alpha."""
    for title in titles:
        publish(federation.alpha, LOCAL, title=title)
        open_to(federation, title, audience)
    index(federation.alpha)


def open_to(federation: Federation, title: str, audience: str | None) -> None:
    is_it = Document.title == title
    with federation.alpha.app_context(), transaction():
        db.session.execute(update(Document).where(is_it).values(audience=audience))


def id_of(federation: Federation, title: str) -> str:
    with federation.alpha.app_context():
        return str(db.session.scalars(select(Document.id).where(Document.title == title)).one())


def page(client: FlaskClient, q: str = WORD, **more: Any) -> str:
    answer = client.get("/search", query_string={"q": q} | more)
    assert answer.status_code == 200
    return re.sub("</?mark>", "", unescape(answer.text))


def hits(text: str) -> list[str]:
    return [title.strip() for title in re.findall(r'<h2><a href="/cases/[^"]+">\s*([^<]+)<', text)]


def questions(federation: Federation) -> int:
    return [address for _, address in federation.network.seen].count(ASKED)


def told(*ids: str, **changes: Any) -> dict[str, Any]:
    """Return what headquarters would answer."""
    found = [{"id": id_, "score": 1.5} for id_ in ids]
    return {"hits": found, "total": len(ids), "page": 1, "facets": {}} | changes


ID = str(uuid4())
NONSENSE = [
    *("[]", "{}", "null", "责任区", "[" * 50_000, " " * 9_000_000),
    *(
        json.dumps(told() | changes)
        for changes in (
            {"hits": {}},
            {"hits": ["x"]},
            {"hits": [{"id": 1, "score": 1}], "total": 1},
            {"hits": [{"id": "x", "score": 1}], "total": 1},
            {"hits": [{"id": ID, "score": "1"}], "total": 1},
            {"hits": [{"id": ID, "score": True}], "total": 1},
            {"hits": [{"id": ID, "score": float("nan")}], "total": 1},
            {"hits": [{"id": ID, "score": 10**400}], "total": 1},
            {"hits": [{"id": ID}], "total": 1},
            {"hits": [{"id": ID, "score": 1}] * 2, "total": 2},
            {"hits": [{"id": ID, "score": 1}], "total": 0},
            {"total": -1},
            {"total": True},
            {"total": 10**12},
            {"total": "1"},
            {"total": None},
            {"facets": None},
            {"facets": []},
            {"facets": {"unit": {}}},
            {"facets": {"unit": ["x"]}},
            {"facets": {"unit": [{"value": "\ud800", "count": 1}]}},
            {"facets": {"unit": [{"value": "a\0", "count": 1}]}},
            {"facets": {"unit": [{"value": "x" * 1001, "count": 1}]}},
            {"facets": {"unit": [{"value": "x", "count": 1.5}]}},
            {"facets": {"unit": [{"value": "x", "count": 1}] * 51}},
            {"loosened": "yes"},
        )
    ),
    json.dumps(told(*(str(uuid4()) for _ in range(3_000)))),
]


@pytest.mark.on_both
def test_a_member_finds_what_only_headquarters_has_indexed(federation, member):
    share(federation, "党员责任区", "台账减负")
    with federation.alpha.app_context():
        assert of_this_node(OpenIndex).newest().count == 0

    text = page(member)

    assert hits(text) == ["党员责任区"]
    assert "1 case found" in text
    assert "Found by the node above" in text
    assert [notice in text for notice in (AWAY, UNABLE, UNCOUNTED)] == [False] * 3


def test_what_never_leaves_the_node_stands_beside_it(federation, member):
    share(federation, "党员责任区")
    keep_home(federation, "本单位责任区")

    text = page(member)

    assert hits(text) == ["本单位责任区", "党员责任区"]
    assert text.index(BESIDE) < text.index("本单位责任区") < text.index("党员责任区")
    assert "Show all: 1 case" in text
    assert hits(page(member, here=1)) == ["本单位责任区"]


def test_nothing_stands_twice_on_a_page(federation, member):
    publish(federation.alpha, GROUP, title="本单位责任区")
    share(federation, "党员责任区")

    text = page(member)

    assert sorted(hits(text)) == ["党员责任区", "本单位责任区"]
    assert BESIDE not in text


def test_where_nothing_is_found_elsewhere_our_own_stands_all_the_same(federation, member):
    share(federation, "台账减负")
    keep_home(federation, "本单位责任区")

    text = page(member)

    assert hits(text) == ["本单位责任区"]
    assert "found nothing in what all units share" in text


def test_parts_of_the_words_stand_beside_nothing_that_has_all_of_them(federation, member):
    share(federation, "党员责任区牌子")
    keep_home(federation, "本单位责任区")

    assert BESIDE not in page(member, "责任区牌子")
    text = page(member, "责任区没有的词")
    assert text.index("These say parts.") < text.index("本单位责任区") < text.index("Found by")
    assert text.index("Found by") < text.index("Nothing says all of") < text.index("党员责任区")


def test_what_is_for_one_unit_is_shown_to_nobody_else(federation, member):
    share(federation, "党员责任区")
    keep_home(federation, "支部责任区", audience="unit:0")

    assert hits(page(member)) == ["党员责任区"]


def test_visitors_find_what_is_public_and_nobody_is_asked(federation):
    publish(federation.beta, GROUP, PUBLIC, title="公开责任区")
    share(federation, "集团责任区")

    assert hits(page(federation.alpha.test_client())) == ["公开责任区"]
    assert questions(federation) == 0


def test_without_the_setting_nobody_is_asked(federation, member):
    set_up(federation.alpha, search_delegate=False)
    share(federation, "党员责任区")

    text = page(member)

    assert hits(text) == ["党员责任区"]
    assert "Found by" not in text
    assert questions(federation) == 0


@pytest.mark.parametrize("role", [{"role": "headquarters"}, {"is_relay": True}])
def test_whoever_is_asked_itself_indexes_all_and_asks_nobody(federation, member, role):
    set_up(federation.alpha, **role)
    share(federation, "党员责任区")

    assert hits(page(member)) == ["党员责任区"]
    assert questions(federation) == 0


def test_the_index_is_built_anew_when_the_setting_changes(federation):
    share(federation, "党员责任区")
    counts = []
    for is_on in (False, True):
        set_up(federation.alpha, search_delegate=is_on)
        index(federation.alpha)
        with federation.alpha.app_context():
            counts.append(of_this_node(OpenIndex).newest().count)

    assert counts == [1, 0]


@pytest.mark.on_both
def test_what_opens_to_everybody_or_no_longer_moves_between_the_two(federation):
    visitor = federation.alpha.test_client()
    entry_id = publish(federation.beta, GROUP, title="党员责任区")
    for channels, expected in (((GROUP, PUBLIC), ["党员责任区"]), ((GROUP,), [])):
        readdress(federation.beta, entry_id, *channels)
        share(federation)
        assert hits(page(visitor)) == expected


def test_nothing_but_words_and_filters_leaves_the_node(door, member):
    page(member, "“责任区” -台账", category="brand", order="newest", page=2)

    assert door.asked == [
        {
            "q": "“责任区” -台账",
            "filters": {"category": "brand"},
            "order": "newest",
            "page": 2,
            "per_page": 10,
        }
    ]


@pytest.mark.on_both
def test_a_hit_that_this_reader_may_not_see_is_not_shown_and_nothing_is_counted(
    federation, member, door
):
    share(federation, "党员责任区", "撤下责任区")
    keep_home(federation, "支部责任区", audience="unit:0")
    facets = {"level": [{"value": "机密单位", "count": 2}, {"value": "", "count": 1}]}
    for title, audience in (("撤下责任区", None), ("支部责任区", "unit:0")):
        id_ = id_of(federation, title)
        open_to(federation, title, audience)
        door.answer = lambda id_=id_: told(id_of(federation, "党员责任区"), id_, facets=facets)

        text = page(member)

        assert hits(text) == ["党员责任区"]
        assert title not in text
        assert "机密单位" not in text
        assert "case found" not in text
        assert UNCOUNTED in text


def test_hits_that_are_not_here_leave_the_other_pages_in_reach(door, member):
    door.answer = lambda: told(*(str(uuid4()) for _ in range(10)), total=25)

    text = page(member)

    assert hits(text) == []
    assert "25 cases" not in text
    assert "page=2" in text
    assert UNCOUNTED in text


def test_each_page_is_a_page_of_headquarters(federation, member):
    share(federation, *(f"责任区第{number}号" for number in range(12)))
    keep_home(federation, *(f"本单位责任区第{number}号" for number in range(11)))

    first, second = page(member), page(member, page=2)

    assert (len(hits(first)), len(hits(second))) == (3 + 10, 2)
    assert len({*hits(first), *hits(second)}) == 3 + 12
    assert "1 / 2" in first
    assert BESIDE not in second


def test_where_parts_were_looked_for_the_page_says_so(federation, member):
    share(federation, "党员责任区")

    assert "Nothing says all of" in page(member, "责任区没有的词")


def test_what_headquarters_can_not_say_is_not_said(federation, door, member):
    share(federation, "党员责任区")
    door.answer = lambda: told(
        id_of(federation, "党员责任区"), total=None, facets=None, gap="lagging"
    )

    text = page(member)

    assert hits(text) == ["党员责任区"]
    assert "case found" not in text
    assert UNCOUNTED in text


def test_filters_come_with_the_counts_of_headquarters(federation, member):
    publish(federation.beta, GROUP, title="一号责任区", category="brand")
    publish(federation.beta, GROUP, title="二号责任区", category="rules")
    share(federation)

    text = page(member)
    assert "category=brand" in text
    assert hits(page(member, category="brand")) == ["一号责任区"]


@pytest.mark.parametrize("how", [{"order": "confirmed"}, {"replicability": "R1"}])
def test_what_headquarters_can_not_be_asked_is_looked_for_here(federation, member, how):
    share(federation, "党员责任区")

    assert UNABLE in page(member, **how)
    assert questions(federation) == 0


def test_while_headquarters_is_away_our_own_is_found_and_the_page_says_so(federation, member):
    share(federation, "党员责任区")
    keep_home(federation, "本单位责任区")
    federation.network.down.add(HQ)
    federation.network.seen.clear()

    text = page(member)

    assert hits(text) == ["本单位责任区"]
    assert AWAY in text
    asked = len(federation.network.seen)
    assert AWAY in page(member)
    assert len(federation.network.seen) == asked > 0  # It is left alone for a while.


def test_headquarters_is_asked_again_after_a_while(federation, member, monkeypatch):
    share(federation, "党员责任区")
    federation.network.down.add(HQ)
    assert AWAY in page(member)
    federation.network.down.remove(HQ)
    now = searching.monotonic()
    monkeypatch.setattr(searching, "monotonic", lambda: now + 120)

    assert hits(page(member)) == ["党员责任区"]


def test_nobody_is_asked_whom_we_fail_to_pull_from(federation, member):
    share(federation, "党员责任区")
    with federation.alpha.app_context(), transaction():
        db.session.execute(update(Peer).values(failing_since=clock.now(), failure="unreachable"))

    assert AWAY in page(member)
    assert questions(federation) == 0


def test_a_reader_never_waits_for_a_slow_headquarters(door, member, monkeypatch):
    monkeypatch.setattr(searching, "PATIENCE", 0.05)
    over, begun = Event(), monotonic()
    door.answer = lambda: over.wait(30) and told()
    try:
        assert AWAY in page(member)
        assert monotonic() - begun < 10
    finally:
        over.set()


def test_a_question_that_is_refused_silences_no_other(door, member, federation):
    door.answer = lambda: ({"code": "invalid"}, 400)
    assert AWAY in page(member)
    door.answer = told

    assert AWAY not in page(member)


@pytest.mark.parametrize("answer", NONSENSE, ids=range(len(NONSENSE)))
def test_an_answer_that_makes_no_sense_is_none(federation, door, member, answer):
    keep_home(federation, "本单位责任区")
    door.answer = lambda: Response(answer, content_type="application/json")

    text = page(member)

    assert door.asked
    assert hits(text) == ["本单位责任区"]
    assert AWAY in text


@pytest.mark.parametrize(
    "answer",
    [
        ({}, 429, {"Retry-After": "9" * 5_000}),
        ({}, 200, {"Date": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}),
        ({}, 301, {"Location": "https://elsewhere.test"}),
        ({}, 500),
        ("", 204),
    ],
)
def test_an_answer_with_an_odd_head_is_no_error_page(federation, door, member, answer):
    keep_home(federation, "本单位责任区")
    door.answer = lambda: answer

    assert hits(page(member)) == ["本单位责任区"]
    assert door.asked


@pytest.mark.parametrize("life", [10**400, -(10**400), 0, True, "600", None])
def test_a_token_that_holds_for_ever_is_no_error_page(federation, member, life):
    keep_home(federation, "本单位责任区")
    federation.headquarters.view_functions["oauth.token"] = everybody(
        lambda: {"access_token": "x", "expires_in": life}
    )
    set_up(federation.alpha)

    assert AWAY in page(member)


def test_whatever_else_an_answer_holds_is_not_shown(federation, door, member):
    share(federation, "党员责任区")
    id_ = id_of(federation, "党员责任区")
    lies = {"title": "假的", "snippet": "<script>alert(1)</script>", "unit": "假的", "origin": HQ}
    facets = {"level": [{"value": "<b>单位", "count": 1}, {"value": "别的", "count": 1}]}
    door.answer = lambda: told(
        hits=[{"id": id_, "score": 2} | lies], total=1, facets=facets | {"secret": []}
    )

    raw = member.get("/search", query_string={"q": WORD}).text

    assert "假的" not in raw
    assert "alert(1)" not in raw
    assert "&lt;b&gt;单位" in raw


def test_a_program_is_told_how_far_was_looked(federation):
    share(federation, "党员责任区")
    keep_home(federation, "本单位责任区")
    with federation.alpha.app_context(), transaction():
        headers = bearer(make_token(make_person("", Role.READER)))

    def ask(**more: Any) -> dict[str, Any]:
        client = federation.alpha.test_client()
        address = {"q": WORD} | more
        return client.get("/api/v1/search", query_string=address, headers=headers).json

    found = ask()
    assert ([hit["title"] for hit in found["hits"]], found["reach"]) == (["党员责任区"], "all")
    assert found["total"] == 1
    here = ask(here="1")
    assert [hit["title"] for hit in here["hits"]] == ["本单位责任区"]
    assert "reach" not in here
    assert ask(order="confirmed")["reach"] == "unable"
    federation.network.down.add(HQ)
    assert ask()["reach"] == "away"


def test_a_relay_is_asked_in_place_of_headquarters_and_else_headquarters(federation):
    beta, relay = federation.beta, federation.alpha
    federation.sync()
    set_up(relay, is_relay=True, search_delegate=False)
    with relay.app_context():
        offering.offer_missing()
    accept(beta, invite(relay, beta, PeerKind.SIBLING))
    set_up(beta, relay=ALPHA, search_delegate=True)
    publish(federation.headquarters, GROUP, title="党员责任区")
    share(federation)
    index(beta)
    member = sign_in(beta, add_member(beta))
    federation.network.seen.clear()

    assert hits(page(member)) == ["党员责任区"]
    assert ("POST", f"{ALPHA}/fed/v1/search") in federation.network.seen
    assert questions(federation) == 0

    with beta.app_context(), transaction():
        is_relay = Peer.origin == ALPHA
        db.session.execute(update(Peer).where(is_relay).values(failing_since=clock.now()))
    assert hits(page(member)) == ["党员责任区"]
    assert questions(federation) == 1


def test_a_node_without_headquarters_searches_alone(federation, member):
    with federation.alpha.app_context(), transaction():
        db.session.execute(update(Peer).values(state="suspended"))

    assert AWAY in page(member)
    assert questions(federation) == 0

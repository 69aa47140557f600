"""What a result says so that one can choose: its place, its level, and how it is proven."""

from uuid import uuid4

import pytest
from flask import Flask

from hub import clock
from hub.cases import service as cases
from hub.cases.models import Feedback, Remark, Standing
from hub.config import of_this_node, settings
from hub.database import db, insert_missing, transaction
from hub.identity.models import EVERYBODY, MEMBERS
from hub.journal import log
from hub.search import service
from hub.search.engine import ABOVE, Order
from hub.search.follower import Follower, follow_once
from hub.search.places import label, places_of, tree
from tests.federation.test_urls import statements
from tests.search.published import CHANNELS, id_of, publish, readdress

STRANGERS, COLLEAGUES = frozenset({EVERYBODY}), frozenset({EVERYBODY, MEMBERS})


@pytest.fixture
def node(alpha: Flask):
    with alpha.app_context():
        yield alpha
        of_this_node(Follower).close()


def search(audiences: frozenset[str] = STRANGERS, **more: object) -> service.Results:
    db.session.rollback()
    return service.search("", audiences=audiences, **more)  # type: ignore[arg-type]


def adopt(
    entry_id: str, audience: str = EVERYBODY, count: int = 1, visibility: str = "public"
) -> None:
    """Let some units report success, as if their reports had been released to an audience."""
    rows = [
        {
            "id": uuid4(), "origin": "https://beta.test", "entry_id": str(uuid4()),
            "digest": "0" * 64, "type": Remark.ADOPTION, "document_id": id_of(entry_id),
            "text": "", "unit": f"Unit {number}", "post": "", "state": Standing.ACCEPTED,
            "audience": audience, "channels": [], "reason": "", "said_at": clock.now(),
            "outcome": "successful", "is_confirmed": True, "level": "branch",
        }
        for number in range(count)
    ]  # fmt: skip
    with transaction():
        insert_missing(Feedback, rows)
        cases.receive(log.readdress(entry_id, CHANNELS[visibility]))


def place(*names: str) -> str:
    return ABOVE.join((settings().enterprise, *names))


def test_places_are_all_above_a_unit_and_itself() -> None:
    assert places_of("acme", "Node", ["Top", "Dock"], "Dock") == [
        "acme", "acme\tTop", "acme\tTop\tDock",
    ]  # fmt: skip
    assert places_of("acme", "Node", [], "Dock") == ["acme", "acme\tNode", "acme\tNode\tDock"]
    assert places_of("acme", "Node", [], "") == ["acme", "acme\tNode"]
    assert len(places_of("acme", "Node", ["x" * 200] * 12, "")) == 5, "longer ones can't be asked"


def test_the_tree_leads_from_the_enterprise_down_and_back() -> None:
    counts = [("a", 5), ("a\tT", 5), ("a\tT\tx", 3), ("a\tT\ty", 2), ("a\tT\tx\tz", 1), ("b", 1)]
    names = {"a": "Acme"}
    shown = [(one.name, one.depth, one.hits) for one in tree(counts, "", names)]
    assert shown == [("Acme", 0, 5), ("b", 0, 1)]
    below = [one.value for one in tree(counts, "a\tT", names)]
    assert below == ["a", "a\tT", "a\tT\tx", "a\tT\ty"]
    assert [one.value for one in tree(counts[:-1], "", names)] == ["a", "a\tT"]
    assert [one.is_chosen for one in tree(counts, "a\tT\tx", names)] == [False, False, True, False]
    assert label("a\tT\tx", names) == "x"
    assert label("a", names) == "Acme"
    assert tree([], "gone\tx", {})[0].hits == 0


def test_facets_of_places_levels_and_kit_count_what_their_filters_leave(node: Flask) -> None:
    paths = (["甲公司", "一支部"], ["甲公司", "二支部"], ["甲公司", "二支部"], ["乙公司", "一支部"])
    for number, path in enumerate(paths):
        publish(f"做法{number}", unit=path[-1], unit_path=path, unit_level="branch")
    publish("没说单位的", unit="老单位", kind="pilot_lesson")
    publish("内部的", unit_path=["甲公司", "一支部"], unit_level="branch", visibility="group")
    follow_once()
    for audiences in (STRANGERS, COLLEAGUES):
        found = search(audiences)
        counts = dict(found.facets["place"])
        assert counts[place()] == found.total
        for name in ("place", "level", "kit", "replicability"):
            for value, number in found.facets[name]:
                if value:
                    assert search(audiences, filters={name: value}).total == number
        assert counts[place("甲公司")] == (3 if audiences == STRANGERS else 4)
        assert counts[place("乙公司", "一支部")] == 1, "not that of the other company"
    assert dict(search().facets["replicability"]) == {"R1": 4, "R0": 1}
    assert dict(search().facets["level"]) == {"branch": 4, "": 1}


def test_the_most_confirmed_come_first_when_asked(node: Flask) -> None:
    first, second, _ = (publish(title) for title in ("一", "二", "三"))
    adopt(first, count=3)
    adopt(second, count=1)
    follow_once()
    found = search(order=Order.CONFIRMED).hits
    assert [(hit.title, hit.effective) for hit in found] == [("一", 3), ("二", 1), ("三", 0)]


def test_an_adoption_that_not_all_may_see_changes_nothing_for_anybody(node: Flask) -> None:
    entry_id = publish("公开的做法", unit_level="branch")
    follow_once()
    before = search().facets
    adopt(entry_id, MEMBERS, count=5)
    follow_once()
    for audiences in (STRANGERS, COLLEAGUES):
        found = search(audiences)
        assert found.facets == before
        assert [(hit.adopted, hit.effective) for hit in found.hits] == [(0, 0)]
    readdress(entry_id, "group")
    follow_once()
    assert [hit.effective for hit in search(COLLEAGUES).hits] == [5]
    assert search().total == 0


def test_a_hidden_document_changes_no_count_of_any_facet(node: Flask) -> None:
    publish("公开的做法", unit_path=["甲公司"], unit_level="branch")
    follow_once()
    before = search().facets
    inside = publish("台账", unit_path=["甲公司", "暗"], visibility="group")
    adopt(inside, MEMBERS, visibility="group")
    readdress(publish("撤回的", unit_path=["甲公司", "暗"]), None)
    follow_once()
    publish("后来的", unit_path=["暗公司"], unit_level="party_group", visibility="group")
    assert search().facets == before
    follow_once()
    assert search().facets == before
    assert "暗" in str(search(COLLEAGUES).facets["place"])


def test_a_page_of_hits_costs_the_same_statements_however_many(node: Flask) -> None:
    counts = []
    for number in (2, 9):
        for one in range(number):
            adopt(publish(f"做法{number}{one}", unit_level="branch"))
        follow_once()
        client = node.test_client()
        client.get("/search")
        db.session.rollback()
        with statements() as seen:
            assert client.get("/search").status_code == 200
        counts.append(len(seen))
    assert counts[0] == counts[1]


# At the URL.


def test_the_page_says_how_far_each_case_is_proven_and_by_how_many(node: Flask) -> None:
    adopt(publish("一体化的做法", unit_level="branch"), count=12)
    publish("试点的教训", kind="pilot_lesson")
    follow_once()
    page = node.test_client().get("/search").text
    assert "12 adopted, 12 effective" in page
    assert "R0" in page
    assert "being piloted" in page
    assert "works at home" in page
    assert "示范第一党支部 (Branch)" in page
    hit = node.test_client().get("/api/v1/search?order=confirmed").json["hits"][0]
    proof = (hit["adopted"], hit["effective"], hit["replicability"], hit["level"], hit["kit"])
    assert proof == (12, 12, "R1", "branch", False)


def test_the_tree_drills_down_by_links_that_keep_the_words(node: Flask) -> None:
    for number in range(3):
        publish(f"责任区{number}", unit_path=["甲公司", f"支部{number}"])
    follow_once()
    client = node.test_client()
    assert "支部1</span>" not in client.get("/search?q=责任区").text
    answer = client.get("/search", query_string={"q": "责任区", "place": place("甲公司")})
    assert "支部1</span>" in answer.text
    assert "3 cases found" in answer.text
    chosen = client.get("/search", query_string={"place": place("甲公司", "支部1")}).text
    assert "1 case, newest first" in chosen
    assert "No case" not in chosen


def test_orders_are_links_and_odd_ones_are_the_usual(node: Flask) -> None:
    publish("责任区")
    follow_once()
    client = node.test_client()
    page = client.get("/search?q=责任区").text
    assert "order=confirmed" in page
    assert "order=newest" in page
    assert "Most relevant" not in client.get("/search").text
    assert client.get("/search?q=责任区&order=odd&fits=2&place=%09%09&level=x").status_code == 200
    assert client.get("/api/v1/search?order=odd").status_code == 400


def test_ids_of_places_hold_no_markup(node: Flask) -> None:
    publish("责任区", unit_path=["<script>alert(1)</script>", "二"], unit_level="<b>")
    follow_once()
    assert "<script>alert" not in node.test_client().get("/search").text

"""More like this: lineage first, then likeness, and nothing that the reader may not read."""

import pytest
from flask import Flask

from hub.config import of_this_node
from hub.database import transaction
from hub.errors import NotFoundError
from hub.identity.models import EVERYBODY, MEMBERS, Role, Scope
from hub.search import related
from hub.search.follower import Follower, follow_once
from tests.factories import make_person, make_token
from tests.pages import bearer, sign_in
from tests.search.published import id_of, publish, readdress, revise


@pytest.fixture
def node(alpha: Flask):
    with alpha.app_context():
        yield alpha
        of_this_node(Follower).close()


def titles(entry_id: str, *audiences: str) -> list[tuple[str, str]]:
    found = related.related(id_of(entry_id), set(audiences) or {EVERYBODY})
    return [(each.title, each.why.value) for each in found]


def test_what_says_much_the_same_is_related_and_the_rest_is_not(node):
    one = publish("党员责任区挂牌上岗", "每个责任区挂一块牌子。", tags=["责任区"])
    publish("责任区的牌子怎么挂", "牌子挂在机台旁。")
    publish("积分屏为什么停了", "屏幕一亮，人就躲。")
    follow_once()

    assert titles(one) == [("责任区的牌子怎么挂", "alike")]


def test_lineage_is_told_in_both_directions_and_comes_first(node):
    first = publish("食堂明厨亮灶")
    child = publish("车间透明看板", parent_case=str(id_of(first)))
    lesson = publish("看板试点", kind="pilot_lesson", linked_case=str(id_of(child)))
    publish("车间透明看板怎么做")
    follow_once()

    assert titles(child) == [
        ("食堂明厨亮灶", "earlier"),
        ("看板试点", "later"),
        ("车间透明看板怎么做", "alike"),
    ]
    assert titles(first) == [("车间透明看板", "later")]
    assert titles(lesson)[0] == ("车间透明看板", "earlier")


def test_no_more_than_five_are_told(node):
    one = publish("党员责任区")
    for number in range(9):
        publish(f"党员责任区 {number}")
    follow_once()

    assert len(titles(one)) == 5


def test_nothing_is_told_that_the_reader_may_not_read(node):
    first = publish("责任区总方案", visibility="group")
    one = publish("党员责任区", parent_case=str(id_of(first)))
    publish("责任区密件", visibility="group", linked_case=str(id_of(one)))
    follow_once()

    assert titles(one) == []
    assert len(titles(one, EVERYBODY, MEMBERS)) == 2


def test_what_is_withdrawn_or_changed_since_is_told_no_more(node):
    one = publish("党员责任区")
    gone, changed = publish("责任区甲"), publish("责任区乙")
    follow_once()
    assert len(titles(one)) == 2

    readdress(gone, None)
    revise(changed, "积分屏", rev=2)

    assert titles(one) == []


def test_what_one_may_not_read_has_no_relatives(node):
    one = publish("党员责任区", visibility="group")
    publish("责任区公开做法")
    follow_once()

    with pytest.raises(NotFoundError):
        titles(one)


def test_what_another_node_signed_may_hold_anything(node):
    odd = [3, {"a": 1}, "x", ["y"], None, "0" * 5_000]
    ids = [publish(f"责任区{n}", parent_case=value, tags=value) for n, value in enumerate(odd)]
    follow_once()

    assert all(len(titles(one)) == 5 for one in ids)


def test_without_an_index_lineage_alone_is_told(node):
    first = publish("食堂明厨亮灶")
    child = publish("车间透明看板", parent_case=str(id_of(first)))

    assert titles(child) == [("食堂明厨亮灶", "earlier")]


def test_page_and_api_say_the_same_and_refuse_the_same(node):
    client = node.test_client()
    one = id_of(publish("党员责任区"))
    other = id_of(publish("责任区做法"))
    hidden = id_of(publish("责任区密件", visibility="group"))
    follow_once()
    with transaction():
        make_person("mei", Role.READER)
        token = bearer(make_token(make_person("", Role.READER), Scope.READ))

    listed = client.get(f"/api/v1/cases/{one}/related").json["related"]
    assert [each["id"] for each in listed] == [str(other)]
    assert sorted(listed[0]) == ["id", "kind", "published_at", "title", "unit", "why"]
    page = client.get(f"/cases/{one}/related")
    assert "责任区做法" in page.text
    assert "责任区密件" not in page.text
    assert "责任区密件" in sign_in(node, "mei").get(f"/cases/{one}/related").text
    assert len(client.get(f"/api/v1/cases/{one}/related", headers=token).json["related"]) == 2
    for case_id in (hidden, "00000000-0000-4000-8000-000000000000"):
        assert client.get(f"/cases/{case_id}/related").status_code == 404
        assert client.get(f"/api/v1/cases/{case_id}/related").status_code == 404
    assert f"/cases/{one}/related" in client.get(f"/cases/{one}").text

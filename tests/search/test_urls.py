"""The search page and the API of search, as callers meet them."""

import shutil
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient

from hub.config import of_this_node, settings
from hub.database import transaction
from hub.identity.models import Role, Scope
from hub.search.follower import Follower, follow_once
from tests.factories import make_person, make_token
from tests.pages import bearer, sign_in
from tests.search.published import publish

KEYS = [
    *("id", "origin", "kind", "title", "snippet", "unit", "published_at", "synced_at", "score"),
    *("category", "level", "replicability", "adopted", "effective", "kit"),
]


@pytest.fixture
def node(alpha: Flask):
    with alpha.app_context():
        publish("党员责任区", "把责任落实到每个责任区 <b>牌子</b>。", category="brand")
        publish("积分屏为什么停了", "积分一多，人就躲。", kind="pilot_lesson", category="rules")
        publish("内部台账减负", "台账从十二本减到三本。", visibility="group")
        follow_once()
    yield alpha
    with alpha.app_context():
        of_this_node(Follower).close()


@pytest.fixture
def stranger(node) -> FlaskClient:
    return node.test_client()


def token(node: Flask, *scopes: Scope) -> dict[str, str]:
    with node.app_context(), transaction():
        return bearer(make_token(make_person("", Role.READER), *scopes))


def test_a_stranger_finds_public_cases_by_api(stranger):
    answer = stranger.get("/api/v1/search", query_string={"q": "責任"}).json

    assert list(answer) == ["total", "page", "hits", "facets"]
    assert (answer["total"], answer["page"]) == (1, 1)
    assert sorted(answer["hits"][0]) == sorted(KEYS)
    assert answer["hits"][0]["snippet"] == (
        "把<mark>责任</mark>落实到每个<mark>责任</mark>区 &lt;b&gt;牌子&lt;/b&gt;。"
    )
    assert answer["facets"]["category"] == [{"value": "brand", "count": 1}]


def test_a_token_finds_what_its_person_may_read(node, stranger):
    asked = {"q": "台账"}

    assert stranger.get("/api/v1/search", query_string=asked).json["total"] == 0
    mine = stranger.get("/api/v1/search", query_string=asked, headers=token(node, Scope.READ))
    assert [hit["title"] for hit in mine.json["hits"]] == ["内部台账减负"]


def test_a_token_for_other_things_does_not_search(node, stranger):
    refused = stranger.get("/api/v1/search", headers=token(node, Scope.WRITE))

    assert (refused.status_code, refused.json["code"]) == (403, "scope")


def test_a_bad_token_is_refused_and_not_taken_for_a_stranger(stranger):
    assert stranger.get("/api/v1/search", headers=bearer("jw_none")).status_code == 401


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"page": "1000000000"}, "page"),
        ({"page": "1001"}, "page"),
        ({"page": "0"}, "page"),
        ({"page": "-1"}, "page"),
        ({"page": "x"}, "page"),
        ({"page": "1" * 5000}, "page"),
        ({"per_page": "1000"}, "per_page"),
        ({"per_page": "0"}, "per_page"),
        ({"per_page": "1.5"}, "per_page"),
        ({"q": "责" * 201}, "q"),
        ({"unit": "责" * 256}, "unit"),
        ({"visibility": "private"}, "visibility"),
        ({"audiences": "members"}, "audiences"),
    ],
)
def test_what_is_out_of_bounds_or_unknown_is_refused_by_name(stranger, asked, field):
    refused = stranger.get("/api/v1/search", query_string=asked)

    assert refused.status_code == 400
    assert refused.content_type == "application/problem+json"
    assert refused.json["field"] == field
    assert refused.json["code"]


def test_filters_of_the_api_leave_what_fits(stranger):
    answer = stranger.get("/api/v1/search", query_string={"kind": "pilot_lesson"}).json
    assert [hit["title"] for hit in answer["hits"]] == ["积分屏为什么停了"]

    answer = stranger.get("/api/v1/search", query_string={"kind": "' OR 1=1"}).json
    assert answer["total"] == 0


def test_the_api_says_that_the_index_is_being_rebuilt(node, stranger):
    with node.app_context():
        shutil.rmtree(settings().home / "index")

    answer = stranger.get("/api/v1/search", query_string={"q": "责任"})

    assert answer.status_code == 200
    assert (answer.json["total"], answer.json["facets"]) == (None, None)
    assert answer.json["gap"] == "rebuilding"
    assert [hit["title"] for hit in answer.json["hits"]] == ["党员责任区"]


def test_the_api_says_that_it_loosened(stranger):
    answer = stranger.get("/api/v1/search", query_string={"q": "责任区牌匾"}).json

    assert answer["loosened"] is True
    assert answer["hits"][0]["title"] == "党员责任区"


def test_the_page_shows_hits_marks_counts_and_filters(stranger):
    page = stranger.get("/search", query_string={"q": "责任"})

    assert page.status_code == 200
    assert "党员<mark>责任</mark>区" in page.text
    assert "&lt;b&gt;牌子" in page.text
    assert "1 case found" in page.text
    assert "示范第一党支部" in page.text


def test_filters_are_links_that_keep_the_words(stranger):
    page = stranger.get("/search")
    assert 'href="/search?kind=pilot_lesson"' in page.text

    narrowed = stranger.get("/search?kind=pilot_lesson&q=积分")
    assert 'href="/search?q=%E7%A7%AF%E5%88%86"' in narrowed.text
    assert "1 case found" in narrowed.text


def test_the_page_says_why_it_is_empty_and_what_to_do(node, stranger):
    empty = stranger.get("/search?q=毫无踪影")
    assert "Colleagues see more after signing in" in empty.text
    assert "/sign-in?next=/search%3Fq%3D" in unescape(empty.text)
    assert "Search without filters" in stranger.get("/search?q=责任&kind=pilot_lesson").text
    with node.app_context(), transaction():
        make_person("reader", Role.READER)
    reader = sign_in(node, "reader")
    assert "Try fewer or other words" in reader.get("/search?q=毫无踪影").text
    assert "内部<mark>台账</mark>减负" in reader.get("/search?q=台账").text


def test_the_page_says_that_the_index_is_being_rebuilt(node, stranger):
    with node.app_context():
        shutil.rmtree(settings().home / "index")

    page = stranger.get("/search?q=责任")

    assert page.status_code == 200
    assert "The search index is being rebuilt" in page.text
    assert "党员<mark>责任</mark>区" in page.text


@pytest.mark.parametrize("page", ["0", "-1", "x", "1e3", "٣", "", "99999999999999999999"])
def test_a_mistyped_page_is_the_first(stranger, page):
    assert "党员责任区" in stranger.get("/search", query_string={"page": page}).text


def test_a_page_far_down_is_refused_or_empty(stranger):
    assert "To the first page" in stranger.get("/search?page=900").text
    assert stranger.get("/search?page=1000001").status_code == 400


def test_odd_arguments_never_fail(stranger):
    for text in ("\ud7ff", "%ff", "%ED%A0%80", "责" * 5000, "<script>", "'\"&", "%0a%0d"):
        for name in ("q", "kind", "category", "unit", "origin"):
            assert stranger.get(f"/search?{name}={text}").status_code == 200
            assert stranger.get(f"/api/v1/search?{name}={text}").status_code in {200, 400}


def test_the_page_holds_no_markup_from_the_words(stranger):
    page = stranger.get("/search", query_string={"q": "<script>alert(1)</script>", "unit": "<b>"})

    assert "<script>alert" not in page.text
    assert "<b>" not in page.text

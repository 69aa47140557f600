"""What fits a unit, and the words that say why."""

import pytest
from flask import Flask
from flask_babel import force_locale

from hub.config import of_this_node
from hub.database import db, transaction
from hub.identity import service as identity
from hub.identity.models import EVERYBODY, UNKNOWN, Profile, Role, Scope
from hub.search import service
from hub.search.fitting import NOTHING, explain, tokens, wish
from hub.search.follower import Follower, follow_once
from tests.factories import make_organisation, make_person, make_token
from tests.pages import bearer, sign_in
from tests.search.published import publish

MINE = Profile("branch", "under_15", "dispersed", "power")
LEVEL_ALONE = Profile("branch")


def test_a_document_suits_whom_it_says_else_whom_it_comes_from_and_worked_for() -> None:
    context = {
        "own": {"level": "branch", "sector": "power"},
        "suits": {"sector": ["mining", "oil_gas"]},
        "worked": {"level": {"party_group": 2}, "sector": {"finance": 1}},
    }
    assert tokens(context) == [
        *("level:branch", "level:party_group", "size:any", "layout:any"),
        *("sector:mining", "sector:oil_gas"),
    ]
    assert tokens({}) == ["level:any", "size:any", "layout:any", "sector:any"]


def test_a_unit_of_which_only_the_level_is_known_asks_for_nothing() -> None:
    for profile in (UNKNOWN, LEVEL_ALONE):
        assert wish(profile, is_filter=True) == NOTHING
        assert not explain({"own": {"level": "branch"}}, profile)


def test_a_unit_needs_each_part_that_is_known_of_it_or_unknown_of_the_document() -> None:
    asked = wish(Profile("party_group", sector="power"), is_filter=True)
    assert asked.needs == (("level:party_group", "level:any"), ("sector:power", "sector:any"))
    assert asked.likes == ("level:party_group", "sector:power")
    assert wish(Profile("party_group", sector="power")).needs == ()


def test_branches_of_any_name_are_peers() -> None:
    asked = wish(Profile("joint_branch", "under_15"), is_filter=True)
    assert asked.needs[0] == (
        "level:joint_branch", "level:branch", "level:temporary_branch", "level:any",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("context", "english", "chinese"),
    [
        (
            {"own": {"level": "branch", "size": "under_15", "sector": "power"}},
            (["also from: Branch", "unit of similar size", "same sector"], []),
            (["同为党支部", "规模相近", "行业相同"], []),
        ),
        (
            {"suits": {"layout": ["concentrated"]}, "own": {"layout": "dispersed"}},
            ([], ["needs members in one place, yours are dispersed"]),
            ([], ["要求集中办公，你单位较分散"]),
        ),
        (
            {"suits": {"sector": ["mining", "finance"]}},
            ([], ["meant for other units: Coal and mining, Finance"]),
            ([], ["面向煤炭与矿业、金融"]),
        ),
        (
            {"worked": {"level": {"branch": 2, "joint_branch": 1, "party_group": 9}}},
            (["worked in 3 units of your level"], []),
            (["3 个同级单位采纳见效"], []),
        ),
        (
            {"own": {"level": "joint_branch", "sector": "mining", "size": "over_200"}},
            (
                ["from a unit of the same rank"],
                ["unit of another size", "another sector"],
            ),
            (["来自同级单位"], ["规模不同", "行业不同"]),
        ),
        (
            {"own": {"sector": "mining"}, "worked": {"sector": {"power": 1}}},
            (["worked in 1 unit of your sector"], []),
            (["1 个同行业单位采纳见效"], []),
        ),
        (
            {"suits": {"size": ["under_15"]}, "worked": {"size": {"under_15": 4}}},
            (["made for units of this size"], []),
            (["适用于同等规模"], []),
        ),
        ({}, ([], []), ([], [])),
    ],
)
def test_words_say_why_it_fits_and_why_not(alpha: Flask, context, english, chinese) -> None:
    for locale, told in (("en", english), ("zh_CN", chinese)):
        with alpha.test_request_context(), force_locale(locale):
            fit = explain(context, MINE)
            assert (list(fit.speaks_for), list(fit.speaks_against)) == told


@pytest.fixture
def node(alpha: Flask):
    with alpha.app_context():
        publish("电力支部的做法", "责任区。", unit_level="branch", unit_sector="power")
        publish("矿业支部的做法", "责任区。", unit_level="branch", unit_sector="mining")
        publish("只给集中的单位", "责任区。", suits_layouts=["concentrated"])
        publish("什么都没说", "责任区。")
        publish("内部的电力做法", "责任区。", visibility="group", unit_sector="power")
        follow_once()
        with transaction():
            described, bare = make_organisation("巡线班"), make_organisation("新单位")
            identity.set_profile(described, size="under_15", layout="dispersed", sector="power")
            reader = make_person("reader", Role.READER, organisation=described)
            make_person("newcomer", Role.ADMINISTRATOR, organisation=bare)
            alpha.extensions["test.token"] = bearer(make_token(reader, Scope.READ))
    yield alpha
    with alpha.app_context():
        of_this_node(Follower).close()


def search(text: str = "", **more: object) -> service.Results:
    db.session.rollback()
    return service.search(text, audiences={EVERYBODY}, **more)  # type: ignore[arg-type]


def test_the_filter_leaves_what_nothing_speaks_against_and_counts_it_exactly(node: Flask) -> None:
    with node.app_context():
        found = search(profile=MINE, is_fitting=True)
        assert {hit.title for hit in found.hits} == {"电力支部的做法", "什么都没说"}
        assert found.total == 2
        assert dict(found.facets["kind"]) == {"case": 2}
        assert search(profile=LEVEL_ALONE, is_fitting=True).total == 4


def test_what_fits_comes_first_without_any_filter(node: Flask) -> None:
    with node.app_context():
        found = search("责任区", profile=MINE)
        assert found.total == 4
        assert found.hits[0].title == "电力支部的做法"
        plain = search("责任区")
        assert {hit.title for hit in plain.hits} == {hit.title for hit in found.hits}
        assert not any(hit.fit for hit in plain.hits)


def test_a_word_outweighs_every_fit(node: Flask) -> None:
    with node.app_context():
        assert search("矿业", profile=MINE).hits[0].title == "矿业支部的做法"


def test_the_page_says_why_and_offers_the_filter(node: Flask) -> None:
    client = sign_in(node, "reader")
    page = client.get("/search?q=责任区").text
    assert "Only what fits my unit" in page
    assert "also from: Branch, same sector" in page
    assert "needs members in one place, yours are dispersed" in page
    narrowed = client.get("/search?q=责任区&fits=1").text
    assert "3 cases found" in narrowed, "with the one of the group"
    assert "needs members in one place" not in narrowed
    assert "fits=1" in client.get("/search?q=责任区&fits=1&page=1").text


def test_who_has_no_profile_is_told_how_to_get_one(node: Flask) -> None:
    client = sign_in(node, "newcomer")
    page = client.get("/search?q=责任区&fits=1").text
    assert "5 cases found" in page, "it is no filter then"
    assert "an administrator enters them" in page
    assert "/admin/organisations" in page
    assert "Fits your unit" not in page
    stranger = node.test_client().get("/search?q=责任区&fits=1").text
    assert "4 cases found" in stranger
    assert "an administrator enters them" not in stranger


def test_programs_ask_for_what_fits_and_are_told_why(node: Flask) -> None:
    asked = {"q": "责任区", "fits": "1"}
    with_token = node.extensions["test.token"]
    answer = node.test_client().get("/api/v1/search", query_string=asked, headers=with_token).json
    assert (answer["total"], answer["fits"]) == (3, True)
    assert answer["hits"][0]["fit"]["speaks_for"]
    stranger = node.test_client().get("/api/v1/search", query_string=asked).json
    assert (stranger["total"], stranger["fits"]) == (4, False)
    assert "fit" not in stranger["hits"][0]
    odd = node.test_client().get("/api/v1/search?fits=maybe")
    assert (odd.status_code, odd.json["field"]) == (400, "fits")

"""Searches that somebody keeps: their own, on this node, and what is new in them."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import func, select

from hub import clock
from hub.config import of_this_node
from hub.database import db, transaction
from hub.errors import NotFoundError
from hub.identity import service as identity
from hub.identity.models import EVERYBODY, MEMBERS, Person, Role
from hub.search import keeping, saved
from hub.search.errors import NothingAskedError, SavedNameError, TooManySavedError
from hub.search.follower import Follower, follow_once
from hub.search.forms import Asked
from hub.search.models import SavedSearch
from hub.search.reading import OpenIndex
from tests.factories import make_actor, make_person
from tests.pages import sign_in, submit
from tests.search.published import publish, readdress

ASKED = Asked(q="责任区", filters={"kind": "case"})


@pytest.fixture
def node(alpha: Flask):
    with alpha.app_context():
        yield alpha
        of_this_node(Follower).close()


@pytest.fixture
def mei(node) -> UUID:
    with transaction():
        return make_actor(Role.READER).person_id


def keep(person_id: UUID, name: str = "责任区", asked: Asked = ASKED) -> UUID:
    with transaction():
        return saved.save(person_id, name, asked).id


def news(person_id: UUID, *audiences: str) -> list[tuple[str, list[str]]]:
    found = saved.news_of(person_id, set(audiences) or {EVERYBODY})
    return [(each.name, [row.title for row in each.documents]) for each in found]


def test_a_search_is_kept_under_a_name_with_what_was_asked(mei):
    keep(mei, "  我的  责任区 ")

    [kept] = saved.saved_by(mei)

    assert (kept.name, kept.arguments) == ("我的 责任区", {"q": "责任区", "kind": "case"})


@pytest.mark.parametrize("name", ["", " ", "长" * 61, "a\x00b", "a\u202eb"])
def test_a_name_has_one_to_sixty_characters_that_can_be_seen(mei, name):
    with pytest.raises(SavedNameError), transaction():
        saved.save(mei, name, ASKED)


def test_a_search_for_everything_is_not_kept(mei):
    with pytest.raises(NothingAskedError), transaction():
        saved.save(mei, "全部", Asked())


def test_nobody_keeps_more_than_twenty(mei):
    for number in range(saved.MOST):
        keep(mei, str(number))

    with pytest.raises(TooManySavedError):
        keep(mei, "第二十一")


def test_what_one_keeps_exists_for_nobody_else(mei):
    saved_id = keep(mei)
    with transaction():
        other = make_actor(Role.ADMINISTRATOR).person_id

    assert list(saved.saved_by(other)) == []
    with pytest.raises(NotFoundError), transaction():
        saved.rename(other, saved_id, "别的")
    with pytest.raises(NotFoundError), transaction():
        saved.remove(other, saved_id)
    assert [kept.name for kept in saved.saved_by(mei)] == ["责任区"]


@pytest.mark.on_both
def test_it_is_renamed_and_removed_by_whom_it_belongs_to(mei):
    saved_id = keep(mei)
    with transaction():
        saved.rename(mei, saved_id, "新名称")
    assert [kept.name for kept in saved.saved_by(mei)] == ["新名称"]

    with transaction():
        saved.remove(mei, saved_id)
    assert list(saved.saved_by(mei)) == []


def test_the_news_are_what_was_published_within_a_week_newest_first(mei, monkeypatch):
    keep(mei)
    keep(mei, "台账", Asked(q="台账"))
    now = clock.now()
    for days, title in ((8, "责任区旧"), (6, "责任区甲"), (1, "责任区乙"), (0, "别的题目")):
        monkeypatch.setattr(clock, "now", lambda days=days: now - timedelta(days=days))
        publish(title)
    follow_once()

    assert news(mei) == [("责任区", ["责任区乙", "责任区甲"]), ("台账", [])]


def test_no_more_than_three_of_each_are_told_and_that_there_are_more(mei):
    keep(mei)
    for number in range(5):
        publish(f"责任区{number}")
    follow_once()

    [told] = saved.news_of(mei, {EVERYBODY})

    assert (len(told.documents), told.has_more) == (3, True)


@pytest.mark.on_both
def test_the_news_hold_nothing_that_the_reader_may_not_read(mei):
    keep(mei)
    entry_id = publish("责任区内部做法", visibility="group")
    publish("责任区公开做法")
    follow_once()

    assert news(mei) == [("责任区", ["责任区公开做法"])]
    [(_, told)] = news(mei, EVERYBODY, MEMBERS)
    assert sorted(told) == ["责任区公开做法", "责任区内部做法"]
    readdress(entry_id, None)
    assert news(mei, EVERYBODY, MEMBERS) == [("责任区", ["责任区公开做法"])]


def test_the_database_decides_what_is_told_whatever_the_index_says(mei, monkeypatch):
    keep(mei)
    publish("责任区内部做法", visibility="group")
    follow_once()
    index = of_this_node(OpenIndex)
    ask = index.search

    def ask_for_all(reader, request):
        return ask(reader, replace(request, audiences=frozenset({EVERYBODY, MEMBERS})))

    monkeypatch.setattr(index, "search", ask_for_all)

    assert news(mei) == [("责任区", [])]


def test_what_says_nothing_finds_nothing_new(mei):
    keep(mei, "标点", Asked(q="。。。"))
    publish("责任区")
    follow_once()

    assert news(mei) == [("标点", [])]


def test_without_an_index_there_are_no_news_and_no_error(mei):
    keep(mei)

    assert news(mei) == [("责任区", [])]


@pytest.mark.on_both
def test_what_somebody_kept_is_deleted_once_their_account_has_ended(mei):
    keep(mei)
    with transaction():
        stays = make_actor(Role.READER).person_id
    keep(stays)
    for person_id in (mei, stays):
        keeping.keep(person_id, "责任区")
    assert not saved.somebody_left()
    with transaction():
        identity.end_account(db.session.get_one(Person, mei))
    assert saved.somebody_left()
    with transaction():
        saved.forget_those_who_left()

    assert not saved.somebody_left()
    assert keeping.kept(mei) == []
    assert keeping.kept(stays) == ["责任区"]
    assert db.session.scalar(select(func.count()).select_from(SavedSearch)) == 1


@pytest.fixture
def pages(alpha: Flask):
    with alpha.app_context(), transaction():
        make_person("mei", Role.READER)
        make_person("other", Role.ADMINISTRATOR)
    with alpha.app_context():
        publish("党员责任区", "内容")
        publish("党员责任区二", "内容")
        follow_once()
    yield alpha
    with alpha.app_context():
        of_this_node(Follower).close()


def test_a_search_is_saved_from_its_page_and_its_news_stand_on_the_home_page(pages):
    client = sign_in(pages, "mei")
    page = client.get("/search", query_string={"q": "责任区", "kind": "case"})
    assert 'name="search" value="q=%E8%B4%A3%E4%BB%BB%E5%8C%BA&amp;kind=case"' in page.text

    answer = submit(
        client,
        "/search?q=责任区&kind=case",
        "/search/saved",
        name="我的检索",
        search="q=%E8%B4%A3%E4%BB%BB%E5%8C%BA&kind=case",
    )

    assert answer.location == "/search/saved"
    listed = client.get("/search/saved").text
    assert "我的检索" in listed
    assert "/search?q=%E8%B4%A3%E4%BB%BB%E5%8C%BA&amp;kind=case" in listed
    home = client.get("/").text
    assert home.index("我的检索") < home.index("党员责任区二")


def test_strangers_are_offered_to_save_nothing(pages):
    text = pages.test_client().get("/search", query_string={"q": "责任区"}).text

    assert "/search/saved" not in text
    assert "/search/saved" not in pages.test_client().get("/").text


def test_a_search_of_somebody_else_is_not_there(pages):
    with pages.app_context(), transaction():
        mei = identity.person_called("mei").id
        saved_id = saved.save(mei, "我的检索", ASKED).id
    client = sign_in(pages, "other")
    form = "/search?q=责任区"

    assert "我的检索" not in client.get("/search/saved").text
    assert submit(client, form, f"/search/saved/{saved_id}/name", name="x").status_code == 404
    assert submit(client, form, f"/search/saved/{saved_id}/removal").status_code == 404
    with pages.app_context():
        assert [kept.name for kept in saved.saved_by(mei)] == ["我的检索"]


def test_what_is_wrong_with_a_name_is_said_where_it_was_typed(pages):
    client = sign_in(pages, "mei")
    refused = submit(client, "/search?q=责任区", "/search/saved", name=" ", search="q=a")
    assert refused.status_code == 400
    assert "1 to 60 characters" in refused.text
    submit(client, "/search?q=责任区", "/search/saved", name="a", search="q=a")
    with pages.app_context():
        [kept] = saved.saved_by(identity.person_called("mei").id)

    refused = submit(client, "/search/saved", f"/search/saved/{kept.id}/name", name="x" * 61)

    assert refused.status_code == 400
    assert 'aria-invalid="true"' in refused.text
    assert "<details open>" in refused.text


@pytest.mark.parametrize("search", ["", "&" * 9_000, "a=b;" * 99, "q=" + "x" * 9_000, "%00%ff=q"])
def test_odd_arguments_are_mended_or_refused(pages, search):
    client = sign_in(pages, "mei")

    answer = submit(client, "/search?q=责任区", "/search/saved", name="a", search=search)

    assert answer.status_code in {303, 400}
    assert client.get("/").status_code == 200

"""Which words find which documents, in both engines."""

from dataclasses import replace

import pytest

from hub.config import of_this_node, settings
from hub.database import db
from hub.identity.models import EVERYBODY, MEMBERS
from hub.search import service
from hub.search.follower import Follower, follow_once
from hub.search.service import Results
from hub.search.snippets import as_html
from tests.search.published import publish

STRANGERS = frozenset({EVERYBODY})
COLLEAGUES = frozenset({EVERYBODY, MEMBERS})


@pytest.fixture(scope="module", params=["tantivy", "whoosh"])
def library(make_lasting_node, request):
    node = make_lasting_node(request.param)
    with node.app_context():
        node.extensions["hub.settings"] = replace(settings(), search_engine=request.param)
        fill()
        yield node
        of_this_node(Follower).close()


def fill():
    publish("国有企业党的建设这一年", "2026年3月，投入1,200元，三项 policies。", tags=["提质"])
    publish("党员责任区", "自2026-03起，责任区有牌子。COVID-19 期间也在。", unit="能源公司党委")
    publish("班组台账", "台账从十二本减到三本，支部书记带头。", tags=["减负"])
    publish("内部方案", "责任区与国企党建的内部方案。", visibility="group", unit="绝密装置党支部")
    follow_once()


def search(text: str, audiences: frozenset[str] = STRANGERS) -> Results:
    db.session.rollback()
    return service.search(text, audiences=audiences)


def titles(text: str, audiences: frozenset[str] = STRANGERS) -> set[str]:
    found = search(text, audiences)
    assert not found.is_loosened
    return {hit.title for hit in found.hits}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026年3月", {"国有企业党的建设这一年", "党员责任区"}),
        ("2026-03", {"国有企业党的建设这一年", "党员责任区"}),
        ("2026.3", {"国有企业党的建设这一年", "党员责任区"}),
        ("3月", {"国有企业党的建设这一年", "党员责任区"}),
        ("2026", {"国有企业党的建设这一年", "党员责任区"}),
        ("1200", {"国有企业党的建设这一年"}),
        ("１，２００元", {"国有企业党的建设这一年"}),
        ("policy", {"国有企业党的建设这一年"}),
        ("国企党建", {"国有企业党的建设这一年"}),
        ("支书", {"班组台账"}),
        ("“支书”", set()),
        ("covid-19", {"党员责任区"}),
        ("covid 19", {"党员责任区"}),
        ("19-covid", set()),
        ("dangyuan", {"党员责任区"}),
        ("zerenqu", {"党员责任区"}),
        ("dyzrq", {"党员责任区"}),
        ("nengyuan", {"党员责任区"}),
        ("tizhi", {"国有企业党的建设这一年"}),
        ("jf", {"班组台账"}),
        ("dangyuan 牌子", {"党员责任区"}),
        ("paizi", set()),
        ("标题:台账", {"班组台账"}),
        ("标题:牌子", set()),
        ("单位:能源", {"党员责任区"}),
        ("标题:能源", set()),
        ("2026 -责任区", {"国有企业党的建设这一年"}),
        ("2026 -covid-19", {"国有企业党的建设这一年"}),
        ("-台账", {"国有企业党的建设这一年", "党员责任区"}),
        ("-台账 -责任区 -国有企业", set()),
        ("-标题:责任区", {"国有企业党的建设这一年", "班组台账"}),
    ],
)
def test_what_is_found(library, text, found):
    loosened = search(text)
    assert found == (set() if loosened.is_loosened else titles(text))
    assert loosened.is_loosened or loosened.total == len(found)


@pytest.mark.parametrize(
    "text",
    [
        *("juemi", "jmzz", "neibu", "nbfa", "单位:绝密", "标题:内部", "国企党建 内部"),
        *("绝密", "绝", "j", "ju", "jue", "juem"),
    ],
)
def test_nothing_hidden_is_found_by_any_of_these_words(library, text):
    assert "内部方案" not in {hit.title for hit in search(text).hits}
    assert search("neibu", COLLEAGUES).total == 1


def test_marks_show_what_was_found(library):
    found = search("国企党建")
    assert as_html(found.marker.mark(found.hits[0].title)) == "<mark>国有企业党的建设</mark>这一年"
    assert "<mark>2026</mark>-<mark>03</mark>起" in as_html(
        search("2026年3月 牌子").hits[0].snippet
    )
    assert "<mark>1,200</mark>元" in as_html(search("1200").hits[0].snippet)
    assert "<mark>policies</mark>" in as_html(search("policy").hits[0].snippet)
    assert "<mark>支部书记</mark>" in as_html(search("支书").hits[0].snippet)


def test_without_an_index_exclusions_count_in_titles(library):
    current = settings().home / "index" / "current"
    aside = current.rename(current.with_name("aside"))
    try:
        without, with_words = search("-台账"), search("责任区 -台账")
    finally:
        aside.rename(current)

    assert {hit.title for hit in without.hits} == {"国有企业党的建设这一年", "党员责任区"}
    assert {hit.title for hit in with_words.hits} == {"党员责任区"}

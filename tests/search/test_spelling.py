"""Another spelling is offered where it finds something, and never gives away what is hidden."""

import pytest

from hub.database import db, transaction
from hub.identity.models import EVERYBODY, MEMBERS, Role
from hub.search import service, spelling
from hub.search.follower import follow_once
from hub.search.reading import OpenIndex
from tests.factories import make_person
from tests.pages import sign_in
from tests.search.published import publish, readdress

STRANGERS = frozenset({EVERYBODY})
COLLEAGUES = frozenset({EVERYBODY, MEMBERS})


def fill() -> None:
    publish("党员责任区的牌子", "责任区里有台账。", unit="能源公司党委", tags=["标准化建设"])
    publish("Digital branches", "数字化。", kind="pilot_lesson")
    publish("鹳雀穿杨之法", "穿杨。", visibility="group", unit="龘靐装置党支部", tags=["Kestrel"])
    follow_once()


@pytest.fixture
def library(node):
    fill()


@pytest.fixture
def shown(site):
    with site.app_context():
        fill()
    return site


def meant(text: str, audiences: frozenset[str] = STRANGERS, **filters: str) -> str:
    db.session.rollback()
    found = service.search(text, audiences=audiences, filters=filters)
    return spelling.meant(text, found, audiences=audiences, filters=filters)


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("责任曲", "责任区"),
        ("則任區", "责任区"),
        ("责任去 台账", "责任区 台账"),
        ("党园", "党员"),
        ("标准话", "标准化"),
        ("能原公司", "能源公司"),
        ("党员责任的牌子", "党员责任区的牌子"),
        ("标准化建涉", "标准化建设"),
        ("党员责任区的牌匾子", "党员责任区的牌子"),
        ("digitol", "digital"),
        ("Digtial", "digital"),
        ("责任曲 -平台", "责任区 -平台"),
    ],
)
def test_what_sounds_or_looks_alike_is_offered(library, text, offered):
    assert meant(text) == offered
    assert service.search(offered, audiences=STRANGERS).total


@pytest.mark.parametrize(
    "text",
    [
        "责任区",
        "牌子",
        "毫无踪影",
        "竑龘靐齉",
        "-责任曲",
        "标题:责任曲",
        "",
        "qwertyuiop",
        "责",
        "曲",
    ],
)
def test_nothing_is_offered_where_nothing_is_wrong_or_nothing_is_like_it(library, text):
    assert meant(text) == ""


def test_nothing_is_offered_that_finds_nothing(library):
    assert meant("责任曲 digital") == ""
    assert meant("责任曲", kind="pilot_lesson") == ""
    assert meant("责任曲", kind="case") == "责任区"


@pytest.mark.parametrize(
    "text",
    ["鹳雀穿扬", "灌雀穿杨", "鹳雀川杨", "穿洋", "龘靐装制", "kestral", "Kestrle", "鹳雀传扬之法"],
)
def test_nothing_hidden_is_ever_offered(library, text):
    assert meant(text) == ""
    assert meant(text, COLLEAGUES)


def test_what_was_narrowed_is_not_offered_before_the_index_knows(library):
    narrowed = publish("飞檐走壁", "")
    follow_once()
    assert meant("飞檐走闭") == "飞檐走壁"

    readdress(narrowed, "group")

    assert meant("飞檐走闭") == ""
    assert meant("飞檐走闭", COLLEAGUES) == "飞檐走壁"


def test_a_hidden_word_costs_the_same_questions_as_a_random_one(library, monkeypatch):
    asked = []
    search = OpenIndex.search
    monkeypatch.setattr(OpenIndex, "search", lambda *args: asked.append(args) or search(*args))
    counts = []
    for word in ("鹳雀穿扬", "鲲鹏展翼", "kestral", "qwertyp"):
        asked.clear()
        meant(word)
        counts.append(len(asked))

    assert counts[0] == counts[1]
    assert counts[2] == counts[3]


def test_the_questions_to_the_index_are_bounded(library, monkeypatch):
    asked = []
    search = OpenIndex.search
    monkeypatch.setattr(OpenIndex, "search", lambda *args: asked.append(args) or search(*args))
    for text in ("责任曲 " * 40, "曲" * 200, "行长重 " * 50, "digitol " * 25, "a" * 200):
        asked.clear()
        meant(text)
        assert len(asked) <= 33


def test_page_and_api_offer_it_with_the_filters_that_are_set(shown):
    stranger = shown.test_client()

    page = stranger.get("/search?q=责任曲&kind=case")
    assert "Did you mean:" in page.text
    assert 'href="/search?q=%E8%B4%A3%E4%BB%BB%E5%8C%BA&amp;kind=case"' in page.text
    assert stranger.get("/api/v1/search?q=责任曲").json["did_you_mean"] == "责任区"
    assert "did_you_mean" not in stranger.get("/api/v1/search?q=责任区").json
    assert "Did you mean:" not in stranger.get("/search?q=鹳雀穿扬").text
    assert "did_you_mean" not in stranger.get("/api/v1/search?q=鹳雀穿扬").json
    with shown.app_context(), transaction():
        make_person("reader", Role.READER)
    assert "鹳雀穿杨" in sign_in(shown, "reader").get("/search?q=鹳雀穿扬").text


def test_an_offer_is_text(shown):
    page = shown.test_client().get("/search", query_string={"q": "<责任曲>"})

    assert "&lt;责任区&gt;</a>" in page.text
    assert "<责任" not in page.text

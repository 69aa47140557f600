"""What is suggested while somebody types, to whom, and what never is."""

import pytest

from hub.config import of_this_node
from hub.database import db, transaction
from hub.identity.models import EVERYBODY, MEMBERS, Role, Scope
from hub.search import keeping, suggestions
from hub.search.follower import follow_once
from hub.search.reading import OpenIndex
from hub.search.suggestions import Kind, Suggestion, suggest
from tests.factories import make_actor, make_person, make_token
from tests.pages import bearer, csrf_token, sign_in
from tests.search.published import publish, readdress

STRANGERS = frozenset({EVERYBODY})
COLLEAGUES = frozenset({EVERYBODY, MEMBERS})
UNIT = "示范第一党支部"
WORDS = ("鹳雀穿杨", "guanquechuanyang", "gqcy", "龘靐装置", "zhuangzhi", "穿杨", "Kestrel")


def fill() -> None:
    publish("党员责任区", "责任。", unit="能源公司党委", tags=["班组", "Digital twins"])
    publish("数字黨建平臺", "平台。", tags=["数字党建"])
    hidden = {"visibility": "group", "unit": "龘靐装置党支部", "tags": ["穿杨", "Kestrel"]}
    publish("鹳雀穿杨", "穿杨。", **hidden)
    follow_once()


@pytest.fixture
def library(node):
    fill()


@pytest.fixture
def shown(site):
    with site.app_context():
        fill()
    return site


def texts(text: str, audiences: frozenset[str] = STRANGERS) -> list[str]:
    db.session.rollback()
    return [one.text for one in suggest(text, audiences=audiences)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("责", ["党员责任区"]),
        ("責任", ["党员责任区"]),
        ("任区", ["党员责任区"]),
        ("能源", ["能源公司党委"]),
        ("班", ["班组"]),
        ("d", ["Digital twins"]),
        ("digi", ["Digital twins"]),
        ("twin", ["Digital twins"]),
        ("dangyuan", ["党员责任区"]),
        ("dangyuanz", ["党员责任区"]),
        ("dangyuanze", ["党员责任区"]),
        ("zerenq", ["党员责任区"]),
        ("dyzr", ["党员责任区"]),
        ("党员 qu", ["党员责任区"]),
        ("shuzi", ["数字黨建平臺", "数字党建"]),
        ("毫无踪影", []),
        ("zzzz", []),
        ("", []),
        (" ", []),
    ],
)
def test_titles_units_and_tags_are_suggested(library, text, found):
    assert texts(text) == found


def test_what_begins_so_comes_first(library):
    publish("把党员责任区说清楚", "")
    follow_once()

    assert texts("dangyuan") == texts("党员") == ["党员责任区", "把党员责任区说清楚"]


def test_a_whole_word_does_not_go_on(library):
    assert texts("digital ") == ["Digital twins"]
    assert texts("digi ") == []


def test_suggestions_are_few_and_each_comes_once(library):
    for number in range(12):
        publish(f"台账之{number}", "", tags=["台账"], unit="台账")
    follow_once()

    found = texts("台账")
    assert len(found) == suggestions.MOST
    assert found.count("台账") == 1


def test_each_says_where_it_stands(library):
    assert suggest("能源", audiences=STRANGERS) == [Suggestion("能源公司党委", Kind.UNIT)]
    assert suggest("班", audiences=STRANGERS) == [Suggestion("班组", Kind.TAG)]


def test_letter_by_letter_nothing_hidden_is_suggested(library):
    shown = {
        "党员责任区",
        "数字黨建平臺",
        "数字党建",
        "Digital twins",
        "能源公司党委",
        "班组",
        UNIT,
    }
    for word in WORDS:
        for end in range(1, len(word) + 1):
            assert set(texts(word[:end])) <= shown
        assert texts(word) == []
        assert texts(word, COLLEAGUES)


def test_a_hidden_word_costs_the_same_questions_as_a_random_one(library, monkeypatch):
    asked = []
    search = OpenIndex.search
    monkeypatch.setattr(
        OpenIndex, "search", lambda *args: asked.append(args[2].query) or search(*args)
    )
    for word in ("鹳雀", "竑龘", "kestrel", "qwertyu"):
        texts(word)

    assert len(asked) == 4


def test_what_was_withdrawn_or_narrowed_is_not_suggested_before_the_index_knows(node, library):
    gone, narrowed = publish("马上撤回"), publish("即将收窄")
    follow_once()
    assert texts("马上") + texts("即将") == ["马上撤回", "即将收窄"]

    readdress(gone, None)
    readdress(narrowed, "group")

    assert texts("马上") + texts("即将") == []
    assert texts("即将", COLLEAGUES) == ["即将收窄"]


@pytest.mark.parametrize(
    "text",
    ["*", "d*", "|", "^责", "@能", '"', "-", "\x00", "a" * 500, "责" * 500, "é\u0301", "标题:"],
)
def test_odd_input_suggests_nothing_wrong(library, text):
    assert set(texts(text)) <= {"党员责任区", "能源公司党委", "Digital twins"}


def test_without_an_index_there_are_none(library):
    (of_this_node(OpenIndex).shelf.path / "current").unlink()

    assert texts("责") == []


@pytest.fixture
def reader(node):
    with transaction():
        return make_actor(Role.READER).person_id


def keep(person, *searches: str) -> None:
    for text in searches:
        db.session.rollback()
        keeping.keep(person, text)
    db.session.rollback()


def test_the_last_searches_of_ones_own_are_suggested_first(library, reader):
    keep(reader, "责任区 牌子", "党员积分", "责任区 牌子")

    found = suggest("责任", audiences=STRANGERS, person_id=reader)
    assert found[0] == Suggestion("责任区 牌子", Kind.OWN)
    assert [one.text for one in suggest("", audiences=STRANGERS, person_id=reader)] == [
        "责任区 牌子",
        "党员积分",
    ]
    assert suggest("", audiences=STRANGERS) == []


@pytest.mark.on_both
def test_the_last_twenty_are_kept_each_once(node, reader):
    keep(reader, *(f"台账{number}" for number in range(25)), "台账7", "台账24")

    kept = keeping.kept(reader)
    assert len(kept) == keeping.MOST_KEPT
    assert kept[:2] == ["台账24", "台账7"]
    assert "台账4" not in kept


@pytest.mark.on_both
def test_who_wants_none_kept_has_none(node, reader):
    keep(reader, "台账")
    with transaction():
        keeping.choose(reader, is_kept=False)
    assert keeping.kept(reader) == []

    keep(reader, "牌子")
    assert keeping.kept(reader) == []

    with transaction():
        keeping.choose(reader, is_kept=True)
    keep(reader, "牌子")
    assert keeping.kept(reader) == ["牌子"]


def _signed_in(node, username: str):
    with node.app_context(), transaction():
        make_person(username, Role.READER)
    return sign_in(node, username)


def test_the_page_answers_json_to_anyone_and_shows_nothing_hidden(shown):
    stranger, member = shown.test_client(), _signed_in(shown, "reader")

    answer = stranger.get("/search/suggestions?q=责任")
    assert answer.json == [{"text": "党员责任区", "kind": "title"}]
    assert "private" in answer.headers["Cache-Control"]
    assert stranger.get("/search/suggestions?q=鹳雀").json == []
    assert member.get("/search/suggestions?q=鹳雀").json == [{"text": "鹳雀穿杨", "kind": "title"}]
    assert stranger.get("/search/suggestions").json == []


def test_the_api_answers_as_the_token_allows(shown):
    client = shown.test_client()
    with shown.app_context(), transaction():
        person = make_person("", Role.READER)
        reading, writing = make_token(person, Scope.READ), make_token(person, Scope.WRITE)
    address = "/api/v1/suggestions?q=鹳雀"

    assert client.get(address).json == []
    assert client.get(address, headers=bearer(reading)).json[0]["text"] == "鹳雀穿杨"
    assert client.get(address, headers=bearer(writing)).status_code == 403
    assert client.get(address, headers=bearer("jw_none")).status_code == 401
    assert client.get("/api/v1/suggestions", query_string={"q": "责" * 201}).json["field"] == "q"
    assert client.get("/api/v1/suggestions?x=1").status_code == 400


@pytest.mark.on_both
def test_only_what_found_something_is_kept_and_only_for_its_reader(shown):
    mine, other = _signed_in(shown, "mine"), _signed_in(shown, "other")
    for text in ("责任区", "责任区牌匾", "毫无踪影", ""):
        mine.get("/search", query_string={"q": text})

    assert mine.get("/search/suggestions").json == [{"text": "责任区", "kind": "own"}]
    assert other.get("/search/suggestions").json == []
    assert shown.test_client().get("/search/suggestions").json == []
    assert "责任区" in mine.get("/me/searches").text
    assert "责任区" not in other.get("/me/searches").text


@pytest.mark.on_both
def test_ones_searches_can_be_deleted_and_switched_off(shown):
    reader, other = _signed_in(shown, "reader"), _signed_in(shown, "other")
    for browser in (reader, other):
        for text in ("责任区", "平台", "党员"):
            browser.get("/search", query_string={"q": text})
    proof = {"csrf_token": csrf_token(reader.get("/me/searches"))}

    reader.post("/me/searches/deletion", data={**proof, "text": "平台"})
    assert [one["text"] for one in reader.get("/search/suggestions").json] == ["党员", "责任区"]
    assert len(other.get("/search/suggestions").json) == 3

    reader.post("/me/searches/choice", data={**proof, "keep": "no"})
    reader.get("/search?q=责任区")
    assert reader.get("/search/suggestions").json == []
    assert "None are kept" in reader.get("/me/searches").text

    reader.post("/me/searches/choice", data={**proof, "keep": "yes"})
    reader.get("/search?q=责任区")
    assert len(reader.get("/search/suggestions").json) == 1
    reader.post("/me/searches/deletion", data=proof)
    assert reader.get("/search/suggestions").json == []
    assert len(other.get("/search/suggestions").json) == 3

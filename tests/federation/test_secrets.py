"""A word that stands in one case only: who finds it, by which road, on which node.

Five cases of alpha, one of each visibility, each with a word of its own in its title, its text,
its unit and its tags. Every reader of every node asks for every word by every road.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, event, select

from hub.cases import service as cases
from hub.cases.models import Document, State
from hub.config import of_this_node, settings
from hub.database import db, transaction
from hub.federation.feeds import atom
from hub.identity.models import Organisation, Person, Role, Scope
from hub.search import building
from hub.search import follower as search
from hub.search.coordination import Coordination
from hub.search.models import PastSearch
from hub.search.shelves import shelf_of
from tests.conftest import NODES as KINDS
from tests.conftest import MakeNode, save
from tests.factories import (
    make_actor,
    make_case,
    make_organisation,
    make_person,
    make_token,
    root_organisation,
)
from tests.federation.test_exchange import Federation, meet
from tests.federation.test_feeds import settle
from tests.in_process import connect
from tests.pages import bearer, sign_in

# Characters that stand nowhere else: each word is found whole or not at all.
WORDS = {
    "unit": "璎珞瓔",
    "node": "琬琰珵",
    "group": "琮璜璋",
    "partners": "珩瑀琚",
    "public": "璇玑瑾",
}
NONSENSE = "瓘瓛瓒"  # Stands in no case at all.
NODES = ("headquarters", "alpha", "beta", "partner")
# Who, on which node, may read which of the cases.
MAY = {
    ("alpha", "stranger"): {"public"},
    ("alpha", "colleague"): {"node", "group", "partners", "public"},
    ("alpha", "member"): {"unit", "node", "group", "partners", "public"},
    ("alpha", "reviewer"): {"unit", "node", "group", "partners", "public"},
    ("headquarters", "stranger"): {"public"},
    ("headquarters", "colleague"): {"group", "partners", "public"},
    ("headquarters", "reviewer"): {"group", "partners", "public"},
    ("beta", "stranger"): {"public"},
    ("beta", "colleague"): {"group", "partners", "public"},
    ("beta", "reviewer"): {"group", "partners", "public"},
    ("partner", "stranger"): {"public"},
    ("partner", "colleague"): {"partners", "public"},
    ("partner", "reviewer"): {"partners", "public"},
}
TOKEN = re.compile(r'(name="csrf_token"[^>]*value|nonce)="[^"]+"')
REVIEWING = (Role.SECRECY_REVIEWER, Role.BRANCH_SECRETARY, Role.SIGNATORY)
every_reader = pytest.mark.parametrize(
    ("node", "who"), MAY, ids=[" ".join(reader) for reader in MAY]
)


@dataclass
class World:
    """The nodes, and the ids of the cases by their visibility."""

    federation: Federation
    ids: dict[str, str]

    def node(self, name: str) -> Flask:
        return getattr(self.federation, name)

    def reader(self, node: str, who: str) -> "Reader":
        """Return a reader at a browser and with a program."""
        app = self.node(node)
        if who == "stranger":
            return Reader(app.test_client(), {}, self.ids["public"])
        with app.app_context(), transaction():
            person = db.session.scalars(select(Person).where(Person.username == who)).one()
            token = make_token(person, Scope.READ)
        return Reader(sign_in(app, who), bearer(token), self.ids["public"])


@dataclass
class Reader:
    """Somebody who asks a node."""

    browser: FlaskClient
    token: dict[str, str]
    public: str  # Id of the case that everybody reads.

    def ask(self, address: str, **arguments: str) -> str:
        """Return what is answered, a page to the browser and the API to a program."""
        headers = self.token if address.startswith("/api/") else {}
        answer = self.browser.get(address, query_string=arguments, headers=headers)
        return json.dumps(answer.json, ensure_ascii=False) if answer.is_json else answer.text


def furnish(headquarters: Flask, alpha: Flask, beta: Flask, partner: Flask) -> None:
    """Publish the cases, bring them wherever they go, and give every node its readers."""
    nodes = headquarters, alpha, beta, partner
    meet(*nodes)
    for node in nodes:
        with node.app_context(), transaction():
            root = root_organisation()
            make_person("colleague", Role.READER, organisation=elsewhere(root))
            make_person("reviewer", *REVIEWING, organisation=root)
    with alpha.app_context(), transaction():
        unit = make_organisation("机密示范党支部", parent=root_organisation())
        make_person("member", Role.READER, organisation=unit)
        for visibility, word in WORDS.items():
            publish(visibility, word, unit)
    Federation(*nodes, connect(*nodes)).sync()


def elsewhere(root: Organisation) -> Organisation:
    return make_organisation("别的党支部", parent=root)


def publish(visibility: str, word: str, unit: Organisation) -> None:
    make_case(
        State.PUBLISHED,
        author=make_actor(Role.AUTHOR, organisation=unit),
        visibility=visibility,
        partners=["globex"] if visibility == "partners" else [],
        title=f"责任区里的{word}",
        summary=f"摘要说到{word}。",
        body=f"正文说到{word}。",
        insight=f"启示说到{word}。",
        tags=[word],
    )


@pytest.fixture(scope="module")
def lasting_world(make_lasting_node: MakeNode) -> Iterator[World]:
    nodes = [make_lasting_node(name, **KINDS[name]) for name in NODES]
    furnish(*nodes)
    with indexed(nodes):
        yield world_of(nodes)


@pytest.fixture
def world(lasting_world: World) -> World:
    """Return what no test changes, for readers who have searched for nothing yet."""
    for name in NODES:
        with lasting_world.node(name).app_context(), transaction():
            db.session.execute(delete(PastSearch))
    return lasting_world


@pytest.fixture
def passing_world(world: World, make_node: MakeNode, tmp_path: Path) -> Iterator[World]:
    """Return a copy of it."""
    saved = {name: save(world.node(name), tmp_path / "saved") for name in NODES}
    nodes = [make_node(name, saved=saved[name], **KINDS[name]) for name in NODES]
    with indexed(nodes):
        yield world_of(nodes)


def world_of(nodes: Sequence[Flask]) -> World:
    with nodes[NODES.index("alpha")].app_context():
        titles = {
            title: str(i) for title, i in db.session.execute(select(Document.title, Document.id))
        }
    ids = {name: titles[f"责任区里的{word}"] for name, word in WORDS.items()}
    return World(Federation(*nodes, connect(*nodes)), ids)


@contextmanager
def indexed(nodes: Sequence[Flask]) -> Iterator[None]:
    """Let feeds and indexes come to rest, and let go of the indexes at the end."""
    for node in nodes:
        settle(node)
        with node.app_context():
            search.follow_once()
    yield
    for node in nodes:
        with node.app_context():
            of_this_node(search.Follower).close()


# By each road: what a reader's browser is answered, with the words that it asked for taken out.


def by_search(reader: Reader, word: str, case_id: str) -> str:
    return reader.ask("/api/v1/search", q=word)


def by_search_page(reader: Reader, word: str, case_id: str) -> str:
    page = reader.ask("/search", q=word)
    return page if case_id in page else ""


def by_list(reader: Reader, word: str, case_id: str) -> str:
    """Among all that there is, with the counts of it."""
    return reader.ask("/api/v1/search", per_page="50")


def by_address(reader: Reader, word: str, case_id: str) -> str:
    return reader.ask(f"/cases/{case_id}")


def by_api(reader: Reader, word: str, case_id: str) -> str:
    return reader.ask(f"/api/v1/cases/{case_id}")


def by_home(reader: Reader, word: str, case_id: str) -> str:
    return reader.ask("/")


def by_suggestion(reader: Reader, word: str, case_id: str) -> str:
    return reader.ask("/api/v1/suggestions", q=word[:2])


def by_typing(reader: Reader, word: str, case_id: str) -> str:
    return reader.ask("/search/suggestions", q=word[:2])


def by_mistake(reader: Reader, word: str, case_id: str) -> str:
    """With one character that is wrong: whether the right one is offered."""
    return reader.ask("/api/v1/search", q=f"责任区里的{word[:-1]}错")


def by_relatives(reader: Reader, word: str, case_id: str) -> str:
    """Beside the public case, which is much like the others."""
    if case_id == reader.public:
        return reader.ask(f"/cases/{case_id}")
    page = reader.ask(f"/cases/{reader.public}/related")
    return page + reader.ask(f"/api/v1/cases/{reader.public}/related")


def by_comparison(reader: Reader, word: str, case_id: str) -> str:
    if case_id == reader.public:
        return reader.ask(f"/cases/{case_id}")
    return reader.ask("/cases/compare", a=reader.public, b=case_id)


BESIDE_PUBLIC = ("relatives", "comparison")
ROADS: dict[str, Callable[[Reader, str, str], str]] = {
    "search": by_search,
    "search page": by_search_page,
    "list": by_list,
    "address": by_address,
    "api": by_api,
    "home": by_home,
    "suggestion": by_suggestion,
    "typing": by_typing,
    "mistake": by_mistake,
    "relatives": by_relatives,
    "comparison": by_comparison,
}


@every_reader
def test_each_reader_finds_what_they_may_and_no_trace_of_the_rest(world, node, who):
    reader, found = world.reader(node, who), {}
    for road, ask in ROADS.items():
        found[road] = {
            name
            for name, word in WORDS.items()
            if word in plain(ask(reader, word, world.ids[name]))
        }

    assert found == dict.fromkeys(ROADS, MAY[node, who])


def plain(text: str) -> str:
    """Return a text without the marks that search sets in it."""
    return text.replace("<mark>", "").replace("</mark>", "")


@pytest.mark.parametrize("node", NODES)
def test_feeds_tell_what_is_public_and_nothing_else(world, node):
    browser = world.reader(node, "stranger").browser
    for address in (atom.PATH, "/oai?verb=ListRecords&metadataPrefix=oai_dc"):
        text = browser.get(address, buffered=True).text
        told = {name for name, word in WORDS.items() if word in text}
        assert told <= {"public"}, address


def hidden_from(node: str, who: str) -> list[str]:
    return [name for name in WORDS if name not in MAY[node, who]]


@every_reader
def test_letter_by_letter_a_hidden_word_is_answered_like_nonsense(world, node, who):
    reader = world.reader(node, who)
    for name in hidden_from(node, who):
        for length in range(1, len(WORDS[name]) + 1):
            asked = (WORDS[name][:length], NONSENSE[:length])
            secret, nonsense = (answers(reader, text) for text in asked)
            assert secret == nonsense, (name, length)


def answers(reader: Reader, text: str) -> list[str]:
    """Return what is answered to a text, with the text itself taken out."""
    pages = ("/search", "/search/suggestions")
    programs = ("/api/v1/search", "/api/v1/suggestions")
    return [scrub(reader.ask(address, q=text), text) for address in (*pages, *programs)]


def scrub(page: str, text: str) -> str:
    for echo in (text, quote(text), quote(quote(text))):
        page = page.replace(echo, "")
    return TOKEN.sub("", page)


@every_reader
def test_a_hidden_word_costs_the_database_what_nonsense_costs(world, node, who):
    reader = world.reader(node, who)
    statements: list[str] = []

    def note(*values: object) -> None:
        statements.append(str(values[2]))

    def cost(text: str) -> list[str]:
        statements.clear()
        answers(reader, text)
        # The list of synonyms is read again every few seconds, whatever is asked.
        return [statement for statement in statements if "synonym_list" not in statement]

    with world.node(node).app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        plain = cost(NONSENSE)
        for name in hidden_from(node, who):
            assert cost(WORDS[name]) == plain, name
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_what_is_narrowed_or_withdrawn_is_found_by_nobody_who_lost_it_after_a_rebuild(
    passing_world,
):
    world = passing_world
    alpha = world.node("alpha")
    with alpha.app_context(), transaction():
        keeper = make_actor(*REVIEWING)
        cases.set_visibility(keeper, UUID(world.ids["group"]), "node", [])
        cases.withdraw(keeper, UUID(world.ids["public"]), "不再适用。")
    world.federation.sync()
    for name in NODES:
        with world.node(name).app_context():
            search.follow_once()
            building.build(shelf_of(settings()), Coordination(settings().home))
    for node, who in MAY:
        reader = world.reader(node, who)
        for name in ("group", "public"):
            is_left = name == "group" and node == "alpha" and who != "stranger"
            for road, ask in ROADS.items():
                if is_left and road in BESIDE_PUBLIC:
                    continue  # What it stood beside is gone.
                text = plain(ask(reader, WORDS[name], world.ids[name]))
                assert (WORDS[name] in text) == is_left, (node, who, name, road)

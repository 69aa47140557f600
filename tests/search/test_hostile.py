"""Whatever is typed is answered soon, and changes nothing for anybody else."""

import time
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from hub.config import of_this_node
from hub.search.follower import Follower, follow_once
from hub.search.queries import understand
from tests.search.hostile import QUERIES
from tests.search.published import publish

SECONDS = 2.0  # Within which any answer comes.
MOST_CLAUSES = 400  # Of one query, whatever it says.


@pytest.fixture
def stranger(alpha: Flask) -> Iterator[FlaskClient]:
    with alpha.app_context():
        for number in range(20):
            publish(f"党员责任区 {number}", "把责任落实到每个责任区，党建责任有人担。" * 20)
        follow_once()
    yield alpha.test_client()
    with alpha.app_context():
        of_this_node(Follower).close()


def test_there_are_enough_of_them():
    assert len(set(QUERIES)) >= 50


def test_each_is_answered_soon_on_the_page_and_by_api(stranger):
    for text in QUERIES:
        for address in ("/search", "/api/v1/search"):
            asked = {"q": text.encode(errors="surrogatepass")}
            start = time.perf_counter()
            answer = stranger.get(address, query_string=asked)
            taken = time.perf_counter() - start
            assert answer.status_code in {200, 400}, (address, text)
            assert taken < SECONDS, (address, text)


def test_none_of_them_becomes_more_than_some_hundred_clauses():
    for text in QUERIES:
        question = understand(text)
        for query in (question.exact, question.loose):
            ways = [way for group in query.all_of for way in group]
            ways += [*query.any_of, *query.better, *query.none_of]
            assert sum(len(way.tokens) for way in ways) <= MOST_CLAUSES, text


def test_signs_of_query_languages_are_no_more_than_the_space_between_words(stranger):
    plain = stranger.get("/api/v1/search", query_string={"q": "责任区"}).json["total"]
    for signs in ("责任区*", "(责任区)", "责任区~", "+责任区", "责任区^", "{责任区]", "责任区\\"):
        answer = stranger.get("/api/v1/search", query_string={"q": signs}).json
        assert answer["total"] == plain >= 20, signs


def test_a_page_far_down_is_refused_at_once(stranger):
    for page in ("1000000000", "99999999999999999999999", "-1", "0x10", "1e9"):
        answer = stranger.get("/api/v1/search", query_string={"page": page})
        assert answer.status_code == 400, page

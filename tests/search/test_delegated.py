"""What other nodes find here: in the channels that they read, and not a trace of anything else."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from hub.cases.models import Document
from hub.cases.service import offered
from hub.config import of_this_node
from hub.database import db, transaction
from hub.federation import closing
from hub.federation.errors import RefusedError
from hub.journal.models import GROUP, LOCAL, PUBLIC, Live, LogItem
from hub.registry.models import Peer
from hub.search.follower import Follower, follow_once
from tests.conftest import Stage
from tests.federation.test_exchange import Federation, publish, readdress
from tests.federation.test_quotas import allow
from tests.federation.test_urls import bearer, client_of, post
from tests.in_process import connect, join, pair

HQ = "https://headquarters.test"
THEIRS, OURS = "partner:globex", "partner:acme"
SECRET = "暗语"
PATH = "/fed/v1/search"


@pytest.fixture
def federation(stage: Stage) -> Federation:
    nodes = stage("four", ("headquarters", "alpha", "beta", "partner"), _meet)
    return Federation(*nodes, connect(*nodes))


def _meet(headquarters: Flask, alpha: Flask, beta: Flask, partner: Flask) -> None:
    join(headquarters, alpha)
    join(headquarters, beta)
    pair(headquarters, partner)


def index(node: Flask) -> None:
    with node.app_context():
        follow_once()
        of_this_node(Follower).close()


def ask(node: Flask, q: str = "", **more: Any) -> dict[str, Any]:
    return post(node, PATH, {"q": q} | more)


def titles(node: Flask, q: str = "", **more: Any) -> set[str]:
    """Return what a node finds; whatever else it is told must say the same."""
    answer = ask(node, q, **more)
    found = {hit["title"] for hit in answer["hits"]}
    assert answer["total"] == len(found)
    assert sum(row["count"] for row in answer["facets"]["kind"]) == len(found)
    return found


def refused(node: Flask, body: Any) -> tuple[int, str]:
    with pytest.raises(RefusedError) as caught:
        post(node, PATH, body)
    return caught.value.answered, caught.value.refusal


def test_each_peer_finds_what_stands_in_the_channels_that_it_reads(federation):
    everywhere = {GROUP: "集团", PUBLIC: "公开", THEIRS: "给伙伴", LOCAL: "自留"}
    for channel, title in everywhere.items():
        publish(federation.headquarters, channel, title=f"{SECRET}{title}")
    publish(federation.alpha, GROUP, title=f"{SECRET}子公司集团")
    publish(federation.alpha, GROUP, PUBLIC, title=f"{SECRET}子公司公开")
    publish(federation.partner, OURS, title=f"{SECRET}伙伴给我们")
    publish(federation.partner, PUBLIC, title=f"{SECRET}伙伴公开")
    federation.sync()
    index(federation.headquarters)

    read_by_nodes = {"集团", "公开", "子公司集团", "子公司公开", "伙伴给我们", "伙伴公开"}
    assert titles(federation.beta, SECRET) == {SECRET + title for title in read_by_nodes}
    assert titles(federation.partner, SECRET) == {
        SECRET + title for title in ("公开", "给伙伴", "子公司公开")
    }


@pytest.mark.parametrize("is_indexed", [True, False])
def test_what_leaves_a_channel_is_found_no_more_from_that_moment(federation, is_indexed):
    kept = publish(federation.headquarters, PUBLIC, GROUP, title=f"{SECRET}一")
    gone = publish(federation.headquarters, PUBLIC, GROUP, title=f"{SECRET}二")
    index(federation.headquarters)
    assert len(titles(federation.partner, SECRET)) == 2

    readdress(federation.headquarters, kept, GROUP)
    readdress(federation.headquarters, gone)
    if is_indexed:
        index(federation.headquarters)

    assert titles(federation.partner, SECRET) == set()
    # What changed since it was indexed is left out until it is indexed again.
    assert titles(federation.beta, SECRET) == ({f"{SECRET}一"} if is_indexed else set())


def test_a_text_that_another_channel_has_newer_is_not_found(federation):
    both = (PUBLIC, GROUP)
    entry_id = publish(federation.headquarters, *both, title=f"{SECRET}第一版")
    is_public = (Live.entry_id == entry_id) & (Live.channel == PUBLIC)
    with federation.headquarters.app_context():
        first = db.session.execute(select(Live.seq, Live.entry_digest).where(is_public)).one()
    publish(federation.headquarters, *both, title=f"{SECRET}第二版", rev=2, entry_id=entry_id)
    with federation.headquarters.app_context(), transaction():
        # As when the newer revision has come in one of the channels only.
        older = {"seq": first.seq, "entry_digest": first.entry_digest}
        db.session.execute(update(Live).where(is_public).values(older))
    index(federation.headquarters)

    assert titles(federation.partner, SECRET) == set()
    assert titles(federation.beta, SECRET) == {f"{SECRET}第二版"}


def test_the_agreement_is_kept_at_each_question(federation):
    for category in ("brand", "business_integration"):
        publish(federation.headquarters, THEIRS, title=SECRET + category, category=category)
        publish(
            federation.headquarters, PUBLIC, title=f"{SECRET}open {category}", category=category
        )
    index(federation.headquarters)
    opened = {f"{SECRET}open brand", f"{SECRET}open business_integration"}
    named = {f"{SECRET}brand", f"{SECRET}business_integration"}

    assert titles(federation.partner, SECRET) == opened | named
    agree(federation, categories=["brand"])
    assert titles(federation.partner, SECRET) == opened | {f"{SECRET}brand"}
    agree(federation, shares_public=False)
    assert titles(federation.partner, SECRET) == {f"{SECRET}brand"}
    agree(federation, agreement_ends_at=None)
    assert refused(federation.partner, {}) == (403, "closed_channel")


def agree(federation: Federation, **terms: Any) -> None:
    with federation.headquarters.app_context(), transaction():
        db.session.execute(update(Peer).where(Peer.enterprise == "globex").values(**terms))


def test_what_is_hidden_here_is_found_by_nobody(federation):
    publish(federation.partner, OURS, title=f"{SECRET}伙伴")
    federation.sync()
    index(federation.headquarters)
    assert titles(federation.beta, SECRET) == {f"{SECRET}伙伴"}

    with federation.headquarters.app_context(), transaction():
        closing.close("https://partner.test")

    assert titles(federation.beta, SECRET) == set()


def test_the_database_decides_whatever_the_index_says(federation, monkeypatch):
    publish(federation.headquarters, GROUP, title=f"{SECRET}集团")
    monkeypatch.setattr(
        "hub.search.indexing.words_of",
        lambda ids: {id_: [offered.OURS + PUBLIC, offered.ANY + PUBLIC] for id_ in ids},
    )
    index(federation.headquarters)

    answer = ask(federation.partner, SECRET)

    assert answer["hits"] == []
    assert not answer["total"]


def test_what_may_not_be_handed_on_is_found_by_nobody(federation):
    publish(federation.headquarters, GROUP, title="另一篇")
    publish(federation.alpha, GROUP, title=f"{SECRET}不转发")
    federation.sync()
    with federation.headquarters.app_context(), transaction():
        position = select(Document.position).where(Document.title.startswith(SECRET))
        item = db.session.scalars(select(LogItem).where(LogItem.position.in_(position))).one()
        db.session.delete(item)
    index(federation.headquarters)

    assert titles(federation.beta, SECRET) == set()


def test_the_answer_is_that_of_the_api_but_for_figures_of_adoptions(federation):
    publish(federation.headquarters, PUBLIC, GROUP, title="党员责任区", category="brand")
    publish(federation.headquarters, PUBLIC, GROUP, title="台账责任区", category="rules")
    index(federation.headquarters)

    asked = {"filters": {"category": "brand"}, "order": "newest", "page": 1, "per_page": 5}
    answer = ask(federation.beta, "责任区", **asked)
    same = (
        federation.headquarters.test_client()
        .get("/api/v1/search?q=责任区&category=brand&order=newest&page=1&per_page=5")
        .json
    )
    for name in ("replicability", "adopted", "effective"):
        for hit in same["hits"]:
            del hit[name]
        same["facets"].pop(name, None)

    assert answer == same
    assert [hit["title"] for hit in answer["hits"]] == ["党员责任区"]
    assert ask(federation.beta, per_page=1, page=2)["page"] == 2


def test_without_an_index_titles_are_compared_under_the_same_rules(federation):
    publish(federation.headquarters, GROUP, title=f"{SECRET}集团")
    publish(federation.headquarters, PUBLIC, title=f"{SECRET}公开")
    publish(federation.headquarters, LOCAL, title=f"{SECRET}自留")

    answers = [ask(node, SECRET) for node in (federation.beta, federation.partner)]

    assert [answer["gap"] for answer in answers] == ["rebuilding"] * 2
    assert [{hit["title"] for hit in answer["hits"]} for answer in answers] == [
        {f"{SECRET}集团", f"{SECRET}公开"},
        {f"{SECRET}公开"},
    ]


@pytest.mark.parametrize(
    "body",
    [
        *([], "责任区", {"q": 1}, {"q": "责" * 201}, {"Q": ""}, {"channels": [LOCAL]}),
        *({"audiences": ["members"]}, {"filters": {"audience": "members"}}, {"filters": []}),
        *({"order": "confirmed"}, {"filters": {"replicability": "R2"}}),
        *({"filters": {"kind": 1}}, {"filters": {"unit": "x" * 1001}}, {"order": "best"}),
        *({"page": 0}, {"page": "1"}, {"page": True}, {"per_page": 51}, {"page": 10_001}),
        {"page": 1_000, "per_page": 50},
    ],
)
def test_what_is_unknown_or_out_of_bounds_is_refused(federation, body):
    status, code = refused(federation.beta, body)

    assert status == 400
    assert code in {"invalid", "malformed", "page_too_far"}


def test_no_word_of_the_request_widens_what_is_found(federation):
    publish(federation.headquarters, GROUP, title=f"{SECRET}集团")
    publish(federation.headquarters, LOCAL, title=f"{SECRET}自留")
    index(federation.headquarters)

    for text in ("channel:group", "ours:public", "members", f"-公开 {SECRET}", f"“{SECRET}”"):
        assert titles(federation.partner, text) == set()
        assert f"{SECRET}自留" not in titles(federation.beta, text)


def test_only_peers_with_a_token_may_ask(federation):
    door = federation.headquarters.test_client()

    assert door.post(PATH, json={}, base_url=HQ).status_code == 401
    assert door.get(PATH, base_url=HQ).status_code in {401, 405}
    partner = door.post(PATH, json={}, headers=bearer(federation.partner), base_url=HQ)
    assert partner.status_code == 401  # It holds a key, and must prove that.


def test_a_peer_that_is_suspended_finds_nothing(federation):
    assert ask(federation.beta)["hits"] == []
    with federation.headquarters.app_context(), transaction():
        db.session.execute(
            update(Peer).where(Peer.origin == "https://beta.test").values(state="suspended")
        )

    assert refused(federation.beta, {})[0] == 403


def test_a_node_that_relays_nothing_answers_no_questions(federation):
    client = client_of(federation.beta)
    allow(federation.headquarters, role="subsidiary")

    with federation.beta.app_context(), pytest.raises(RefusedError) as caught:
        client.post(PATH, {})

    assert (caught.value.answered, caught.value.refusal) == (404, "not_found")


def test_questions_count_towards_the_quota_of_a_peer(federation):
    ask(federation.beta)
    allow(federation.headquarters, peer_requests_per_minute=2)
    ask(federation.beta)
    ask(federation.beta)

    assert refused(federation.beta, {})[0] == 429


def test_a_question_has_a_largest_size(federation):
    assert refused(federation.beta, {"q": "", "x": "y" * 20_000})[0] == 413

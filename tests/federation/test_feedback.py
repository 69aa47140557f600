"""Feedback on its way: beta asks about a case of alpha through headquarters; a partner reads."""

from collections.abc import Callable
from contextlib import suppress
from threading import Event
from typing import Any
from uuid import UUID

import pytest
import requests
from flask import Flask
from sqlalchemy import delete, func, select

from hub.cases import service as cases
from hub.cases.models import Document, Feedback, State
from hub.database import db, transaction
from hub.federation import feedback, hiding, puller, pusher
from hub.federation.errors import RefusedError, UnreachableError
from hub.federation.follower import Backoff, Follower
from hub.federation.models import Quarantined
from hub.identity.models import EVERYBODY, MEMBERS, Actor, Role
from hub.journal import children, log, outbox
from hub.journal.models import Entry, Outgoing
from hub.journal.signing import ENTRY, node_keys
from hub.registry import trust
from hub.registry.models import NodeKey, Reason
from tests.conftest import Stage
from tests.factories import make_actor, make_case
from tests.federation.record import THEIRS
from tests.federation.test_exchange import Federation, federation, meet
from tests.federation.test_quotas import allow
from tests.federation.test_urls import get, post, refusal
from tests.in_process import connect

__all__ = ["federation"]

HUB = "https://headquarters.test"
ALPHA, BETA, PARTNER = "https://alpha.test", "https://beta.test", "https://partner.test"


@pytest.fixture
def shared(stage: Stage) -> Federation:
    """Return four nodes with a case of alpha that the group and globex read."""
    nodes = stage("shared case", ("headquarters", "alpha", "beta", "partner"), _share)
    return Federation(*nodes, connect(*nodes))


def _share(*nodes: Flask) -> None:
    meet(*nodes)
    publish(Federation(*nodes, connect(*nodes)), "partners", ["globex"])


def publish(federation: Federation, visibility: str, partners: list[str] | None = None) -> UUID:
    with federation.alpha.app_context(), transaction():
        case = make_case(State.PUBLISHED, visibility=visibility, partners=partners or [])
        case_id = case.id
    federation.sync()
    return case_id


def case_of(node: Flask) -> UUID:
    with node.app_context():
        return db.session.scalars(select(Document.id)).one()


def ask(node: Flask, text: str = "Who books the crane?") -> UUID:
    case_id = case_of(node)
    with node.app_context(), transaction():
        question = cases.ask(make_actor(Role.AUTHOR), case_id, text)
        clear(question)
        return question


def clear(remark_id: UUID) -> None:
    """Let a remark pass secrecy review; in a transaction."""
    cases.review_remark(make_actor(Role.SECRECY_REVIEWER), remark_id, "cleared", "Nothing secret.")


def deliver(federation: Federation) -> None:
    """Let feedback travel as far as it goes: to headquarters, across, and down."""
    for _ in range(2):
        for node in (
            federation.alpha,
            federation.beta,
            federation.partner,
            federation.headquarters,
        ):
            with node.app_context():
                for origin in feedback.dialled():
                    with suppress(RefusedError):  # A partner may have to hear of a key first.
                        feedback.send(origin)
        federation.sync()


def decide(node: Flask, decision: Callable[..., Any], *values: Any) -> None:
    """Decide as the branch secretary of the case's unit on the one thing that waits."""
    with node.app_context(), transaction():
        secretary = make_actor(Role.BRANCH_SECRETARY)
        decision(secretary, cases.undecided(secretary)[0].id, *values)


def seen(node: Flask, audiences: frozenset[str] = frozenset({EVERYBODY, MEMBERS})) -> list[Any]:
    """Return what readers of a node see beside its one document: texts, each with its answers."""
    with node.app_context():
        case_id = db.session.scalars(select(Document.id)).one()
        return [
            (said["text"], [answer["text"] for answer in said["answers"]])
            for said in cases.beside(case_id, audiences, Actor())
        ]


def states(node: Flask) -> list[str]:
    with node.app_context():
        return list(db.session.scalars(select(Feedback.state).order_by(Feedback.type.desc())))


def waiting(node: Flask) -> int:
    with node.app_context():
        return db.session.scalar(select(func.count()).select_from(Outgoing)) or 0


def quarantined(node: Flask) -> list[str]:
    with node.app_context():
        return list(db.session.scalars(select(Quarantined.code)))


def lose_answers(monkeypatch: pytest.MonkeyPatch, federation: Federation, path: str) -> list[str]:
    """Let the next two answers from a path get lost on their way back."""
    lost: list[str] = []
    carry = federation.network.send

    def send(request: requests.PreparedRequest, *values: Any, **more: Any) -> requests.Response:
        answer = carry(request, *values, **more)
        if path in str(request.url) and len(lost) < 2:
            lost.append(str(request.url))
            raise requests.ConnectionError("lost on the way")
        return answer

    monkeypatch.setattr(federation.network, "send", send)
    return lost


def test_nothing_leaves_its_node_before_it_is_cleared(shared: Federation) -> None:
    case_id = case_of(shared.beta)
    with shared.beta.app_context(), transaction():
        question = cases.ask(make_actor(Role.AUTHOR), case_id, "Who books the crane?")
    deliver(shared)
    assert (waiting(shared.beta), states(shared.beta), states(shared.alpha)) == (
        0,
        ["to_clear"],
        [],
    )

    with shared.beta.app_context(), transaction():
        reviewer = make_actor(Role.SECRECY_REVIEWER)
        cases.review_remark(reviewer, question, "refused", "It names a site.")
    deliver(shared)

    assert (states(shared.beta), states(shared.alpha)) == (["declined"], [])
    with shared.beta.app_context():
        kept = select(Entry.payload).where(Entry.type == "question")
        assert db.session.scalars(kept).all() == [None]


def test_a_question_arrives_once_though_its_origin_was_away_and_answers_were_lost(
    shared: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = lose_answers(monkeypatch, shared, feedback.PATH)
    ask(shared.beta)
    for _ in range(2):
        with shared.beta.app_context(), pytest.raises(UnreachableError):
            feedback.send(HUB)
    with shared.beta.app_context():
        assert feedback.send(HUB) == 1
    assert len(lost) == 2
    assert (waiting(shared.beta), waiting(shared.headquarters)) == (0, 1)
    lost.clear()
    with shared.alpha.app_context():
        for _ in range(2):
            with pytest.raises(UnreachableError):
                puller.pull(HUB)
        puller.pull(HUB)
        puller.pull(HUB)
    assert states(shared.alpha) == ["received"]
    assert waiting(shared.headquarters) == 0


def test_feedback_that_is_throttled_is_kept_and_sent_afterwards(shared: Federation) -> None:
    allow(shared.headquarters, peer_requests_per_minute=1)
    ask(shared.beta)
    get(shared.beta, "/fed/v1/channels")
    with shared.beta.app_context(), pytest.raises(RefusedError) as caught:
        feedback.send(HUB)
    assert (caught.value.answered, caught.value.refusal) == (429, "throttled")
    assert (waiting(shared.beta), waiting(shared.headquarters)) == (1, 0)
    allow(shared.headquarters, peer_requests_per_minute=100)
    with shared.beta.app_context():
        assert feedback.send(HUB) == 1
    assert (waiting(shared.beta), waiting(shared.headquarters)) == (0, 1)


def test_what_is_repeated_after_it_was_passed_on_arrives_once(shared: Federation) -> None:
    ask(shared.beta)
    with shared.beta.app_context():
        row = outbox.waiting(HUB)[0]
        body = {"items": [{"h": row.header, "p": row.payload, "s": row.signature}]}
    deliver(shared)
    assert post(shared.beta, feedback.PATH, body)["accepted"] == [row.digest]
    deliver(shared)
    assert states(shared.alpha) == ["received"]


def test_an_accepted_question_is_seen_everywhere_with_its_answer(shared: Federation) -> None:
    question = ask(shared.beta)
    deliver(shared)
    everywhere = (shared.alpha, shared.beta, shared.headquarters, shared.partner)
    assert [seen(node) for node in everywhere] == [[]] * 4, "nobody has accepted it yet"
    decide(shared.alpha, cases.accept)
    with shared.alpha.app_context(), transaction():
        clear(cases.answer(make_actor(Role.BRANCH_SECRETARY), question, "The foreman."))
    shared.sync()
    shared.sync()
    assert [seen(node) for node in everywhere] == [[("Who books the crane?", ["The foreman."])]] * 4
    assert [quarantined(node) for node in everywhere] == [[]] * 4
    assert states(shared.beta) == ["accepted", "accepted"]


def test_the_authors_signature_travels_byte_for_byte(shared: Federation) -> None:
    ask(shared.beta)
    with shared.beta.app_context():
        row = outbox.waiting(HUB)[0]
    deliver(shared)
    decide(shared.alpha, cases.accept)
    shared.sync()
    for node in (shared.headquarters, shared.beta, shared.partner):
        with node.app_context():
            entry = db.session.get_one(Entry, row.digest)
            assert (entry.header, entry.payload, entry.signature) == tuple(row[2:])
            assert entry.origin == BETA


def test_a_partner_does_not_see_what_was_said_in_the_group(federation: Federation) -> None:
    publish(federation, "group")
    ask(federation.beta)
    deliver(federation)
    decide(federation.alpha, cases.accept)
    federation.sync()
    assert seen(federation.beta) == [("Who books the crane?", [])]
    with federation.partner.app_context():
        said = db.session.scalars(select(Entry.payload).where(Entry.type == "question"))
        assert said.all() == []


def test_a_question_asked_before_a_partner_was_let_in_is_not_shown_to_it(
    federation: Federation,
) -> None:
    case_id = publish(federation, "group")
    ask(federation.beta)
    deliver(federation)
    with federation.alpha.app_context(), transaction():
        both = make_actor(Role.BRANCH_SECRETARY, Role.SECRECY_REVIEWER, Role.GROUP_EDITOR)
        cases.set_visibility(both, case_id, "partners", ["globex"])
        cases.review_secrecy(both, case_id, decision="cleared", grounds="Fine.")
        cases.approve(both, case_id, decision="approved")
    decide(federation.alpha, cases.accept)
    federation.sync()
    assert seen(federation.beta) == [("Who books the crane?", [])]
    assert seen(federation.partner) == []


def test_a_partners_question_reaches_the_origin_and_comes_back(shared: Federation) -> None:
    ask(shared.partner, "How many cranes?")
    deliver(shared)
    assert states(shared.alpha) == ["received"]
    decide(shared.alpha, cases.accept)
    shared.sync()
    for node in (shared.alpha, shared.beta, shared.headquarters, shared.partner):
        assert seen(node) == [("How many cranes?", [])]
        assert quarantined(node) == []


def test_what_a_partner_said_is_hidden_with_its_cases_and_shown_again(shared: Federation) -> None:
    ask(shared.partner, "How many cranes?")
    deliver(shared)
    decide(shared.alpha, cases.accept)
    shared.sync()
    for change, left in ((hiding.hide, []), (hiding.lift, [("How many cranes?", [])])):
        with shared.headquarters.app_context(), transaction():
            change("globex", Reason.CLOSED)  # No answer lifts it.
        shared.sync()
        for node in (shared.alpha, shared.beta, shared.headquarters):
            assert seen(node) == left


def test_a_question_about_a_partners_case_is_posted_to_its_headquarters(
    federation: Federation,
) -> None:
    with federation.partner.app_context(), transaction():
        make_case(State.PUBLISHED, visibility="partners", partners=["acme"])
    federation.sync()
    federation.sync()
    ask(federation.beta)
    deliver(federation)
    assert states(federation.partner) == ["received"]
    decide(federation.partner, cases.accept)
    federation.sync()
    federation.sync()
    assert seen(federation.beta) == [("Who books the crane?", [])]
    assert quarantined(federation.partner) == quarantined(federation.beta) == []


def test_headquarters_asks_and_is_asked_like_any_node(federation: Federation) -> None:
    with federation.headquarters.app_context(), transaction():
        make_case(State.PUBLISHED, visibility="partners", partners=["globex"])
    federation.sync()
    ask(federation.beta)
    deliver(federation)
    assert states(federation.headquarters) == ["received"]
    decide(federation.headquarters, cases.accept)
    federation.sync()
    for node in (federation.headquarters, federation.beta, federation.partner):
        assert seen(node) == [("Who books the crane?", [])]
        assert quarantined(node) == []


@pytest.mark.on_both
def test_what_was_declined_is_seen_by_nobody(shared: Federation) -> None:
    ask(shared.beta)
    deliver(shared)
    decide(shared.alpha, cases.decline, "Asked before.")
    shared.sync()
    for node in (shared.alpha, shared.beta, shared.headquarters, shared.partner):
        assert seen(node) == []
    with shared.alpha.app_context():
        assert db.session.scalars(select(Feedback.text)).all() == [""]
        kept = select(Entry.payload).where(Entry.type == "question")
        assert db.session.scalars(kept).all() == [None]


def test_a_withdrawn_case_takes_its_questions_along_on_every_node(shared: Federation) -> None:
    question = ask(shared.beta)
    deliver(shared)
    decide(shared.alpha, cases.accept)
    with shared.alpha.app_context(), transaction():
        clear(cases.answer(make_actor(Role.BRANCH_SECRETARY), question, "The foreman."))
    shared.sync()
    case_id = case_of(shared.alpha)
    with shared.alpha.app_context(), transaction():
        cases.withdraw(make_actor(Role.BRANCH_SECRETARY), case_id, "Wrong figures.")
    shared.sync()
    for node in (shared.alpha, shared.beta, shared.headquarters, shared.partner):
        with node.app_context():
            said = select(Entry.payload).where(Entry.parent_id.is_not(None))
            assert db.session.scalars(said).all() == [None, None]
            assert set(db.session.scalars(select(Feedback.text))) == {""}
        assert seen(node) == []


def test_narrowing_takes_the_questions_from_those_who_lose_the_case_only(
    shared: Federation,
) -> None:
    ask(shared.beta)
    deliver(shared)
    decide(shared.alpha, cases.accept)
    shared.sync()
    assert seen(shared.partner) == [("Who books the crane?", [])]
    case_id = case_of(shared.alpha)
    with shared.alpha.app_context(), transaction():
        cases.set_visibility(make_actor(Role.BRANCH_SECRETARY), case_id, "group")
    shared.sync()
    assert seen(shared.partner) == []
    assert seen(shared.beta) == [("Who books the crane?", [])]


@pytest.mark.on_both
def test_a_question_whose_key_is_not_here_yet_waits_for_it(shared: Federation) -> None:
    ask(shared.beta)
    with shared.headquarters.app_context(), transaction():
        jwk = db.session.scalars(select(NodeKey).where(NodeKey.origin == BETA)).one().jwk
        db.session.execute(delete(NodeKey).where(NodeKey.origin == BETA))
    with shared.beta.app_context(), pytest.raises(RefusedError) as caught:
        feedback.send(HUB)
    assert caught.value.refusal == "unknown_key"
    assert waiting(shared.beta) == 1
    with shared.headquarters.app_context(), transaction():
        db.session.add(NodeKey(origin=BETA, kid=jwk["kid"], jwk=jwk))
    deliver(shared)
    assert states(shared.alpha) == ["received"]


@pytest.mark.on_both
def test_mail_without_its_key_stays_at_headquarters(shared: Federation) -> None:
    ask(shared.beta)
    with shared.beta.app_context():
        feedback.send(HUB)
    with shared.alpha.app_context():
        with transaction():
            jwk = db.session.scalars(select(NodeKey).where(NodeKey.origin == BETA)).one().jwk
            db.session.execute(delete(NodeKey).where(NodeKey.origin == BETA))
        puller.pull(HUB)
        assert db.session.scalars(select(Feedback)).all() == []
        with transaction():
            db.session.add(NodeKey(origin=BETA, kid=jwk["kid"], jwk=jwk))
        puller.pull(HUB)
    assert states(shared.alpha) == ["received"]


def test_headquarters_restored_from_a_backup_hands_its_mail_out_again(shared: Federation) -> None:
    ask(shared.beta)
    deliver(shared)
    with shared.alpha.app_context(), transaction():
        log.move_cursor(f"feedback {HUB}", "older:7")
    ask(shared.beta, "And at night?")
    deliver(shared)
    assert states(shared.alpha) == ["received", "received"]


def test_the_follower_sends_what_waits(shared: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = lose_answers(monkeypatch, shared, feedback.PATH)
    monkeypatch.setattr(Backoff, "fail", lambda backoff, error: 0.0)
    ask(shared.beta)
    Follower(shared.beta, Event())._send_feedback(HUB)
    assert len(lost) == 2, "it does not give up"
    assert (waiting(shared.beta), waiting(shared.headquarters)) == (0, 1)


# At the URL.


def written(node: Flask, keys: Any = None, **changes: Any) -> dict[str, Any]:
    """Return an entry about the one case of a node, signed by the node unless told otherwise."""
    with node.app_context():
        document = db.session.scalars(select(Document)).one()
        _, entry = children.sign(
            type="question",
            parent=(document.origin, document.entry_id),
            fields={"text": "Who?", "unit": "Dock branch", "post": "author"},
        )
        entry |= changes
        signed = (keys or node_keys()).sign({k: v for k, v in entry.items() if v != "-"}, ENTRY)
    return signed.as_wire()


def refused(node: Flask, *wires: Any) -> list[str]:
    answer = post(node, feedback.PATH, {"items": list(wires)})
    return [row["code"] for row in answer["refused"]]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"parent": "-"}, "parent_missing"),
        ({"parent": {"origin": ALPHA}}, "malformed"),
        ({"parent": {"origin": ALPHA, "id": "x"}}, "malformed"),
        (
            {"parent": {"origin": ALPHA, "id": "0192f0c1-1111-7000-8000-000000000009"}},
            "closed_parent",
        ),
        ({"type": "case"}, "no_feedback"),
        ({"type": "answer"}, "wrong_type"),
        ({"origin": ALPHA}, "unknown_key"),
        ({"body": "A long story."}, "unknown_field"),
        ({"author": "Zhang San"}, "unknown_field"),
        ({"fields": {"text": "Who?", "unit": "Dock branch", "person": "Zhang"}}, "unknown_field"),
        ({"fields": {"text": "Who?", "unit": "Dock branch", "post": "Zhang"}}, "unknown_choice"),
        ({"fields": {"text": "Call 13812345678.", "unit": "Dock branch"}}, "personal_data"),
        ({"fields": {"text": "x" * 2001, "unit": "Dock branch"}}, "too_long"),
        ({"fields": {"text": "x" * 300_000, "unit": "Dock branch"}}, "too_large"),
        ({"fields": {"text": "", "unit": "Dock branch"}}, "incomplete"),
        ({"fields": {"text": "Who?", "unit": ""}}, "incomplete"),
        ({"fields": {"text": "Who?", "unit": "Dock" + " " * 300}}, "invalid"),
        ({"fields": {"text": 5, "unit": "Dock branch"}}, "wrong_type"),
    ],
)
def test_bad_feedback_is_refused_alone_with_a_code(
    shared: Federation, changes: dict[str, Any], code: str
) -> None:
    answer = post(
        shared.beta,
        feedback.PATH,
        {"items": [written(shared.beta, **changes), written(shared.beta)]},
    )
    assert [(row["index"], row["code"]) for row in answer["refused"]] == [(0, code)]
    assert len(answer["accepted"]) == 1
    assert waiting(shared.headquarters) == 1


def test_feedback_under_a_revoked_key_is_refused_for_good(shared: Federation) -> None:
    with shared.headquarters.app_context(), transaction():
        key = db.session.scalars(select(NodeKey).where(NodeKey.origin == BETA)).one()
        trust.revoke(BETA, key.kid, {"cutoff": {}, "counts": {}})

    assert refused(shared.beta, written(shared.beta)) == ["revoked_key"]
    assert "revoked_key" not in feedback.PASSING


def test_forged_feedback_is_refused(shared: Federation) -> None:
    good = written(shared.beta)
    assert refused(shared.beta, written(shared.beta, THEIRS)) == ["unknown_key"]
    assert refused(shared.beta, good | {"s": "A" * 86}) == ["bad_signature"]
    assert refused(shared.beta, good | {"p": good["p"].replace("Who", "Why")}) == ["bad_signature"]
    assert waiting(shared.headquarters) == 0


def test_nobody_hands_in_what_another_node_wrote(shared: Federation) -> None:
    assert refused(shared.alpha, written(shared.beta)) == ["foreign_origin"]
    assert refused(shared.partner, written(shared.beta)) == ["foreign_origin"]


def test_only_the_origin_answers(shared: Federation) -> None:
    fields = {"text": "Me.", "unit": "Dock branch", "question": str(case_of(shared.beta))}
    assert refused(shared.beta, written(shared.beta, type="answer", fields=fields)) == [
        "closed_parent"
    ]


def test_a_partner_asks_only_about_what_was_opened_to_it(federation: Federation) -> None:
    publish(federation, "group")
    with federation.beta.app_context():
        parent = db.session.scalars(select(Document)).one()
        parent_id = parent.entry_id
    with federation.partner.app_context():
        entry, _ = children.sign(
            type="question", parent=(ALPHA, parent_id), fields={"text": "?", "unit": "Globex"}
        )
    assert refused(federation.partner, entry.as_wire()) == ["closed_parent"]


def test_a_withdrawn_case_is_asked_nothing(shared: Federation) -> None:
    wire = written(shared.beta)
    case_id = case_of(shared.alpha)
    with shared.alpha.app_context(), transaction():
        cases.withdraw(make_actor(Role.BRANCH_SECRETARY), case_id, "Wrong figures.")
    shared.sync()
    assert refused(shared.beta, wire) == ["closed_parent"]


def test_another_text_under_the_same_id_is_refused_at_the_origin(federation: Federation) -> None:
    with federation.headquarters.app_context(), transaction():
        make_case(State.PUBLISHED, visibility="group")
    federation.sync()
    one = written(federation.beta, id="0192f0c1-1111-7000-8000-000000000007")
    other = written(
        federation.beta,
        id="0192f0c1-1111-7000-8000-000000000007",
        fields={"text": "Or else?", "unit": "Dock branch"},
    )
    assert refused(federation.beta, one, one) == []
    assert refused(federation.beta, other) == ["equivocation"]
    assert states(federation.headquarters) == ["received"]


def test_types_that_have_no_page_yet_travel_the_same_road(shared: Federation) -> None:
    assert refused(shared.beta, written(shared.beta, type="adoption")) == []
    assert refused(shared.beta, written(shared.beta, type="comment")) == []
    deliver(shared)
    assert states(shared.alpha) == ["received", "received"]


@pytest.mark.on_both
def test_what_was_refused_for_good_is_not_sent_again_and_its_unit_is_told(
    shared: Federation,
) -> None:
    ask(shared.beta)
    case_id = case_of(shared.alpha)
    with shared.alpha.app_context(), transaction():
        cases.withdraw(make_actor(Role.BRANCH_SECRETARY), case_id, "Wrong figures.")
    with shared.alpha.app_context():
        pusher.push(HUB)
    with shared.beta.app_context():
        assert feedback.send(HUB) == 1
        row = db.session.scalars(select(Feedback)).one()
        assert (row.state, row.reason) == ("refused", "closed_parent")
    assert waiting(shared.beta) == 0


@pytest.mark.parametrize("body", [{}, [], {"items": {}}, {"items": [None] * 101}])
def test_a_body_that_is_no_feedback_is_refused(shared: Federation, body: Any) -> None:
    with pytest.raises(RefusedError) as caught:
        post(shared.beta, feedback.PATH, body)
    assert caught.value.answered == 400


@pytest.mark.parametrize("wire", [None, 5, [], {}, {"h": 1, "p": 2, "s": 3}])
def test_an_item_that_is_nothing_is_refused_alone(shared: Federation, wire: Any) -> None:
    assert refused(shared.beta, wire, written(shared.beta)) == ["malformed"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nobody_hands_in_or_fetches_without_a_token(headquarters: Flask, method: str) -> None:
    answer = headquarters.test_client().open(feedback.PATH, method=method, json={"items": []})
    assert answer.status_code == 401


def test_each_fetches_its_own_mail_only(shared: Federation) -> None:
    ask(shared.beta)
    with shared.beta.app_context():
        feedback.send(HUB)
    assert get(shared.beta, feedback.PATH)["items"] == []
    mail = get(shared.alpha, feedback.PATH)
    assert [item["seq"] for item in mail["items"]] == [1]
    assert get(shared.alpha, feedback.PATH) == mail, "nothing was acknowledged"
    after = f"{mail['epoch']}:1"
    assert get(shared.alpha, feedback.PATH, after=after)["items"] == []
    assert waiting(shared.headquarters) == 0


def test_a_cursor_that_the_box_never_gave_is_refused(shared: Federation) -> None:
    ask(shared.beta)
    with shared.beta.app_context():
        feedback.send(HUB)
    epoch = get(shared.alpha, feedback.PATH)["epoch"]
    assert refusal(shared.alpha, feedback.PATH, after="other:1") == (410, "cursor_gone")
    assert refusal(shared.alpha, feedback.PATH, after=f"{epoch}:2") == (409, "cursor_ahead")
    assert refusal(shared.alpha, feedback.PATH, after="x")[0] == 400


def test_the_channels_say_that_something_waits(shared: Federation) -> None:
    assert "feedback" not in get(shared.alpha, "/fed/v1/channels")
    ask(shared.beta)
    with shared.beta.app_context():
        feedback.send(HUB)
    said = get(shared.alpha, "/fed/v1/channels")
    assert said["feedback"].endswith(":1")


def test_a_held_request_returns_when_feedback_comes_in(
    shared: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched: list[list[str]] = []
    monkeypatch.setattr(
        "hub.federation.relay.Watcher.wait",
        lambda self, peer, channels, seen, seconds: watched.append(list(channels)),
    )
    get(shared.alpha, "/fed/v1/channels", wait="5")
    assert watched[0][-1] == outbox.box_of(ALPHA)

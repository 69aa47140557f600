"""The rules of the path of a case, each as a sentence."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from flask import Flask

from hub.audit import service as audit
from hub.cases import errors, service
from hub.cases.models import Case, Document, Rendering, Revision, State, public_id
from hub.cases.service import rendering
from hub.config import settings
from hub.database import db, transaction
from hub.errors import ForbiddenError, NotFoundError
from hub.identity.models import ANONYMOUS, EVERYBODY, MEMBERS, Role, unit_audience
from hub.identity.service import audiences
from hub.journal import log
from hub.registry.models import Node
from tests.factories import (
    case_fields,
    make_actor,
    make_case,
    make_organisation,
    pilot_fields,
    root_organisation,
)


@pytest.fixture(autouse=True)
def at_alpha(alpha: Flask) -> Iterator[None]:
    with alpha.app_context(), transaction():
        root_organisation()
        yield


@pytest.fixture
def author():
    return make_actor(Role.AUTHOR)


@pytest.fixture
def reviewer():
    return make_actor(Role.SECRECY_REVIEWER)


@pytest.fixture
def secretary():
    return make_actor(Role.BRANCH_SECRETARY)


@pytest.fixture
def signatory():
    return make_actor(Role.SIGNATORY)


def partners_known(*enterprises: str) -> None:
    for enterprise in enterprises:
        origin = f"https://{enterprise}.test"
        db.session.add(
            Node(origin=origin, enterprise=enterprise, name=enterprise, is_headquarters=True)
        )
    db.session.flush()


def document_of(case: Case) -> Document:
    return db.session.get_one(Document, case.id)


# Writing


def test_a_new_case_is_a_draft_of_its_author_in_their_own_unit(author):
    case = service.create(author, "case", case_fields())
    assert (case.state, case.rev, case.visibility) == ("draft", 1, "node")
    assert case.author_id == author.person_id
    assert case.unit_id == author.organisation_id
    assert case.id == public_id(settings().origin, case.entry_id)


def test_only_an_author_may_begin_a_case(secretary):
    with pytest.raises(ForbiddenError):
        service.create(secretary, "case", case_fields())


def test_an_author_writes_for_units_below_their_own_by_name_or_id(author):
    below = make_organisation("Dock branch", parent=root_organisation())
    assert service.create(author, "case", case_fields(unit="Dock branch")).unit_id == below.id
    assert service.create(author, "case", case_fields(unit=str(below.id))).unit_id == below.id


def test_an_author_writes_for_no_unit_beside_or_above_their_own():
    here = make_organisation("Here", parent=root_organisation())
    make_organisation("There", parent=root_organisation())
    author = make_actor(Role.AUTHOR, organisation=here)
    for unit in ("There", "Committee", "Nowhere", str(uuid4())):
        with pytest.raises(errors.UnknownUnitError):
            service.create(author, "case", case_fields(unit=unit))


def test_a_draft_may_lack_everything_but_its_title(author):
    service.create(author, "case", {"title": "Later"})
    with pytest.raises(errors.IncompleteError):
        service.create(author, "case", {"title": " "})


@pytest.mark.parametrize("kind", ["case", "pilot_lesson"])
def test_a_submission_names_every_field_that_is_missing(author, kind):
    case = service.create(author, kind, {"title": "Later"})
    with pytest.raises(errors.IncompleteError) as caught:
        service.submit(author, case.id)
    expected = {
        "case": "category period summary background problem practice outcomes insight "
        "preconditions contact_post",
        "pilot_lesson": "how_chosen objective scope stages indicators problems verdict "
        "copy_conditions not_suitable_for",
    }
    assert caught.value.more["missing"] == expected[kind].split()


def test_a_row_without_its_first_cell_is_missing(author):
    case = service.create(author, "case", case_fields(outcomes=[{"value": "20 h"}]))
    with pytest.raises(errors.IncompleteError) as caught:
        service.submit(author, case.id)
    assert caught.value.more["missing"] == ["outcomes.metric"]


def test_an_imported_long_form_needs_title_category_and_body_only(author):
    text = {"title": "Long", "category": "rules", "body": "字" * 5000}
    case = service.create(author, "case", text, is_long_form=True)
    assert service.submit(author, case.id).state == "secrecy_review"
    with pytest.raises(errors.TooLongError):
        service.create(author, "case", text | {"body": "字" * 5001}, is_long_form=True)
    with pytest.raises(errors.TooLongError):
        service.create(author, "case", text)


def test_only_the_author_sees_a_draft(author, reviewer, secretary, signatory):
    case = service.create(author, "case", case_fields())
    assert service.find_work(case.id, author).case is case
    for actor in (reviewer, secretary, signatory, make_actor(Role.AUTHOR), ANONYMOUS):
        with pytest.raises(NotFoundError):
            service.find_work(case.id, actor)


@pytest.mark.parametrize(
    ("state", "role"),
    [
        (State.SECRECY_REVIEW, Role.SECRECY_REVIEWER),
        (State.UNIT_REVIEW, Role.BRANCH_SECRETARY),
        (State.APPROVED, Role.SIGNATORY),
        (State.SIGNED, Role.SIGNATORY),
    ],
)
def test_a_step_is_seen_by_those_whose_it_is_and_by_the_author_alone(author, state, role):
    case = make_case(state, author=author)
    for other in (Role.SECRECY_REVIEWER, Role.BRANCH_SECRETARY, Role.SIGNATORY, Role.AUTHOR):
        actor = make_actor(other)
        if other == role:
            assert service.find_work(case.id, actor)
            assert [row[0].id for row in service.queue_of(actor)] == [case.id]
        else:
            with pytest.raises(NotFoundError):
                service.find_work(case.id, actor)
            assert not service.queue_of(actor)


def test_a_role_beside_the_unit_counts_for_nothing(author):
    beside = make_organisation("Beside", parent=root_organisation())
    below = make_organisation("Below", parent=root_organisation())
    case = make_case(State.DRAFT, author=author, unit=str(below.id))
    service.submit(author, case.id)
    stranger = make_actor(Role.SECRECY_REVIEWER, organisation=beside)
    assert not service.queue_of(stranger)
    with pytest.raises(NotFoundError):
        service.review_secrecy(stranger, case.id, decision="cleared", grounds="Fine.")


def test_only_the_author_edits_even_among_authors(author):
    case = make_case(author=author)
    with pytest.raises(NotFoundError):
        service.edit(make_actor(Role.AUTHOR), case.id, {"title": "Mine now"})


def test_somebody_who_is_no_longer_an_author_edits_nothing(author):
    case = make_case(author=author)
    stripped = type(author)(
        person_id=author.person_id, organisation_id=author.organisation_id, path=author.path
    )
    with pytest.raises(ForbiddenError):
        service.edit(stripped, case.id, {"title": "Again"})


def test_an_edit_that_saw_an_older_version_is_refused(author):
    case = make_case(author=author)
    service.edit(author, case.id, {"title": "First"}, version=1)
    with pytest.raises(errors.ChangedMeanwhileError):
        service.edit(author, case.id, {"title": "Second"}, version=1)


def test_an_edit_changes_what_it_names_and_empties_what_it_makes_null(author):
    case = make_case(author=author)
    service.edit(author, case.id, {"title": "New", "body": None, "insight": ""})
    content = service.find_work(case.id, author).content
    assert (content["title"], content["body"]) == ("New", "")
    assert "insight" not in content
    assert content["summary"] == case_fields()["summary"]


@pytest.mark.parametrize("state", [State.SECRECY_REVIEW, State.UNIT_REVIEW, State.APPROVED])
def test_every_edit_after_submission_goes_back_to_secrecy_review(author, state):
    case = make_case(state, author=author)
    service.edit(author, case.id, {"title": "Otherwise"})
    revision = service.find_work(case.id, author).revision
    assert (case.state, case.rev) == ("secrecy_review", 1)
    assert (revision.cleared_by, revision.approved_by) == (None, None)


def test_an_edit_that_changes_nothing_moves_nothing(author):
    case = make_case(State.APPROVED, author=author)
    service.edit(author, case.id, {"title": case_fields()["title"]})
    assert case.state == "approved"


def test_an_edit_after_submission_can_not_leave_the_case_incomplete(author):
    case = make_case(State.UNIT_REVIEW, author=author)
    with pytest.raises(errors.IncompleteError):
        service.edit(author, case.id, {"problem": ""})


def test_an_edit_of_a_signed_revision_opens_the_next_one(author):
    case = make_case(State.SIGNED, author=author)
    service.edit(author, case.id, {"title": "Second thoughts"})
    frozen = db.session.get_one(Revision, (case.id, 1))
    assert (case.state, case.rev) == ("secrecy_review", 2)
    assert frozen.title == case_fields()["title"]
    assert frozen.digest


def test_an_edit_of_a_published_case_opens_a_draft_and_readers_keep_the_old_one(author):
    case = make_case(State.PUBLISHED, author=author)
    service.edit(author, case.id, {"title": "Next year"})
    assert (case.state, case.rev, case.published_rev) == ("draft", 2, 1)
    assert document_of(case).title == case_fields()["title"]


def test_the_next_revision_replaces_the_old_one_when_it_is_published(
    author, reviewer, secretary, signatory
):
    case = make_case(State.PUBLISHED, author=author)
    service.edit(author, case.id, {"title": "Next year"})
    service.submit(author, case.id)
    service.review_secrecy(reviewer, case.id, decision="cleared", grounds="Fine.")
    service.approve(secretary, case.id, decision="approved")
    service.sign(signatory, case.id)
    service.publish(signatory, case.id)
    assert (case.state, case.published_rev) == ("published", 2)
    assert (document_of(case).title, document_of(case).rev) == ("Next year", 2)


# Reviewing


def test_each_decision_of_the_secrecy_review_leads_where_it_should(author, reviewer):
    expected = {
        "cleared": "unit_review",
        "redact": "draft",
        "escalated": "secrecy_review",
        "refused": "draft",
    }
    for decision, state in expected.items():
        case = make_case(State.SECRECY_REVIEW, author=author)
        service.review_secrecy(reviewer, case.id, decision=decision, grounds="As agreed.")
        assert case.state == state


def test_a_decision_needs_grounds(author, reviewer):
    case = make_case(State.SECRECY_REVIEW, author=author)
    for grounds in ("", "  \n "):
        with pytest.raises(errors.GroundsMissingError):
            service.review_secrecy(reviewer, case.id, decision="cleared", grounds=grounds)


def test_an_unknown_decision_is_refused(author, reviewer, secretary):
    case = make_case(State.SECRECY_REVIEW, author=author)
    with pytest.raises(errors.UnknownChoiceError):
        service.review_secrecy(reviewer, case.id, decision="maybe", grounds="Hm.")
    case = make_case(State.UNIT_REVIEW, author=author)
    with pytest.raises(errors.UnknownChoiceError):
        service.approve(secretary, case.id, decision="maybe")


def test_nobody_clears_or_approves_what_they_wrote_whatever_roles_they_hold():
    everything = make_actor(Role.AUTHOR, Role.SECRECY_REVIEWER, Role.BRANCH_SECRETARY)
    case = make_case(State.SECRECY_REVIEW, author=everything)
    assert not service.queue_of(everything)
    with pytest.raises(errors.SelfReviewError):
        service.review_secrecy(everything, case.id, decision="cleared", grounds="Mine.")
    case = make_case(State.UNIT_REVIEW, author=everything)
    with pytest.raises(errors.SelfReviewError):
        service.approve(everything, case.id, decision="approved")


def test_a_refused_text_comes_back_changed_or_not_at_all(author, reviewer):
    case = make_case(State.SECRECY_REVIEW, author=author)
    service.review_secrecy(reviewer, case.id, decision="refused", grounds="Site plan.")
    with pytest.raises(errors.UnchangedError):
        service.submit(author, case.id)
    service.edit(author, case.id, {"background": "A yard."})
    service.edit(author, case.id, {"background": case_fields()["background"]})
    with pytest.raises(errors.UnchangedError):
        service.submit(author, case.id)
    service.edit(author, case.id, {"background": "A yard."})
    assert service.submit(author, case.id).state == "secrecy_review"


def test_a_reviewer_can_not_decide_on_a_text_they_have_not_seen(author, reviewer):
    case = make_case(State.SECRECY_REVIEW, author=author)
    seen = case.version
    service.edit(author, case.id, {"title": "Changed under your hands"})
    with pytest.raises(errors.ChangedMeanwhileError):
        service.review_secrecy(reviewer, case.id, decision="cleared", grounds="Fine.", version=seen)


def test_a_returned_case_is_a_draft_with_a_note(author, secretary):
    case = make_case(State.UNIT_REVIEW, author=author)
    with pytest.raises(errors.GroundsMissingError):
        service.approve(secretary, case.id, decision="returned")
    service.approve(secretary, case.id, decision="returned", note="Which crane?")
    assert case.state == "draft"
    assert service.find_work(case.id, author).revision.note == "Which crane?"


def test_no_step_can_be_skipped(author, reviewer, secretary, signatory):
    case = make_case(author=author)
    steps = (
        lambda: service.review_secrecy(reviewer, case.id, decision="cleared", grounds="Fine."),
        lambda: service.approve(secretary, case.id, decision="approved"),
        lambda: service.sign(signatory, case.id),
        lambda: service.publish(signatory, case.id),
    )
    for step in steps:
        with pytest.raises(errors.WrongStateError):
            step()
    service.submit(author, case.id)
    with pytest.raises(errors.WrongStateError):
        service.submit(author, case.id)


def test_every_decision_is_on_record_with_its_grounds(author):
    case = make_case(State.PUBLISHED, author=author)
    rows = audit.entries(subject=str(case.id))
    assert [row.action for row in reversed(rows)] == [
        "case.created",
        "case.submitted",
        "case.cleared",
        "case.approved",
        "case.signed",
        "case.published",
    ]
    assert rows[3].detail["grounds"] == "Nothing secret."
    assert audit.check() is None


# Publishing


def test_a_published_case_reaches_readers_with_all_its_fields(author):
    case = make_case(State.PUBLISHED, author=author)
    document = service.find_document(case.id, {MEMBERS})
    assert document.title == case_fields()["title"]
    assert document.unit == "Committee"
    assert document.fields["practice"] == case_fields()["practice"]
    with pytest.raises(NotFoundError):
        service.find_document(case.id, {EVERYBODY})


def test_a_lesson_may_hide_the_name_of_its_unit(author):
    case = make_case(State.PUBLISHED, author=author, kind="pilot_lesson", hide_unit_name=True)
    assert document_of(case).unit == ""
    assert "Committee" not in str(document_of(case).fields)


def test_a_text_altered_after_signature_is_not_published(author, signatory):
    case = make_case(State.SIGNED, author=author)
    service.find_work(case.id, author).revision.body = "Other words."
    with pytest.raises(errors.AlteredError):
        service.publish(signatory, case.id)


@pytest.mark.parametrize(
    ("visibility", "channels", "audience"),
    [
        ("node", {"local"}, MEMBERS),
        ("group", {"group"}, MEMBERS),
        ("public", {"group", "public"}, EVERYBODY),
        ("partners", {"group", "partner:globex"}, MEMBERS),
    ],
)
def test_a_visibility_means_its_channels(author, visibility, channels, audience):
    partners_known("globex")
    partners = ["globex"] if visibility == "partners" else None
    case = make_case(State.PUBLISHED, author=author, visibility=visibility, partners=partners)
    assert {release.channel for release in log.released_after(0)} == channels
    assert document_of(case).audience == audience


def test_what_a_unit_keeps_to_itself_is_read_there_and_by_those_who_review_over_it(author):
    here = make_organisation("Here", parent=root_organisation())
    case = make_case(State.PUBLISHED, author=author, unit=str(here.id), visibility="unit")
    assert document_of(case).audience == unit_audience(here.id)
    inside, outside = make_actor(organisation=here), make_actor()
    above = make_actor(Role.BRANCH_SECRETARY)
    assert service.find_document(case.id, audiences(inside))
    assert service.find_document(case.id, audiences(above))
    with pytest.raises(NotFoundError):
        service.find_document(case.id, audiences(outside))


def test_partners_must_be_named_and_known(author):
    with pytest.raises(errors.NoPartnersError):
        service.create(author, "case", case_fields(visibility="partners", partners=["globex"]))
    partners_known("globex")
    for partners in ([], ["initech"], ["globex", "../etc"], "globex", [1]):
        values = case_fields(visibility="partners", partners=partners)
        with pytest.raises(errors.ContentError) as caught:
            service.create(author, "case", values)
        assert caught.value.field == "partners"


# Audiences


def test_narrowing_counts_at_once_and_is_on_record(author, secretary):
    case = make_case(State.PUBLISHED, author=author, visibility="public")
    service.set_visibility(secretary, case.id, "group")
    assert (case.state, document_of(case).audience) == ("published", MEMBERS)
    assert audit.entries(subject=str(case.id))[0].detail["before"] == ["public"]


def test_narrowing_to_the_unit_takes_it_from_the_rest_of_the_node(author, signatory):
    case = make_case(State.PUBLISHED, author=author, visibility="node")
    service.set_visibility(signatory, case.id, "unit")
    assert document_of(case).audience == unit_audience(case.unit_id)


def test_an_author_or_reader_does_not_narrow(author):
    case = make_case(State.PUBLISHED, author=author, visibility="group")
    for actor in (author, make_actor(Role.READER)):
        with pytest.raises(ForbiddenError):
            service.set_visibility(actor, case.id, "unit")


def test_a_wider_audience_is_reviewed_for_secrecy_and_then_by_a_group_editor(
    author, secretary, reviewer
):
    case = make_case(State.PUBLISHED, author=author, visibility="node")
    editor = make_actor(Role.GROUP_EDITOR)
    service.set_visibility(secretary, case.id, "public")
    assert (case.state, document_of(case).audience) == ("widen_review", MEMBERS)
    with pytest.raises(errors.WrongStateError):
        service.approve(editor, case.id, decision="approved")
    assert [row[0].id for row in service.queue_of(reviewer)] == [case.id]
    service.review_secrecy(reviewer, case.id, decision="cleared", grounds="Harmless.")
    assert [row[0].id for row in service.queue_of(editor)] == [case.id]
    with pytest.raises(NotFoundError):
        service.find_work(case.id, reviewer)
    service.approve(editor, case.id, decision="approved")
    assert (case.state, case.visibility) == ("published", "public")
    assert document_of(case).audience == EVERYBODY


def test_a_branch_secretary_does_not_stand_in_for_the_group_editor(author, secretary, reviewer):
    case = make_case(State.PUBLISHED, author=author, visibility="node")
    service.set_visibility(secretary, case.id, "group")
    service.review_secrecy(reviewer, case.id, decision="cleared", grounds="Harmless.")
    with pytest.raises(ForbiddenError):
        service.approve(secretary, case.id, decision="approved")


@pytest.mark.parametrize("decision", ["redact", "refused"])
def test_a_wider_audience_that_is_not_cleared_leaves_all_as_it_was(
    author, secretary, reviewer, decision
):
    case = make_case(State.PUBLISHED, author=author, visibility="node")
    service.set_visibility(secretary, case.id, "public")
    service.review_secrecy(reviewer, case.id, decision=decision, grounds="Not yet.")
    assert (case.state, case.visibility, case.wider) == ("published", "node", None)


def test_the_author_does_not_clear_the_wider_audience_of_their_own_case(secretary):
    author = make_actor(Role.AUTHOR, Role.SECRECY_REVIEWER, Role.GROUP_EDITOR)
    case = make_case(State.PUBLISHED, author=author)
    service.set_visibility(secretary, case.id, "public")
    with pytest.raises(errors.SelfReviewError):
        service.review_secrecy(author, case.id, decision="cleared", grounds="Mine.")


def test_narrowing_ends_a_review_of_a_wider_audience(author, secretary):
    case = make_case(State.PUBLISHED, author=author, visibility="node")
    service.set_visibility(secretary, case.id, "public")
    service.set_visibility(secretary, case.id, "unit")
    assert (case.state, case.visibility, case.wider) == ("published", "unit", None)


def test_an_edit_can_not_widen_what_has_readers(author):
    case = make_case(State.PUBLISHED, author=author, visibility="node")
    with pytest.raises(errors.AudienceElsewhereError):
        service.edit(author, case.id, {"visibility": "public"})


def test_a_wider_audience_before_publication_is_an_edit_like_any_other(author):
    case = make_case(State.APPROVED, author=author, visibility="node")
    service.edit(author, case.id, {"visibility": "public"})
    assert (case.state, case.visibility) == ("secrecy_review", "public")


def test_a_keeper_who_widens_before_publication_sends_it_back_to_secrecy_review(author, signatory):
    case = make_case(State.SIGNED, author=author, visibility="node")
    service.set_visibility(signatory, case.id, "public")
    assert case.state == "secrecy_review"


def test_more_partners_are_a_wider_audience_and_fewer_a_narrower_one(author, secretary):
    partners_known("globex", "initech")
    case = make_case(State.PUBLISHED, author=author, visibility="partners", partners=["globex"])
    service.set_visibility(secretary, case.id, "partners", ["globex", "initech"])
    assert case.state == "widen_review"
    service.set_visibility(secretary, case.id, "partners", ["globex"])
    assert (case.state, case.partners) == ("published", ["globex"])


# Withdrawing


def test_a_withdrawn_case_leaves_a_tombstone_to_those_who_could_read_it(author, secretary):
    case = make_case(State.PUBLISHED, author=author, visibility="group")
    service.withdraw(secretary, case.id, "Figures were wrong.")
    assert case.state == "withdrawn"
    with pytest.raises(errors.WithdrawnError):
        service.find_document(case.id, {EVERYBODY, MEMBERS})
    with pytest.raises(NotFoundError):
        service.find_document(case.id, {EVERYBODY})
    assert document_of(case).body == ""


def test_a_withdrawal_needs_a_reason_and_a_case_that_is_out(author, secretary):
    case = make_case(State.PUBLISHED, author=author)
    with pytest.raises(errors.GroundsMissingError):
        service.withdraw(secretary, case.id, " ")
    unpublished = make_case(State.UNIT_REVIEW, author=author)
    with pytest.raises(errors.WrongStateError):
        service.withdraw(secretary, unpublished.id, "Why not.")


def test_a_case_is_withdrawn_whatever_is_being_done_to_it(author, secretary):
    case = make_case(State.PUBLISHED, author=author)
    service.edit(author, case.id, {"title": "Next year"})
    service.withdraw(secretary, case.id, "All of it.")
    with pytest.raises(errors.WrongStateError):
        service.edit(author, case.id, {"title": "Never"})


def test_a_withdrawn_case_takes_its_rendering_with_it(author, secretary):
    case = make_case(State.PUBLISHED, author=author)
    waiting = rendering.unrendered(limit=10)
    rendering.keep_renderings(dict.fromkeys(waiting.bodies, "<p>x</p>"), waiting.upto)
    assert rendering.html_of(document_of(case).digest) == "<p>x</p>"
    service.withdraw(secretary, case.id, "Wrong.")
    assert db.session.query(Rendering).count() == 0


def test_only_published_bodies_wait_to_be_rendered_and_each_once(author):
    make_case(State.SIGNED, author=author)
    assert rendering.unrendered(limit=10) is None
    make_case(State.PUBLISHED, author=author)
    waiting = rendering.unrendered(limit=10)
    assert list(waiting.bodies.values()) == [case_fields()["body"]]
    rendering.keep_renderings(dict(waiting.bodies), waiting.upto)
    assert rendering.unrendered(limit=10) is None


def test_both_kinds_go_the_whole_path(author):
    for kind in ("case", "pilot_lesson"):
        assert make_case(State.PUBLISHED, author=author, kind=kind).state == "published"
    assert pilot_fields()["verdict"] == "stop"

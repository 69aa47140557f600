"""The rules about people, roles, sessions and tokens."""

from datetime import timedelta
from uuid import uuid4

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import event, select

from hub import clock
from hub.audit import service as audit
from hub.database import db, transaction
from hub.errors import InvalidError, NotFoundError
from hub.identity import service
from hub.identity.errors import (
    LevelError,
    OrganisationExistsError,
    OwnRolesError,
    SeparateDutiesError,
    UsernameTakenError,
    WeakPasswordError,
    WrongCredentialsError,
)
from hub.identity.models import (
    ANONYMOUS,
    EVERYBODY,
    MEMBERS,
    Level,
    Person,
    Role,
    Scope,
    SignIn,
    unit_audience,
)
from hub.identity.service import administration
from tests.factories import PASSWORD, make_organisation, make_person, make_token

ABSENT = object()


def later(monkeypatch: pytest.MonkeyPatch, **passed: float) -> None:
    """Let time pass."""
    moment = clock.now() + timedelta(**passed)
    monkeypatch.setattr(clock, "now", lambda: moment)


def begin(person: Person, password: str = PASSWORD) -> str:
    return service.begin_session(person.id, password, person.password_hash)


def test_a_username_means_the_same_however_it_is_typed(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        person = make_person("Li.Na")
        assert service.authenticate("ＬＩ．ｎａ ", PASSWORD) is person
        with pytest.raises(UsernameTakenError):
            make_person("li.NA")


@pytest.mark.parametrize("username", ["", " ", "li na", "li\0na", "a" * 101, "<b>", "li\u200bna"])
def test_a_username_is_made_of_letters_and_digits(alpha: Flask, username: str) -> None:
    with alpha.app_context(), transaction(), pytest.raises(InvalidError):
        service.add_person(username, "Li Na", PASSWORD, make_organisation())


@pytest.mark.parametrize("password", ["", "short", "a" * 201, "LI.NA.WANG"])
def test_a_password_is_long_and_not_the_username(alpha: Flask, password: str) -> None:
    with alpha.app_context(), transaction(), pytest.raises(WeakPasswordError):
        make_person("li.na.wang", password=password)


def test_a_wrong_password_an_unknown_name_and_a_closed_account_look_the_same(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        make_person("li.na")
        service.end_account(make_person("gone"))
        said = set()
        for username, password in (("li.na", "wrong"), ("nobody", "wrong"), ("gone", PASSWORD)):
            with pytest.raises(WrongCredentialsError) as refusal:
                service.authenticate(username, password)
            said.add(str(refusal.value))
        assert len(said) == 1


def test_an_unknown_name_costs_one_hash_like_a_known_one(
    alpha: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with alpha.app_context(), transaction():
        make_person("li.na")
        checked: list[str] = []
        verify = PasswordHasher.verify

        def count(self: PasswordHasher, hashed: str, password: str) -> bool:
            checked.append(hashed.rsplit("$", 2)[0])
            return verify(self, hashed, password)

        monkeypatch.setattr(PasswordHasher, "verify", count)
        for username in ("li.na", "nobody"):
            with pytest.raises(WrongCredentialsError):
                service.authenticate(username, "wrong")
        known, unknown = checked
        assert known == unknown  # The same parameters, so the same work.


def test_a_hash_with_old_parameters_is_renewed_at_sign_in(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        person = make_person()
        weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
        person.password_hash = weak
        begin(person)
        assert person.password_hash != weak
        assert service.authenticate(person.username, PASSWORD) is person


def test_a_session_speaks_for_its_person_until_it_ends(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        person = make_person()
        secret = begin(person)
        assert service.actor_of_session(secret).person_id == person.id
        service.end_session(secret)
        assert service.actor_of_session(secret) == ANONYMOUS


def test_a_session_is_kept_as_a_digest_only(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        secret = begin(make_person())
        assert secret not in str(db.session.execute(select(SignIn.__table__)).all())


def test_a_session_ends_after_twelve_hours(alpha: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with alpha.app_context(), transaction():
        secret = begin(make_person())
        later(monkeypatch, hours=12, seconds=1)
        assert service.actor_of_session(secret) == ANONYMOUS


def test_changing_a_password_ends_every_session(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        person = make_person()
        secrets = [begin(person), begin(person)]
        with pytest.raises(WrongCredentialsError):
            service.change_password(person.id, "wrong", "another good one")
        service.change_password(person.id, PASSWORD, "another good one")
        assert {service.actor_of_session(secret) for secret in secrets} == {ANONYMOUS}
        assert service.authenticate(person.username, "another good one") is person


def test_a_password_changed_between_proof_and_session_opens_nothing(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        person = make_person()
        proven = person.password_hash
        service.change_password(person.id, PASSWORD, "another good one")
        with pytest.raises(WrongCredentialsError):
            service.begin_session(person.id, PASSWORD, proven)


def test_a_new_role_ends_the_sessions_that_were_begun_without_it(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        person, place = make_person(), make_organisation()
        secret = begin(person)
        service.grant(person, Role.AUTHOR, place)
        assert service.actor_of_session(secret) == ANONYMOUS
        secret = begin(person)
        service.revoke(person, Role.AUTHOR, place)
        assert service.actor_of_session(secret) == ANONYMOUS


def test_a_closed_account_ends_sessions_and_tokens(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        person = make_person()
        secret, token = begin(person), make_token(person)
        service.end_account(person)
        assert service.actor_of_session(secret) == ANONYMOUS
        assert service.actor_of_token(token) == ANONYMOUS
        assert service.actor_of(person.id) == ANONYMOUS


@pytest.mark.parametrize("second", [Role.SECURITY_OFFICER, Role.AUDITOR])
def test_administrator_security_officer_and_auditor_are_three_people(
    alpha: Flask, second: Role
) -> None:
    with alpha.app_context(), transaction():
        person = make_person("", Role.ADMINISTRATOR)
        with pytest.raises(SeparateDutiesError):
            service.grant(person, second, make_organisation())
        service.grant(person, Role.ADMINISTRATOR, make_organisation())  # The same duty elsewhere.


def test_a_role_covers_what_is_below_and_nothing_beside(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        above = make_organisation(level=Level.GENERAL_BRANCH)
        below = make_organisation(parent=above)
        beside = make_organisation()
        actor = service.actor_of(make_person("", Role.SIGNATORY, organisation=above).id)
        assert actor.holds(Role.SIGNATORY, above.path)
        assert actor.holds(Role.SIGNATORY, below.path)
        assert not actor.holds(Role.SIGNATORY, beside.path)
        assert not actor.holds(Role.AUTHOR)


def test_an_organisation_knows_all_above_it(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        committee = make_organisation(level=Level.GROUP_COMMITTEE)
        branch = make_organisation(parent=committee)
        group = make_organisation(level=Level.PARTY_GROUP, parent=branch)
        assert group.lineage == (committee.id, branch.id, group.id)


def test_an_organisation_does_not_stand_above_its_parent(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        branch = make_organisation("Branch", Level.BRANCH)
        with pytest.raises(LevelError):
            make_organisation("Committee", Level.GROUP_COMMITTEE, branch)


def test_siblings_have_different_names(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        parent = make_organisation()
        make_organisation("Shift one", parent=parent)
        make_organisation("Shift one", parent=make_organisation())
        with pytest.raises(OrganisationExistsError):
            make_organisation(" Shift  one", parent=parent)


def test_the_tree_lists_each_organisation_before_those_below_it(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        root = make_organisation("Root", Level.GROUP_COMMITTEE)
        second = make_organisation("B", Level.GENERAL_BRANCH, root)
        make_organisation("A", Level.GENERAL_BRANCH, root)
        make_organisation("C", parent=second)
        make_organisation("Elsewhere")
        names = [each.name for each in service.organisations_under(root.path)]
        assert names == ["Root", "A", "B", "C"]


def test_an_account_reads_what_its_unit_and_those_above_keep_to_themselves(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        above = make_organisation(level=Level.GENERAL_BRANCH)
        own = make_organisation(parent=above)
        below = make_organisation(level=Level.PARTY_GROUP, parent=own)
        units = {unit_audience(each.id) for each in (above, own, below)}
        reader = service.actor_of(make_person("", Role.READER, organisation=own).id)
        assert service.audiences(reader) == {EVERYBODY, MEMBERS, *units} - {unit_audience(below.id)}
        assert service.audiences(ANONYMOUS) == {EVERYBODY}


def test_a_reviewer_reads_what_the_units_below_keep_to_themselves(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        above = make_organisation(level=Level.GENERAL_BRANCH)
        below = make_organisation(parent=above)
        beside = make_organisation()
        reviewer = make_person("", Role.SECRECY_REVIEWER, organisation=above)
        readable = service.audiences(service.actor_of(reviewer.id))
        assert unit_audience(below.id) in readable
        assert unit_audience(beside.id) not in readable


def test_a_token_has_the_scopes_that_it_was_given_and_the_roles_of_today(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        place = make_organisation()
        person = make_person("", Role.AUTHOR, organisation=place)
        token = make_token(person, Scope.READ)
        service.revoke(person, Role.AUTHOR, place)
        actor = service.actor_of_token(token)
        assert actor.person_id == person.id
        assert actor.has_scope(Scope.READ)
        assert not actor.has_scope(Scope.WRITE)
        assert not actor.holds(Role.AUTHOR)


def test_a_token_costs_one_query(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        person = make_person("", Role.AUTHOR, Role.SIGNATORY)
        token = make_token(person)
        asked: list[str] = []
        event.listen(db.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
        actor = service.actor_of_token(token)
        assert len(actor.grants) == 2
        assert len(asked) == 1


def test_a_token_is_kept_as_a_digest_only(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        person = make_person()
        token = make_token(person)
        assert token.startswith("jw_")
        assert len(token) == 46
        (kept,) = service.tokens_of(person.id)
        assert token not in str(vars(kept))


def test_a_token_ends_when_its_days_are_over(alpha: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with alpha.app_context(), transaction():
        person = make_person()
        token = service.issue_token(person.id, "test", [Scope.READ], 1)
        later(monkeypatch, days=1, seconds=1)
        assert service.actor_of_token(token) == ANONYMOUS
        assert service.tokens_of(person.id) == []


@pytest.mark.parametrize("days", [0, -1, 366])
def test_a_token_lasts_a_year_at_most(alpha: Flask, days: int) -> None:
    with alpha.app_context(), transaction(), pytest.raises(InvalidError):
        service.issue_token(make_person().id, "test", [Scope.READ], days)


def test_only_its_owner_revokes_a_token(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        owner, other = make_person(), make_person()
        token = make_token(owner)
        (kept,) = service.tokens_of(owner.id)
        with pytest.raises(NotFoundError):
            service.revoke_token(other.id, kept.id)
        assert service.actor_of_token(token).is_signed_in
        service.revoke_token(owner.id, kept.id)
        assert service.actor_of_token(token) == ANONYMOUS


def test_an_administrator_looks_after_their_own_subtree_only(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        here, there = make_organisation("Here"), make_organisation("There")
        administrator = make_person("boss", Role.ADMINISTRATOR, organisation=here)
        mine, theirs = make_person("", organisation=here), make_person("", organisation=there)
        by = service.actor_of(administrator.id)
        assert {person for person, _ in administration.people_of(by).rows} == {administrator, mine}
        for refused in (theirs.id, uuid4()):
            with pytest.raises(NotFoundError):
                administration.reset_password(refused, by=by)
        with pytest.raises(NotFoundError):
            administration.grant(mine.id, Role.AUTHOR, there.id, by=by)


def test_nobody_changes_their_own_roles_or_account(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        place = make_organisation()
        person = make_person("", Role.ADMINISTRATOR, organisation=place)
        by = service.actor_of(person.id)
        with pytest.raises(OwnRolesError):
            administration.grant(person.id, Role.SIGNATORY, place.id, by=by)
        with pytest.raises(OwnRolesError):
            administration.end_account(person.id, by=by)


def test_people_are_found_by_a_part_of_their_name_whatever_signs_it_holds(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        place = make_organisation()
        make_person("li.na", organisation=place, name="李娜")
        make_person("wang", organisation=place, name="王强")
        found = service.people_under([place.path], like="娜")
        assert [person.username for person, _ in found.rows] == ["li.na"]
        assert service.people_under([place.path], like="%").total == 0


def test_what_is_done_to_an_account_is_on_record(alpha: Flask) -> None:
    with alpha.app_context(), transaction():
        place = make_organisation()
        person = make_person("", Role.AUTHOR, organisation=place)
        make_token(person)
        service.change_password(person.id, PASSWORD, "another good one")
        service.end_account(person)
        done = [entry.action for entry in audit.entries(subject=str(person.id))]
        assert done == [
            "person.left",
            "password.changed",
            "token.issued",
            "role.granted",
            "person.added",
        ]
        assert audit.check() is None

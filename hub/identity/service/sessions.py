"""Signing in and out: sessions are rows, so ending one makes its cookie worthless."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select

from hub import clock
from hub.database import db
from hub.identity.errors import WrongCredentialsError
from hub.identity.models import Person, SignIn
from hub.identity.service.passwords import hash_password, is_stale, matches
from hub.identity.service.secret import digest_of, new_secret
from hub.identity.service.usernames import fold_username

LIFETIME = timedelta(hours=12)


def authenticate(username: str, password: str) -> Person:
    """Return the person with this username and password.

    :raises WrongCredentialsError: the same, after the same time, for a wrong password, an unknown
        username and a closed account.
    """
    folded = fold_username(username)
    person = db.session.scalar(select(Person).filter_by(username=folded, left_at=None))
    if not matches(password, person.password_hash if person else None) or person is None:
        raise WrongCredentialsError
    return person


def begin_session(person_id: UUID, password: str, proven: str) -> str:
    """Begin a session of twelve hours and return its secret, which is kept as a digest only.

    :param password: what was just checked; hashed anew when our parameters have changed.
    :param proven: the hash against which it was checked, outside of this transaction.
    :raises WrongCredentialsError: when the password was changed or the account closed meanwhile.
    """
    person = db.session.get(Person, person_id)
    if person is None or person.left_at is not None or person.password_hash != proven:
        raise WrongCredentialsError
    if is_stale(proven):
        person.password_hash = hash_password(password)
    now = clock.now()
    db.session.execute(delete(SignIn).where(SignIn.expires_at <= now))
    secret = new_secret()
    db.session.add(
        SignIn(
            digest=digest_of(secret), person_id=person_id, created_at=now, expires_at=now + LIFETIME
        )
    )
    db.session.flush()
    return secret


def end_session(secret: str) -> None:
    """End one session; its cookie is worthless from now on."""
    db.session.execute(delete(SignIn).where(SignIn.digest == digest_of(secret)))


def end_sessions(person_id: UUID) -> None:
    """End all sessions of somebody, in every browser."""
    db.session.execute(delete(SignIn).where(SignIn.person_id == person_id))

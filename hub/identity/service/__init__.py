"""All that one can do with people, organisations, roles, sessions and tokens."""

from hub.identity.service.actors import actor_of, actor_of_session, actor_of_token, audiences
from hub.identity.service.organisations import (
    add_organisation,
    find_organisation,
    names_down_to,
    organisation_named,
    organisations_under,
    profile_of,
    set_profile,
)
from hub.identity.service.people import (
    People,
    add_person,
    change_password,
    end_account,
    find_person,
    grant,
    grants_of,
    people_under,
    person_called,
    reset_password,
    revoke,
)
from hub.identity.service.sessions import authenticate, begin_session, end_session, end_sessions
from hub.identity.service.tokens import issue_token, revoke_token, tokens_of
from hub.identity.service.usernames import fold_username

__all__ = [
    "People",
    "actor_of",
    "actor_of_session",
    "actor_of_token",
    "add_organisation",
    "add_person",
    "audiences",
    "authenticate",
    "begin_session",
    "change_password",
    "end_account",
    "end_session",
    "end_sessions",
    "find_organisation",
    "find_person",
    "fold_username",
    "grant",
    "grants_of",
    "issue_token",
    "names_down_to",
    "organisation_named",
    "organisations_under",
    "people_under",
    "person_called",
    "profile_of",
    "reset_password",
    "revoke",
    "revoke_token",
    "set_profile",
    "tokens_of",
]

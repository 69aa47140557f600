"""What can go wrong with people, their rights and their tokens."""

from hub.errors import HubError, mark


class UnauthenticatedError(HubError):
    """Nobody is signed in, or the token is not one of ours."""

    status = 401
    code = "unauthenticated"
    message = mark("This needs a valid personal token.")


class ScopeError(HubError):
    """The token is good, yet not for this."""

    status = 403
    code = "scope"
    message = mark("This token lacks the scope “%(scope)s”.")


class WrongCredentialsError(HubError):
    """Username and password do not belong together; which of them is wrong is not said."""

    status = 403
    code = "wrong_credentials"
    message = mark("Username or password is wrong.")


class TooManyAttemptsError(HubError):
    """Too many failed attempts in a short time."""

    status = 429
    code = "too_many"
    message = mark("Too many attempts. Wait a few minutes and try again.")


class UsernameTakenError(HubError):
    """Somebody has this username."""

    status = 409
    code = "username_taken"
    message = mark("The username “%(username)s” is taken.")


class OrganisationExistsError(HubError):
    """There is an organisation of this name at this place."""

    status = 409
    code = "organisation_exists"
    message = mark("There is already an organisation “%(name)s” here.")


class LevelError(HubError):
    """An organisation can't stand above its own parent."""

    code = "level"
    message = mark("An organisation can't be of a higher level than the one above it.")


class SeparateDutiesError(HubError):
    """Administrator, security officer and auditor are three people."""

    status = 409
    code = "separate_duties"
    message = mark(
        "Administrator, security officer and auditor must be three different people: "
        "%(name)s holds one of these roles already."
    )


class OwnRolesError(HubError):
    """Nobody decides about their own roles or account."""

    status = 403
    code = "own_roles"
    message = mark("You can't change your own roles or account. Ask another administrator.")


class WeakPasswordError(HubError):
    """A password that is too short, too long or a copy of the username."""

    code = "weak_password"
    message = mark(
        "A password needs 8 to 200 characters and must differ from the username. "
        "A sentence that only you would say works well."
    )

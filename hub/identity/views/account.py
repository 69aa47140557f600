"""Pages on which people sign in, look after their own account, and read as they like."""

from uuid import UUID

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from hub.config import of_this_node, settings
from hub.database import transaction
from hub.errors import HubError
from hub.identity import access, service, sessions
from hub.identity.addresses import own_path
from hub.identity.errors import WrongCredentialsError
from hub.identity.forms import PasswordForm, SignInForm, TokenForm
from hub.identity.labels import ROLE_LABELS, SCOPE_LABELS
from hub.identity.models import Scope
from hub.identity.throttle import throttle
from hub.identity.views.blueprint import blueprint
from hub.identity.views.refusal import refuse

YEAR = 365 * 24 * 3600
PREFERENCES = {"large": {"0", "1"}, "lang": {"zh_CN", "en"}}


@blueprint.get("/sign-in")
@access.anyone
def sign_in() -> ResponseReturnValue:
    """Ask for username and password."""
    wanted = own_path(request.args.get("next"))
    if g.actor.is_signed_in:
        return redirect(wanted)
    return render_template("identity/sign_in.html", form=SignInForm(next=wanted))


@blueprint.post("/sign-in")
@access.anyone
def begin_session() -> ResponseReturnValue:
    """Begin a session and go where the reader wanted to go."""
    form = SignInForm()
    if not form.validate_on_submit():
        return render_template("identity/sign_in.html", form=form), 400
    try:
        sessions.remember(_begin(form.username.data or "", form.password.data or ""))
    except HubError as error:
        refuse(form.username, error)
        return render_template("identity/sign_in.html", form=form), error.status
    return redirect(own_path(form.next.data), 303)


def _begin(username: str, password: str) -> str:
    attempts = of_this_node(throttle)
    attempts.check(username, request.remote_addr)
    try:
        person = service.authenticate(username, password)
    except WrongCredentialsError:
        attempts.count_failure(username, request.remote_addr)
        raise
    person_id, proven = person.id, person.password_hash
    with transaction():
        return service.begin_session(person_id, password, proven)


@blueprint.post("/sign-out")
@access.anyone
def sign_out() -> ResponseReturnValue:
    """End the session of this browser."""
    secret = sessions.forget()
    if secret:
        with transaction():
            service.end_session(secret)
    flash(_("You are signed out."), "success")
    return redirect(url_for(".sign_in"), 303)


@blueprint.get("/me")
@access.signed_in
def me() -> ResponseReturnValue:
    """Show one's own account: roles, tokens, ways to read."""
    return _me(TokenForm())


def _me(form: TokenForm, status: int = 200, token: str | None = None) -> ResponseReturnValue:
    person = service.find_person(g.actor.person_id)
    page = render_template(
        "identity/me.html",
        person=person,
        organisation=service.find_organisation(person.organisation_id),
        grants=service.grants_of(person),
        tokens=service.tokens_of(person.id),
        form=form,
        token=token,
        role_labels=ROLE_LABELS,
        scope_labels={scope.value: label for scope, label in SCOPE_LABELS.items()},
    )
    return page, status


@blueprint.post("/me/tokens")
@access.signed_in
def issue_token() -> ResponseReturnValue:
    """Make a personal token and show it, this once."""
    form = TokenForm()
    if not form.validate_on_submit():
        return _me(form, 400)
    scopes = [Scope(word) for word in form.scopes.data or []]
    try:
        with transaction():
            token = service.issue_token(
                g.actor.person_id, form.name.data or "", scopes, form.days.data or 0
            )
    except HubError as error:
        refuse(form.name, error)
        return _me(form, error.status)
    return _me(TokenForm(formdata=None), 201, token)


@blueprint.post("/me/tokens/<uuid:token_id>/revocation")
@access.signed_in
def revoke_token(token_id: UUID) -> ResponseReturnValue:
    """End one of one's own tokens."""
    with transaction():
        service.revoke_token(g.actor.person_id, token_id)
    flash(_("The token no longer works."), "success")
    return redirect(url_for(".me"), 303)


@blueprint.get("/me/password")
@access.signed_in
def password() -> ResponseReturnValue:
    """Ask for a new password."""
    return render_template("identity/password.html", form=PasswordForm())


@blueprint.post("/me/password")
@access.signed_in
def change_password() -> ResponseReturnValue:
    """Change one's own password; every session ends, this one too."""
    form = PasswordForm()
    if not form.validate_on_submit():
        return render_template("identity/password.html", form=form), 400
    attempts, name = of_this_node(throttle), str(g.actor.person_id)
    try:
        attempts.check(name, request.remote_addr)
        with transaction():
            service.change_password(g.actor.person_id, form.present.data or "", form.new.data or "")
    except HubError as error:
        if isinstance(error, WrongCredentialsError):
            attempts.count_failure(name, request.remote_addr)
        refuse(form.new if error.field else form.present, error)
        return render_template("identity/password.html", form=form), error.status
    sessions.forget()
    flash(_("Your password is changed. Sign in with the new one."), "success")
    return redirect(url_for(".sign_in"), 303)


@blueprint.get("/display")
@access.anyone
def display() -> ResponseReturnValue:
    """Remember how somebody likes to read: language and large type. Changes nothing else."""
    response = redirect(own_path(request.args.get("next")))
    for name, choices in PREFERENCES.items():
        choice = request.args.get(name)
        if choice in choices:
            secure = settings().origin.startswith("https:")
            response.set_cookie(name, choice, YEAR, httponly=True, samesite="Lax", secure=secure)
    return response

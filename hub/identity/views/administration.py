"""Pages on which an administrator looks after people and organisations. Tasks, not tables."""

from uuid import UUID

from flask import current_app, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_babel import gettext as _
from wtforms import SelectChoice  # type: ignore[attr-defined]  # Newer than the types.

from hub.database import transaction
from hub.errors import HubError, NotFoundError, mark
from hub.identity import access, service
from hub.identity.errors import SeparateDutiesError
from hub.identity.forms import GrantForm, OrganisationForm, PersonForm, ProfileForm
from hub.identity.labels import LEVEL_LABELS, ROLE_LABELS
from hub.identity.models import Level, Role
from hub.identity.profile import PARTS
from hub.identity.service import administration
from hub.identity.views.blueprint import blueprint
from hub.identity.views.refusal import refuse

administrator = access.role(Role.ADMINISTRATOR)
MOST_PAGES = 10_000
# What an administrator may want to do; slices above this one serve some of it.
TASKS = (
    (
        "identity.people",
        mark("People"),
        mark("Open accounts, give roles, help with passwords"),
    ),
    ("identity.organisations", mark("Organisations"), mark("The tree of units of this node")),
    (
        "federation.peers",
        mark("Federation"),
        mark("Whom this node exchanges cases with, and how that goes"),
    ),
    (
        "federation.join",
        mark("Join a federation"),
        mark("With the code from headquarters, in a minute and a half"),
    ),
    (
        "oversight.partners",
        mark("What partners read"),
        mark("Which cases are open to each partner enterprise at this moment"),
    ),
    (
        "oversight.held_back",
        mark("Held back"),
        mark("What other nodes sent and this one did not take in"),
    ),
    (
        "harvesting.sources",
        mark("Harvested sources"),
        mark("Repositories and feeds of those who have no node, read into this one"),
    ),
    (
        "search_state.state",
        mark("State of search"),
        mark("How far the index is, and what became of attached files"),
    ),
    (
        "wording.show",
        mark("Synonyms"),
        mark("Words that mean the same, so that who searches for one finds all"),
    ),
)


@blueprint.get("/admin")
@administrator
def admin() -> ResponseReturnValue:
    """Show the tasks of an administrator."""
    tasks = [
        (url_for(endpoint), gettext(label), gettext(hint))
        for endpoint, label, hint in TASKS
        if endpoint in current_app.view_functions
    ]
    return render_template("identity/admin.html", tasks=tasks)


@blueprint.get("/admin/people")
@administrator
def people() -> ResponseReturnValue:
    """List the people of this node, a page at a time."""
    page = request.args.get("page", 1, type=int)
    if not 1 <= page <= MOST_PAGES:
        raise NotFoundError
    like = request.args.get("like", "")[:100]
    found = administration.people_of(g.actor, like=like, page=page)
    return render_template("identity/people.html", found=found, like=like, page=page)


@blueprint.get("/admin/people/new")
@administrator
def new_person() -> ResponseReturnValue:
    """Ask for what a new account needs."""
    return render_template("identity/new_person.html", form=PersonForm(organisations=_choices()))


@blueprint.post("/admin/people")
@administrator
def add_person() -> ResponseReturnValue:
    """Open an account and show its first password, this once."""
    form = PersonForm(organisations=_choices())
    if not form.validate_on_submit():
        return render_template("identity/new_person.html", form=form), 400
    roles = [Role(word) for word in form.roles.data or []]
    where, by = UUID(form.organisation.data), g.actor
    try:
        with transaction():
            person, password = administration.enrol(
                form.name.data or "", form.username.data or "", where, roles, by=by
            )
            person_id = person.id
    except HubError as error:
        refuse(form.roles if error.code == "separate_duties" else form.username, error)
        return render_template("identity/new_person.html", form=form), error.status
    return _person(person_id, 201, password)


@blueprint.get("/admin/people/<uuid:person_id>")
@administrator
def person(person_id: UUID) -> ResponseReturnValue:
    """Show one person and what can be done for them."""
    return _person(person_id)


def _person(
    person_id: UUID,
    status: int = 200,
    password: str | None = None,
    form: GrantForm | None = None,
) -> ResponseReturnValue:
    found, organisation = administration.find(person_id, by=g.actor)
    page = render_template(
        "identity/person.html",
        person=found,
        organisation=organisation,
        grants=service.grants_of(found),
        form=form or GrantForm(organisations=_choices(), formdata=None),
        password=password,
        role_labels=ROLE_LABELS,
        is_self=found.id == g.actor.person_id,
    )
    return page, status


@blueprint.post("/admin/people/<uuid:person_id>/roles")
@administrator
def grant(person_id: UUID) -> ResponseReturnValue:
    """Give somebody a role."""
    form = GrantForm(organisations=_choices())
    if not form.validate_on_submit():
        return _person(person_id, 400, form=form)
    role, where = Role(form.role.data), UUID(form.organisation.data)
    try:
        with transaction():
            administration.grant(person_id, role, where, by=g.actor)
    except SeparateDutiesError as error:
        refuse(form.role, error)
        return _person(person_id, error.status, form=form)
    flash(_("The role is given. They sign in again to use it."), "success")
    return redirect(url_for(".person", person_id=person_id), 303)


@blueprint.post("/admin/people/<uuid:person_id>/roles/<role>/<uuid:organisation_id>/revocation")
@administrator
def revoke(person_id: UUID, role: str, organisation_id: UUID) -> ResponseReturnValue:
    """Take a role from somebody."""
    if role not in set(Role):
        raise NotFoundError
    with transaction():
        administration.revoke(person_id, Role(role), organisation_id, by=g.actor)
    flash(_("The role is taken away."), "success")
    return redirect(url_for(".person", person_id=person_id), 303)


@blueprint.post("/admin/people/<uuid:person_id>/password")
@administrator
def reset_password(person_id: UUID) -> ResponseReturnValue:
    """Give somebody a new first password and show it, this once."""
    with transaction():
        password = administration.reset_password(person_id, by=g.actor)
    return _person(person_id, 200, password)


@blueprint.post("/admin/people/<uuid:person_id>/end")
@administrator
def end_account(person_id: UUID) -> ResponseReturnValue:
    """Close somebody's account."""
    with transaction():
        administration.end_account(person_id, by=g.actor)
    flash(_("The account is closed. What they decided stays on record."), "success")
    return redirect(url_for(".people"), 303)


@blueprint.get("/admin/organisations")
@administrator
def organisations() -> ResponseReturnValue:
    """Show the tree of organisations."""
    return _organisations(OrganisationForm(organisations=_choices()))


def _organisations(form: OrganisationForm, status: int = 200) -> ResponseReturnValue:
    page = render_template(
        "identity/organisations.html",
        organisations=administration.organisations_of(g.actor),
        form=form,
        level_labels=LEVEL_LABELS,
        parts=PARTS,
    )
    return page, status


@blueprint.post("/admin/organisations")
@administrator
def add_organisation() -> ResponseReturnValue:
    """Put an organisation into the tree."""
    form = OrganisationForm(organisations=_choices())
    if not form.validate_on_submit():
        return _organisations(form, 400)
    name, level, parent = form.name.data or "", Level(form.level.data), UUID(form.parent.data)
    try:
        with transaction():
            administration.add_organisation(name, level, parent, by=g.actor)
    except HubError as error:
        refuse(form.level if error.code == "level" else form.name, error)
        return _organisations(form, error.status)
    flash(_("“%(name)s” is in the tree.", name=name), "success")
    return redirect(url_for(".organisations"), 303)


@blueprint.get("/admin/organisations/<uuid:organisation_id>")
@administrator
def organisation(organisation_id: UUID) -> ResponseReturnValue:
    """Show what is known of an organisation, to be corrected."""
    found = administration.find_organisation(organisation_id, by=g.actor)
    return render_template(
        "identity/organisation.html",
        organisation=found,
        form=ProfileForm(obj=found, formdata=None),
        level_labels=LEVEL_LABELS,
    )


@blueprint.post("/admin/organisations/<uuid:organisation_id>/profile")
@administrator
def set_profile(organisation_id: UUID) -> ResponseReturnValue:
    """Say what an organisation is like."""
    form = ProfileForm()
    if not form.validate_on_submit():
        found = administration.find_organisation(organisation_id, by=g.actor)
        shown = {"organisation": found, "form": form, "level_labels": LEVEL_LABELS}
        return render_template("identity/organisation.html", **shown), 400
    said = {name: form[name].data for name in ("size", "layout", "sector")}
    with transaction():
        administration.set_profile(organisation_id, by=g.actor, **said)
    flash(_("What is known of the organisation is kept."), "success")
    return redirect(url_for(".organisations"), 303)


def _choices() -> list[SelectChoice]:
    """Return the organisations to choose from, those below indented."""
    found = administration.organisations_of(g.actor)
    top = min((len(one.lineage) for one in found), default=0)
    return [SelectChoice(str(one.id), "　" * (len(one.lineage) - top) + one.name) for one in found]

"""The page on which an administrator looks after words that mean the same."""

from flask import Blueprint, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import TextAreaField
from wtforms.validators import Length

from hub.config import of_this_node
from hub.database import transaction
from hub.errors import words
from hub.identity import access
from hub.identity.models import Role
from hub.search import synonyms
from hub.search.synonyms import LONGEST_LIST, KeptSynonyms, SynonymsError

PAGE = "/admin/search/synonyms"

blueprint = Blueprint("wording", __name__)
administrator = access.role(Role.ADMINISTRATOR)


class SynonymsForm(FlaskForm):  # type: ignore[misc]  # The library has no types.
    """The list, one group to a line."""

    text = TextAreaField(
        lazy_gettext("Groups of words that mean the same"),
        [Length(max=LONGEST_LIST)],
        description=lazy_gettext(
            "One group to a line, with = between the terms. # begins a remark."
        ),
        render_kw={"rows": 24, "spellcheck": "false"},
    )


@blueprint.get(PAGE)
@administrator
def show() -> ResponseReturnValue:
    """Show the list in force."""
    return _page(SynonymsForm(text=synonyms.current()))


@blueprint.post(PAGE)
@administrator
def change() -> ResponseReturnValue:
    """Put another list in force, at once and without a new index."""
    form = SynonymsForm()
    if not form.validate_on_submit():
        return _page(form, 400)
    try:
        with transaction():
            synonyms.change(form.text.data or "", by=g.actor.person_id)
    except SynonymsError as error:
        form.text.errors = [*map(words, (error, *error.problems))]
        return _page(form, 400)
    of_this_node(KeptSynonyms).forget()
    flash(_("Saved. The next search goes by it."), "success")
    return redirect(url_for(".show"), 303)


@blueprint.post(f"{PAGE}/restoration")
@administrator
def restore() -> ResponseReturnValue:
    """Put the list that a node begins with in force again."""
    with transaction():
        synonyms.restore(by=g.actor.person_id)
    of_this_node(KeptSynonyms).forget()
    flash(_("The list is as it was at first."), "success")
    return redirect(url_for(".show"), 303)


def _page(form: SynonymsForm, status: int = 200) -> ResponseReturnValue:
    page = render_template("search/synonyms.html", form=form, is_edited=synonyms.is_edited())
    return page, status

"""Bodies become HTML once, whether they were written here or came from elsewhere."""

from flask import Flask

from hub.cases import service as cases
from hub.cases.follower import render_missing
from hub.cases.models import Rendering, State
from hub.database import db, transaction
from hub.identity.models import Role
from tests.factories import make_actor, make_case, take_step


def test_what_is_published_is_rendered_and_shown(alpha: Flask) -> None:
    with alpha.app_context():
        with transaction():
            case_id = make_case(State.PUBLISHED, visibility="public").id
        page = f"/cases/{case_id}"
        assert "<p>With a **crane**.</p>" in alpha.test_client().get(page).text
        assert render_missing() == 1
        assert render_missing() == 0
        assert "With a <strong>crane</strong>." in alpha.test_client().get(page).text


def test_a_body_that_takes_too_long_holds_up_no_other(alpha: Flask) -> None:
    with alpha.app_context():
        with transaction():
            author = make_actor(Role.AUTHOR)
            fields = {"title": "Stuck", "category": "rules", "body": "[" * 5000}
            stuck = cases.create(author, "case", fields, is_long_form=True)
            for step in list(State)[1:6]:
                take_step(step, stuck.id, author)
            make_case(State.PUBLISHED, body="**next**")
        assert render_missing() == 2
        kept = sorted(row.html for row in db.session.query(Rendering))
        assert kept == ["<p><strong>next</strong></p>", f"<pre>{'[' * 5000}</pre>"]


def test_more_than_fits_is_rendered_the_next_time(alpha: Flask) -> None:
    with alpha.app_context():
        with transaction():
            for _ in range(3):
                make_case(State.PUBLISHED)
        assert [render_missing(limit=2) for _ in range(3)] == [2, 1, 0]

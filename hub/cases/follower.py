"""What follows publication: bodies are rendered, and files that nobody names any more removed."""

from hub.cases.service import files_in_use, rendering
from hub.database import db, transaction
from hub.journal import attachments
from hub.markup import Renderer
from hub.media import service as media


def render_missing(limit: int = 50) -> int:
    """Render bodies that have no HTML yet, and return how many there were; 0 means caught up.

    Opens its own transaction, and none while it renders. May stop at any point: what is not kept
    is made again.
    """
    waiting = rendering.unrendered(limit=limit)
    db.session.rollback()  # Nothing is held while the child works.
    if waiting is None:
        return 0
    with Renderer() as renderer:
        rendered = {of: renderer.render(body) for of, body in waiting.bodies.items()}
    with transaction():
        rendering.keep_renderings(rendered, waiting.upto)
    return len(rendered)


def tidy_files() -> int:
    """Remove the files that no live entry and no case at work names; return how many.

    Opens its own transactions. May stop at any point.
    """
    return media.tidy(files_in_use)


def sweep_files() -> None:
    """Remove what was left behind by whoever was killed; for now and then."""
    media.sweep()
    with transaction():
        attachments.forget_names()

"""From the journal to readable pages: renders what has come in since the last time."""

from hub.cases.service import rendering
from hub.database import db, transaction
from hub.markup import Renderer


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
        rendered = {digest: renderer.render(body) for digest, body in waiting.bodies.items()}
    with transaction():
        rendering.keep_renderings(rendered, waiting.upto)
    return len(rendered)

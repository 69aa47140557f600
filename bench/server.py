"""A node that also serves an empty Flask route, under the same server: what others are measured by.

Usage: HUB_HOME=… python -m bench.server
"""

from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from hub import create_app, founding, serve


def main() -> None:
    """Serve the node of `HUB_HOME`, with the empty route at /empty/."""
    app, bare = create_app(founding.load()), Flask("bare")
    bare.add_url_rule("/", view_func=lambda: "", endpoint="empty")
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/empty": bare.wsgi_app})  # type: ignore[method-assign]
    serve.serve(app)


if __name__ == "__main__":
    main()

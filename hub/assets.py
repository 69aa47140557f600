"""Our own CSS and pictures and those of Bootstrap: versioned, kept for good, sent compressed."""

import gzip
import hashlib
from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask, Response, request, url_for
from flask_bootstrap import Bootstrap5

from hub.identity import access

ENDPOINTS = ("static", "bootstrap.static")
COMPRESSED = frozenset({"text/css", "text/javascript", "image/svg+xml"})
FOR_GOOD = "public, max-age=31536000, immutable"


class Assets:
    """The static files of one node, by endpoint and name; each is read once."""

    def __init__(self, app: Flask) -> None:
        bootstrap = app.blueprints["bootstrap"]
        self.folders = {"static": app.static_folder, "bootstrap.static": bootstrap.static_folder}
        self.versions: dict[tuple[str, str], str | None] = {}
        self.urls: dict[tuple[str, str], str] = {}
        self.bodies: dict[tuple[str, str], bytes] = {}

    def version(self, endpoint: str, filename: str) -> str | None:
        """Return a few characters that change whenever the file does; None without a file."""
        key = (endpoint, filename)
        if key not in self.versions:
            path = Path(self.folders[endpoint] or "", filename)
            if not path.is_file():
                return None  # Not kept: strangers can ask for any name.
            self.versions[key] = hashlib.sha256(path.read_bytes()).hexdigest()[:10]
        return self.versions[key]

    def url(self, filename: str, endpoint: str = "static") -> str:
        """Return the address of a file, built once: building it at each page costs more."""
        key = (endpoint, filename)
        if key not in self.urls:
            self.urls[key] = url_for(endpoint, filename=filename)
        return self.urls[key]

    def compressed(self, endpoint: str, filename: str, response: Response) -> bytes:
        """Return the body of a response for a file of ours, compressed once."""
        key = (endpoint, filename)
        if key not in self.bodies:
            response.direct_passthrough = False
            self.bodies[key] = gzip.compress(response.get_data(), mtime=0)
        response.close()  # The file, which is not sent.
        return self.bodies[key]


def init_app(app: Flask) -> None:
    """Serve static files with addresses that name their version."""
    app.config["BOOTSTRAP_SERVE_LOCAL"] = True
    Bootstrap5(app)
    for endpoint in ENDPOINTS:
        access.open_to_anyone(app, endpoint)
    files = Assets(app)
    app.jinja_env.globals["asset"] = files.url
    app.jinja_env.globals["bootstrap_asset"] = partial(files.url, endpoint="bootstrap.static")

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint in ENDPOINTS:
            values.setdefault("v", files.version(endpoint, values["filename"]))

    @app.after_request
    def keep_for_good(response: Response) -> Response:
        if request.endpoint in ENDPOINTS and response.status_code == 200:
            _finish(response, files, request.endpoint, (request.view_args or {})["filename"])
        return response


def _finish(response: Response, files: Assets, endpoint: str, filename: str) -> None:
    version = files.version(endpoint, filename)
    if version and request.args.get("v") == version:
        response.headers["Cache-Control"] = FOR_GOOD
    if response.mimetype in COMPRESSED:
        response.vary.add("Accept-Encoding")
        if request.accept_encodings.quality("gzip") and not request.range:
            response.set_data(files.compressed(endpoint, filename, response))
            response.headers["Content-Encoding"] = "gzip"
            response.headers.pop("ETag", None)

"""A transport that carries HTTP between nodes of one process, so that tests open no sockets."""

import io
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from flask import Flask
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse
from werkzeug.test import EnvironBuilder, run_wsgi_app


class NodeAdapter(BaseAdapter):
    """Carries requests to the node that has the origin; others can't be reached.

    `down` holds the origins that don't answer; `seen` lists what was asked, in order.
    """

    def __init__(self, nodes: Iterable[Flask] = ()) -> None:
        super().__init__()
        self.nodes = {node.extensions["hub.settings"].origin: node for node in nodes}
        self.down: set[str] = set()
        self.seen: list[tuple[str, str]] = []

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Answer as the node would."""
        url = urlsplit(str(request.url))
        origin = f"{url.scheme}://{url.netloc}"
        self.seen.append((str(request.method), str(request.url)))
        if origin not in self.nodes or origin in self.down:
            raise requests.ConnectionError(f"nobody is at {origin}")
        body = request.body or b""
        environ = EnvironBuilder(
            path=url.path,
            base_url=origin,
            query_string=url.query,
            method=request.method,
            headers=dict(request.headers),
            data=body.encode() if isinstance(body, str) else body,
        ).get_environ()
        chunks, status, headers = run_wsgi_app(self.nodes[origin], environ, buffered=True)
        return self._response(request, b"".join(chunks), status, list(headers.items()))

    def _response(
        self,
        request: requests.PreparedRequest,
        body: bytes,
        status: str,
        headers: list[tuple[str, str]],
    ) -> requests.Response:
        response = requests.Response()
        response.status_code = int(status.split(maxsplit=1)[0])
        response.headers.update(headers)
        response.url = str(request.url)
        response.request = request
        response.raw = HTTPResponse(
            body=io.BytesIO(body),
            headers=headers,
            status=response.status_code,
            preload_content=False,
        )
        return response

    def close(self) -> None:
        """Hold nothing, so close nothing."""


def connect(*nodes: Flask) -> NodeAdapter:
    """Let these nodes reach each other, and nobody else."""
    adapter = NodeAdapter(nodes)
    for node in nodes:
        node.extensions["hub.transport"] = adapter
    return adapter

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

from hub.database import transaction
from hub.federation import joining, peering
from hub.federation.agreements import EVERYTHING, Agreement
from hub.federation.client import TRANSPORT
from hub.journal.signing import node_keys
from hub.registry.models import PeerKind


class NodeAdapter(BaseAdapter):
    """Carries requests to the node that has the origin; others can't be reached.

    `down` holds the origins that don't answer; `seen` lists what was asked, in order.
    """

    def __init__(self, nodes: Iterable[Flask] = ()) -> None:
        super().__init__()
        self.nodes = {origin_of(node): node for node in nodes}
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
            request_method=request.method,
        )
        return response

    def close(self) -> None:
        """Hold nothing, so close nothing."""


def connect(*nodes: Flask) -> NodeAdapter:
    """Let these nodes reach each other and all that they reach already; return the transport."""
    known = [node.extensions[TRANSPORT] for node in nodes if TRANSPORT in node.extensions]
    adapter: NodeAdapter = known[0] if known else NodeAdapter()
    for other in known[1:]:
        adapter.nodes.update(other.nodes)
    adapter.nodes.update({origin_of(node): node for node in nodes})
    for node in adapter.nodes.values():
        node.extensions[TRANSPORT] = adapter
    return adapter


def join(headquarters: Flask, node: Flask) -> None:
    """Let a node join its headquarters, by the code that its administrator would paste."""
    connect(headquarters, node)
    code = invite(headquarters, node, PeerKind.SUBSIDIARY)
    accept(node, code)


def pair(one: Flask, other: Flask, agreement: Agreement = EVERYTHING) -> None:
    """Make partners of two headquarters: a code each way, and fingerprints compared."""
    connect(one, other)
    for host, guest in ((one, other), (other, one)):
        accept(guest, invite(host, guest, PeerKind.PARTNER, agreement))
    for here, there in ((one, other), (other, one)):
        with there.app_context():
            fingerprint = node_keys().fingerprint
        with here.app_context(), transaction():
            peering.confirm(origin_of(there), fingerprint)


def invite(
    headquarters: Flask, node: Flask, kind: PeerKind, agreement: Agreement = EVERYTHING
) -> str:
    """Return a code with which the node may join."""
    config = node.extensions["hub.settings"]
    with headquarters.app_context(), transaction():
        return joining.invite(config.origin, config.enterprise, kind, agreement)


def accept(node: Flask, code: str) -> None:
    """Join with a code."""
    with node.app_context():
        admission = joining.register(code)
        with transaction():
            joining.keep(admission)


def origin_of(node: Flask) -> str:
    """Return the name of a node in the federation."""
    origin: str = node.extensions["hub.settings"].origin
    return origin

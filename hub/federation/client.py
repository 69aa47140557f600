"""Requests that we make to peers: authorised, bounded in size and time, never redirected.

client = PeerClient.for_peer(peer)
channels = client.get("/fed/v1/channels", {"wait": 25}, timeout=55)
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any
from uuid import uuid4

import requests
from flask import current_app
from requests.adapters import BaseAdapter
from urllib3.exceptions import HTTPError

from hub import clock
from hub.config import Settings, of_this_node, settings
from hub.federation.answers import BADLY_PACKED, read_body, refusal_of, unpack
from hub.federation.errors import (
    ForbiddenAddressError,
    MalformedError,
    RefusedError,
    UnreachableError,
)
from hub.federation.transport import CONNECT, make_session, reason_of
from hub.registry import dpop, tokens
from hub.registry.addresses import is_origin
from hub.registry.models import Peer, PeerKind

Into = Callable[[bytes], object] | None

LONGEST = 30.0  # Seconds that an answer may take; held requests add what they wait.
LONGEST_LIFE = 86_400  # Seconds that a token may claim to hold.
EARLY = 60  # Seconds before its end at which a token is replaced.

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION = "client-authentication+jwt"  # The `typ` of RFC 7523bis.
ASSERTION_LIFE = 60  # Seconds.
PATH = "/oauth/token"
TRANSPORT = "hub.transport"  # Name of the extension by which tests join nodes without a network.


@dataclass
class _Clients:
    """The clients of one node: one for each peer, kept for its connections and its token."""

    kept: dict[tuple[str, str | None], "PeerClient"] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)


def _clients(config: Settings) -> _Clients:
    return _Clients()


def new_session() -> requests.Session:
    """Return a session for requests to peers, over the transport of this application."""
    session = make_session(settings())
    transport: BaseAdapter | None = current_app.extensions.get(TRANSPORT)
    if transport is not None:
        session.mount("https://", transport)
        session.mount("http://", transport)
    return session


class PeerClient:
    """Asks one peer. Threads may share it.

    :raises ForbiddenAddressError: when `origin` is not one that a node may have.
    """

    def __init__(
        self,
        origin: str,
        *,
        client_id: str | None = None,
        proves: bool = False,
        session: requests.Session | None = None,
    ) -> None:
        if not is_origin(origin):
            raise ForbiddenAddressError(origin)
        self.origin = origin
        self.client_id = client_id
        self.proves = proves  # Each request, that we hold the key of our token (RFC 9449).
        self.session = session or new_session()
        self.clock_ahead: float | None = None  # Seconds that its clock is ahead of ours.
        self._token = ""
        self._token_ends = 0.0  # On the monotonic clock.
        self._lock = Lock()

    @classmethod
    def for_peer(cls, peer: Peer) -> "PeerClient":
        """Return the client for a peer; it is made at first use and kept."""
        clients, name = of_this_node(_clients), (peer.origin, peer.our_client_id)
        with clients.lock:
            if name not in clients.kept:
                clients.kept[name] = cls(
                    peer.origin,
                    client_id=peer.our_client_id,
                    proves=peer.kind == PeerKind.PARTNER,
                )
            return clients.kept[name]

    def get(
        self, path: str, params: Mapping[str, Any] | None = None, *, timeout: float = LONGEST
    ) -> dict[str, Any]:
        """Return what the peer answers to an authorised GET.

        :param timeout: seconds for the whole answer.
        :raises PeerError: UnreachableError, RefusedError (with the peer's code) or MalformedError.
        """
        return self._authorised("GET", path, params=params, timeout=timeout)

    def post(self, path: str, body: Any, *, timeout: float = LONGEST) -> dict[str, Any]:
        """Return what the peer answers to an authorised POST of JSON; see `get`."""
        return self._authorised("POST", path, json=body, timeout=timeout)

    def download(self, path: str) -> bytes:
        """Return the body of an answer to an authorised GET, whatever it is; see `get`."""
        bodies: list[bytes] = []
        self._authorised("GET", path, timeout=LONGEST, into=bodies.append)
        return b"".join(bodies)

    def ask(
        self, method: str, path: str, *, timeout: float = LONGEST, into: Into = None, **sent: Any
    ) -> dict[str, Any]:
        """Return what the peer answers to a request that carries no access token.

        :param into: takes the body of a good answer, which need not be JSON then.
        :param sent: params, json, data or headers, as the requests library takes them.
        """
        ends = time.monotonic() + timeout
        headers = {"Accept": "application/json", "Accept-Encoding": "zstd, gzip"}
        headers |= sent.pop("headers", {})
        try:
            response = self.session.request(
                method,
                self.origin + path,
                headers=headers,
                allow_redirects=False,
                stream=True,
                timeout=(CONNECT, timeout),
                **sent,
            )
            with response:
                self._compare_clocks(response)
                if into is None or response.status_code != 200:
                    return self._read(response, ends)
                into(read_body(self.origin, response, ends))
                return {}
        except (requests.RequestException, HTTPError, OSError) as error:
            raise UnreachableError(self.origin, reason_of(error)) from error

    def open(
        self,
        method: str,
        path: str,
        *,
        timeout: float,
        headers: Mapping[str, str] | None = None,
        **sent: Any,
    ) -> requests.Response:
        """Make an authorised request and hand over the answer unread: for bytes that are no JSON.

        A redirect is handed over, not followed. The caller closes the answer.

        :param timeout: seconds to wait for the head, and then for each part of the body.
        :raises PeerError: UnreachableError or RefusedError.
        """
        token, _ = self._access_token(min(timeout, LONGEST))
        proof = {"Accept-Encoding": "identity"} | self._credentials(method, path, token)
        try:
            response = self.session.request(
                method,
                self.origin + path,
                headers={**proof, **(headers or {})},
                allow_redirects=False,
                stream=True,
                timeout=(CONNECT, timeout),
                **sent,
            )
            if response.status_code >= 400:
                if response.status_code == 401:
                    self._token_ends = 0.0  # Whoever comes next asks for a new one.
                with response:
                    self._read(response, time.monotonic() + LONGEST)  # Raises what it says.
        except (requests.RequestException, HTTPError, OSError) as error:
            raise UnreachableError(self.origin, reason_of(error)) from error
        return response

    def _authorised(self, method: str, path: str, **sent: Any) -> dict[str, Any]:
        patience = min(sent["timeout"], LONGEST)
        token, is_new = self._access_token(patience)
        try:
            return self.ask(method, path, headers=self._credentials(method, path, token), **sent)
        except RefusedError as error:
            if error.answered != 401 or is_new:
                raise
        self._token_ends = 0.0  # The peer's clock or keys moved; ask once with a new one.
        token, _ = self._access_token(patience)
        return self.ask(method, path, headers=self._credentials(method, path, token), **sent)

    def _credentials(self, method: str, path: str, token: str) -> dict[str, str]:
        if not self.proves:
            return {"Authorization": f"Bearer {token}"}
        proof = dpop.prove(method, self.origin + path, token)
        return {"Authorization": f"DPoP {token}", "DPoP": proof}

    def _access_token(self, timeout: float = LONGEST) -> tuple[str, bool]:
        with self._lock:
            if time.monotonic() < self._token_ends:
                return self._token, False
            form = {
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": self._assertion(),
            }
            shown = {"DPoP": dpop.prove("POST", self.origin + PATH)} if self.proves else {}
            answer = self.ask("POST", PATH, data=form, headers=shown, timeout=timeout)
            token, life = answer.get("access_token"), answer.get("expires_in")
            if type(life) is not int or not 0 < life <= LONGEST_LIFE:
                raise MalformedError(self.origin, "a token without a proper end")
            if not isinstance(token, str):
                raise MalformedError(self.origin, "no access token")
            if self.proves and str(answer.get("token_type")).lower() != dpop.SCHEME:
                raise MalformedError(self.origin, "a token that anybody may use who finds it")
            self._token, self._token_ends = token, time.monotonic() + life - EARLY
            return token, True

    def _assertion(self) -> str:
        now = clock.timestamp()
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.origin,
            "iat": now,
            "exp": now + ASSERTION_LIFE,
            "jti": str(uuid4()),
        }
        return tokens.sign(claims, ASSERTION)

    def _compare_clocks(self, response: requests.Response) -> None:
        try:
            theirs = parsedate_to_datetime(response.headers.get("Date", ""))
            self.clock_ahead = (theirs - clock.now()).total_seconds()
        except (ValueError, TypeError, OverflowError):
            self.clock_ahead = None

    def _read(self, response: requests.Response, ends: float) -> dict[str, Any]:
        status = response.status_code
        if 300 <= status < 400:
            raise MalformedError(self.origin, "a redirect")
        packed = read_body(self.origin, response, ends)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        encoding = response.headers.get("Content-Encoding", "")
        if status == 204:
            return {}
        answer = self._parse(unpack(packed, encoding), kind)
        if answer is None and status < 400:
            raise MalformedError(self.origin, f"{kind or 'no type'}, not the JSON that was asked")
        if status >= 400:
            raise refusal_of(self.origin, response, answer or {})
        return answer or {}

    def _parse(self, body: bytes | None, kind: str) -> dict[str, Any] | None:
        if body is None:
            raise MalformedError(self.origin, BADLY_PACKED)
        if kind != "application/json" and not kind.endswith("+json"):
            return None
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

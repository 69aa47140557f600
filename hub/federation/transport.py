"""Connections to peers: to the address that was checked, and for no longer than allowed.

Peers may stand on an intranet, so private addresses pass; this machine passes only where the
settings say so, and link-local addresses (where clouds keep their metadata) never do.
"""

import contextlib
import ipaddress
import os
import socket
from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy
from threading import Timer
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError
from urllib3.poolmanager import PoolManager

from hub.config import Settings
from hub.federation.errors import NO_TIME, NO_TRUST

CONNECT = 5.0  # Seconds for each address of a host.


def is_allowed(address: str, *, loopback: bool) -> bool:
    """Say whether a peer may have this IP address."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    if found.is_loopback:
        return loopback
    return not (
        found.is_link_local or found.is_multicast or found.is_unspecified or found.is_reserved
    )


class _Checked:
    """A connection that resolves its host once, and goes to an address that may be used."""

    loopback = False
    host: str
    port: int
    timeout: Any
    sock: Any
    socket_options: Any

    def _new_conn(self) -> socket.socket:
        failure: OSError = OSError("no address that a node may have")
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise NewConnectionError(self, f"unknown host: {error}") from error  # type: ignore[arg-type]
        for family, kind, protocol, _, address in found:
            if not is_allowed(str(address[0]), loopback=self.loopback):
                continue
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(CONNECT)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.connect(address)
                return connection
            except OSError as error:
                connection.close()
                failure = error
        raise NewConnectionError(self, str(failure)) from failure  # type: ignore[arg-type]

    def connect(self) -> None:
        """Connect, TLS included, within a bounded time."""
        with self._at_most(3 * CONNECT):
            super().connect()  # type: ignore[misc]

    def getresponse(self) -> Any:
        """Wait for the head of the answer; a peer that drips it byte by byte is cut off."""
        with self._at_most(float(self.timeout)):
            return super().getresponse()  # type: ignore[misc]

    @contextlib.contextmanager
    def _at_most(self, seconds: float) -> Iterator[None]:
        cut = Timer(seconds, self._cut)
        cut.daemon = True
        cut.start()
        try:
            yield
        finally:
            cut.cancel()

    def _cut(self) -> None:
        with contextlib.suppress(OSError, TypeError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


class _Connection(_Checked, HTTPConnection):
    pass


class _LoopbackConnection(_Connection):
    loopback = True


class _SecureConnection(_Checked, HTTPSConnection):
    pass


class _SecureLoopbackConnection(_SecureConnection):
    loopback = True


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _LoopbackPool(HTTPConnectionPool):
    ConnectionCls = _LoopbackConnection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _SecureLoopbackPool(HTTPSConnectionPool):
    ConnectionCls = _SecureLoopbackConnection


class PeerAdapter(HTTPAdapter):
    """Carries requests over connections that were checked. It never retries by itself."""

    def __init__(self, *, loopback: bool) -> None:
        self.loopback = loopback
        super().__init__(pool_connections=4, pool_maxsize=8, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools, with our own kind of connection in them."""
        super().init_poolmanager(*args, **kwargs)
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = (
            {"http": _LoopbackPool, "https": _SecureLoopbackPool}
            if self.loopback
            else {"http": _Pool, "https": _SecurePool}
        )


def make_session(config: Settings) -> requests.Session:
    """Return a session for peers: no proxies, no cookies, no passwords from files.

    A private certificate authority is named by `REQUESTS_CA_BUNDLE`, as everywhere.
    """
    session = requests.Session()
    session.trust_env = False
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = PeerAdapter(loopback=config.allow_loopback)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def reason_of(error: Exception) -> str:
    """Say in a few words why nobody answered; the library's own text shows whole objects."""
    if isinstance(error, requests.exceptions.SSLError):
        return NO_TRUST
    if isinstance(error, requests.exceptions.Timeout):
        return NO_TIME
    if isinstance(error, requests.exceptions.ConnectionError):
        return "no connection"
    return type(error).__name__

"""Bytes of a file over the wire, in constant memory."""

import time
from collections.abc import Iterator
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError

from hub.federation.client import PeerClient
from hub.federation.errors import NO_TIME, MalformedError, UnreachableError
from hub.federation.transport import CONNECT, reason_of
from hub.media.kinds import PLAIN
from hub.media.service import PART
from hub.registry.addresses import is_origin

STEP = 30.0  # Seconds for the head of an answer, and for each part of it.
SENT = 600.0  # Seconds that the other side may take to put away what it was sent.
SLOWEST = 200_000  # Bytes a second; who sends fewer for long is cut off.


def path_of(sha256: str) -> str:
    """Return the address of a file at a peer."""
    return f"/fed/v1/blobs/{sha256}"


def download(client: PeerClient, sha256: str, via: str, *, size: int) -> Iterator[bytes]:
    """Yield the bytes of a file as they arrive, unchecked.

    One redirect is followed, to where the peer keeps its files: without our token, and only to an
    address that a node may have.

    :param via: digest of the release that grants it.
    :param size: bytes that it should have; more time is given to a larger one.
    :raises PeerError: when it does not come.
    """
    ends = time.monotonic() + 2 * STEP + size / SLOWEST
    response = client.open("GET", path_of(sha256), params={"via": via}, timeout=STEP)
    if response.is_redirect:
        response.close()
        response = _follow(client, response.headers.get("Location", ""))
    with response:
        if response.status_code != 200 or response.headers.get("Content-Encoding"):
            raise MalformedError(client.origin, f"status {response.status_code} for a file")
        yield from _parts(client, response, ends)


def is_there(client: PeerClient, sha256: str, via: str) -> bool:
    """Say whether a peer holds a file.

    :raises RefusedError: when it says that it does not, or no more than that; see `answered`.
    """
    client.open("HEAD", path_of(sha256), params={"via": via}, timeout=STEP).close()
    return True


def upload(client: PeerClient, sha256: str, via: str, file: BinaryIO, size: int) -> None:
    """Send a file; sent again it changes nothing.

    :raises PeerError: when the peer did not take it.
    """
    sent: dict[str, Any] = {"params": {"via": via}, "data": Sized(file, size)}
    headers = {"Content-Type": PLAIN}
    client.open("PUT", path_of(sha256), headers=headers, timeout=SENT, **sent).close()


class Sized:
    """A stream whose length is known, so that it is sent with it and not in chunks."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        while part := self.read(PART):
            yield part

    def read(self, length: int = -1) -> bytes:
        """Read at most so many bytes."""
        return self._file.read(length)


def _follow(client: PeerClient, location: str) -> requests.Response:
    address = urlsplit(urljoin(client.origin, location))
    if not is_origin(f"{address.scheme}://{address.netloc}"):
        raise MalformedError(client.origin, "a redirect to an address that no node may have")
    try:
        return client.session.get(
            address.geturl(),
            headers={"Accept-Encoding": "identity"},
            allow_redirects=False,
            stream=True,
            timeout=(CONNECT, STEP),
        )
    except (requests.RequestException, HTTPError, OSError) as error:
        raise UnreachableError(client.origin, reason_of(error)) from error


def _parts(client: PeerClient, response: requests.Response, ends: float) -> Iterator[bytes]:
    while True:
        try:
            part = response.raw.read1(PART, decode_content=False)
        except (HTTPError, OSError) as error:
            raise UnreachableError(client.origin, reason_of(error)) from error
        if not part:
            return
        if time.monotonic() > ends:
            raise UnreachableError(client.origin, NO_TIME)
        yield part

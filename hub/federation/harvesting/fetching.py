"""Requests to sources: to the address that was checked, bounded, never redirected."""

import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from hub.federation.answers import BADLY_PACKED, read_body, refusal_of, unpack
from hub.federation.client import LONGEST, new_session
from hub.federation.errors import MalformedError, UnreachableError
from hub.federation.harvesting.errors import EndlessError, RedirectError, SourceAddressError
from hub.federation.harvesting.models import LONGEST_URL
from hub.federation.transport import CONNECT, reason_of
from hub.registry.addresses import is_origin

MOST_REQUESTS = 1_000  # Of one harvest.
HEADERS = {
    "Accept": "application/atom+xml, application/rss+xml, application/xml, text/xml;q=0.9",
    "Accept-Encoding": "gzip",
    "User-Agent": "Jingwei",
}


def origin_of(url: str) -> str:
    """Return scheme, host and port of an address that a source may have.

    :raises SourceAddressError: when it may not.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise SourceAddressError from None
    origin = f"{parts.scheme}://{parts.netloc}"
    is_plain = url.isascii() and url.isprintable() and " " not in url
    if not is_origin(origin) or "#" in url or not is_plain or len(url) > LONGEST_URL:
        raise SourceAddressError
    return origin


class Fetcher:
    """Fetches from one source, no more than so often.

    :raises SourceAddressError: when no source may have this address.
    """

    def __init__(self, url: str, *, timeout: float = LONGEST) -> None:
        self.url, self.origin = url, origin_of(url)
        self.timeout = timeout
        self.session = new_session()
        self.count = 0

    def fetch(self, url: str, params: Mapping[str, str] | None = None) -> bytes:
        """Return what stands at an address of this source, unpacked.

        :raises PeerError: UnreachableError, RefusedError or MalformedError.
        :raises RedirectError: when it stands elsewhere.
        :raises EndlessError: when it was asked for too much already.
        """
        self.count += 1
        if self.count > MOST_REQUESTS:
            raise EndlessError
        ends = time.monotonic() + self.timeout
        try:
            response = self.session.get(
                url,
                params=params,
                headers=HEADERS,
                allow_redirects=False,
                stream=True,
                timeout=(CONNECT, self.timeout),
            )
            with response:
                return self._read(response, ends)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise UnreachableError(self.origin, reason_of(error)) from error

    def _read(self, response: requests.Response, ends: float) -> bytes:
        if 300 <= response.status_code < 400:
            raise RedirectError
        if response.status_code != 200:
            raise refusal_of(self.origin, response, {})
        packed = read_body(self.origin, response, ends)
        body = unpack(packed, response.headers.get("Content-Encoding", ""))
        if body is None:
            raise MalformedError(self.origin, BADLY_PACKED)
        return body

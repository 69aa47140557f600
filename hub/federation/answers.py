"""What another node answered: read and unpacked to a bounded size, and what a refusal says."""

import io
import time
import zlib
from typing import Any

import requests
import zstandard

from hub.federation.errors import NO_TIME, MalformedError, RefusedError, UnreachableError

LARGEST = 8 * 1024 * 1024  # Bytes of an answer, as sent and as unpacked.
BADLY_PACKED = "more than 8 MiB when unpacked, or not packed right"


def read_body(origin: str, response: requests.Response, ends: float) -> bytes:
    """Return the body as it was sent, packed or not.

    :param ends: when it must be here, on the monotonic clock.
    :raises MalformedError: when it is larger than allowed.
    :raises UnreachableError: when it does not come in time.
    """
    parts, size = [], 0
    while part := response.raw.read1(64 * 1024, decode_content=False):
        size += len(part)
        if size > LARGEST:
            raise MalformedError(origin, "more than 8 MiB")
        if time.monotonic() > ends:
            break
        parts.append(part)
    if time.monotonic() > ends:  # Also when the head alone took so long and was cut off.
        raise UnreachableError(origin, NO_TIME)
    return b"".join(parts)


def refusal_of(origin: str, response: requests.Response, answer: dict[str, Any]) -> RefusedError:
    """Return the error that an answer other than 2xx is, with the code that it gives."""
    code = answer.get("code") or answer.get("error") or f"http_{response.status_code}"
    detail = answer.get("detail") or answer.get("error_description") or ""
    after = response.headers.get("Retry-After", "")[:9]  # Python reads no number of any length.
    return RefusedError(
        origin,
        str(code)[:60],
        str(detail)[:300],
        answered=response.status_code,
        retry_after=min(int(after), 3600) if after.isdecimal() else None,
    )


def unpack(body: bytes, encoding: str) -> bytes | None:
    """Return the unpacked body; None when it is larger than allowed, or broken."""
    try:
        if encoding == "gzip":
            unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
            body = unpacker.decompress(body, LARGEST + 1)
        elif encoding == "zstd":
            reader = zstandard.ZstdDecompressor(max_window_size=LARGEST).stream_reader(
                io.BytesIO(body)
            )
            body = reader.read(LARGEST + 1)
        elif encoding not in {"", "identity"}:
            return None
    except (zlib.error, zstandard.ZstdError):
        return None
    return body if len(body) <= LARGEST else None

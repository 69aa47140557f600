"""Unpacking what a peer packed, to a bounded size."""

import io
import zlib

import zstandard


def unpack(body: bytes, encoding: str, most: int) -> bytes | None:
    """Return the unpacked body; None when it is larger than allowed, or broken."""
    try:
        if encoding == "gzip":
            unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
            body = unpacker.decompress(body, most + 1)
        elif encoding == "zstd":
            reader = zstandard.ZstdDecompressor(max_window_size=most).stream_reader(
                io.BytesIO(body)
            )
            body = reader.read(most + 1)
        elif encoding not in {"", "identity"}:
            return None
    except (zlib.error, zstandard.ZstdError):
        return None
    return body if len(body) <= most else None

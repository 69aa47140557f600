"""Answers as small as their readers understand."""

import gzip

import zstandard
from flask import Response, request

SMALLEST = 1024  # Bytes from which compressing an answer pays.


def pack(response: Response) -> Response:
    """Compress an answer with zstd or gzip, as the caller accepts."""
    response.headers["Vary"] = "Accept-Encoding"
    text, accepted = response.get_data(), request.accept_encodings
    if len(text) >= SMALLEST and accepted.quality("zstd"):
        response.set_data(zstandard.compress(text, 3))
        response.headers["Content-Encoding"] = "zstd"
    elif len(text) >= SMALLEST and accepted.quality("gzip"):
        response.set_data(gzip.compress(text, 6))
        response.headers["Content-Encoding"] = "gzip"
    return response

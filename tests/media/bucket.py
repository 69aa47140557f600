"""A store that speaks S3, as far as our client is asked for."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

ORIGIN = "https://store.test"


class FakeClient:
    """Stands in for boto3's client of one bucket; what it serves, `node` serves over HTTP."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.asked: list[dict[str, str]] = []  # Headers of the requests to `node`.

    def upload_file(self, path: str, bucket: str, key: str) -> None:
        self.objects[key] = Path(path).read_bytes()

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        return {"Body": io.BytesIO(self.objects[Key])}

    def delete_object(self, *, Bucket: str, Key: str) -> None:  # noqa: N803
        self.objects.pop(Key, None)

    def generate_presigned_url(self, method: str, **given: Any) -> str:
        return f"{ORIGIN}/files/{given['Params']['Key']}?for={given['ExpiresIn']}"

    def get_paginator(self, name: str) -> "FakeClient":
        return self

    def paginate(self, *, Bucket: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        yield {"Contents": [{"Key": key} for key in self.objects]}
        yield {}

    def node(self) -> Flask:
        """Return an application that answers at the signed addresses."""
        app = Flask("store")

        @app.get("/files/<key>")
        def serve(key: str) -> Response:
            self.asked.append(dict(request.headers))
            return Response(self.objects[key])

        return app

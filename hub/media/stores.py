"""Where the bytes are: a folder of this machine, or a bucket that speaks S3.

Each is asked for a file by its SHA-256 only, and takes only files that are whole and checked.
"""

import importlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from hub.config import Settings, of_this_node
from hub.media.errors import StoreError

LIFE = 60  # Seconds that an address in a bucket may be used.


class Store(Protocol):
    """A place for files."""

    def put(self, sha256: str, file: Path) -> None:
        """Take in a file that lies on this machine, whole or not at all; it is moved away."""

    def open(self, sha256: str) -> BinaryIO:
        """Open a file for reading."""

    def path(self, sha256: str) -> Path | None:
        """Return where a file lies on this machine; None when it lies elsewhere."""

    def address(self, sha256: str, headers: dict[str, str]) -> str | None:
        """Return an address that serves a file to whoever has it, for a minute; None: nobody else.

        :param headers: Content-Type and Content-Disposition of the answer.
        """

    def remove(self, sha256: str) -> None:
        """Remove a file, if it is there."""

    def names(self) -> Iterator[str]:
        """Yield the SHA-256 of every file that is there."""


class Folder:
    """Files in a folder of the node's home, 256 folders beneath it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, sha256: str, file: Path) -> None:
        """Rename the file to its place, and make that last."""
        target = self._place(sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, target)
        _sync(target.parent)

    def open(self, sha256: str) -> BinaryIO:
        """Open a file for reading."""
        return self._place(sha256).open("rb")

    def path(self, sha256: str) -> Path | None:
        """Return where a file lies."""
        return self._place(sha256)

    def address(self, sha256: str, headers: dict[str, str]) -> str | None:
        """Say that it is served from here."""
        return None

    def remove(self, sha256: str) -> None:
        """Remove a file, if it is there."""
        self._place(sha256).unlink(missing_ok=True)

    def names(self) -> Iterator[str]:
        """Yield the SHA-256 of every file that is there."""
        return (found.name for found in self.root.glob("[0-9a-f][0-9a-f]/*"))

    def _place(self, sha256: str) -> Path:
        return self.root / sha256[:2] / sha256


class Bucket:
    """Files in a bucket of any store that speaks S3."""

    def __init__(self, client: Any, bucket: str) -> None:
        self.client, self.bucket = client, bucket

    def put(self, sha256: str, file: Path) -> None:
        """Upload the file in parts and forget it here."""
        with _told():
            self.client.upload_file(str(file), self.bucket, sha256)
        file.unlink()

    def open(self, sha256: str) -> BinaryIO:
        """Open a file for reading, as it comes over the network."""
        with _told():
            body: BinaryIO = self.client.get_object(Bucket=self.bucket, Key=sha256)["Body"]
        return body

    def path(self, sha256: str) -> Path | None:
        """Say that it lies elsewhere."""
        return None

    def address(self, sha256: str, headers: dict[str, str]) -> str:
        """Return a signed address that serves a file for a minute."""
        shown = {f"Response{name.replace('-', '')}": value for name, value in headers.items()}
        signed: str = self.client.generate_presigned_url(
            "get_object",
            Params={"Bucket": self.bucket, "Key": sha256, **shown},
            ExpiresIn=LIFE,
        )
        return signed

    def remove(self, sha256: str) -> None:
        """Remove a file; a store does not mind when it is not there."""
        with _told():
            self.client.delete_object(Bucket=self.bucket, Key=sha256)

    def names(self) -> Iterator[str]:
        """Yield the SHA-256 of every file that is there."""
        with _told():
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket):
                yield from (found["Key"] for found in page.get("Contents", ()))


def store() -> Store:
    """Return the store of this node."""
    return of_this_node(_make)


def free_bytes(config: Settings) -> int:
    """Return what is free on the disk that every file passes through."""
    return shutil.disk_usage(config.home).free


def _make(config: Settings) -> Store:
    if not config.s3_bucket:
        return Folder(config.home / "files")
    return Bucket(s3_client(config), config.s3_bucket)


def s3_client(config: Settings) -> Any:
    """Return the client of a bucket; its library takes 30 MB, so only who has one loads it."""
    options = importlib.import_module("botocore.config").Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},  # What every store understands, by name or by number.
        connect_timeout=5,
        read_timeout=30,
        retries={"max_attempts": 3},
    )
    return importlib.import_module("boto3").client(
        "s3",
        endpoint_url=config.s3_endpoint or None,
        region_name=config.s3_region or None,
        aws_access_key_id=config.s3_access_key or None,
        aws_secret_access_key=config.s3_secret_key or None,
        config=options,
    )


@contextmanager
def _told() -> Iterator[None]:
    """Say in our own words that the bucket did not do as it was asked.

    :raises StoreError: for all that its library raises.
    """
    lower, upper = map(importlib.import_module, ("botocore.exceptions", "boto3.exceptions"))
    try:
        yield
    except (lower.BotoCoreError, lower.ClientError, upper.Boto3Error) as error:
        raise StoreError from error


def _sync(folder: Path) -> None:
    """Make the names in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

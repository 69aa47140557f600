"""What a bucket does, beside what it has in common with a folder (test_service)."""

from dataclasses import replace
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import Flask

from hub.config import Settings
from hub.media import service as media
from hub.media import stores
from hub.media.errors import StoreError
from tests.media.conftest import files
from tests.ports import free_port

CONTENT = b"some bytes"
NAME = sha256(CONTENT).hexdigest()
HEADERS = {"Content-Type": "application/pdf", "Content-Disposition": "attachment"}


def test_what_was_put_is_what_is_read(home):
    media.take([CONTENT], most=100, check=lambda received: None)
    with stores.store().open(NAME) as file:
        assert file.read() == CONTENT


def test_a_file_in_a_bucket_is_on_this_machine_no_more(alpha: Flask, in_bucket: Settings):
    with alpha.app_context():
        media.take([CONTENT], most=100, check=lambda received: None)
        assert files(in_bucket.home) == [NAME]
        assert stores.store().path(NAME) is None
        assert not (in_bucket.home / "files").exists()


def test_a_signed_address_serves_one_file_to_be_saved_to_whoever_has_it(
    alpha: Flask, in_bucket: Settings
):
    with alpha.app_context():
        media.take([CONTENT], most=100, check=lambda received: None)
        address = stores.store().address(NAME, HEADERS)
    served = requests.get(address, timeout=10)
    assert served.content == CONTENT
    assert {name: served.headers[name] for name in HEADERS} == HEADERS
    part = requests.get(address, headers={"Range": "bytes=5-"}, timeout=10)
    assert (part.status_code, part.content) == (206, CONTENT[5:])


def test_an_address_in_a_bucket_holds_for_a_minute():
    config = Settings(
        s3_bucket="files",
        s3_endpoint="https://store.example",
        s3_region="cn-north-1",
        s3_access_key="key",
        s3_secret_key="secret",
    )
    bucket = stores.Bucket(stores.s3_client(config), "files")
    address = urlsplit(bucket.address(NAME, HEADERS))
    assert f"{address.scheme}://{address.netloc}{address.path}" == (
        f"https://store.example/files/{NAME}"
    )
    query = parse_qs(address.query)
    assert query["X-Amz-Expires"] == ["60"]
    assert query["response-content-type"] == ["application/pdf"]
    assert query["response-content-disposition"] == ["attachment"]
    assert "secret" not in address.query


@pytest.mark.parametrize("wrong", ["address", "bucket"])
def test_a_store_that_does_not_take_a_file_keeps_nothing_and_says_so(
    alpha: Flask, in_bucket: Settings, wrong: str
):
    changes = {
        "address": {"s3_endpoint": f"http://127.0.0.1:{free_port()}"},
        "bucket": {"s3_bucket": "nobody-made-this"},
    }
    alpha.extensions["hub.settings"] = replace(in_bucket, **changes[wrong])
    with alpha.app_context():
        with pytest.raises(StoreError):
            media.take([CONTENT], most=100, check=lambda received: None)
        assert media.held([NAME]) == {}
        assert list((in_bucket.home / "incoming").iterdir()) == []

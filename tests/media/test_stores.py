"""A bucket keeps files as a folder does; only the S3 client is faked here."""

from dataclasses import replace
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import EndpointConnectionError
from flask import Flask

from hub.config import Settings
from hub.media import service as media
from hub.media import stores
from hub.media.errors import StoreError
from tests.media.bucket import FakeClient

CONTENT = b"some bytes"
NAME = sha256(CONTENT).hexdigest()


@pytest.fixture
def client(alpha: Flask, monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    client = FakeClient()
    monkeypatch.setattr(stores, "s3_client", lambda config: client)
    config = alpha.extensions["hub.settings"]
    alpha.extensions["hub.settings"] = replace(config, s3_bucket="files")
    return client


def test_a_file_goes_to_the_bucket_and_leaves_nothing_behind(alpha, client):
    with alpha.app_context():
        media.take([CONTENT], most=100, check=lambda received: None)
        assert client.objects == {NAME: CONTENT}
        assert list((alpha.extensions["hub.settings"].home / "incoming").iterdir()) == []
        with stores.store().open(NAME) as file:
            assert file.read() == CONTENT


def test_what_nobody_names_leaves_the_bucket(alpha, client):
    client.objects["0" * 64] = b"left behind"
    with alpha.app_context():
        media.take([CONTENT], most=100, check=lambda received: None)
        assert media.sweep() == 1
        assert client.objects == {NAME: CONTENT}
        assert media.tidy(lambda names: set()) == 1
    assert client.objects == {}


def test_an_address_in_a_bucket_holds_for_a_minute_and_one_file_to_be_saved():
    config = Settings(
        s3_bucket="files",
        s3_endpoint="https://store.example",
        s3_region="cn-north-1",
        s3_access_key="key",
        s3_secret_key="secret",
    )
    bucket = stores.Bucket(stores.s3_client(config), "files")
    headers = {"Content-Type": "application/pdf", "Content-Disposition": "attachment"}
    address = urlsplit(bucket.address(NAME, headers))
    assert f"{address.scheme}://{address.netloc}{address.path}" == (
        f"https://store.example/files/{NAME}"
    )
    query = parse_qs(address.query)
    assert query["X-Amz-Expires"] == ["60"]
    assert query["response-content-type"] == ["application/pdf"]
    assert query["response-content-disposition"] == ["attachment"]
    assert "secret" not in address.query


def test_a_store_that_does_not_answer_takes_nothing_in_and_says_so(alpha, client, monkeypatch):
    def fail(*given: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://store.test")

    monkeypatch.setattr(client, "upload_file", fail)
    with alpha.app_context():
        with pytest.raises(StoreError):
            media.take([CONTENT], most=100, check=lambda received: None)
        assert media.held([NAME]) == {}
        assert list((alpha.extensions["hub.settings"].home / "incoming").iterdir()) == []

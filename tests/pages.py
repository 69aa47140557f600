"""A reader at a browser without JavaScript: opens pages, fills in forms, presses buttons."""

import re
from html import unescape

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.factories import PASSWORD

_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


def csrf_token(page: TestResponse) -> str:
    """Return the proof that a page's forms carry."""
    found = _TOKEN.search(page.text)
    assert found, f"no form on the page: {page.status}"
    return unescape(found[1])


def submit(
    client: FlaskClient, page: str, address: str | None = None, **fields: object
) -> TestResponse:
    """Open a page and send its form, to the page's own address unless another is given."""
    token = csrf_token(client.get(page))
    return client.post(address or page, data={"csrf_token": token, **fields})


def sign_in(app: Flask, username: str, password: str = PASSWORD) -> FlaskClient:
    """Return the browser of somebody who has signed in."""
    client = app.test_client()
    answer = submit(client, "/sign-in", username=username, password=password)
    assert answer.status_code == 303, answer.text
    return client


def bearer(token: str) -> dict[str, str]:
    """Return the header with which a program shows its token."""
    return {"Authorization": f"Bearer {token}"}

"""A node of another make: joins by a code, publishes, and reads, with nothing but HTTP."""

import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import requests

from tests.conformance import wire
from tests.conformance.wire import Signed, SigningKey, TokenKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PATIENCE = 60.0  # Seconds for which a request that was throttled or got lost is sent again.


@dataclass
class Peer:
    """One node under a name of its own, as it stands towards the node under test."""

    hub: str  # Base URL of the node under test.
    origin: str
    enterprise: str
    name: str = "互通测试节点"
    signing: SigningKey = field(default_factory=SigningKey)
    token_key: TokenKey = field(default_factory=TokenKey)
    client_id: str = ""
    via: str = ""  # Base URL to send requests to, if not the node itself: a proxy that fails.
    _token: str = ""
    _ends: dict[str, tuple[str, int, str]] = field(default_factory=dict)

    def send(self, method: str, path: str, **more: Any) -> requests.Response:
        """Send one request; follows no redirect."""
        more.setdefault("timeout", 40)
        return requests.request(
            method, (self.via or self.hub) + path, allow_redirects=False, **more
        )

    def registration(self, code: str, **changes: Any) -> dict[str, Any]:
        """Return the body with which the node registers."""
        claims = {
            "aud": self.hub,
            "code": hashlib.sha256(code.encode()).hexdigest(),
            "iat": int(time.time()),
            "keys": [self.signing.jwk["kid"], self.token_key.jwk["kid"]],
            "node": self.origin,
        }
        proof = {
            "signing": wire.compact(self.signing, claims, "jw-join-proof+jws"),
            "token": wire.compact(self.token_key, claims, "jw-join-proof+jws"),
        }
        return {
            "client_name": self.name,
            "grant_types": ["client_credentials"],
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": {"keys": [self.signing.jwk, self.token_key.jwk]},
            "node": self.origin,
            "enterprise": self.enterprise,
            "proof": proof,
        } | changes

    def register(self, code: str, **changes: Any) -> requests.Response:
        """Post the registration."""
        headers = {"Authorization": f"Bearer {code}"}
        body = self.registration(code, **changes)
        return self.send("POST", "/oauth/register", json=body, headers=headers)

    def join(self, code: str) -> None:
        """Register and keep the client id."""
        answer = self.register(code)
        assert answer.status_code == 201, f"not let in: {answer.status_code} {answer.text}"
        self.client_id = answer.json()["client_id"]

    def assertion(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of a client assertion; `changes` replaces some."""
        now = int(time.time())
        return {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.hub,
            "iat": now,
            "exp": now + 60,
            "jti": str(uuid4()),
        } | changes

    def ask_token(self, assertion: str, **changes: Any) -> requests.Response:
        """Ask for an access token with an assertion."""
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        } | changes
        return self.send("POST", "/oauth/token", data=form)

    def token(self) -> str:
        """Return an access token, asked for at first use."""
        if not self._token:
            text = wire.compact(self.token_key, self.assertion(), "client-authentication+jwt")
            answer = self.ask_token(text)
            assert answer.status_code == 200, f"no token: {answer.status_code} {answer.text}"
            self._token = answer.json()["access_token"]
        return self._token

    def renew(self) -> str:
        """Return another access token than before."""
        self._token = ""
        return self.token()

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        """Send an authorised request; waits as long as it is told to when it comes too often."""
        ends = time.monotonic() + PATIENCE
        while True:
            headers = {"Authorization": f"Bearer {self.token()}"} | more.get("headers", {})
            answer = self.send(method, path, **(more | {"headers": headers}))
            if answer.status_code != 429 or time.monotonic() > ends:
                return answer
            time.sleep(min(float(answer.headers.get("Retry-After", "1")), 5.0))

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON of an authorised GET."""
        answer = self.call("GET", path, params=params)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:300]}"
        return answer.json()

    def heads(self, **params: Any) -> dict[str, str]:
        """Return the channels that are open, with their heads."""
        listed = self.get("/fed/v1/channels", **params)["channels"]
        return {row["ch"]: row["head"] for row in listed}

    def read(self, channel: str, after: str = "0", limit: int = 500) -> list[dict[str, Any]]:
        """Return all items of a channel after a cursor."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(f"/fed/v1/channels/{channel}/items", after=after, limit=limit)
            found += page["items"]
            if not page["items"] or page["to"] >= page["head"]:
                return found
            after = f"{page['epoch']}:{page['to']}"

    def release(self, channel: str, document: dict[str, Any], **changes: Any) -> Signed:
        """Return the next release of our chain in a channel; `changes` replaces members."""
        epoch, seq, last = self._ends.get(channel, ("conform", 0, ""))
        text = wire.canonical(document)
        statement = {
            "v": 1,
            "iss": self.origin,
            "epoch": epoch,
            "ch": channel,
            "seq": seq + 1,
            "prev": last or None,
            "op": "put",
            "id": document["id"],
            "rev": document["rev"],
            "digest": hashlib.sha256(text.encode()).hexdigest(),
            "relay": [channel],
            "iat": int(time.time()),
        } | changes
        return self.signing.object(statement, "jw-release+jws")

    def item(self, channel: str, document: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Return the next item of our chain; it counts once `advance` is called with it."""
        is_put = changes.get("op", "put") == "put"
        entry = self.signing.object(document, "jw-entry+jws") if is_put else None
        return {"release": self.release(channel, document, **changes), "entry": entry, "via": 0}

    def advance(self, item: dict[str, Any]) -> None:
        """Count an item as the end of our chain."""
        said = json.loads(item["release"]["p"])
        self._ends[said["ch"]] = (said["epoch"], said["seq"], wire.digest(item["release"]))

    def ingest(self, channel: str, items: list[dict[str, Any]]) -> dict[str, Any]:
        """Publish items upwards and return the answer."""
        answer = self.call("POST", "/fed/v1/ingest", json={"ch": channel, "items": items})
        assert answer.status_code == 200, f"{answer.status_code} {answer.text[:300]}"
        found: dict[str, Any] = answer.json()
        return found

    def publish(self, channel: str, document: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Publish one item, which must be taken in; returns it."""
        item = self.item(channel, document, **changes)
        answer = self.ingest(channel, [item])
        assert not answer["refused"], f"refused: {answer['refused']}"
        self.advance(item)
        return item

    def refused(self, channel: str, item: dict[str, Any]) -> str:
        """Publish an item that must not be taken in; returns the code of the refusal."""
        answer = self.ingest(channel, [item])
        assert not answer["accepted"], "taken in, and should not be"
        code: str = answer["refused"][0]["code"]
        return code

"""Files between nodes: by release and never by hash, whole or not at all, gone with their entry."""

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from hub import clock
from hub.cases import follower as cases_follower
from hub.cases.models import Document, public_id
from hub.cases.service import reading
from hub.config import of_this_node
from hub.database import db, transaction
from hub.federation import puller, pusher
from hub.federation.client import PeerClient
from hub.federation.errors import PeerError, RefusedError, UnreachableError
from hub.federation.files import pushing
from hub.identity.models import MEMBERS, Role
from hub.journal import log
from hub.journal.attachments import Attachment
from hub.journal.models import GROUP, PUBLIC, EntryFile, Release
from hub.media import service as media
from hub.media import stores
from hub.registry import service as registry
from hub.search import follower as search
from hub.search import service as searching
from tests.conftest import Stage
from tests.factories import make_person
from tests.federation.test_quotas import allow
from tests.federation.test_urls import statements
from tests.in_process import NodeAdapter, connect, join, origin_of, pair
from tests.media.bucket import ORIGIN, FakeClient
from tests.pages import sign_in

HEADQUARTERS = "https://headquarters.test"
CONTENT = b"%PDF-1.7\n" + b"plans of the yard " * 1000
NAME = sha256(CONTENT).hexdigest()


@dataclass
class Group:
    """A headquarters and two nodes, alpha that writes and beta that reads."""

    headquarters: Flask
    alpha: Flask
    beta: Flask
    network: NodeAdapter

    def sync(self) -> None:
        """Let releases travel, and then the files of alpha."""
        with self.alpha.app_context():
            pusher.push(HEADQUARTERS)
            pushing.push(HEADQUARTERS)
        for node in (self.headquarters, self.beta):
            with node.app_context():
                puller.pull_all()

    def sent(self) -> int:
        """Return how often a file was sent."""
        return sum(method == "PUT" for method, _ in self.network.seen)


@pytest.fixture
def group(stage: Stage) -> Group:
    nodes = stage("three with a reader", ("headquarters", "alpha", "beta"), _meet)
    return Group(*nodes, connect(*nodes))


def _meet(headquarters: Flask, alpha: Flask, beta: Flask) -> None:
    for node in (alpha, beta):
        join(headquarters, node)
    with beta.app_context(), transaction():
        make_person("reader", Role.READER)
    Group(headquarters, alpha, beta, connect(headquarters, alpha, beta)).sync()


def publish(node: Flask, *channels: str, content: bytes = CONTENT, entry_id: str = "") -> str:
    """Publish a case with one file."""
    entry_id, name = entry_id or str(uuid4()), sha256(content).hexdigest()
    file = Attachment(name, len(content), "application/pdf", "方案.pdf")
    publication = log.Publication(
        "case", entry_id, 1, "划好责任区", "", {}, channels, attachments=[file]
    )
    with node.app_context():
        media.take([content], most=len(content), check=lambda received: None)
        with transaction():
            reading.receive(log.publish_all([publication]))
    return entry_id


def withdraw(node: Flask, entry_id: str) -> None:
    with node.app_context(), transaction():
        reading.receive(log.readdress(entry_id, ()))


def via_of(node: Flask, channel: str = GROUP) -> str:
    """Return the digest of the last release in a channel, as a node knows it."""
    with node.app_context():
        statement = select(Release.digest).where(Release.channel == channel)
        return str(db.session.scalars(statement.order_by(Release.position.desc())).first())


def holds(node: Flask, content: bytes = CONTENT) -> bool:
    """Say whether a node has a file, row and bytes alike."""
    name = sha256(content).hexdigest()
    with node.app_context():
        has_row = bool(media.held([name]))
        path = stores.store().path(name)
    if path is not None:
        assert path.exists() == has_row
    return has_row


def ask(node: Flask, via: str, name: str = NAME, peer: str = HEADQUARTERS) -> tuple[int, bytes]:
    """Ask a peer for a file as a node does; return status and body."""
    with node.app_context():
        found = registry.find_peer(peer)
        assert found
        client = PeerClient.for_peer(found)
        path = f"/fed/v1/blobs/{name}"
        headers = client._credentials("GET", path, client._access_token()[0])
        answer = client.session.get(peer + path, params={"via": via}, headers=headers)
        return answer.status_code, answer.content


def send(node: Flask, via: str, content: bytes, name: str = NAME) -> RefusedError | None:
    """Send headquarters a file; return its refusal."""
    with node.app_context():
        found = registry.find_peer(HEADQUARTERS)
        assert found
        try:
            given = {"params": {"via": via}, "data": content, "timeout": 5.0}
            PeerClient.for_peer(found).open("PUT", f"/fed/v1/blobs/{name}", **given).close()
        except RefusedError as error:
            return error
    return None


def page(node: Flask, entry_id: str, origin: str = "https://alpha.test", file: str = "") -> str:
    return f"/cases/{public_id(origin, entry_id)}" + (f"/files/{file}" if file else "")


def open_file(node: Flask, entry_id: str, origin: str = "https://alpha.test") -> TestResponse:
    address = page(node, entry_id, origin, NAME)
    return sign_in(node, "reader").get(address, buffered=True)


def test_a_file_is_pushed_up_and_fetched_when_it_is_first_opened(group: Group) -> None:
    entry_id = publish(group.alpha, GROUP)
    group.sync()
    assert holds(group.headquarters)
    assert not holds(group.beta)
    reader = sign_in(group.beta, "reader")
    assert "fetched from the node that published it" in reader.get(page(group.beta, entry_id)).text
    answer = open_file(group.beta, entry_id)
    assert (answer.status_code, answer.data) == (200, CONTENT)
    assert holds(group.beta)
    assert "fetched from" not in reader.get(page(group.beta, entry_id)).text
    group.network.down.add(HEADQUARTERS)
    assert open_file(group.beta, entry_id).data == CONTENT, "it is kept now"


def test_a_hash_alone_opens_nothing(group: Group) -> None:
    """Conformance 14 and 15: absent and forbidden look the same."""
    publish(group.alpha, GROUP)
    publish(group.alpha, GROUP, content=b"%PDF-another")
    group.sync()
    via, other = via_of(group.beta), sha256(b"%PDF-another").hexdigest()
    assert ask(group.beta, via, other) == (200, b"%PDF-another")
    absent = ask(group.beta, via, "0" * 64)
    assert absent[0] == 404
    assert json.loads(absent[1])["code"] == "not_found"
    for asked in ((via, NAME), ("", NAME), ("0" * 64, NAME), (via, "x")):
        assert ask(group.beta, *asked) == absent, "there, but not by this release"


def test_a_file_that_is_not_open_costs_what_one_costs_that_is_not_there(group: Group) -> None:
    publish(group.alpha, GROUP)
    publish(group.alpha, GROUP, content=b"%PDF-another")
    group.sync()
    via = via_of(group.beta)
    ask(group.beta, via)
    asked = []
    for name in (NAME, "0" * 64):
        with group.headquarters.app_context(), statements() as seen:
            assert ask(group.beta, via, name)[0] == 404
        asked.append(seen)
    assert asked[0] == asked[1]


def test_a_partner_gets_files_of_its_channel_only(group: Group, partner: Flask) -> None:
    pair(group.headquarters, partner)
    publish(group.alpha, GROUP)
    group.sync()
    refused = ask(partner, via_of(group.headquarters))
    assert refused[0] == 404
    assert ask(partner, via_of(group.headquarters), "0" * 64) == refused
    publish(group.alpha, GROUP, "partner:globex")
    group.sync()
    assert ask(partner, via_of(group.headquarters, "partner:globex")) == (200, CONTENT)


def test_a_node_without_the_scope_gets_no_file(group: Group) -> None:
    publish(group.alpha, GROUP)
    group.sync()
    address = f"{HEADQUARTERS}/fed/v1/blobs/{NAME}?via={via_of(group.beta)}"
    client = group.headquarters.test_client()
    assert client.get(address).status_code == 401
    assert client.put(address, data=CONTENT).status_code == 401


def test_a_part_of_a_file_can_be_asked_for(group: Group) -> None:
    publish(group.alpha, GROUP)
    group.sync()
    with group.beta.app_context():
        peer = registry.find_peer(HEADQUARTERS)
        given = {"params": {"via": via_of(group.beta)}, "timeout": 5.0}
        answer = PeerClient.for_peer(peer).open(
            "GET", f"/fed/v1/blobs/{NAME}", headers={"Range": "bytes=0-7"}, **given
        )
        with answer:
            assert (answer.status_code, answer.content) == (206, CONTENT[:8])


def test_only_its_publisher_sends_a_file_and_only_the_one_that_is_named(group: Group) -> None:
    publish(group.alpha, GROUP)
    with group.alpha.app_context():
        pusher.push(HEADQUARTERS)
    via = via_of(group.headquarters)
    for sender, release, content, name, refusal in (
        (group.beta, via, CONTENT, NAME, "not_found"),
        (group.alpha, "0" * 64, CONTENT, NAME, "not_found"),
        (group.alpha, via, b"0" * 64, "0" * 64, "not_found"),
        (group.alpha, via, CONTENT + b"more", NAME, "other_size"),
        (group.alpha, via, CONTENT[:-1] + b"!", NAME, "other_hash"),
    ):
        refused = send(sender, release, content, name)
        assert refused is not None
        assert refused.refusal == refusal
        assert not holds(group.headquarters)
    assert send(group.alpha, via, CONTENT) is None
    assert send(group.alpha, via, CONTENT) is None, "again changes nothing"
    assert holds(group.headquarters)


def test_a_file_is_sent_once_for_all_its_channels(group: Group) -> None:
    publish(group.alpha, GROUP, PUBLIC)
    group.sync()
    group.sync()
    assert group.sent() == 1


def test_what_could_not_be_sent_is_sent_later(group: Group) -> None:
    publish(group.alpha, GROUP)
    with group.alpha.app_context():
        with pytest.raises(RefusedError) as refused:
            pushing.push(HEADQUARTERS)  # The release itself is not there yet.
        assert refused.value.answered == 404
        assert group.sent() == 0, "no bytes were sent in vain"
        group.network.down.add(HEADQUARTERS)
        with pytest.raises(UnreachableError):
            pushing.push(HEADQUARTERS)
        group.network.down.clear()
    group.sync()
    assert holds(group.headquarters)
    group.network.seen.clear()
    group.sync()
    assert not any("/blobs/" in address for _, address in group.network.seen), "nothing is left"


def test_a_file_that_is_throttled_is_sent_afterwards(group: Group) -> None:
    publish(group.alpha, GROUP)
    with group.alpha.app_context():
        pusher.push(HEADQUARTERS)
    for quota, code in ((1, "throttled"), (100, None)):
        allow(group.headquarters, peer_requests_per_minute=quota)
        with group.alpha.app_context():
            try:
                pushing.push(HEADQUARTERS)
                refused = None
            except RefusedError as error:
                refused = error.refusal
        assert refused == code
        assert holds(group.headquarters) == (code is None)


def test_a_release_that_is_held_up_holds_up_no_file_of_another(group: Group) -> None:
    publish(group.alpha, GROUP, content=b"%PDF-first")
    publish(group.alpha, PUBLIC)
    with group.alpha.app_context():
        heads = pusher.push(HEADQUARTERS, {})
        assert set(heads) == {GROUP, PUBLIC}
    with group.headquarters.app_context(), transaction():
        for row in db.session.scalars(select(EntryFile)):
            if row.sha256 != NAME:
                db.session.delete(row)  # As if the first had not arrived.
    with group.alpha.app_context(), pytest.raises(PeerError):
        pushing.push(HEADQUARTERS)
    assert holds(group.headquarters)
    assert not holds(group.headquarters, b"%PDF-first")


def test_wrong_bytes_are_not_kept_and_the_file_is_flagged(group: Group) -> None:
    entry_id = publish(group.alpha, GROUP)
    group.sync()
    with group.headquarters.app_context():
        path = stores.store().path(NAME)
        assert path
        path.write_bytes(CONTENT[:-1] + b"!")
    answer = open_file(group.beta, entry_id)
    assert answer.status_code == 502
    assert "not to be had just now" in answer.text
    assert not holds(group.beta)
    reader = sign_in(group.beta, "reader")
    shown = reader.get(page(group.beta, entry_id))
    assert shown.status_code == 200
    assert "划好责任区" in shown.text, "the case stays readable"
    assert "Not available" in shown.text
    with group.beta.app_context():
        search.follow_once()
        of_this_node(search.Follower).close()
        assert searching.search("责任区", audiences={MEMBERS}).total == 1, "and is found"
    path.write_bytes(CONTENT)
    group.network.seen.clear()
    assert open_file(group.beta, entry_id).status_code == 502
    assert group.network.seen == [], "nobody is asked again at once"


def test_after_a_while_a_missing_file_is_asked_for_again(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry_id = publish(group.alpha, GROUP)
    group.sync()
    group.network.down.add(HEADQUARTERS)
    assert open_file(group.beta, entry_id).status_code == 502
    group.network.down.clear()
    now = clock.now() + timedelta(seconds=31)
    monkeypatch.setattr(clock, "now", lambda: now)
    assert open_file(group.beta, entry_id).data == CONTENT
    shown = sign_in(group.beta, "reader").get(page(group.beta, entry_id)).text
    assert "Not available" not in shown


def test_a_file_is_fetched_once_at_a_time(group: Group) -> None:
    entry_id = publish(group.alpha, GROUP)
    group.sync()
    with group.beta.app_context(), media.only_one(NAME) as is_alone:
        assert is_alone
        answer = open_file(group.beta, entry_id)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert open_file(group.beta, entry_id).data == CONTENT


def test_a_file_goes_everywhere_with_its_entry(group: Group) -> None:
    entry_id = publish(group.alpha, GROUP)
    group.sync()
    assert open_file(group.beta, entry_id).status_code == 200
    via = via_of(group.beta)
    withdraw(group.alpha, entry_id)
    group.sync()
    assert open_file(group.beta, entry_id).status_code == 410
    assert ask(group.beta, via)[0] == 404, "though the bytes may still be there"
    for node in (group.alpha, group.headquarters, group.beta):
        with node.app_context():
            assert cases_follower.tidy_files() == 1
            cases_follower.sweep_files()
            assert db.session.scalars(select(EntryFile)).all() == []
        assert not holds(node)


def test_a_file_that_another_entry_names_stays(group: Group) -> None:
    first = publish(group.alpha, GROUP)
    second = publish(group.alpha, GROUP)
    group.sync()
    withdraw(group.alpha, first)
    group.sync()
    with group.headquarters.app_context():
        assert cases_follower.tidy_files() == 0
    assert open_file(group.beta, second).data == CONTENT


def test_a_file_in_a_bucket_is_fetched_there_without_our_token(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = in_bucket(group.headquarters, monkeypatch)
    group.network.nodes[ORIGIN] = client.node()
    entry_id = publish(group.alpha, GROUP)
    group.sync()
    assert client.objects == {NAME: CONTENT}
    assert open_file(group.beta, entry_id).data == CONTENT
    [asked] = client.asked
    assert "Authorization" not in asked
    assert "Dpop" not in asked


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254/latest", "http://localhost:1/", "file:///etc/passwd"]
)
def test_no_redirect_leads_to_an_address_that_no_node_may_have(
    group: Group, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    client = in_bucket(group.headquarters, monkeypatch)
    monkeypatch.setattr(client, "generate_presigned_url", lambda *a, **b: address)
    entry_id = publish(group.alpha, GROUP)
    group.sync()
    assert open_file(group.beta, entry_id).status_code == 502
    assert not any(address.startswith(asked) for _, asked in group.network.seen)
    assert all("blobs" in asked or HEADQUARTERS in asked for _, asked in group.network.seen)


def test_headquarters_fetches_from_a_partner_what_its_nodes_read(
    group: Group, partner: Flask
) -> None:
    pair(group.headquarters, partner)
    entry_id = publish(partner, GROUP, "partner:acme")
    group.sync()
    group.sync()
    answer = open_file(group.beta, entry_id, origin_of(partner))
    assert answer.data == CONTENT
    assert holds(group.headquarters)


def test_a_file_of_ours_that_is_lost_is_asked_of_nobody(group: Group) -> None:
    entry_id = publish(group.alpha, GROUP)
    with group.alpha.app_context():
        with transaction():
            make_person("reader", Role.READER)
        assert media.tidy(lambda names: set()) == 1
    group.network.seen.clear()
    assert open_file(group.alpha, entry_id).status_code == 502
    assert group.network.seen == []


def test_names_that_are_not_well_formed_harm_nobody(group: Group) -> None:
    entry_id = str(uuid4())
    bad = [
        "no object",
        {"sha256": "../../etc", "size": 1, "type": "a", "name": "b"},
        {"sha256": NAME, "size": True, "type": "a", "name": "b"},
        {"sha256": NAME, "size": 1, "type": "a", "name": "b\r\nSet-Cookie: c"},
        {"sha256": NAME, "size": 1, "type": "text/html", "name": "<b>.html", "more": 1},
    ]

    class Loose:
        """An attachment as a careless node would name it."""

        def __init__(self, wire: object) -> None:
            self.wire = wire

        def as_wire(self) -> object:
            return self.wire

    publication = log.Publication(
        "case", entry_id, 1, "t", "", {}, [GROUP], attachments=[Loose(row) for row in bad]
    )  # type: ignore[arg-type]
    with group.alpha.app_context(), transaction():
        reading.receive(log.publish_all([publication]))
    group.sync()
    with group.beta.app_context():
        document = db.session.get_one(Document, UUID(page(group.beta, entry_id)[7:]))
        assert document.attachments == [
            {"sha256": NAME, "size": 1, "type": "text/html", "name": "<b>.html"}
        ]
    shown = sign_in(group.beta, "reader").get(page(group.beta, entry_id)).text
    assert "&lt;b&gt;.html" in shown


def test_a_large_file_passes_in_constant_memory() -> None:
    """Conformance 31: 64 MiB from node to node; `python -m bench.blobs` moves 1 GiB."""
    root = Path(__file__).parent.parent.parent
    command = [sys.executable, "-m", "bench.blobs", "--mib", "64"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["mib"] == 64
    assert found["growth_mib"] < 24, found


def in_bucket(node: Flask, monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    """Let a node keep its files in a bucket from now on."""
    client = FakeClient()
    monkeypatch.setattr(stores, "s3_client", lambda config: client)
    config = node.extensions["hub.settings"]
    node.extensions["hub.settings"] = replace(config, s3_bucket="files")
    node.extensions.get("hub.kept", {}).pop(stores._make, None)
    return client

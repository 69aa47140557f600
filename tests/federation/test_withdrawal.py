"""A case that is taken back is gone from all that another node has shown of it."""

from hub.config import of_this_node
from hub.federation.feeds import atom
from hub.journal.models import GROUP, PUBLIC
from hub.search import follower as search
from tests.federation import test_blobs
from tests.federation.test_blobs import NAME, Group, ask, page, publish, via_of, withdraw
from tests.federation.test_feeds import settle
from tests.federation.test_receipts import released, states
from tests.federation.test_urls import get

group = test_blobs.group
TITLE = "划好责任区".encode()


def shown(group: Group, entry_id: str, via: str) -> dict[str, bool]:
    """Say where headquarters shows strangers a case of alpha, and whether beta gets its file."""
    settle(group.headquarters)
    with group.headquarters.app_context():
        search.follow_once()
        of_this_node(search.Follower).close()
    client, case = group.headquarters.test_client(), page(group.headquarters, entry_id)
    addresses = {
        "page": case,
        "api": f"/api/v1{case}",
        "file": f"{case}/files/{NAME}",
        "search": "/api/v1/search?q=责任区",
        "atom": atom.PATH,
        "oai": "/oai?verb=ListRecords&metadataPrefix=oai_dc",
    }
    answers = {name: client.get(at, buffered=True) for name, at in addresses.items()}
    found = {name: answer.status_code == 200 for name, answer in answers.items()}
    found["search"] = answers["search"].json["total"] == 1
    for name in ("atom", "oai"):
        found[name] &= TITLE in answers[name].data
    return found | {"blob": ask(group.beta, via)[0] == 200}


def test_a_withdrawn_case_is_gone_from_all_that_another_node_shows(group: Group) -> None:
    entry_id = publish(group.alpha, GROUP, PUBLIC)
    group.sync()
    via = via_of(group.beta)
    before = shown(group, entry_id, via)
    assert set(before.values()) == {True}, before
    withdraw(group.alpha, entry_id)
    for _ in range(2):
        group.sync()
    after = shown(group, entry_id, via)
    assert set(after.values()) == {False}, after
    answer = get(group.alpha, "/fed/v1/receipts", release=released(group.alpha, entry_id))
    assert states(answer) == {"headquarters": "done", "beta": "done"}

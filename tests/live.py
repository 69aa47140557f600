"""Real nodes: processes on this machine, joined by real invitations, driven over HTTP.

with federation(tmp_path) as nodes:
    case_id = publish(nodes["subsidiary-1"], title="…", visibility="group")
    wait_for(lambda: nodes["subsidiary-2"].finds("…"), "the case to arrive")
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import requests

from hub.database import transaction
from hub.demo import joining, loading, nodes, people, running
from hub.federation import joining as invitations
from hub.registry.models import PeerKind
from tests.ports import free_port

T = TypeVar("T")

GROUP = ("headquarters", "subsidiary-1", "subsidiary-2")
ALL = (*GROUP, "partner")

TEXT: dict[str, Any] = {
    "kind": "case",
    "category": "business_integration",
    "period": "2026-01/2026-09",
    "summary": "把安全责任区和党员责任区合在一张图上，半年内隐患整改时间缩短一半。",
    "background": "检修班组分散，责任不清。",
    "problem": "隐患多次出现在同一处，没有人对它负责。",
    "practice": ["画一张图", "每周一次现场会", "整改后由提出的人确认"],
    "outcomes": [{"metric": "平均整改天数", "baseline": "9", "value": "4", "source": "隐患台账"}],
    "insight": "责任落到具体的一处，才会有人去看。",
    "preconditions": "班组长愿意每周到现场一次。",
    "contact_post": "设备部党建岗",
}


@dataclass
class LiveNode:
    """A node that is being served, and its accounts."""

    served: running.Served
    accounts: dict[str, people.Account]
    sessions: dict[str, requests.Session] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.served.node.url

    @property
    def home(self) -> Path:
        return self.served.node.home

    def ask(self, method: str, path: str, username: str = "reader", **more: Any) -> Any:
        """Call the API as somebody; returns the JSON of the answer.

        :raises requests.RequestException: when the node can't be reached or refuses.
        """
        session = self.sessions.setdefault(username, requests.Session())
        session.headers["Authorization"] = f"Bearer {self.accounts[username].token}"
        answer = session.request(method, f"{self.url}/api/v1{path}", timeout=20, **more)
        if not answer.ok:
            raise requests.HTTPError(f"{answer.status_code} {answer.text}", response=answer)
        return answer.json()

    def finds(self, words: str, username: str = "reader") -> list[dict[str, Any]]:
        """Return the hits of a search."""
        found = self.ask("GET", "/search", username, params={"q": words, "per_page": 50})
        hits: list[dict[str, Any]] = found["hits"]
        return hits

    def invite(self, origin: str) -> str:
        """Return the code with which a subsidiary may join, as its administrator would get it."""
        node = self.served.node
        with node.opened(), transaction():
            return invitations.invite(origin, node.plan.enterprise, PeerKind.SUBSIDIARY)


@contextmanager
def federation(
    folder: Path,
    keys: Sequence[str] = ALL,
    command: Sequence[str] = (),
    *,
    through: tuple[int, int] | None = None,
    **settings: str,
) -> Iterator[dict[str, LiveNode]]:
    """Run joined nodes with accounts below a folder, for as long as the block runs.

    :param keys: which of the demo's nodes.
    :param command: what serves a node, if not `hub serve`.
    :param through: ports of whoever stands before headquarters, and of headquarters behind it.
    :param settings: further settings of each.
    """
    made = []
    for plan in nodes.PLANS:
        if plan.key in keys:
            port, more = free_port(), settings
            if through and plan.key == "headquarters":
                port, more = through[0], {**settings, "bind": f"127.0.0.1:{through[1]}"}
            made.append(nodes.found(plan, folder / plan.key, port, **more))
    accounts = []
    for node in made:
        loading.add_organisations(node)
        accounts.append({account.username: account for account in people.add_accounts(node)})
    with running.running(made, command) as served:
        joining.join_all(made)
        live = [LiveNode(one, own) for one, own in zip(served, accounts, strict=True)]
        yield {one.served.node.plan.key: one for one in live}


def draft(node: LiveNode, title: str, visibility: str = "group", **fields: Any) -> str:
    """Begin a case; returns its id."""
    values = {**TEXT, "title": title, "visibility": visibility, **fields}
    case_id: str = node.ask("POST", "/cases", "author", json=values)["id"]
    return case_id


def write(node: LiveNode, title: str, visibility: str = "group", **fields: Any) -> str:
    """Bring a case to its signature by four people; returns its id."""
    case_id = draft(node, title, visibility, **fields)
    review(node, case_id)
    return case_id


def review(node: LiveNode, case_id: str) -> None:
    """Bring a draft to its signature."""
    for username, step, body in (
        ("author", "submission", {}),
        ("secrecy_reviewer", "secrecy-review", {"decision": "cleared", "grounds": "无涉密内容"}),
        ("branch_secretary", "approval", {"decision": "approved", "note": ""}),
        ("signatory", "signature", {}),
    ):
        node.ask("POST", f"/cases/{case_id}/{step}", username, json=body)


def release(node: LiveNode, case_id: str) -> None:
    """Publish a signed case."""
    node.ask("POST", f"/cases/{case_id}/publication", "signatory", json={})


def publish(node: LiveNode, title: str, visibility: str = "group", **fields: Any) -> str:
    """Bring a case all the way to its readers; returns its id."""
    case_id = write(node, title, visibility, **fields)
    release(node, case_id)
    return case_id


def wait_for(condition: Callable[[], T], what: str, seconds: float = 30.0) -> T:
    """Wait until a condition holds, and return what it gave."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = condition()
        except requests.RequestException:
            found = None  # The node is away; it comes back.
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds:.0f} s for {what}")

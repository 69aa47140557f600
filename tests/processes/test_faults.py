"""What nodes do when a peer is down or the index is gone, and what a partner never gets."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.live import LiveNode, publish, wait_for

pytestmark = pytest.mark.processes

SECRET = "qvxsecret7391只给集团看的暗语"
OPENED = "qvxopened2846给伙伴看的话"


def _holds(folder: Path, words: str) -> bool:
    """Say whether any file below a folder holds the words, however they are encoded."""
    needles = [
        words.encode(),
        words.encode("utf-16-le"),
        words.encode("unicode_escape"),
        words[:13].encode(),
    ]
    return any(needle in held for held in _contents(folder) for needle in needles)


def _contents(folder: Path) -> Iterator[bytes]:
    for path in folder.rglob("*"):
        if path.is_file():
            # The running node merges its index: a file may go between its listing and its reading.
            with suppress(FileNotFoundError):
                yield path.read_bytes()


def test_a_partner_holds_no_byte_of_what_was_not_opened_to_it(nodes: dict[str, LiveNode]) -> None:
    origin, partner = nodes["subsidiary-1"], nodes["partner"]
    publish(origin, "只给集团", "group", insight=SECRET)
    publish(origin, "给伙伴", "partners", partners=["haiyun"], insight=OPENED)

    wait_for(lambda: partner.finds("qvxopened2846"), "the partner to find what was opened to it")
    wait_for(lambda: nodes["subsidiary-2"].finds("qvxsecret7391"), "the group to find its own")

    assert partner.finds("qvxsecret7391") == []
    assert partner.finds("暗语") == []
    assert _holds(partner.home, OPENED)  # The search of bytes does find what is there.
    assert not _holds(partner.home, SECRET)


def test_a_partner_holds_no_byte_of_what_was_withdrawn(nodes: dict[str, LiveNode]) -> None:
    origin, partner = nodes["subsidiary-1"], nodes["partner"]
    words = "qvxrevoked5120后来撤回的话"
    case_id = publish(origin, "后来撤回", "partners", partners=["haiyun"], insight=words)
    wait_for(lambda: partner.finds("qvxrevoked5120"), "the partner to find it")

    origin.ask(
        "POST", f"/cases/{case_id}/withdrawal", "branch_secretary", json={"reason": "数据有误"}
    )

    wait_for(lambda: not partner.finds("qvxrevoked5120"), "it to be gone")
    wait_for(lambda: not _holds(partner.home, words), "its bytes to be gone")


def test_a_node_that_was_down_catches_up_and_the_others_go_on(nodes: dict[str, LiveNode]) -> None:
    away, here = nodes["subsidiary-2"], nodes["subsidiary-1"]
    away.served.stop()
    publish(here, "停机期间发布 wkqdown1")
    wait_for(lambda: nodes["headquarters"].finds("wkqdown1"), "headquarters to have it")

    away.served.start()

    wait_for(lambda: away.finds("wkqdown1"), "the node to catch up")


def test_publishing_goes_on_while_headquarters_is_down(nodes: dict[str, LiveNode]) -> None:
    headquarters, here = nodes["headquarters"], nodes["subsidiary-1"]
    headquarters.served.stop()
    publish(here, "总部停机 wkqdown2")
    wait_for(lambda: here.finds("wkqdown2"), "its own readers to find it")

    headquarters.served.start()

    wait_for(lambda: nodes["subsidiary-2"].finds("wkqdown2"), "it to arrive")


def test_a_deleted_index_is_built_again_while_the_site_answers(nodes: dict[str, LiveNode]) -> None:
    node = nodes["subsidiary-1"]
    publish(node, "索引重建 wkqindex3", "node")
    wait_for(lambda: node.finds("wkqindex3"), "the index")

    shutil.rmtree(node.home / "index")
    publish(node, "重建之后 wkqindex4", "node")

    def found() -> bool:
        assert requests.get(f"{node.url}/healthz", timeout=5).status_code == 200
        hits = [node.finds(word) for word in ("wkqindex3", "wkqindex4")]
        return all(hits)  # Until then it may find nothing, yet the site answers.

    wait_for(found, "the index to be built again")

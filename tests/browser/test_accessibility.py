"""axe finds nothing, on a phone and on a desk."""

import json
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from sqlalchemy import delete

from hub import clock
from hub.database import db, transaction
from hub.federation import shelf
from hub.federation.harvesting import service as harvesting
from hub.federation.harvesting.models import Source, SourceKind
from hub.federation.models import Frozen, Quarantined
from hub.journal.models import GROUP
from hub.registry.models import Peer, PeerKind, PeerState
from tests.browser.conftest import DESK, PHONE, Open
from tests.live import LiveNode

pytestmark = pytest.mark.browser


def _check(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.evaluate("window.innerWidth"), "the page scrolls sideways"


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["390", "1280"])
def test_axe_finds_nothing_for_somebody_who_is_not_signed_in(
    nodes: dict[str, LiveNode], open_as: Open, viewport: object
) -> None:
    page = open_as(nodes["headquarters"], viewport=viewport)
    _check(page)

    page.get_by_role("navigation").get_by_role("link", name="登录").click()
    page.get_by_label("用户名").wait_for()
    _check(page)


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["390", "1280"])
def test_axe_finds_nothing_for_somebody_at_work(
    nodes: dict[str, LiveNode], open_as: Open, viewport: object
) -> None:
    page = open_as(nodes["subsidiary-1"], "author", viewport=viewport)
    _check(page)

    page.get_by_role("navigation").get_by_role("link", name="案例").click()
    page.get_by_role("main").get_by_role("list").first.wait_for()
    _check(page)

    page.goto(f"{nodes['subsidiary-1'].url}/search?q=党员")
    page.get_by_role("main").locator(".hits").get_by_role("link").first.click()
    page.get_by_role("article").wait_for()
    _check(page)

    page.get_by_role("navigation").get_by_role("link", name="工作台").click()
    page.get_by_role("link", name="撰写案例").wait_for()
    _check(page)

    page.get_by_role("link", name="撰写案例").click()
    page.get_by_label("标题").wait_for()
    _check(page)


PEERS, QUARANTINE = "/admin/federation/peers", "/admin/federation/quarantine"
ADMINISTRATION = (  # Pages, or what is pressed on one of them.
    (PEERS, None),
    (PEERS, "查看两个版本"),
    (PEERS, "核对指纹"),
    (PEERS, "检测连接"),
    (QUARANTINE, None),
    (QUARANTINE, "签名无效。"),
    ("/admin/federation/sources", None),
    ("/admin/federation/invitations/new", None),
)


@pytest.fixture
def troubled(nodes: dict[str, LiveNode]) -> Iterator[LiveNode]:
    """Return headquarters with all that an administrator may have to look at."""
    node = nodes["headquarters"]
    here, there, now = node.url, nodes["subsidiary-1"].url, clock.now()
    statement = {"seq": 1, "iat": 1795396800, "op": "put", "digest": "0" * 64}
    signed = json.dumps({"p": json.dumps(statement)})
    held = shelf.Unwanted(there, GROUP, there, 1, 0, "bad_signature", "forged", "x" * 999, None)
    source = harvesting.Offer(SourceKind.FEED, f"{here}/nowhere", "", "样例资料库", 60)
    agreed = {"categories": ["brand"], "shares_public": True, "agreement_ends_at": now}
    with node.served.node.opened(), transaction():
        shelf.put([held])
        harvesting.add(source)
        alarm = {"origin": there, "channel": GROUP, "code": "fork", "served_by": there}
        evidence = {"known": signed, "other": signed, "digest": "0" * 64, "frozen_at": now}
        db.session.add(Frozen(**alarm, **evidence))
        named = {"origin": "https://127.0.0.1:1", "name": "样例伙伴", "enterprise": "partner"}
        keys = {"fingerprint": "A" * 43, "token_jwk": {}, "signing_jwk": {}, "created_at": now}
        kind = {"kind": PeerKind.PARTNER, "state": PeerState.REGISTERED}
        db.session.add(Peer(**named, **kind, **keys, **agreed))
    yield node
    with node.served.node.opened(), transaction():
        for trouble in (Quarantined, Frozen, Source):
            db.session.execute(delete(trouble))
        db.session.execute(delete(Peer).where(Peer.origin == named["origin"]))


def test_axe_finds_nothing_for_an_administrator(troubled: LiveNode, open_as: Open) -> None:
    page = open_as(troubled, "administrator", viewport=PHONE)
    for path, link in ADMINISTRATION:
        page.goto(f"{troubled.url}{path}")
        if link:
            page.get_by_role("main").get_by_role("link", name=link).first.click()
            page.get_by_role("heading", level=1).wait_for()
        _check(page)

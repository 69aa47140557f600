"""A real browser, and real nodes with the content of the demo."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, StorageState, sync_playwright

from hub.demo import loading
from hub.demo.people import Account
from tests.live import GROUP, LiveNode, federation

QUIET = (  # Chromium as root in a container, and talking to nobody but us.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}

Open = Callable[..., Page]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Return Chromium as installed on this machine."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("Chromium is not installed; to run these: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=list(QUIET))
        yield running
        running.close()


@pytest.fixture(scope="package")
def nodes(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, LiveNode]]:
    """Return headquarters and two subsidiaries, joined, with content; each test leaves them so."""
    with federation(tmp_path_factory.mktemp("browser"), GROUP) as live:
        texts = [text for text in loading.samples() if not text.fields.get("partners")]
        for node in live.values():
            loading.load(node.served.node, texts)
        yield live


@pytest.fixture(scope="package")
def sessions() -> dict[tuple[str, str], StorageState]:
    """Return the cookies of those who have signed in: address and name of user → cookies."""
    return {}


@pytest.fixture
def open_as(browser: Browser, sessions: dict[tuple[str, str], StorageState]) -> Iterator[Open]:
    """Return a function that opens a node in a window of its own, signed in as somebody."""
    contexts = []

    def open_(node: LiveNode, username: str | None = None, *, viewport: object = DESK) -> Page:
        known = sessions.get((node.url, username or ""))
        context = browser.new_context(viewport=viewport, locale="zh-CN", storage_state=known)  # type: ignore[arg-type]
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.goto(node.url)
        if username and known is None:
            _sign_in(page, node.accounts[username])
            sessions[node.url, username] = context.storage_state()
        return page

    yield open_
    for context in contexts:
        context.close()


def _sign_in(page: Page, account: Account) -> None:
    page.get_by_role("navigation").get_by_role("link", name="登录").click()
    page.get_by_label("用户名").fill(account.username)
    page.get_by_label("密码").fill(account.password)
    page.get_by_role("button", name="登录").click()
    page.get_by_role("link", name="工作台").first.wait_for()

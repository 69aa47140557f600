"""axe finds nothing, on a phone and on a desk."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

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

"""A case with its picture is taken back from everywhere by three clicks, confirmed node by node."""

import io
import re

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import DESK, PHONE, Open
from tests.live import LiveNode, draft, release, review, wait_for

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("viewport", "title"),
    [(PHONE, "把设备清洗责任区画到图上"), (DESK, "把夜间巡线责任区画到图上")],
    ids=["390", "1280"],
)
def test_a_case_is_withdrawn_everywhere_by_three_clicks(
    nodes: dict[str, LiveNode], open_as: Open, viewport: dict[str, int], title: str
) -> None:
    here, there = nodes["subsidiary-1"], nodes["subsidiary-2"]
    case_id = _publish(here, title)
    for node in (here, there):
        wait_for(lambda node=node: _is_found(node, title), "the case to be found")
    page = open_as(here, "branch_secretary", viewport=viewport)
    page.goto(f"{here.url}/search?q={title}")
    clicks = 0

    def click(place: Locator) -> None:
        nonlocal clicks
        place.click()
        clicks += 1

    click(page.get_by_role("main").get_by_role("link", name=title))
    _see_picture(page)
    _check(page)
    click(page.get_by_role("link", name="撤回"))
    _check(page)
    page.get_by_label("原因").fill("现场照片需要重新核对。")
    click(page.get_by_role("button", name="撤回"))

    expect(page.get_by_role("status")).to_contain_text("已撤回")
    assert clicks == 3
    wait_for(lambda: _all_have_confirmed(page), "a receipt of each node")
    for node in nodes.values():
        expect(page.get_by_role("listitem").filter(has_text=node.url)).to_contain_text("已撤回")
    _check(page)
    assert not _is_found(there, title)
    with pytest.raises(requests.HTTPError, match="410"):
        there.ask("GET", f"/cases/{case_id}")


def _publish(node: LiveNode, title: str) -> str:
    case_id = draft(node, title)
    packed = io.BytesIO()
    Image.linear_gradient("L").resize((1600, 1200)).save(packed, "JPEG")
    sent = {"file": ("现场清洗.jpg", packed.getvalue())}
    node.ask("POST", f"/cases/{case_id}/files", "author", files=sent)
    review(node, case_id)
    release(node, case_id)
    return case_id


def _is_found(node: LiveNode, title: str) -> bool:
    return title in [hit["title"] for hit in node.finds(title)]


def _see_picture(page: Page) -> None:
    picture = page.get_by_role("img", name="现场清洗")
    picture.scroll_into_view_if_needed()
    wait_for(lambda: picture.evaluate("shown => shown.naturalWidth") == 1600, "the picture")


def _all_have_confirmed(page: Page) -> bool:
    """Look again by the button of the page until all nodes are named as done."""
    page.get_by_role("link", name="刷新").click()
    return page.get_by_text(re.compile(r"(\d+) 个节点中 \1 个已确认")).count() > 0


def _check(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.evaluate("window.innerWidth"), "the page scrolls sideways"

"""Suggestions by keyboard, by finger and not at all; and axe on what search has gained."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import DESK, PHONE, Open
from tests.browser.test_accessibility import _check as check
from tests.live import LiveNode

pytestmark = pytest.mark.browser


def _box(page: Page) -> Locator:
    return page.get_by_role("banner").get_by_role("combobox")


def test_a_suggestion_is_chosen_by_keyboard(nodes: dict[str, LiveNode], open_as: Open) -> None:
    page = open_as(nodes["subsidiary-1"], "reader")
    box, options = _box(page), page.get_by_role("option")
    expect(box).to_have_attribute("aria-expanded", "false")

    box.press_sequentially("zerenq")
    expect(options.first).to_be_visible()
    expect(box).to_have_attribute("aria-expanded", "true")
    check(page)

    box.press("ArrowDown")
    chosen = page.locator('[role="option"][aria-selected="true"]')
    expect(chosen).to_have_count(1)
    assert box.get_attribute("aria-activedescendant") == chosen.get_attribute("id")
    check(page)
    box.press("ArrowUp")
    expect(chosen).to_have_count(0)
    box.press("Escape")
    expect(options).to_have_count(0)
    expect(box).to_have_value("zerenq")

    box.press("ArrowDown")
    expect(options.first).to_be_visible()
    box.press("ArrowDown")
    text = chosen.get_attribute("data-text")
    box.press("Enter")
    page.wait_for_url("**/search?q=*")
    expect(_box(page)).to_have_value(text)
    expect(page.locator(".hits").get_by_role("link").first).to_be_visible()


def test_a_suggestion_is_chosen_by_finger_and_gone_elsewhere(
    nodes: dict[str, LiveNode], open_as: Open
) -> None:
    page = open_as(nodes["subsidiary-1"], viewport=PHONE)
    box = page.get_by_role("main").get_by_role("combobox")
    page.route(
        "**/search/suggestions*",
        lambda route: route.fulfill(
            json=[
                {"text": "<b>责任区</b>", "kind": "title"},
                {"text": "能源公司", "kind": "unit"},
            ]
        ),
    )
    box.fill("责")
    expect(page.get_by_role("option")).to_have_text(["<b>责任区</b>", "能源公司 单位"])
    check(page)
    page.get_by_role("heading", level=1).click()
    expect(page.get_by_role("option")).to_have_count(0)

    box.fill("责任")
    page.get_by_role("option", name="能源公司").click()
    page.wait_for_url("**/search?q=*")
    expect(_box(page)).to_have_value("能源公司")


def test_without_suggestions_the_box_works_as_it_is(
    nodes: dict[str, LiveNode], open_as: Open
) -> None:
    page = open_as(nodes["subsidiary-1"])
    page.route("**/search/suggestions*", lambda route: route.abort())
    box = _box(page)
    box.press_sequentially("责任")
    box.press("Enter")

    page.wait_for_url("**/search?q=*")


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["390", "1280"])
def test_axe_finds_nothing_on_the_pages_of_search(
    nodes: dict[str, LiveNode], open_as: Open, viewport: object
) -> None:
    node = nodes["subsidiary-1"]
    page = open_as(node, "administrator", viewport=viewport)
    page.goto(f"{node.url}/search?q=责任曲")
    page.get_by_text("高级搜索").click()
    page.get_by_label("包含完整语句").fill("责任区")
    check(page)
    page.get_by_role("main").get_by_role("button", name="搜索").click()
    page.wait_for_url("**/search?q=*%E2%80%9C*")  # A quotation mark.
    for path in ("/me", "/me/searches", "/admin/search/synonyms"):
        page.goto(f"{node.url}{path}")
        check(page)
    page.get_by_label("同义词组").fill("党建")
    page.get_by_role("button", name="保存").click()
    page.get_by_text("第 1 行").wait_for()
    check(page)

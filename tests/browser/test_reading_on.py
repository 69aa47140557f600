"""From a search on: comparing two hits, keeping the search, related cases, words of a file."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import DESK, PHONE, Open
from tests.browser.test_accessibility import _check
from tests.live import LiveNode, draft, publish, release, review, wait_for
from tests.search.files.made import docx

pytestmark = pytest.mark.browser


def _hits(page: Page, node: LiveNode, query: str) -> None:
    page.goto(f"{node.url}/search?q={query}")
    page.get_by_role("main").locator(".hits").get_by_role("link").first.wait_for()


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["390", "1280"])
def test_two_hits_are_compared_by_keyboard(
    nodes: dict[str, LiveNode], open_as: Open, viewport: object
) -> None:
    page = open_as(nodes["subsidiary-1"], "author", viewport=viewport)
    _hits(page, nodes["subsidiary-1"], "党员")
    _check(page)
    boxes = page.get_by_role("checkbox")

    for number in (0, 1):
        boxes.nth(number).focus()
        page.keyboard.press("Space")
    page.get_by_role("button", name="对比所选的两个案例").focus()
    page.keyboard.press("Enter")

    page.get_by_role("heading", name="两个案例对比").wait_for()
    _check(page)


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["390", "1280"])
def test_a_case_and_a_lesson_are_compared(
    nodes: dict[str, LiveNode], open_as: Open, viewport: object
) -> None:
    node = nodes["subsidiary-1"]
    page = open_as(node, "author", viewport=viewport)
    ids = [
        node.ask("GET", "/search", params={"kind": kind})["hits"][0]["id"]
        for kind in ("case", "pilot_lesson")
    ]

    page.goto(f"{node.url}/cases/compare?a={ids[0]}&b={ids[1]}")
    page.get_by_role("heading", name="两个案例对比").wait_for()
    _check(page)

    page.goto(f"{node.url}/cases/{ids[0]}")
    page.get_by_role("link", name="与其他案例对比").click()
    page.get_by_label("另一个案例的网址").fill(f"{node.url}/cases/{ids[1]}")
    _check(page)
    page.get_by_role("button", name="对比").click()
    page.get_by_role("heading", name="两个案例对比").wait_for()


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["390", "1280"])
def test_a_search_is_saved_found_on_the_home_page_renamed_and_deleted(
    nodes: dict[str, LiveNode], open_as: Open, viewport: object
) -> None:
    node = nodes["subsidiary-1"]
    page = open_as(node, "reader", viewport=viewport)
    publish(node, "责任区的新做法")
    wait_for(lambda: node.finds("责任区的新做法"), "the case to be found")
    _hits(page, node, "责任区")

    page.get_by_text("保存此搜索").click()
    page.get_by_label("名称", exact=True).fill("责任区动态")
    page.get_by_role("button", name="保存", exact=True).click()
    page.get_by_role("heading", name="我保存的搜索").wait_for()
    _check(page)

    page.get_by_text("重命名").first.click()
    page.get_by_label("名称", exact=True).fill("责任区周报")
    page.get_by_role("button", name="重命名").click()
    page.get_by_role("link", name="责任区周报").wait_for()

    page.goto(node.url)
    page.get_by_role("heading", name="您关注的搜索本周新增").wait_for()
    assert page.get_by_role("link", name="责任区的新做法").first.is_visible()
    _check(page)

    page.goto(f"{node.url}/search/saved")
    page.get_by_role("button", name="删除").click()
    page.get_by_text("您还没有保存过搜索").wait_for()
    _check(page)


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["390", "1280"])
def test_related_cases_and_the_state_of_search_are_there_for_all(
    nodes: dict[str, LiveNode], open_as: Open, viewport: object
) -> None:
    node = nodes["subsidiary-1"]
    page = open_as(node, "administrator", viewport=viewport)
    _hits(page, node, "党员")
    page.get_by_role("main").locator(".hits").get_by_role("link").first.click()

    page.get_by_role("link", name="相关案例").click()
    page.get_by_role("heading", name="相关案例").wait_for()
    _check(page)

    page.goto(f"{node.url}/admin/search")
    page.get_by_role("heading", name="搜索状态").wait_for()
    _check(page)


def _publish_with(node: LiveNode, file: tuple[str, bytes]) -> None:
    """Publish a case with a file."""
    case_id = draft(node, "附件里的办法")
    node.ask("POST", f"/cases/{case_id}/files", "author", files={"file": file})
    review(node, case_id)
    release(node, case_id)


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["390", "1280"])
def test_a_word_of_an_attached_file_is_found_and_the_file_is_named(
    nodes: dict[str, LiveNode], open_as: Open, viewport: dict[str, int]
) -> None:
    node, word = nodes["subsidiary-1"], f"亮身份{viewport['width']}"
    _publish_with(node, ("实施方案.docx", docx("前言。", f"每季度开展一次{word}活动。")))

    # Until the file is read, cases are found that say a part of it.
    wait_for(lambda: [hit for hit in node.finds(word) if "file" in hit], "the file to be read")

    page = open_as(node, "reader", viewport=viewport)
    _hits(page, node, word)
    assert page.get_by_text("附件《实施方案.docx》").is_visible()
    _check(page)

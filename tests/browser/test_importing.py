"""A Word document becomes a case that waits for its secrecy review, by four clicks."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESK, PHONE, Open
from tests.cases.written import written
from tests.live import LiveNode

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("viewport", "number"), [(PHONE, 1), (DESK, 2)], ids=["390", "1280"])
def test_a_document_is_handed_in_by_four_clicks(
    nodes: dict[str, LiveNode], open_as: Open, tmp_path: Path, viewport: object, number: int
) -> None:
    made = written(number)
    document = tmp_path / "双责任区.docx"
    document.write_bytes(made.data)
    page = open_as(nodes["subsidiary-1"], "author", viewport=viewport)
    page.goto(f"{nodes['subsidiary-1'].url}/workbench")

    page.get_by_role("link", name="导入文档").click()
    _check(page)
    page.get_by_label("文档", exact=True).set_input_files(document)
    page.get_by_role("button", name="生成草稿").click()
    expect(page.get_by_label("标题", exact=True)).to_have_value(made.title)
    expect(page.get_by_role("heading", name=made.headings[0])).to_be_visible()
    expect(page.get_by_role("combobox", name="主要做法")).to_have_value("practice")
    expect(page.get_by_text("起止时间取自正文，请核对。")).to_be_visible()
    expect(page.get_by_role("link", name="双责任区.docx")).to_be_visible()
    _check(page)
    page.get_by_label("全集团").check()
    page.get_by_role("button", name="提交审查").click()

    expect(page.get_by_text("已提交保密审查。")).to_be_visible()
    expect(page.get_by_role("heading", name=made.title)).to_be_visible()


def _check(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.evaluate("window.innerWidth"), "the page scrolls sideways"

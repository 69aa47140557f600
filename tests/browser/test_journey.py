"""The whole road with clicks only: written on one node, found and read on another, gone."""

import os
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.live import LiveNode, wait_for

pytestmark = pytest.mark.browser

TITLE = "把安全责任区画到每一个阀门"


def _write(page: Page) -> None:
    """Write a case as its author would, field by field, and hand it in."""
    page.get_by_role("link", name="工作台", exact=True).click()
    page.get_by_role("link", name="撰写案例").click()
    page.get_by_label("标题").fill(TITLE)
    page.get_by_label("类别").select_option(label="党建与业务融合")
    page.get_by_label("起始月份").fill("2026-01")
    page.get_by_label("截止月份").fill("2026-09")
    page.get_by_label("摘要").fill("把责任区落到每一个阀门，半年内隐患平均整改时间由9天降到4天。")
    page.get_by_label("背景").fill("装置区有阀门四百余个，过去按班组划片，交界处无人过问。")
    page.get_by_label("问题").fill("同一处隐患反复出现，每次都说不清该谁管。")
    page.get_by_label("做法").fill("画一张图\n逐个阀门认领\n每周到现场走一遍\n谁提出谁确认")
    row = page.get_by_role("group", name="成效 1")
    row.get_by_label("指标").fill("平均整改天数")
    row.get_by_label("实施前").fill("9")
    row.get_by_label("实施后").fill("4")
    row.get_by_label("数据来源").fill("隐患台账")
    page.get_by_label("启示").fill("责任落到具体的一处，才会有人天天去看。")
    page.get_by_label("前提条件").fill("班组长愿意每周到现场一次。")
    page.get_by_label("联系岗位").fill("设备部党建岗")
    page.get_by_label("全集团", exact=True).check()
    page.get_by_role("button", name="保存").click()
    page.get_by_role("button", name="提交保密审查").click()
    expect(page.get_by_role("status")).to_contain_text("保密审查员")


def _open_task(page: Page) -> None:
    page.get_by_role("link", name="工作台", exact=True).click()
    page.get_by_role("region", name="待您办理").get_by_role("link", name=TITLE).click()


def _clear(page: Page) -> None:
    _open_task(page)
    page.get_by_label(re.compile("^通过")).check()
    page.get_by_label("理由").fill("不含国家秘密、工作秘密和个人信息。")
    page.get_by_role("button", name="提交意见").click()
    expect(page.get_by_role("status")).to_contain_text("台账")


def _approve(page: Page) -> None:
    _open_task(page)
    page.get_by_label("同意", exact=True).check()
    page.get_by_role("button", name="提交意见").click()
    expect(page.get_by_role("status")).to_contain_text("台账")


def _sign_and_publish(page: Page) -> None:
    _open_task(page)
    page.get_by_role("button", name="签发").click()
    page.get_by_role("button", name="发布").click()
    expect(page.get_by_role("status")).to_contain_text("已发布")


def _search(page: Page, words: str) -> bool:
    """Search from the box on top of every page, and say whether the case is found."""
    box = page.get_by_role("banner").get_by_role("combobox")
    box.fill(words)
    box.press("Enter")
    page.wait_for_url("**/search?q=*")
    return page.get_by_role("main").get_by_role("link", name=TITLE).count() > 0


def _withdraw(page: Page) -> None:
    assert _search(page, "阀门")
    page.get_by_role("main").get_by_role("link", name=TITLE).click()
    page.get_by_role("link", name="撤回").click()
    page.get_by_label("原因").fill("数据需要重新核对。")
    page.get_by_role("button", name="撤回").click()
    expect(page.get_by_role("status")).to_contain_text("已撤回")


def test_a_case_goes_its_whole_road_and_back(nodes: dict[str, LiveNode], open_as: Open) -> None:
    here, there = nodes["subsidiary-1"], nodes["subsidiary-2"]
    _write(open_as(here, "author"))
    _clear(open_as(here, "secrecy_reviewer"))
    _approve(open_as(here, "branch_secretary"))
    _sign_and_publish(open_as(here, "signatory"))

    reader = open_as(there, "reader")
    wait_for(lambda: _search(reader, "阀门"), "the case on the other node")
    if where := os.environ.get("HUB_TEST_SCREENSHOT"):
        assert _search(reader, "責任")
        reader.screenshot(path=where)
    assert _search(reader, "責任區"), "not found in Traditional script"
    reader.get_by_role("main").get_by_role("link", name=TITLE).click()
    expect(reader.get_by_role("heading", level=1)).to_have_text(TITLE)
    expect(reader.get_by_role("main")).to_contain_text("逐个阀门认领")
    expect(reader.get_by_role("main")).to_contain_text("华衡能源公司")

    _withdraw(open_as(here, "branch_secretary"))

    def gone() -> bool:
        reader.reload()
        return reader.get_by_role("heading", name="此内容已撤回").count() > 0

    wait_for(gone, "the case to be gone on the other node")
    expect(reader.get_by_role("main")).not_to_contain_text("逐个阀门认领")
    wait_for(lambda: not _search(reader, "阀门"), "search to forget it")

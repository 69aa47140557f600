"""Texts that people bring along become readable drafts, and what is broken is said."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask

from hub.audit import service as audit
from hub.cases.cli import import_command
from hub.cases.importing import notes
from hub.cases.importing.mending import mend
from hub.cases.importing.shaping import parts_of, title_of, to_markdown
from hub.cases.importing.texts import Text, Unreadable, read
from hub.cases.models import Case, Document, Revision
from hub.database import db, transaction
from hub.errors import HubError
from hub.identity import service as identity
from hub.identity.models import Role, Scope
from tests.factories import make_organisation, make_person, make_token, root_organisation
from tests.skips import ELSEWHERE

SEEDS = os.environ.get("HUB_SEEDS", "")
CORPUS = os.environ.get("HUB_CORPUS", "")


def messages(told) -> list[str]:
    return [note.message for note in told]


# Mending


def test_pronunciations_in_brackets_go_and_the_script_becomes_simplified():
    text, told = mend("隨著時(shí)代的發(fā)展進(jìn)步,數(shù)字技術(shù)融入黨建。")
    assert text == "随着时代的发展进步，数字技术融入党建。"
    assert messages(told) == [notes.GLOSSES, notes.SCRIPT, notes.PUNCTUATION]
    assert told[0].values == {"count": 5}


def test_toneless_glosses_go_only_among_others_with_tones():
    assert mend("好(hǎo)的(de)事")[0] == "好的事"
    assert mend("计划(plan)和的(de)事")[0] == "计划(plan)和的(de)事"


def test_what_stands_in_brackets_and_is_no_pronunciation_stays():
    text, told = mend("中国石化（SINOPEC）和党建(2026年)的AI(ai)应用")
    assert "SINOPEC" in text
    assert "（2026年）" in text
    assert notes.GLOSSES not in messages(told)


def test_punctuation_of_a_typewriter_becomes_chinese_between_chinese_characters_only():
    text, _ = mend("第一,目标:减负;见 https://a.example/b,c 与 3,000 元?是 的 。")
    assert text == "第一，目标：减负；见 https://a.example/b,c 与 3,000 元？是的。"


def test_a_simplified_text_is_not_said_to_be_converted():
    assert mend("一句普通的话。") == ("一句普通的话。", [])


def test_broken_quotation_marks_are_reported_with_their_place_and_left():
    text, told = mend("一是“减负。\n二是增效”的。\n三是“好”的。")
    assert text == "一是“减负。\n二是增效”的。\n三是“好”的。"
    assert [(n.message, n.values["number"]) for n in told] == [(notes.QUOTES, 1), (notes.QUOTES, 2)]
    assert "减负" in told[0].values["text"]


def test_a_quotation_opened_twice_is_reported():
    _, told = mend("说“先“做后说”。")
    assert messages(told) == [notes.QUOTES]


def test_characters_that_were_lost_are_reported():
    _, told = mend("創(chuàng)新?!皵?shù)字黨建”具有共享性。\n此处\ufffd缺字。")
    assert messages(told)[-2:] == [notes.DAMAGE, notes.DAMAGE]
    assert [n.values["number"] for n in told[-2:]] == [1, 2]


def test_a_line_that_names_the_editor_of_a_page_is_left_out():
    text, told = mend("正文在这里。\n(責任編輯:楊 梅)")
    assert text == "正文在这里。"
    assert notes.CREDIT in messages(told)


def test_invisible_characters_go():
    text, told = mend("看\u200b不见\u202e的\x07字")
    assert text == "看不见的字"
    assert told[0].values == {"count": 3}


# Shaping


def test_numbered_lines_become_headings():
    text = "一、背景\n这里讲背景。\n（一）起因\n这里讲起因。"
    expected = "## 一、背景\n\n这里讲背景。\n\n### （一）起因\n\n这里讲起因。"
    assert to_markdown(text) == expected


def test_a_short_line_alone_between_paragraphs_is_a_heading():
    long = "这是一个很长的段落，" * 6 + "。"
    assert to_markdown(f"{long}\n主要做法\n{long}").split("\n\n")[1] == "## 主要做法"


def test_what_markdown_would_take_for_a_mark_is_kept_as_typed():
    assert to_markdown(
        "# 不是标题，而是一句以井号开头的普通的话，长得足够成为一段文字。"
    ).startswith("\\#")


def test_a_short_first_line_is_the_title():
    assert title_of("怎样减负\n从表格说起。") == ("怎样减负", "从表格说起。", False)


def test_what_all_headings_begin_with_is_the_title():
    long = "这是一个很长的段落，" * 6 + "。"
    text = f"{long}\n国企推行“数字党建”的价值\n{long}\n国企推行“数字党建”的路径\n{long}"
    assert title_of(text)[0] == "国企推行“数字党建”"


def test_else_the_first_sentence_is_the_title_and_fits():
    assert title_of("今天开会。明天再议。" + "好" * 40)[0] == "今天开会"
    title = title_of("很长的一句话" * 10 + "。")[0]
    assert len(title) == 40
    assert title.endswith("…")


def test_a_long_text_is_cut_at_the_end_of_paragraphs():
    parts = parts_of("\n\n".join("段" * 300 for _ in range(40)), 5000)
    assert all(len(part) <= 5000 for part in parts)
    assert "\n\n".join(parts) == "\n\n".join("段" * 300 for _ in range(40))


def test_a_paragraph_that_is_too_long_is_cut_at_the_end_of_sentences():
    parts = parts_of(("一句话。" * 30 + "\n\n") * 2, 50)
    assert all(len(part) <= 50 and part.endswith("。") for part in parts)
    assert all(len(part) <= 50 for part in parts_of("无标点" * 100, 50))


# Reading


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_front_matter_fills_the_fields(tmp_path):
    path = write(
        tmp_path,
        "a.md",
        "---\nkind: case\nnode: x\ntitle: 标题\n"
        "outcomes:\n  - {metric: 天数, value: 4}\n---\n\n正文",
    )
    (text,) = read(path)
    assert isinstance(text, Text)
    assert not text.is_long_form
    assert text.values == {
        "title": "标题",
        "outcomes": [{"metric": "天数", "value": "4"}],
        "body": "正文",
    }


def test_markdown_without_front_matter_is_a_long_form_with_its_heading_as_title(tmp_path):
    (text,) = read(write(tmp_path, "a.md", "# 标题\n\n正文"))
    assert (text.values["title"], text.values["body"], text.is_long_form) == ("标题", "正文", True)


def test_old_chinese_encodings_are_read(tmp_path):
    (text,) = read(write(tmp_path, "a.txt", "减负办法\n从表格说起。".encode("gb18030")))
    assert text.values["title"] == "减负办法"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.txt", b"", notes.EMPTY),
        ("a.txt", " \n", notes.EMPTY),
        ("a.txt", b"\xff\xff\xff\xff", notes.ENCODING),
        ("a.md", "---\n: [\n---\nx", notes.FRONT_MATTER),
        ("a.md", "---\nnever closed", notes.FRONT_MATTER),
        ("a.md", "---\n- a list\n---\nx", notes.FRONT_MATTER),
        ("a.docx", b"PK", notes.WRONG_KIND),
        ("a.jsonl", "[]", notes.NOT_JSON),
        ("a.jsonl", '{"title": "x"}', notes.NOT_JSON),
        ("a.jsonl", '{"title": 1, "body": "x"}', notes.NOT_JSON),
        ("a.jsonl", "{", notes.NOT_JSON),
        ("a.jsonl", '{"title": "x", "body": " "}', notes.EMPTY),
        ("a.jsonl", "[" * 100_000, notes.NOT_JSON),
    ],
)
def test_what_can_not_be_read_is_reported_with_its_reason(tmp_path, name, data, reason):
    (found,) = read(write(tmp_path, name, data))
    assert isinstance(found, Unreadable)
    assert found.reason.message == reason


def test_a_bad_line_harms_no_other(tmp_path):
    lines = ['{"title": "a", "body": "x"}', "{", '{"title": "b", "body": "y"}']
    found = list(read(write(tmp_path, "a.jsonl", "\n".join(lines))))
    assert [isinstance(one, Text) for one in found] == [True, False, True]
    assert found[1].name == "a.jsonl:2"


def test_a_folder_is_read_with_those_below_in_the_order_of_names(tmp_path):
    (tmp_path / "below").mkdir()
    write(tmp_path / "below", "c.txt", "丙\n正文。")
    write(tmp_path, "b.txt", "乙\n正文。")
    write(tmp_path, "skip.png", b"x")
    assert [text.values["title"] for text in read(tmp_path)] == ["乙", "丙"]


def test_long_titles_are_cut_and_long_texts_become_parts_with_a_note(tmp_path):
    row = {"title": "题" * 50, "body": "\n\n".join("段" * 400 for _ in range(20))}
    parts = list(read(write(tmp_path, "a.jsonl", json.dumps(row))))
    assert [text.values["title"][-5:] for text in parts] == ["（1/2）", "（2/2）"]
    assert all(len(text.values["title"]) <= 40 for text in parts)
    assert messages(parts[0].told) == [notes.TITLE_CUT, notes.SPLIT]
    assert len({text.digest for text in parts}) == 2


# The command


@pytest.fixture
def tokens(alpha: Flask) -> Iterator[dict[str, str]]:
    with alpha.app_context():
        with transaction():
            root = root_organisation()
            make_person("author", Role.AUTHOR, organisation=root)
            roles = {
                "secrecy": (Role.SECRECY_REVIEWER,),
                "signatory": (Role.SIGNATORY,),
                "all": (Role.AUTHOR, Role.SECRECY_REVIEWER, Role.SIGNATORY),
            }
            made = {
                name: make_token(make_person(name, *held, organisation=root))
                for name, held in roles.items()
            }
            made["weak"] = make_token(identity.person_called("secrecy"), Scope.READ)
        yield made


def run(*arguments: object) -> str:
    result = CliRunner().invoke(import_command, [str(a) for a in arguments])
    if isinstance(result.exception, HubError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output.splitlines()[-1]


def publish(path: Path, tokens: dict[str, str], *more: object) -> str:
    hands = ("--cleared-by", tokens["secrecy"], "--signed-by", tokens["signatory"])
    return run(path, "--publish", *hands, "--grounds", "Already public.", *more)


def test_a_text_becomes_a_draft_that_tells_its_author_what_to_check(tokens, tmp_path):
    path = write(tmp_path, "a.txt", "減負辦法\n一是“減負。")
    assert run(path) == "1 made, 0 published, 0 already here, 0 could not be read."
    case, revision = db.session.query(Case, Revision).join(Revision).one()
    assert (case.state, case.visibility, case.is_long_form) == ("draft", "node", True)
    assert revision.title == "减负办法"
    assert "quotation mark" in revision.note


def test_the_same_text_is_not_brought_in_twice(tokens, tmp_path):
    path = write(tmp_path, "a.jsonl", '{"title": "a", "body": "x"}\n{"title": "a", "body": "y"}')
    assert run(path).startswith("2 made")
    assert run(path) == "0 made, 0 published, 2 already here, 0 could not be read."


def test_bulk_publication_names_two_people_and_is_on_record_for_each(tokens, tmp_path):
    path = write(tmp_path, "a.jsonl", '{"title": "a", "body": "x"}\n{"title": "b", "body": "y"}')
    assert publish(path, tokens).startswith("2 made, 2 published")
    assert {d.audience for d in db.session.query(Document)} == {"members"}
    for case in db.session.query(Case):
        entry = audit.entries(subject=str(case.id))[0]
        cleared, signed = (identity.person_called(n).id for n in ("secrecy", "signatory"))
        assert entry.action == "case.published"
        assert entry.detail["bulk"] is True
        assert entry.detail["grounds"] == "Already public."
        assert entry.detail["cleared_by"] == str(cleared)
        assert entry.detail["signed_by"] == str(signed)


def test_drafts_of_an_earlier_import_are_published_when_asked(tokens, tmp_path):
    path = write(tmp_path, "a.jsonl", '{"title": "a", "body": "x"}')
    run(path)
    assert publish(path, tokens, "--visibility", "public").startswith("0 made, 1 published")
    assert db.session.query(Document).one().audience == "public"


@pytest.mark.parametrize(
    ("cleared_by", "signed_by"),
    [("all", "all"), ("weak", "signatory"), ("signatory", "secrecy"), ("secrecy", "secrecy")],
)
def test_bulk_publication_refuses_the_wrong_hands(tokens, tmp_path, cleared_by, signed_by):
    path = write(tmp_path, "a.jsonl", '{"title": "a", "body": "x"}')
    hands = ("--cleared-by", tokens[cleared_by], "--signed-by", tokens[signed_by])
    with pytest.raises(HubError):
        run(path, "--publish", *hands, "--grounds", "x")
    with pytest.raises(HubError):
        run(path, "--publish", "--cleared-by", "no token", "--signed-by", "x", "--grounds", "x")
    assert db.session.query(Case).count() == 0


def test_an_author_does_not_clear_their_own_import(tokens, tmp_path):
    path = write(tmp_path, "a.jsonl", '{"title": "a", "body": "x"}')
    hands = ("--cleared-by", tokens["all"], "--signed-by", tokens["signatory"])
    with pytest.raises(HubError):
        run(path, "--publish", *hands, "--grounds", "x", "--author", "all")
    assert run(path, "--publish", *hands, "--grounds", "x").startswith("1 made, 1 published")


def test_what_is_incomplete_stays_a_draft_and_is_said(tokens, tmp_path):
    path = write(tmp_path, "a.md", "---\nkind: case\ntitle: Half\n---\n")
    assert publish(path, tokens).startswith("1 made, 0 published")
    assert db.session.query(Case).one().state == "draft"


def test_units_and_roles_over_them_count_in_bulk_too(tokens, tmp_path):
    with transaction():
        elsewhere = make_organisation("Elsewhere")
        make_person("outsider", Role.AUTHOR, organisation=elsewhere)
    path = write(tmp_path, "a.jsonl", '{"title": "a", "body": "x"}')
    assert publish(path, tokens, "--author", "outsider").startswith("1 made, 0 published")
    assert run(path, "--unit", "Elsewhere", "--author", "author").startswith("0 made")


# What real people paste


@pytest.mark.skipif(not SEEDS, reason=f"{ELSEWHERE}: the seed articles; set HUB_SEEDS")
def test_the_seed_articles_become_readable_and_tell_what_is_broken():
    long, short = sorted(
        (one for one in read(Path(SEEDS)) if isinstance(one, Text)),
        key=lambda text: -len(text.values["body"]),
    )
    assert 4600 < len(long.values["body"]) <= 5000
    assert long.values["title"] == "国企推行“数字党建”"
    assert long.values["body"].count("\n## ") == 3
    assert messages(long.told).count(notes.DAMAGE) == 6
    assert "(shù)" not in short.values["body"]
    assert notes.DAMAGE not in messages(short.told)
    for text in (long, short):
        assert not set("黨數時國") & set(text.values["body"].replace("字黨建”", ""))


@pytest.mark.skipif(not CORPUS, reason=f"{ELSEWHERE}: cmrc.jsonl; set HUB_CORPUS")
def test_all_paragraphs_of_the_corpus_are_read():
    found = list(read(Path(CORPUS)))
    assert len(found) == 1104
    assert all(isinstance(one, Text) for one in found)

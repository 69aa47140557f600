"""What is read of a file; and that whatever else is in it harms nothing."""

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter

from hub.search.files import child, extraction
from hub.search.files.extraction import Extract, Reason, State, extract
from tests.search.files import made


def read(tmp_path: Path, content: bytes, name: str = "方案.docx") -> Extract:
    path = tmp_path / "file"
    path.write_bytes(content)
    found = extract(path, name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (made.docx("党员责任区", "第二段"), "a.docx"),
        (made.xlsx("党员责任区", "第二格", number="1234.5"), "a.xlsx"),
        (made.pptx("第一页", "党员责任区"), "a.pptx"),
        (made.pdf("封面", "党员责任区 2026"), "a.pdf"),
        ("\ufeff党员责任区".encode(), "a.txt"),
        ("# 党员责任区\n".encode(), "a.md"),
        ("名称,数\n党员责任区,3\n".encode(), "a.csv"),
    ],
    ids=["docx", "xlsx", "pptx", "pdf", "txt", "md", "csv"],
)
def test_each_kind_of_file_is_read(tmp_path, content, name):
    found = read(tmp_path, content, name)

    assert found.state == State.OK
    assert "党员责任区" in found.text
    assert not found.text.startswith("\ufeff")


def test_paragraphs_and_cells_do_not_run_into_each_other(tmp_path):
    assert "责任\n区域" in read(tmp_path, made.docx("责任", "区域")).text
    assert "责任\n区域" in read(tmp_path, made.xlsx("责任", "区域"), "a.xlsx").text


def test_the_number_of_a_cell_is_found_and_the_place_of_its_text_is_not(tmp_path):
    text = read(tmp_path, made.xlsx("责任", number="1234.5"), "a.xlsx").text

    assert "1234.5" in text
    assert "0" not in text.replace("1234.5", "")


def test_a_sentence_that_a_page_of_pdf_breaks_is_whole(tmp_path):
    assert "党员责任区" in read(tmp_path, made.pdf("党员责\n任区"), "a.pdf").text


def test_a_bomb_of_zip_is_too_large(tmp_path):
    filler = (b"<w:p>" + b" " * 5_000_000 + b"</w:p>") * 30
    bomb = made.archive({"word/document.xml": b'<w:document xmlns:w="w">' + filler})
    assert len(bomb) < 300_000

    assert read(tmp_path, bomb) == Extract(Reason.SIZE)


def test_a_bomb_of_many_small_texts_is_cut(tmp_path):
    body = b'<w:document xmlns:w="w">' + b"<w:p><w:t>aaaaaaaaaaaaaaaa</w:t></w:p>" * 400_000

    found = read(tmp_path, made.archive({"word/document.xml": body + b"</w:document>"}))

    assert found.reason == Reason.CUT
    assert len(found.text) == child.MOST


def test_entities_neither_grow_nor_read_files(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("nobody reads this")
    grow = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 30))
    for inside in (
        f'<!DOCTYPE d [<!ENTITY x SYSTEM "file://{secret}">]><d><t>责任&x;</t></d>',
        f'<!DOCTYPE d [<!ENTITY e0 "nobody">{grow}]><d><t>责任&e29;</t></d>',
        f'<!DOCTYPE d SYSTEM "file://{secret}"><d><t>责任</t></d>',
        f'<!DOCTYPE d [<!ENTITY % x SYSTEM "file://{secret}"> %x;]><d><t>责任</t></d>',
    ):
        found = read(tmp_path, made.archive({"word/document.xml": inside}))
        assert "nobody" not in found.text


def test_a_pdf_of_ten_thousand_pages_is_cut(tmp_path):
    found = read(tmp_path, made.pdf(*(f"p{number}" for number in range(10_000))), "a.pdf")

    assert found.reason in {Reason.CUT, Reason.TIME}  # On a slow machine its time ends first.
    assert found.reason == Reason.TIME or "p1" in found.text
    assert "p5000" not in found.text


def test_an_encrypted_pdf_says_so(tmp_path):
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(made.pdf("责任"))))
    writer.encrypt("secret")
    output = io.BytesIO()
    writer.write(output)

    assert read(tmp_path, output.getvalue(), "a.pdf") == Extract(Reason.ENCRYPTED)


def test_truncated_files_say_so_or_give_what_is_left(tmp_path):
    for content in (made.docx("责任" * 5_000), made.xlsx("责任"), made.pdf("责任", "区域")):
        for share in (0.2, 0.5, 0.9):
            found = read(tmp_path, content[: int(len(content) * share)])
            assert found.state == State.FAILED or found.text == "" or "责" in found.text


def test_what_holds_no_text_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "CHILD", tmp_path / "nothing.py")

    assert read(tmp_path, b"\x89PNG\r\n\x1a\n" + bytes(100), "a.png") == Extract(Reason.KIND)
    assert read(tmp_path, os.urandom(500), "a.bin") == Extract(Reason.KIND)


def test_a_file_beyond_all_measure_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "CHILD", tmp_path / "nothing.py")
    monkeypatch.setattr(extraction, "LARGEST", 10)

    assert read(tmp_path, b"x" * 11, "a.txt").state == State.TOO_LARGE


CHILDREN = {
    "waits": "import time; time.sleep(60)",
    "fills the memory": "bytearray(700 * 1024**2); print('\\nall of it')",
    "fills the disk": "print('\\n' + 'x' * 5_000_000)",
    "dies": "import os; os.abort()",
    "lies": "print('all is well')",
    "says nothing": "",
}


@pytest.mark.parametrize("behaviour", CHILDREN)
def test_a_child_that_is_taken_over_gets_nowhere(tmp_path, monkeypatch, behaviour):
    script = tmp_path / "child.py"
    script.write_text(CHILDREN[behaviour])
    monkeypatch.setattr(extraction, "CHILD", script)
    if behaviour == "waits":
        limit(monkeypatch, patience=2.0)

    found = read(tmp_path, b"x", "a.txt")

    assert found == Extract(Reason.TIME if behaviour == "waits" else Reason.DIED)


def test_a_reader_that_never_ends_is_ended_and_keeps_what_it_had(tmp_path, monkeypatch):
    script = tmp_path / "child.py"
    script.write_text(_slow(Path(child.__file__).read_text()))
    monkeypatch.setattr(extraction, "CHILD", script)
    limit(monkeypatch, seconds=1)

    found = read(tmp_path, b"x", "a.txt")

    assert found == Extract(Reason.CUT, "责任")


def test_a_reader_that_waits_for_ever_is_ended_and_keeps_what_it_had(tmp_path, monkeypatch):
    script = tmp_path / "child.py"
    endless = _slow(Path(child.__file__).read_text())
    script.write_text(endless.replace("        pass\n", "        signal.pause()\n"))
    monkeypatch.setattr(extraction, "CHILD", script)
    limit(monkeypatch, patience=3.0)

    assert read(tmp_path, b"x", "a.txt") == Extract(Reason.CUT, "责任")


def limit(monkeypatch: pytest.MonkeyPatch, **changes: float) -> None:
    monkeypatch.setattr(extraction, "LIMITS", replace(extraction.LIMITS, **changes))


def _slow(source: str) -> str:
    """Return the child with a reader of texts that never ends."""
    endless = "def _read_text(source):\n    yield '责任'\n    while True:\n        pass\n\n\n"
    return source.replace("_READERS: dict", endless + "_READERS: dict")


def test_the_child_is_ended_when_it_is_not_wanted_any_more(tmp_path):
    path = tmp_path / "file"
    path.write_text("责任")

    assert extract(path, "a.txt", lambda: False) is None

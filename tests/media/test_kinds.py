"""What a file is, from its bytes alone, and what it may be called."""

import io
import zipfile
from pathlib import Path

import pytest

from hub.media.errors import UnknownKindError
from hub.media.kinds import clean_name, kind_of, shown_type

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


def office(*parts: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for part in parts:
            archive.writestr(part, "<x/>")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("方案.pdf", b"%PDF-1.7\n", "pdf"),
        ("picture.png", PNG, "png"),
        ("picture.jpeg", b"\xff\xd8\xff\xe0rest", "jpg"),
        ("picture.webp", b"RIFF\x04\0\0\0WEBPVP8 ", "webp"),
        ("plan.docx", office("[Content_Types].xml", "word/document.xml"), "docx"),
        ("plan.xlsx", office("_rels/.rels", "[Content_Types].xml", "xl/workbook.xml"), "xlsx"),
        ("plan.pptx", office("[Content_Types].xml", "ppt/presentation.xml"), "pptx"),
        ("notes.md", "# 记录\n".encode(), "md"),
        ("list.csv", b"a,b\r\n1,2\r\n", "csv"),
        ("renamed.html", b"%PDF-1.7\n", "pdf"),
    ],
)
def test_the_bytes_say_what_a_file_is(tmp_path, name, content, kind):
    assert kind_of(write(tmp_path, content), name) == kind


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.png", b"<!doctype html><script>alert(1)</script>"),
        ("page.html", b"<!doctype html><script>alert(1)</script>"),
        ("drawing.svg", b"<svg onload='alert(1)'/>"),
        ("packed.zip", office("a.txt")),
        ("packed.docx", office("a.txt")),
        ("macros.docx", office("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin")),
        ("two.docx", office("[Content_Types].xml", "word/document.xml", "xl/workbook.xml")),
        ("cut.docx", b"PK\x03\x04 and nothing more"),
        ("lies.docx", b"PK\x03\x04" + b"PK\x05\x06" + b"\xff" * 18),
        ("binary.txt", b"text\0and more"),
        ("other.txt", "文字".encode("gb18030")),
        ("program", b"\x7fELF"),
        ("no extension", b"plain text"),
    ],
)
def test_everything_else_is_refused(tmp_path, name, content):
    with pytest.raises(UnknownKindError):
        kind_of(write(tmp_path, content), name)


def test_a_character_cut_between_two_parts_is_still_text(tmp_path):
    content = b"a" * (256 * 1024 - 1) + "文".encode()
    assert kind_of(write(tmp_path, content), "long.txt") == "txt"


@pytest.mark.parametrize(
    ("sent", "kind", "kept"),
    [
        ("方案 最终版.PDF", "pdf", "方案 最终版.pdf"),
        ("C:\\Users\\li\\plan.docx", "docx", "plan.docx"),
        ("../../etc/passwd", "txt", "passwd.txt"),
        ("invoice\u202efdp.exe", "pdf", "invoicefdp.exe.pdf"),
        ('a"b<c>|d\r\n.csv', "csv", "abcd.csv"),
        ("photo.jpeg", "jpg", "photo.jpg"),
        (".pdf", "pdf", "pdf.pdf"),
        ("", "png", "file.png"),
        ("长" * 300 + ".md", "md", "长" * 114 + ".md"),
    ],
)
def test_a_name_is_safe_in_every_folder_and_header(sent, kind, kept):
    assert clean_name(sent, kind) == kept


def test_a_type_that_is_not_listed_is_shown_as_bytes_of_no_kind():
    assert shown_type("application/pdf") == "application/pdf"
    assert shown_type("text/html") == shown_type("image/svg+xml") == "application/octet-stream"


def write(folder: Path, content: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(content)
    return path

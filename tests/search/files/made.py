"""Files as people attach them, and as nobody should."""

import io
import zipfile
from collections.abc import Mapping

TYPES = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "pdf": "application/pdf",
    "txt": "text/plain",
}
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_S = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'


def archive(parts: Mapping[str, str | bytes]) -> bytes:
    """Return an Office file with these parts."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("[Content_Types].xml", "<Types/>")
        for name, content in parts.items():
            zipped.writestr(name, content)
    return output.getvalue()


def docx(*paragraphs: str) -> bytes:
    """Return a Word file; each paragraph stands in two runs, as Word likes to cut them."""
    runs = (
        f"<w:p><w:r><w:t>{text[:1]}</w:t></w:r><w:r><w:t>{text[1:]}</w:t></w:r></w:p>"
        for text in paragraphs
    )
    return archive({"word/document.xml": f"<w:document {_W}>{''.join(runs)}</w:document>"})


def xlsx(*texts: str, number: str = "") -> bytes:
    """Return an Excel file with texts that cells share, and a number."""
    items = "".join(f"<si><t>{text}</t></si>" for text in texts)
    cells = "".join(f'<c t="s"><v>{place}</v></c>' for place in range(len(texts)))
    rows = f"<sheetData><row>{cells}<c><v>{number}</v></c></row></sheetData>"
    return archive(
        {
            "xl/workbook.xml": "<workbook/>",
            "xl/sharedStrings.xml": f"<sst {_S}>{items}</sst>",
            "xl/worksheets/sheet1.xml": f"<worksheet {_S}>{rows}</worksheet>",
        }
    )


def pptx(*texts: str) -> bytes:
    """Return slides with a text each."""
    slides = {
        f"ppt/slides/slide{number}.xml": f"<p {_A}><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p>"
        for number, text in enumerate(texts, 1)
    }
    return archive({"ppt/presentation.xml": "<p/>"} | slides)


def pdf(*pages: str) -> bytes:
    """Return a PDF with a text of lines on each page, in a font that says what is Unicode in it."""
    used = [character.encode("utf-16-be").hex() for character in sorted(set("".join(pages)))]
    cmap = (
        "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <0000> <FFFF> "
        f"endcodespacerange {len(used)} beginbfchar {' '.join(f'<{c}> <{c}>' for c in used)} "
        "endbfchar endcmap end"
    )
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {len(pages)}/Kids["
        + " ".join(f"{6 + 2 * place} 0 R" for place in range(len(pages)))
        + "]>>",
        "<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H/DescendantFonts[4 0 R]"
        "/ToUnicode 5 0 R>>",
        "<</Type/Font/Subtype/CIDFontType2/BaseFont/X/CIDSystemInfo<</Registry(Adobe)"
        "/Ordering(Identity)/Supplement 0>>/DW 1000>>",
        _stream(cmap),
    ]
    for place, text in enumerate(pages):
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents {7 + 2 * place} 0 R"
            "/Resources<</Font<</F 3 0 R>>>>>>"
        )
        lines = (f"<{line.encode('utf-16-be').hex()}> Tj 0 -20 Td" for line in text.split("\n"))
        objects.append(_stream(f"BT /F 12 Tf 50 700 Td {' '.join(lines)} ET"))
    return _assemble(objects)


def _stream(content: str) -> str:
    return f"<</Length {len(content)}>>\nstream\n{content}\nendstream"


def _assemble(objects: list[str]) -> bytes:
    output, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(output))
        output += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    head = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer<</Size {size}/Root 1 0 R>>"
    return output + f"{head}\nstartxref\n{len(output)}\n%%EOF\n".encode()

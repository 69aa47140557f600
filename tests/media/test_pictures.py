"""Of a picture is kept what is seen, and nothing that its file said beside it."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from PIL import Image

from hub.cases.uploading import ready
from hub.media import child
from hub.media.errors import BrokenPictureError, FileTooLargeError, HubError, LargePictureError
from tests.cases.written import png

FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
WIDE = (90, 40)
TURNED, MAKER, PLACE = 0x0112, 0x010F, 0x8825  # Of Exif.


@pytest.fixture(autouse=True)
def home(alpha: Flask) -> Any:
    with alpha.app_context():
        yield alpha.extensions["hub.settings"].home


def photo(kind: str, size: tuple[int, int] = WIDE, mode: str = "RGB", **more: Any) -> bytes:
    """Return a picture as a telephone takes it: lying on its side, with all that it knows."""
    told = Image.Exif()
    told[TURNED], told[MAKER] = 6, "Telephone of Li"
    told.get_ifd(PLACE)[1] = "North of here"
    packed = io.BytesIO()
    Image.new(mode, size).save(packed, FORMATS[kind], exif=told, **more)
    return packed.getvalue()


def redrawn(content: bytes, name: str = "现场.jpg") -> bytes:
    with ready([content], name) as (received, file):
        data = received.path.read_bytes()
        assert (file.sha256, file.size) == (received.sha256, len(data))
        return data


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("jpg", {"comment": b"secret words", "xmp": b"secret words"}),
        ("png", {"icc_profile": b"secret words"}),
        ("webp", {"xmp": b"secret words"}),
    ],
)
def test_place_and_camera_go_and_the_picture_stands_upright(kind: str, more: dict[str, Any]):
    sent = photo(kind, **more) + b"secret words"  # And behind its end.
    assert b"Telephone of Li" in sent
    kept = redrawn(sent)
    picture = Image.open(io.BytesIO(kept))
    assert (picture.format, picture.size) == (FORMATS[kind], WIDE[::-1])
    assert not dict(picture.getexif())
    assert not {"comment", "exif", "icc_profile", "xmp"} & set(picture.info)
    for word in (b"Telephone", b"North", b"secret"):
        assert word not in kept


def test_a_picture_that_was_drawn_anew_comes_out_the_same_each_time():
    sent = photo("jpg")
    assert redrawn(sent) == redrawn(sent)


def test_what_shines_through_stays_so_and_large_ones_are_made_smaller():
    half = Image.new("P", (3000, 30))
    half.putpalette([255, 0, 0] * 256)
    packed = io.BytesIO()
    half.save(packed, "PNG", transparency=0)
    picture = Image.open(io.BytesIO(redrawn(packed.getvalue())))
    assert picture.size[0] == child.SIDE
    assert picture.convert("RGBA").getpixel((0, 0))[3] == 0


@pytest.mark.parametrize(("kind", "mode"), [("jpg", "CMYK"), ("jpg", "L"), ("png", "I;16")])
def test_unusual_colours_are_taken(kind: str, mode: str):
    assert Image.open(io.BytesIO(redrawn(photo(kind, mode=mode)))).size == WIDE[::-1]


def bomb(width: int, height: int) -> bytes:
    """Return a picture that says how large it would be, and has nothing to show for it."""
    whole = png(0)
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return whole[:12] + header + struct.pack(">I", zlib.crc32(header)) + whole[33:]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (bomb(30_000, 30_000), LargePictureError),
        (bomb(7_000, 7_000), BrokenPictureError),
        (photo("jpg", (500, 500))[:700], BrokenPictureError),
        (b"\x89PNG\r\n\x1a\n<script>alert(1)</script>", BrokenPictureError),
        (b"RIFF\xff\xff\xff\x7fWEBPVP8X" + b"\xff" * 40, BrokenPictureError),
    ],
    ids=["bomb", "empty", "cut", "script", "webp"],
)
def test_what_can_not_be_opened_is_refused_and_gone(
    home: Path, content: bytes, error: type[HubError]
):
    with pytest.raises(error):
        redrawn(content)
    assert list((home / "incoming").iterdir()) == []


def test_a_picture_that_grows_beyond_what_may_be_attached_is_refused(monkeypatch, alpha, home):
    config = alpha.extensions["hub.settings"]
    packed = io.BytesIO()
    Image.effect_noise((300, 300), 90).save(packed, "JPEG", quality=1)
    content = packed.getvalue()
    monkeypatch.setattr(type(config), "largest_attachment", property(lambda _: len(content)))
    with pytest.raises(FileTooLargeError):
        redrawn(content)
    assert list((home / "incoming").iterdir()) == []


def test_other_files_stay_as_they_are():
    assert redrawn(b"%PDF-1.7\nplans", "方案.pdf") == b"%PDF-1.7\nplans"

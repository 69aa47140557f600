"""Markdown to safe HTML. Nothing else in the program makes Markup.

Rendering runs in a child process, because no timeout stops a regular expression in a thread: ten
kilobytes of "[" keep Python-Markdown busy for twenty seconds. The child is this file, run by its
path, so that it loads nothing else of the program.
"""

import re
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import IO, Self
from xml.etree.ElementTree import Element  # Only for its type: nothing is parsed.

import markdown
import nh3
from markdown.treeprocessors import Treeprocessor
from markupsafe import Markup, escape

LONGEST = 20_000  # Characters; longer texts are shown as they were typed.
SECONDS = 1.0  # For one text.
START_SECONDS = 20.0  # For the child to come up on a busy machine.
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
FIRST_HEADING = 3  # A page has its title as h1 and its sections as h2.

_cleaner = nh3.Cleaner(
    tags={
        *("p", "br", "hr", "strong", "em", "del", "sub", "sup", "code", "pre", "blockquote"),
        *("ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td"),
        *HEADINGS[FIRST_HEADING - 1 :],
    },
    attributes={"a": {"href"}, "ol": {"start"}},
    url_schemes={"https", "http", "mailto"},
    url_relative="deny",
    link_rel="nofollow noopener noreferrer",
    strip_comments=True,
)


def digest_of(text: str) -> str:
    """Return the name under which the rendering of a text is kept: hex SHA-256 of its UTF-8."""
    return sha256(text.encode()).hexdigest()


@lru_cache(maxsize=200)  # A text is read many times in a row: cleaning it is a tenth of a page.
def safe(raw_html: str) -> Markup:
    """Return HTML with nothing in it that acts: no scripts, styles, forms, images or addresses
    other than plain links. Not kept with the text, so that a stricter list counts at once."""
    return Markup(_cleaner.clean(raw_html))  # noqa: S704 - this is where it is made safe.


def paragraphs(text: str) -> Markup:
    """Return plain text as paragraphs, one for each line that is not empty."""
    lines = (line.strip() for line in text.splitlines())
    return Markup("").join(Markup("<p>%s</p>") % line for line in lines if line)


def render(text: str) -> str:
    """Return the raw HTML of a Markdown text, to be kept, and to be shown through `safe`.

    Takes a second at most; a text that needs longer, or is longer than `LONGEST`, comes back
    escaped in `<pre>`.
    """
    with Renderer() as renderer:
        return renderer.render(text)


class Renderer:
    """A child process that renders one text after another; killed and restarted when stuck."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def render(self, text: str) -> str:
        """Return the raw HTML of one text; see the function of the same name."""
        if len(text) > LONGEST:
            return _as_typed(text)
        child = self._child or self._start()
        try:
            _write(_pipe(child.stdin), text.encode())
            return _read(_pipe(child.stdout), within=SECONDS).decode()
        except (TimeoutError, EOFError, BrokenPipeError):
            self._stop()
            return _as_typed(text)

    def _start(self) -> subprocess.Popen[bytes]:
        self._child = subprocess.Popen(  # noqa: S603 - our own file, no shell.
            [sys.executable, "-I", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        _read(_pipe(self._child.stdout), within=START_SECONDS)  # It says that it is ready.
        return self._child

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child:
            child.kill()
            for pipe in (child.stdin, child.stdout):
                _pipe(pipe).close()
            child.wait()


def _as_typed(text: str) -> str:
    return f"<pre>{escape(text)}</pre>"


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # Both ends were asked for when the child was started.
    return pipe


def _write(pipe: IO[bytes], data: bytes) -> None:
    rest = memoryview(len(data).to_bytes(4, "big") + data)
    while rest:
        rest = rest[pipe.write(rest) :]


def _read(pipe: IO[bytes], *, within: float) -> bytes:
    """Read one answer of the child.

    :raises TimeoutError: when it does not begin within so many seconds.
    :raises EOFError: when the child is gone.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        if not selector.select(within):
            raise TimeoutError
    return _exactly(pipe, int.from_bytes(_exactly(pipe, 4), "big"))


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = pipe.read(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


class _Levels(Treeprocessor):
    """Fit the headings of a text beneath those of the page, without a gap between levels."""

    def run(self, root: Element) -> None:
        found = [element for element in root.iter() if element.tag in HEADINGS]
        levels = sorted({element.tag for element in found})
        last = FIRST_HEADING - 1
        for element in found:
            last = min(FIRST_HEADING + levels.index(element.tag), last + 1, len(HEADINGS))
            element.tag = HEADINGS[last - 1]


def _converter() -> Callable[[str], str]:
    """Return Python-Markdown as we want it: HTML in a text is text, and so is a line break."""
    converter = markdown.Markdown(extensions=["tables", "sane_lists", "nl2br"])
    converter.preprocessors.deregister("html_block")
    converter.inlinePatterns.deregister("html")
    converter.treeprocessors.register(_Levels(converter), "levels", 0)

    def convert(text: str) -> str:
        # Two typographic spaces begin a Chinese paragraph; four would make it program code.
        return converter.reset().convert(re.sub(r"(?m)^[\u3000\u00a0]+", "", text))

    return convert


def _serve() -> None:
    """Be the child: render what comes in until the parent is gone."""
    convert = _converter()
    with open(0, "rb", buffering=0) as source, open(1, "wb", buffering=0) as sink:
        _write(sink, b"ready")
        while size := source.read(4):
            text = _exactly(source, int.from_bytes(size, "big")).decode()
            signal.setitimer(signal.ITIMER_REAL, 2 * SECONDS)  # Ends us if the parent is dead.
            _write(sink, convert(text).encode())
            signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    _serve()

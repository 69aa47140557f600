"""Markdown becomes HTML in which nothing acts."""

import time
from html.parser import HTMLParser

import pytest

from hub import markup

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "[x]( \x01javascript:alert(1))",
    "<a href='https://a.example' onclick='x()'>x</a>",
    "![x](https://tracker.example/pixel.png)",
    "<svg/onload=alert(1)>",
    "<style>body{display:none}</style>",
    "<form action=https://evil.example><input name=password></form>",
    "<iframe src=https://evil.example></iframe>",
    "<p id=content name=csrf_token class=masthead style='position:fixed'>x</p>",
    '<https://a.example/"onmouseover="alert(1)>',
    "[x]: javascript:alert(1)\n\n[x]",
    "| a |\n|---|\n| <script>x</script> |",
    "`<script>`",
]
ALLOWED = {
    *("p", "br", "hr", "strong", "em", "del", "sub", "sup", "code", "pre", "blockquote"),
    *("ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td", "h3", "h4", "h5", "h6"),
}


class Elements(HTMLParser):
    """Collects the elements of a page, with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))


@pytest.fixture(scope="module")
def renderer():
    with markup.Renderer() as renderer:
        yield renderer


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_in_a_text_acts(renderer, attack):
    for tag, attributes in Elements(markup.safe(renderer.render(attack))).found:
        assert tag in ALLOWED
        assert set(attributes) <= {"href", "rel", "start"}
        assert (attributes.get("href") or "https:").startswith(("https:", "http:", "mailto:"))


def test_what_was_kept_unsafe_is_shown_safe():
    raw = '<p onclick="x()">a<script>alert(1)</script><a href="javascript:x()">b</a></p>'
    shown = str(markup.safe(raw))
    assert "script" not in shown
    assert "onclick" not in shown


def test_html_in_a_text_is_shown_as_it_was_typed(renderer):
    assert "&lt;b&gt;" in renderer.render("a <b>bold</b> claim")


def test_links_are_not_followed_by_anybody_and_lead_only_outside(renderer):
    shown = str(markup.safe(renderer.render("[a](https://a.example) [b](/cases/x/withdrawal)")))
    assert 'href="https://a.example"' in shown
    assert 'rel="nofollow noopener noreferrer"' in shown
    assert "withdrawal" not in shown


def test_headings_stand_beneath_those_of_the_page_without_a_gap(renderer):
    elements = Elements(renderer.render("# a\n\n### b\n\n## c\n\n###### d")).found
    assert [tag for tag, _ in elements] == ["h3", "h4", "h4", "h5"]


def test_tables_lists_and_line_breaks_are_understood(renderer):
    html = renderer.render("| a | b |\n|---|---|\n| 1 | 2 |\n\n3. three\n\n一行\n二行")
    assert "<td>1</td>" in html
    assert '<ol start="3">' in html
    assert "一行<br" in html


def test_a_text_that_takes_too_long_is_shown_as_typed_and_the_next_is_rendered():
    with markup.Renderer() as renderer:
        began = time.monotonic()
        html = renderer.render("[" * 10_000)
        assert time.monotonic() - began < 2
        assert html == f"<pre>{'[' * 10_000}</pre>"
        assert "<strong>" in renderer.render("**next**")


def test_a_text_that_is_too_long_is_shown_as_typed_at_once(renderer):
    assert renderer.render("<&" * markup.LONGEST).startswith("<pre>&lt;&amp;")


def test_paragraphs_are_escaped():
    assert str(markup.paragraphs("a <b>\n\n  c\n")) == "<p>a &lt;b&gt;</p><p>c</p>"


def test_every_character_comes_back(renderer):
    text = "𠮷野家 é \u200b 한국 🚢"
    assert text in renderer.render(text)

"""The languages of pages and errors: each slice has its own catalogue, readers see one."""

from pathlib import Path
from typing import Any

from babel import Locale
from babel.support import NullTranslations, Translations
from flask import Flask, current_app, g, has_app_context, has_request_context, request
from flask_babel import Babel, Domain, get_locale

from hub.config import Settings

COOKIE = "lang"
NAMES = ("zh_CN", "en")
BY_TAG = {name.partition("_")[0]: name for name in NAMES}


class Catalogues(Domain):
    """All catalogues as one for each language, read once.

    Babel knows zh_CN as zh_Hans_CN and would look for a folder of that name; and it works out the
    language anew for each text, which is dear on a page with fifty of them.
    """

    def __init__(self, folders: list[Path]) -> None:
        super().__init__([str(folder) for folder in folders])
        self.by_language: dict[str, Translations] = {}

    def get_translations(self) -> NullTranslations:
        """Return the texts in the language of this request."""
        if not has_app_context():
            return NullTranslations()
        found: NullTranslations | None = g.get("catalogue")
        return found or self.of(get_locale().language)

    def of(self, language: str) -> Translations:
        """Return the texts in a language."""
        if language not in self.by_language:
            self.by_language[language] = self._read(language)
        return self.by_language[language]

    def _read(self, language: str) -> Translations:
        merged = Translations()
        names = [name for name in NAMES if name.startswith(language)]
        for folder in self.translation_directories:
            found = Translations.load(folder, names)
            if isinstance(found, Translations):
                merged.merge(found)
                merged.plural = found.plural  # Merging forgets it.
        return merged

    def in_template(self, text: str, **values: Any) -> str:
        """Return a template's text in the reader's language; the template escapes it.

        Jinja's own way to here takes twice as long.
        """
        told = (g.get("catalogue") or self.get_translations()).gettext(text)
        return told % values if values or "%" in told else told


def in_each(text: str) -> set[str]:
    """Return a text in every language that there is: what people type may be in any of them."""
    catalogues: Catalogues = current_app.extensions["hub.catalogues"]
    return {catalogues.of(tag).gettext(text) for tag in BY_TAG}


def _wanted() -> str:
    """Return the language that a request asks for, if any.

    People choose by a link, which sets a cookie; programs say it in `Accept-Language`. Browsers'
    own wish does not count: many are set to English by whoever set up the machine.
    """
    if not has_request_context():
        return ""
    if request.path.startswith("/api/"):
        for tag in request.accept_languages.values():  # Best first.
            if name := BY_TAG.get(tag.lower().partition("-")[0]):
                return name
        return ""
    return request.cookies.get(COOKIE, "")


def init_app(app: Flask, config: Settings) -> None:
    """Speak the language that the reader chose, else the node's; show times in its zone."""
    app.config["BABEL_DEFAULT_LOCALE"] = config.locale
    app.config["BABEL_DEFAULT_TIMEZONE"] = config.time_zone
    known = {name: Locale.parse(name) for name in (*NAMES, config.locale)}

    def choose() -> Locale:
        return known.get(_wanted(), known[config.locale])

    babel = Babel(app, locale_selector=choose)
    root = Path(app.root_path)
    slices = sorted(root.glob("*/translations"))
    catalogues = Catalogues([root / "translations", *slices])
    babel.domain_instance = catalogues
    app.extensions["hub.catalogues"] = catalogues
    app.jinja_env.globals.update(gettext=catalogues.in_template, _=catalogues.in_template)

    @app.before_request
    def choose_once() -> None:
        g.catalogue = catalogues.of(choose().language)

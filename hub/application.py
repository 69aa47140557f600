"""Flask as we use it: strict about JSON, and without what costs each page and serves none."""

import json
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any, NoReturn

from flask import Flask
from flask.json.provider import DefaultJSONProvider
from flask.templating import Environment


class StrictJSON(DefaultJSONProvider):
    """JSON with one reading, for all bodies that arrive."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Parse a text; see `parse`. What is refused becomes 400."""
        return parse(s)


def parse(text: str | bytes) -> Any:
    """Parse JSON so that there is only one way to understand it.

    :raises ValueError: for a member named twice (Python silently keeps the last), NaN, nesting
        beyond what can be read, or what is no JSON.
    """
    try:
        return json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object names a member twice")
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


class Templates(Environment):
    """Jinja with the globals that stand once the application does.

    Its own way lets them change later and looks through them at each import: 4 % of a page.
    """

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """Return the globals of a template."""
        return {**self.globals, **(d or {})}


class Turns:
    """Lets so many requests be worked on at once; whoever only waits for news leaves its turn.

    Each request may need two connections to the database. If more worked at once than there are
    connections for, each could hold one and wait for ever for its second.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]], most: int) -> None:
        self.application = application
        self._free = BoundedSemaphore(most)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self._free:
            return self.application(environ, start_response)

    @contextmanager
    def left(self) -> Iterator[None]:
        """Give the turn to others for as long as the block runs, which uses no connection."""
        self._free.release()
        try:
            yield
        finally:
            self._free.acquire()


class Application(Flask):
    """Flask, whose functions are all plain ones: asking each of them at each request is dear."""

    jinja_environment = Templates
    json_provider_class = StrictJSON

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is."""
        return func

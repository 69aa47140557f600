"""Founding a node: its folder, settings, keys, database and first organisation."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import set_key
from flask import Flask

from hub import create_app, schema
from hub.config import FILE_NAME, Settings
from hub.database import db, transaction
from hub.errors import HubError, InvalidError, mark
from hub.identity import service as identity
from hub.identity.models import Level, Organisation
from hub.journal import signing
from hub.registry.addresses import is_slug

ROOT_LEVEL = {
    "headquarters": Level.GROUP_COMMITTEE,
    "subsidiary": Level.SUBSIDIARY_COMMITTEE,
}


class NoNodeError(HubError):
    """A command was called where no node lives."""

    status = 404
    code = "no_node"
    message = mark("There is no node in %(home)s. Make one with: hub node create")


class OtherNodeError(HubError):
    """A node was to be made in a folder that another one lives in."""

    status = 409
    code = "other_node"
    message = mark("%(home)s already holds the node %(origin)s.")


def found(home: Path, values: dict[str, str], organisation: str = "") -> Flask:
    """Make a node in a folder, or finish one whose making was interrupted.

    :param organisation: name of the organisation that everybody there belongs to; the node's own
        name if not given.
    :param values: settings to keep in the folder, by name without `HUB_`, such as `origin`.
    :raises OtherNodeError: when the folder is the home of a node with another origin.
    """
    home = home.absolute()
    _check(values)
    _write_settings(home, values)
    app = create_app(load(home))
    with app.app_context():
        signing.node_keys()
        schema.upgrade()
        _add_root(organisation or values["name"], ROOT_LEVEL[values["role"]])
        db.session.remove()
        db.engine.dispose()
    return app


def load(home: Path | None = None) -> Settings:
    """Return the settings of the node in a folder (by default `HUB_HOME`).

    :raises NoNodeError: when there is none.
    """
    environ = os.environ if home is None else {**os.environ, "HUB_HOME": str(home)}
    settings = Settings.load(environ)
    if not (settings.home / FILE_NAME).exists() and "HUB_ORIGIN" not in environ:
        raise NoNodeError(home=settings.home)
    return settings


def _check(values: dict[str, str]) -> None:
    origin = urlsplit(values["origin"])
    if origin.scheme not in {"http", "https"} or not origin.hostname or origin.path.strip("/"):
        raise InvalidError("origin", "https://host[:port]")
    if not is_slug(values["enterprise"]):
        raise InvalidError("enterprise", "a-z 0-9 -")
    if values["role"] not in ROOT_LEVEL:
        raise InvalidError("role", " | ".join(ROOT_LEVEL))
    if not values["name"].strip():
        raise InvalidError("name", "…")


def _write_settings(home: Path, values: dict[str, str]) -> None:
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = home / FILE_NAME
    if path.exists():
        present = load(home)
        if present.origin != values["origin"].rstrip("/"):
            raise OtherNodeError(home=home, origin=present.origin)
        return
    draft = path.with_suffix(".draft")  # Renamed when complete: no half-written node is ever read.
    draft.unlink(missing_ok=True)
    for name, value in values.items():
        set_key(draft, f"HUB_{name.upper()}", value.strip(), quote_mode="always")
    draft.chmod(0o600)
    draft.rename(path)


def _add_root(name: str, level: Level) -> None:
    with transaction():
        if db.session.query(Organisation.id).first() is None:
            identity.add_organisation(name, level)

"""Each setting of a node, once: its name, its default and what it means.

Settings are read from `settings.env` in the node's home folder and then from the environment,
which wins. `docs/operating.md` lists them for the people who run nodes.
"""

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from dotenv import dotenv_values
from flask import current_app

T = TypeVar("T")

FILE_NAME = "settings.env"


@dataclass(frozen=True)
class Settings:
    """What one node is told when it starts. Field `x` is read from `HUB_X`."""

    home: Path = Path("var/node")  # Data folder: database, keys, index, files.
    origin: str = "http://127.0.0.1:5000"  # The URL by which the federation names this node.
    name: str = "Jingwei"  # What people call this node.
    enterprise: str = "example"  # Slug of the enterprise that it belongs to.
    role: str = "headquarters"  # headquarters or subsidiary.
    database_url: str = ""  # SQLAlchemy URL; empty means SQLite in the home folder.
    secret_key: str = ""  # Signs cookies; empty means a random one kept in the home folder.
    allow_loopback: bool = False  # Accept plain http peers on this machine.
    search_engine: str = ""  # tantivy or whoosh; empty means the best one available.
    search_url: str = ""  # Addresses of an OpenSearch cluster, with commas; empty means files here.
    search_delegate: bool = False  # Leave what others wrote to the search of whom we read from.
    locale: str = "zh_CN"  # Language of pages unless the reader chose: zh_CN or en.
    time_zone: str = "Asia/Shanghai"  # Zone in which times are shown.
    bind: str = ""  # host:port to listen on; empty means the origin's.
    workers: int = 2  # Web processes.
    threads: int = 16  # Requests that one web process handles at a time.
    is_relay: bool = False  # Offer to the nodes that read here all that this one reads.
    relay: str = ""  # Origin of the node to read from instead; empty means headquarters.
    held_requests: int = (
        400  # Of peers, that one web process holds beside these until there is news.
    )
    peer_requests_per_minute: int = 1200  # That one web process answers one peer.
    peer_entries_per_minute: int = 6000  # That one web process takes in from one peer.
    metrics_token: str = ""  # Bearer token of /metrics; empty means closed.
    log_days: int = 400  # Days for which what was superseded stays in the logs for peers.
    attachment_megabytes: int = 50  # Of one file that is attached to a case.
    case_megabytes: int = 200  # Of all files of one case together.
    files_megabytes: int = 50_000  # Of all files that are kept here, fetched ones included.
    clamav: str = ""  # unix:/path or host:port of a ClamAV daemon; empty means none.
    s3_bucket: str = ""  # Where files are kept; empty means the home folder.
    s3_endpoint: str = ""  # URL of the store; empty means that of Amazon.
    s3_region: str = ""
    s3_access_key: str = ""
    s3_secret_key: str = ""

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings of the node whose home is `HUB_HOME`."""
        home = Path(environ.get("HUB_HOME", cls.home)).absolute()
        values = {**dotenv_values(home / FILE_NAME), **environ, "HUB_HOME": str(home)}
        known = {
            field.name: _parse(field.name, str(values[key]), getattr(cls, field.name))
            for field in fields(cls)
            if values.get(key := f"HUB_{field.name.upper()}") is not None
        }
        return cls(**known)

    @property
    def is_headquarters(self) -> bool:
        """Say whether this node is its enterprise's trust anchor and relay."""
        return self.role == "headquarters"

    @property
    def largest_attachment(self) -> int:
        """Return the most bytes that a file attached here may have."""
        return self.attachment_megabytes * 1_000_000

    @property
    def largest_case(self) -> int:
        """Return the most bytes that the files of one case may have together."""
        return self.case_megabytes * 1_000_000

    @property
    def most_kept(self) -> int:
        """Return the most bytes that all files kept here may have together."""
        return self.files_megabytes * 1_000_000

    @property
    def offers_all(self) -> bool:
        """Say whether others read here what this node has of others."""
        return self.is_headquarters or self.is_relay

    @property
    def delegates_search(self) -> bool:
        """Say whether another node searches for this one; whoever is asked itself indexes all."""
        return self.search_delegate and not self.offers_all

    @property
    def database(self) -> str:
        """Return the SQLAlchemy URL of the database in force."""
        url = self.database_url or f"sqlite:///{self.home / 'hub.db'}"
        return url.replace("postgresql://", "postgresql+psycopg://", 1)

    @cached_property
    def cookie_key(self) -> str:
        """Return the key that signs cookies, made at first use and kept in the home folder."""
        if self.secret_key:
            return self.secret_key
        return read_or_create(self.home / "keys" / "cookie", lambda: secrets.token_hex(32))


def _parse(name: str, text: str, default: Any) -> Any:
    if isinstance(default, bool):
        return text.lower() in {"1", "true", "yes", "on"}
    if isinstance(default, int):
        return int(text)
    if isinstance(default, Path):
        return Path(text)
    return text.rstrip("/") if name in {"origin", "relay"} else text


def read_or_create(path: Path, make: Callable[[], str]) -> str:
    """Return the text of a private file, writing it first if there is none.

    Two processes may race for it: the file appears whole, under its name, once.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # Another process was first; its file counts.
        finally:
            draft.unlink()
    return path.read_text()


def settings() -> Settings:
    """Return the settings of the current application."""
    found: Settings = current_app.extensions["hub.settings"]
    return found


def of_this_node(make: Callable[[Settings], T]) -> T:
    """Return the one object that `make` builds for the current application.

    Four nodes live in one test process, so nothing that belongs to a node may be a module global.
    """
    kept: dict[Callable[[Settings], Any], Any] = current_app.extensions.setdefault("hub.kept", {})
    if make not in kept:
        kept[make] = make(settings())
    found: T = kept[make]
    return found

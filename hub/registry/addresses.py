"""Names of nodes and of enterprises: what is one, and what only looks like one."""

import ipaddress
import re
from typing import Any, TypeGuard
from urllib.parse import urlsplit

from hub.config import settings

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,60}[a-z0-9])?")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")


def is_slug(value: object) -> TypeGuard[str]:
    """Say whether this names an enterprise: lowercase letters, digits and hyphens, up to 62."""
    return isinstance(value, str) and _SLUG.fullmatch(value) is not None


def is_origin(value: object) -> TypeGuard[str]:
    """Say whether this names a node: `https://host[:port]` in its one spelling, no path.

    Plain http is accepted for this machine only, and only where the settings allow it.
    """
    if not isinstance(value, str) or len(value) > 255:
        return False
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    if value != _spell(parts.scheme, host, port) or not _is_host(host):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback_allowed(host))


def is_loopback_allowed(host: str) -> bool:
    """Say whether this host is the same machine, and peers on it are allowed."""
    if not settings().allow_loopback:
        return False
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _spell(scheme: str, host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    usual = {"https": 443, "http": 80}.get(scheme)
    return f"{scheme}://{shown}" + (f":{port}" if port not in {None, usual} else "")


def _is_host(host: str) -> bool:
    return _address(host) is not None or _HOST.fullmatch(host) is not None


def _address(host: str) -> Any:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None

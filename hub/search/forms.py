"""What the address of a search page says."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hub.search.engine import FACETS
from hub.search.queries import LONGEST


@dataclass(frozen=True)
class Asked:
    """A search as somebody asked for it; odd input is mended, since people edit addresses."""

    q: str = ""
    kind: str = ""
    category: str = ""
    unit: str = ""
    origin: str = ""
    page: int = 1

    @classmethod
    def of(cls, arguments: Mapping[str, str]) -> "Asked":
        """Read the arguments of a request."""
        text = {name: arguments.get(name, "")[:255] for name in FACETS}
        page = arguments.get("page", "1")
        number = int(page) if page.isascii() and page.isdigit() and len(page) < 8 else 1
        return cls(q=arguments.get("q", "")[:LONGEST], page=max(number, 1), **text)

    @property
    def filters(self) -> dict[str, str]:
        """Return the filters that are set."""
        return {name: value for name in FACETS if (value := getattr(self, name))}

    def arguments(self, **changes: Any) -> dict[str, Any]:
        """Return the arguments of the address of a similar search, at its first page."""
        values = vars(replace(self, **({"page": 1} | changes)))
        return {name: value for name, value in values.items() if value not in ("", 1)}

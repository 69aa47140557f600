"""What the address of a search page says."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hub.search.engine import FACETS, Order
from hub.search.parts import LONGEST, Boxes
from hub.search.places import LONGEST as LONGEST_PLACE

BOXES = ("exact", "without", "in_title", "in_unit")  # Of the form that asks for each by itself.


@dataclass(frozen=True)
class Asked:
    """A search as somebody asked for it; odd input is mended, since people edit addresses."""

    q: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)  # Those that are set.
    order: Order = Order.RELEVANCE
    page: int = 1
    fits: bool = False  # Only what fits the unit of who asks.
    here: bool = False  # Only in the index of this node.

    @classmethod
    def of(cls, arguments: Mapping[str, str]) -> "Asked":
        """Read the arguments of a request."""
        filters = {name: arguments.get(name, "")[:LONGEST_PLACE] for name in FACETS}
        page, order = arguments.get("page", "1"), arguments.get("order", "")
        number = int(page) if page.isascii() and page.isdigit() and len(page) < 8 else 1
        typed = [arguments.get(name, "")[:LONGEST] for name in ("q", *BOXES)]
        return cls(
            q=Boxes(*typed).query() if any(typed[1:]) else typed[0],
            filters={name: value for name, value in filters.items() if value},
            order=Order(order) if order in set(Order) else Order.RELEVANCE,
            page=max(number, 1),
            fits=arguments.get("fits") == "1",
            here=arguments.get("here") == "1",
        )

    @property
    def boxes(self) -> Boxes:
        """Return the words as the boxes of the form that asks for each by itself."""
        return Boxes.of(self.q)

    def arguments(self, *, page: int = 1, **changes: Any) -> dict[str, Any]:
        """Return the arguments of the address of a similar search, at its first page.

        :param changes: other words, another order, or filters; an empty one takes a filter away.
        """
        filters = {name: changes.pop(name, self.filters.get(name, "")) for name in FACETS}
        asked = replace(self, **changes)
        order = "" if asked.order == Order.RELEVANCE else str(asked.order)
        last = {"order": order, "fits": asked.fits and 1, "here": asked.here and 1}
        last |= {"page": page if page > 1 else ""}
        values = {"q": asked.q} | filters | last
        return {name: value for name, value in values.items() if value}

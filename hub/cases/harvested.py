"""Documents that were harvested elsewhere: nobody but this node signed them, for itself alone.

Their entries are ours, in `local`, with a field that says where the text came from.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

FIELD = "harvested"


class Provenance(NamedTuple):
    """Where a harvested text came from."""

    source: str  # What people here call it.
    link: str  # To be shown, never fetched; empty when there is none.
    dated: datetime | None  # As the source says.


def fields_of(provenance: Provenance) -> dict[str, Any]:
    """Return what the fields of an entry say of where it came from."""
    said = {
        "source": provenance.source,
        "link": provenance.link,
        "dated": provenance.dated.isoformat() if provenance.dated else "",
    }
    return {FIELD: said}


def is_harvested(fields: Mapping[str, Any]) -> bool:
    """Say whether an entry in `local` was harvested; in another channel the field means nothing."""
    return isinstance(fields.get(FIELD), dict)


def provenance_of(fields: Mapping[str, Any]) -> Provenance:
    """Return where a harvested document came from."""
    said = fields[FIELD]
    dated = datetime.fromisoformat(said["dated"]).astimezone(UTC) if said["dated"] else None
    return Provenance(said["source"], said["link"], dated)

"""What a shelf promises, so that indexes can be in a folder, in a cluster or elsewhere."""

from typing import Protocol

from hub.search.engine import Reader, Writer


class Index(Protocol):
    """One index of a node, wherever it is kept; it may be gone or damaged."""

    @property
    def name(self) -> str:
        """Return its name, which tells what made it."""

    @property
    def engine_name(self) -> str:
        """Return the name of the engine that made it."""

    def exists(self) -> bool:
        """Say whether there still is anything of it."""

    def is_sound(self) -> bool:
        """Look at the whole index and say whether it is as it was written."""

    def create(self) -> Writer:
        """Make it, empty and at position 0."""

    def open_writer(self) -> Writer:
        """Open it for writing, as its only writer.

        :raises BrokenIndexError: when it is not there, or damaged.
        """

    def open_reader(self) -> Reader:
        """Open it for searching.

        :raises BrokenIndexError: when it is not there, or damaged.
        """


class Shelf(Protocol):
    """Where a node keeps its indexes. One of them is searched; others are being built beside it.

    All that it does may raise SearchDownError where the shelf is on another machine.
    """

    def stamp(self) -> object:
        """Return what changes whenever another index takes over; None when there is none."""

    def current(self) -> Index | None:
        """Return the index that is searched; None when there is none."""

    def new(self) -> Index:
        """Return an index that is about to be built, under a name of its own."""

    def named(self, name: str) -> Index:
        """Return the index of this name, which may be gone."""

    def switch_to(self, index: Index) -> None:
        """Let an index take over, and delete all others."""

    def renew(self) -> None:
        """Let readers forget what they remember of the current index, of which nothing shows."""

    def sweep(self, but: Index | None = None) -> None:
        """Delete every index but the current one; only for whoever holds the lock to build.

        :param but: another one that stays, since somebody goes on with it.
        """

    def is_up_to_date(self, index: Index) -> bool:
        """Say whether an index holds what this version, with this engine, would make."""

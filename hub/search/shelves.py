"""Where a node keeps its indexes, as its settings say."""

import importlib

from hub.config import Settings
from hub.search import engine as engines
from hub.search.folder import Folder
from hub.search.shelf import Shelf


def shelf_of(config: Settings) -> Shelf:
    """Return the shelf of a node: on the cluster that its settings name, else in its home folder.

    :raises EngineMissingError: when the engine that the settings ask for is not installed.
    """
    if config.search_url:
        # Imported late: a node without a cluster should not carry the library.
        module = importlib.import_module("hub.search.engines.opensearch")
        shelf: Shelf = module.Cluster(config)
        return shelf
    engine = engines.choose(config.search_engine)
    return Folder(config.home, engine, is_delegating=config.delegates_search)

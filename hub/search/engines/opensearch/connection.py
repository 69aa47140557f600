"""Requests to the cluster: each with a bound on its time, and its errors under our names."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from opensearchpy import OpenSearch, exceptions

from hub.search.engine import BrokenIndexError, SearchDownError

logger = structlog.get_logger()
logging.getLogger("opensearch").setLevel(logging.ERROR)  # It warns of answers that are none.

ASKING = 5.0  # Seconds that a question may take.
WRITING = 60.0  # Seconds that a change may take.
BUSY = 429
REST = 3.0  # Seconds for which a cluster that did not answer is not asked again.


class ClusterBusyError(SearchDownError):
    """The cluster has too much to do; it takes the same a little later."""


class Connection:
    """The way to one cluster; threads may share it."""

    def __init__(self, addresses: str, most: int = 10) -> None:
        """Connect at first use.

        :param addresses: URLs of nodes of the cluster, separated by commas; any may be down.
        :param most: requests at a time, to each.
        """
        self._client = OpenSearch(
            hosts=[address.strip() for address in addresses.split(",")],
            timeout=ASKING,
            max_retries=2,  # On another node, where one can't be connected to.
            pool_maxsize=most,
        )
        self._rests_until = 0.0

    @contextmanager
    def asking(self) -> Iterator[OpenSearch]:
        """Hand out the client, and call by our names what goes wrong.

        A cluster that did not answer rests: else every page would wait for it in turn.

        :raises BrokenIndexError: when what was asked for is gone, or another writer has taken over.
        :raises SearchDownError: for anything else, and without asking while the cluster rests.
        """
        if time.monotonic() < self._rests_until:
            raise SearchDownError
        try:
            yield self._client
        except (exceptions.NotFoundError, exceptions.ConflictError) as error:
            raise BrokenIndexError from error
        except exceptions.ConnectionError as error:
            self._rests_until = time.monotonic() + REST
            logger.warning("search cluster not reached", reason=str(error.error))
            raise SearchDownError from error
        except exceptions.TransportError as error:
            if error.status_code == BUSY:
                raise ClusterBusyError from error
            logger.warning("search cluster refused", status=error.status_code, reason=error.error)
            raise SearchDownError from error
        except exceptions.OpenSearchException as error:
            logger.warning("search cluster not understood", reason=type(error).__name__)
            raise SearchDownError from error

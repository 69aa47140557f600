"""The index in a cluster of OpenSearch, for nodes that outgrow their machine."""

from hub.search.engines.opensearch.cluster import Cluster

__all__ = ["Cluster"]

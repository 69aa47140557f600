"""What can be wrong with a search."""

from hub.errors import HubError, mark


class LongQueryError(HubError):
    """More than anybody types."""

    code = "query_too_long"
    message = mark("A search has at most %(limit)s characters.")


class LongPageError(HubError):
    """More hits at once than a page holds."""

    code = "page_too_long"
    message = mark("A page holds 1 to %(limit)s hits.")


class FarPageError(HubError):
    """Further down than anybody reads."""

    code = "page_too_far"
    message = mark("Only the first %(limit)s hits can be paged through. Narrow the search.")

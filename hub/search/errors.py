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


class TooManySavedError(HubError):
    """Somebody keeps as many searches as one may."""

    status = 409
    code = "too_many_saved"
    message = mark("At most %(limit)s searches can be saved. Remove one first.")


class SavedNameError(HubError):
    """A name for a search that is empty, or too long for a list."""

    code = "bad_name"
    message = mark("A name has 1 to %(limit)s characters.")


class NothingAskedError(HubError):
    """A search without words or filters: it would find everything."""

    code = "nothing_asked"
    message = mark("Search for words or set a filter first.")

"""What can go wrong with a source. Each stands on its row until the next harvest succeeds."""

from hub.errors import HubError, mark


class SourceError(HubError):
    """A source did not give what can be harvested."""

    status = 502
    code = "source"
    message = mark("The source did not answer as it should.")


class RedirectError(SourceError):
    """The source wants to be asked elsewhere: no content chooses an address that we fetch."""

    code = "redirect"
    message = mark("The address leads to another one, which is not followed.")


class NotXmlError(SourceError):
    """The answer is no XML, or broken."""

    code = "not_xml"
    message = mark("The answer is not well-formed XML: %(reason)s")

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason[:200])


class ForbiddenXmlError(SourceError):
    """XML that costs more to read than it is worth, or declares things of its own."""

    code = "forbidden_xml"
    message = mark("The answer holds a document type, or too many or too deeply nested elements.")


class OtherKindError(SourceError):
    """XML of another kind than the source was said to be."""

    code = "other_kind"
    message = mark("There is XML at this address, but not of this kind. It begins with “%(tag)s”.")

    def __init__(self, tag: str) -> None:
        super().__init__(tag=tag.rpartition("}")[2][:100])  # Without its namespace.


class UnreadableFeedError(SourceError):
    """A feed whose elements do not hold what they should."""

    code = "unreadable_feed"
    message = mark("The feed can't be read: its elements do not hold what they should.")


class RepositoryError(SourceError):
    """An error that OAI-PMH names (section 3.6)."""

    code = "repository"
    message = mark("The repository refuses: %(reason)s")

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason=f"{reason[:40]} {detail[:200]}".strip())
        self.reason = reason


class EndlessError(SourceError):
    """A list that goes in a circle, or on beyond all bounds."""

    code = "endless"
    message = mark("The list does not end: the same place comes twice, or too much follows.")


class TooManyItemsError(SourceError):
    """A source with more items than are kept of one."""

    code = "too_many_items"
    message = mark("The source has more than %(most)s items.")

    def __init__(self, most: int) -> None:
        super().__init__(most=most)


class OtherOriginError(SourceError):
    """An archive of a feed at another place: no content chooses an address that we fetch."""

    code = "other_origin"
    message = mark("Its archive is at another address, which is not followed.")


class SourceAddressError(HubError):
    """An address that no source may have."""

    code = "source_address"
    message = mark(
        "This is not the address of a source. It begins with https://, names a host, and has no "
        "user name and no “#”."
    )

    def __init__(self) -> None:
        super().__init__(field="url")


class KnownSourceError(HubError):
    """The same address and set are harvested already."""

    status = 409
    code = "source_known"
    message = mark("This address is harvested already, as “%(name)s”.")

    def __init__(self, name: str) -> None:
        super().__init__(field="url", name=name)


class StoppedError(HubError):
    """A source that was paused or removed while it was being harvested."""

    status = 409
    code = "source_stopped"
    message = mark("The source was paused or removed meanwhile.")


class OtherNumberError(HubError):
    """What is missing at a source changed since somebody looked."""

    status = 409
    code = "other_number"
    message = mark("The number of missing items has changed meanwhile. Please look again.")

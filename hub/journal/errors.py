"""Why something signed was not accepted."""

from hub.errors import HubError, mark


class RecoveringError(HubError):
    """This node was restored from a backup, and has yet to fetch what it published since."""

    status = 503
    code = "recovering"
    message = mark(
        "This node was restored from a backup and is fetching what it had published since. "
        "Nothing is lost; try again in a minute."
    )


class VerificationError(HubError):
    """Bytes that arrived are not what they claim to be."""

    code = "unverified"
    message = mark("This could not be verified: %(reason)s")

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason=reason)
        self.code = code
        self.reason = reason

"""Why something signed was not accepted."""

from hub.errors import HubError, mark


class VerificationError(HubError):
    """Bytes that arrived are not what they claim to be."""

    code = "unverified"
    message = mark("This could not be verified: %(reason)s")

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason=reason)
        self.code = code
        self.reason = reason

"""Why a peer, a key or a statement about one was not accepted."""

from hub.errors import HubError, mark


class MalformedKeyError(HubError):
    """A key that was sent is not of the kind that is asked for."""

    code = "malformed_key"
    message = mark("That is not a public key of the kind that is needed here.")


class TokenError(HubError):
    """An access token is missing, or does not prove what it should."""

    status = 401
    code = "token"
    message = mark("The access token is missing, expired or not for this node.")


class ProofOfPossessionError(HubError):
    """A request of a partner does not prove that its sender holds the key of its token."""

    status = 401
    code = "invalid_dpop_proof"
    message = mark("The proof of possession (DPoP) does not hold: %(reason)s")

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


class UnknownPeerError(HubError):
    """The token is ours, but its client is no longer, or not yet, a peer."""

    status = 401
    code = "unknown_peer"
    message = mark("This node does not know that peer.")


class ScopeError(HubError):
    """The token does not carry the scope that the route asks for."""

    status = 403
    code = "scope"
    message = mark("The access token does not cover this.")


class SuspendedError(HubError):
    """An administrator here has suspended the peer."""

    status = 403
    code = "peer_suspended"
    message = mark("The administrator of this node has suspended the connection.")


class FrozenError(HubError):
    """The signing key of the peer was revoked."""

    status = 403
    code = "peer_frozen"
    message = mark("The key of this node was revoked. It must join again with another.")


class ClosedError(HubError):
    """One of the two sides has closed the peering for good."""

    status = 403
    code = "peer_closed"
    message = mark("The connection was closed for good. Another invitation opens another one.")


class UnconfirmedError(HubError):
    """A person must compare fingerprints before a partner may do anything."""

    status = 403
    code = "peer_not_confirmed"
    message = mark("The connection still waits for both sides to confirm it.")


class AgreementEndedError(HubError):
    """The agreement with a partner enterprise has come to its end date."""

    status = 403
    code = "agreement_ended"
    message = mark("The agreement between the two enterprises has ended.")


class ThrottledError(HubError):
    """A peer asks or sends more in a minute than its quota.

    :param retry_after: seconds after which it may go on.
    """

    status = 429
    code = "throttled"
    message = mark("That is more than one node may ask or send in a minute. Nothing is lost.")

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


class NotAnchorError(HubError):
    """Somebody vouched for a node or a key that is not theirs to vouch for."""

    status = 403
    code = "not_anchor"
    message = mark("Only the headquarters of an enterprise vouches for its nodes and keys.")

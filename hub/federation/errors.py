"""What can go wrong between two nodes."""

from hub.errors import ForbiddenError, HubError, NotFoundError, mark
from hub.registry.errors import (
    AgreementEndedError,
    FrozenError,
    SuspendedError,
    UnconfirmedError,
)


class PeerError(HubError):
    """A request to a peer did not bring the answer that was asked for."""

    status = 502
    code = "peer"
    message = mark("The other node did not answer as it should.")


NOT_AGREED = "not_agreed"
NO_TRUST = "its certificate is not trusted"
NO_TIME = "no answer in time"

_UNREACHABLE = {
    NO_TRUST: mark("The certificate of %(origin)s is not trusted by this machine."),
    NO_TIME: mark("%(origin)s did not answer in time."),
}


class UnreachableError(PeerError):
    """Nobody answered, or not in time."""

    code = "unreachable"
    message = mark("%(origin)s can't be reached: %(reason)s")

    def __init__(self, origin: str, reason: str) -> None:
        self.message = _UNREACHABLE.get(reason, self.message)
        super().__init__(origin=origin, reason=reason)


class MalformedError(PeerError):
    """The peer answered with something that is not what the protocol says, or too much of it."""

    code = "malformed_answer"
    message = mark("%(origin)s answered with something unexpected: %(reason)s")

    def __init__(self, origin: str, reason: str) -> None:
        super().__init__(origin=origin, reason=reason)


class ForbiddenAddressError(HubError):
    """An address that no peer may have."""

    code = "forbidden_address"
    message = mark("“%(origin)s” is not an address that a node may have.")

    def __init__(self, origin: str) -> None:
        super().__init__(field="origin", origin=origin[:255])


class NotHeadquartersError(ForbiddenError):
    """Something that only the headquarters of an enterprise does."""

    code = "not_headquarters"
    message = mark("Only the headquarters of an enterprise can do that.")


class MalformedCodeError(HubError):
    """What was pasted is no invitation."""

    code = "malformed_code"
    message = mark("That is not an invitation code. Copy all of it, from “jw1.” to its end.")

    def __init__(self) -> None:
        super().__init__(field="code")


class InvitationError(HubError):
    """An invitation that nobody gave, or that is over, or that was given to somebody else."""

    status = 401
    code = "invitation"
    message = mark("This invitation is not valid here. Ask for a new one.")


class ExpiredInvitationError(InvitationError):
    """Invitations hold for a day."""

    code = "invitation_expired"
    message = mark("This invitation has expired. Ask for a new one.")


class UsedInvitationError(InvitationError):
    """Another node was faster; the person who invites should know."""

    code = "invitation_used"
    message = mark("This invitation was already used by a node with another key.")


class OtherNodeError(InvitationError):
    """The invitation names another node than the one that came with it."""

    status = 403
    code = "invitation_other_node"
    message = mark("This invitation is for %(expected)s, not for %(got)s.")

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(expected=expected, got=got[:255])


class ProofError(HubError):
    """Whoever registers does not hold the keys that it shows."""

    status = 400
    code = "proof"
    message = mark("The node did not prove that it holds its keys: %(reason)s")

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


class OtherKeyError(HubError):
    """A node that we know comes with another key than the one that we know."""

    status = 409
    code = "other_key"
    message = mark("%(origin)s is known here with another key.")

    def __init__(self, origin: str) -> None:
        super().__init__(origin=origin)


class RevokedKeyError(HubError):
    """A node comes with a key that was revoked."""

    status = 409
    code = "revoked_key"
    message = mark("The key %(kid)s of %(origin)s was revoked.")

    def __init__(self, origin: str, kid: str) -> None:
        super().__init__(origin=origin, kid=kid)


class WaitingKeyError(HubError):
    """A node changes its key a second time before the first change counts."""

    status = 409
    code = "key_waiting"
    message = mark("Another new key of %(origin)s waits for its time.")

    def __init__(self, origin: str) -> None:
        super().__init__(origin=origin)


class UnknownKeyError(NotFoundError):
    """A node of ours has no such key, or there is no such node of ours."""

    code = "unknown_key"
    message = mark("No node of this enterprise below headquarters has this key.")


class OtherFingerprintError(HubError):
    """Two fingerprints that should be one."""

    code = "other_fingerprint"
    message = mark(
        "The fingerprints differ: %(expected)s was expected, %(got)s was shown. "
        "Do not go on before you know why."
    )

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(field="fingerprint", expected=expected, got=got[:100])


class EnterpriseError(HubError):
    """The kind of connection does not fit the enterprises of the two nodes."""

    code = "enterprise"
    message = mark(
        "A subsidiary belongs to the same enterprise as its headquarters; a partner to another."
    )

    def __init__(self) -> None:
        super().__init__(field="enterprise")


class AgreementError(HubError):
    """An agreement with a partner must end, and not in the past."""

    code = "agreement"
    message = mark("An agreement with a partner needs an end date in the future.")

    def __init__(self) -> None:
        super().__init__(field="ends_at")


class NotAgreedError(HubError):
    """A case that the agreement with a partner does not cover, or no longer."""

    code = NOT_AGREED
    message = mark(
        "The agreement with this partner has ended or does not cover the category of the case."
    )


class AlreadyJoinedError(HubError):
    """A node has one headquarters."""

    status = 409
    code = "already_joined"
    message = mark("This node already belongs to %(origin)s.")

    def __init__(self, origin: str) -> None:
        super().__init__(origin=origin)


class UnknownPeerError(NotFoundError):
    """No peer has this address."""

    code = "not_found"


class RefusedError(PeerError):
    """The peer said no, or not now.

    :param refusal: the stable code that it gave; where we know it, our own words are shown.
    :param answered: the HTTP status of the answer.
    :param retry_after: seconds to wait before asking again, where it said so.
    """

    code = "refused"
    message = mark("%(origin)s refused (%(refusal)s): %(detail)s")

    def __init__(
        self, origin: str, refusal: str, detail: str, *, answered: int, retry_after: int | None
    ) -> None:
        self.message = _REFUSALS.get(refusal, self.message)
        super().__init__(origin=origin, refusal=refusal, detail=detail)
        self.refusal = refusal
        self.answered = answered
        self.retry_after = retry_after


class ClockError(HubError):
    """The clocks of two nodes differ by more than a token bears."""

    code = "clock"
    message = mark(
        "The clocks of the two nodes differ too much. Set the clock of this machine, "
        "best by a time service."
    )


# What peers answer most often, in words of our own: theirs are not in the reader's language.
_REFUSALS = {
    known.code: known.message
    for known in (
        InvitationError,
        ExpiredInvitationError,
        UsedInvitationError,
        SuspendedError,
        FrozenError,
        UnconfirmedError,
        AgreementEndedError,
        ClockError,
    )
}


class NotVouchedError(HubError):
    """Two nodes of an enterprise meet, and headquarters has not named one of them with its key."""

    status = 403
    code = "not_vouched"
    message = mark("Our headquarters does not vouch for this node. Let it join headquarters first.")

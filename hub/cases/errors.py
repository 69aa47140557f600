"""What can go wrong with a case."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hub.errors import ForbiddenError, HubError, mark

if TYPE_CHECKING:
    from hub.cases.models import Document


class WithdrawnError(HubError):
    """A document was here and was taken back; its tombstone stays for those who could read it."""

    status = 410
    code = "withdrawn"
    message = mark("This was withdrawn by the unit that published it.")

    def __init__(self, document: "Document") -> None:
        super().__init__()
        self.document = document
        self.more = {
            "tombstone": {
                "id": str(document.id),
                "origin": document.origin,
                "withdrawn_at": document.withdrawn_at.isoformat() if document.withdrawn_at else "",
            }
        }


class SelfReviewError(ForbiddenError):
    """An author tried to clear or approve their own case."""

    code = "self_review"
    message = mark("You wrote this yourself: ask a colleague to review it.")


class OwnCaseError(ForbiddenError):
    """A unit reported the adoption of a case of its own."""

    code = "own_case"
    message = mark("This is your own unit’s: only others can adopt it.")


class WrongStateError(HubError):
    """The case does not stand where this can be done."""

    status = 409
    code = "wrong_state"
    message = mark("This can't be done at the step where the case is now.")

    def __init__(self, state: str) -> None:
        super().__init__()
        self.more = {"state": state}


class ChangedMeanwhileError(HubError):
    """Somebody else changed the case after the caller last saw it."""

    status = 409
    code = "changed_meanwhile"
    message = mark("This was changed after you opened it. Open it again and look at it anew.")


class IncompleteError(HubError):
    """Fields are missing that a case needs when it is submitted."""

    code = "incomplete"
    message = mark("Before it can be submitted, these are missing: %(names)s")

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(field=names[0], names=", ".join(names))
        self.more = {"missing": list(names)}


class UnchangedError(HubError):
    """A text that was refused came back as it was."""

    status = 409
    code = "unchanged"
    message = mark("The secrecy review refused this text. Change it before you submit it again.")


class AlteredError(HubError):
    """The text is not the one that was signed: somebody changed it in the database."""

    status = 409
    code = "altered"
    message = mark("The text is no longer the one that was signed. Tell your administrator.")


class AudienceElsewhereError(HubError):
    """An edit was to change the audience or unit of a case that has readers."""

    status = 409
    code = "audience_elsewhere"
    message = mark("Once published, a case keeps its unit, and its audience is changed by itself.")

    def __init__(self) -> None:
        super().__init__(field="visibility")


class GroundsMissingError(HubError):
    """A decision was sent without its grounds."""

    code = "grounds_missing"
    message = mark("Say on what grounds: the register keeps them with the decision.")


class NotAgreedError(HubError):
    """A case was to go to a partner whose agreement has ended or does not cover its category."""

    code = "not_agreed"
    message = mark(
        "The agreement with %(enterprise)s has ended or does not cover the category of this case."
    )

    def __init__(self, enterprise: str) -> None:
        super().__init__(field="partners", enterprise=enterprise)


class NoPartnersError(HubError):
    """A case was to be opened to partners, and this node knows of none."""

    code = "no_partners"
    message = mark("This node knows no partner enterprise yet. Choose another audience.")

    def __init__(self) -> None:
        super().__init__(field="partners")


class ContentError(HubError):
    """A field of a case holds what it must not."""

    message = mark("This is not valid here.")


class UnknownFieldError(ContentError):
    """A field was sent that this kind of document does not have."""

    code = "unknown_field"
    message = mark("This kind of document has no such field.")


class WrongTypeError(ContentError):
    """A field holds another type of value than it should."""

    code = "wrong_type"
    message = mark("This is not the type of value that belongs here.")


class TooLongError(ContentError):
    """A text is longer than its field."""

    code = "too_long"
    message = mark("At most %(limit)s characters fit here; this has %(length)s.")


class TooManyError(ContentError):
    """A list has too many items."""

    code = "too_many"
    message = mark("At most %(limit)s items fit here; this has %(length)s.")


class TooManyFilesError(ContentError):
    """A case has as many files as it may have."""

    code = "too_many_files"
    message = mark("A case may have at most %(limit)s files.")


class TooMuchInFilesError(ContentError):
    """The files of a case would have more bytes together than they may."""

    status = 413
    code = "case_files_too_large"
    message = mark(
        "The files of a case may have %(limit)s MB together. Take one off first, or attach a "
        "smaller one."
    )


class FolderTakenError(HubError):
    """Something is in the way of a folder that is to be written."""

    status = 409
    code = "folder_taken"
    message = mark("%(folder)s is there already. Name a folder that is not.")


class UnreadableTextError(ContentError):
    """A text holds characters that no reader can see, or that hide what it says."""

    code = "unreadable_text"
    message = mark("This holds invisible control characters. Delete them, or type the text again.")


class UnknownChoiceError(ContentError):
    """A value is not one of those that are offered."""

    code = "unknown_choice"
    message = mark("Choose one of these: %(choices)s")


class PeriodError(ContentError):
    """A period is not written as two months."""

    code = "invalid_period"
    message = mark("Write the period as two months, such as 2026-01/2026-09.")


class PersonalDataError(ContentError):
    """A contact names a person's own number instead of a post."""

    code = "personal_data"
    message = mark("This looks like a personal phone or identity number. Name a post instead.")


class UnknownUnitError(ContentError):
    """A unit was named that is not there, or for which the caller does not write."""

    code = "unknown_unit"
    message = mark("There is no such unit here, or you do not write for it.")

    def __init__(self) -> None:
        super().__init__(field="unit")


class NoWayError(HubError):
    """A question was asked, and no node is known that leads to the one that it is for."""

    status = 409
    code = "no_way"
    message = mark("This node has no connection to the node that published this.")


class NoReadersError(HubError):
    """Those who could read a case when something was said of it can't read it any more."""

    status = 409
    code = "no_readers"
    message = mark("The case is no longer open to those among whom this was said.")


class BulkHandsError(HubError):
    """A bulk publication needs an author and two other people."""

    status = 403
    code = "bulk_hands"
    message = mark("Author, clearing and signing person must be three different people.")

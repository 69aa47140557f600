"""What can go wrong with a file."""

from hub.errors import HubError, mark


class FileTooLargeError(HubError):
    """A file has more bytes than may be stored."""

    status = 413
    code = "file_too_large"
    message = mark("A file may have at most %(limit)s MB.")

    def __init__(self, limit: int) -> None:
        super().__init__(field="file", limit=max(1, limit // 1_000_000))


class OtherSizeError(HubError):
    """A file has fewer or more bytes than its entry says."""

    code = "other_size"
    message = mark("The file does not have the size that its entry says.")


class OtherHashError(HubError):
    """The bytes are not those that were named; nothing of them was kept."""

    code = "other_hash"
    message = mark("The bytes of the file are not those that were named. Nothing was kept.")


class UnknownKindError(HubError):
    """The bytes are of no kind that may be attached."""

    status = 415
    code = "unknown_kind"
    message = mark(
        "Only these may be attached: PDF, Word, Excel and PowerPoint without macros (docx, xlsx, "
        "pptx), PNG, JPEG and WebP pictures, and plain text in UTF-8 (txt, md, csv)."
    )

    def __init__(self) -> None:
        super().__init__(field="file")


class EmptyFileError(HubError):
    """No file was chosen, or one without a byte."""

    code = "no_file"
    message = mark("Choose a file that is not empty.")

    def __init__(self) -> None:
        super().__init__(field="file")


class FullError(HubError):
    """The disk would be full with this file on it."""

    status = 503
    code = "disk_full"
    message = mark("The disk of this node is almost full: no file is taken in.")


class NoRoomError(HubError):
    """All files together would have more bytes than are kept here."""

    status = 507
    code = "files_full"
    message = mark(
        "The files of this node may have %(limit)s MB together, and this one is too many. Tell an "
        "administrator: the setting HUB_FILES_MEGABYTES says how much is kept."
    )

    def __init__(self, limit: int) -> None:
        super().__init__(field="file", limit=limit // 1_000_000)


class InfectedError(HubError):
    """A scanner found something harmful in a file; nothing of it was kept."""

    status = 422
    code = "infected"
    message = mark(
        "The virus scanner found “%(found)s” in this file. It was not kept. Check the computer "
        "that it comes from, and send a clean file."
    )

    def __init__(self, found: str) -> None:
        super().__init__(field="file", found=found)


class ScannerError(HubError):
    """Files are to be scanned, and the scanner does not judge this one."""

    status = 503
    code = "scanner"
    message = mark(
        "The virus scanner of this node does not answer just now, so no file is taken in. Nothing "
        "is lost; try again soon, and tell an administrator if it lasts."
    )
    retry_after = 60


class BrokenPictureError(HubError):
    """A picture can't be opened within what one may take; nothing of it was kept."""

    status = 422
    code = "broken_picture"
    message = mark(
        "This picture can't be opened: it may be damaged. Open it in another program, save it "
        "anew, and send that."
    )

    def __init__(self) -> None:
        super().__init__(field="file")


class LargePictureError(HubError):
    """A picture has more pixels than are unpacked; nothing of it was kept."""

    status = 422
    code = "large_picture"
    message = mark(
        "A picture may have at most %(limit)s million pixels. Save it in a smaller size, and send "
        "that."
    )

    def __init__(self, limit: int) -> None:
        super().__init__(field="file", limit=limit // 1_000_000)


class PicturesBusyError(HubError):
    """Several pictures are being drawn anew, and this one has waited long enough."""

    status = 503
    code = "pictures_busy"
    message = mark("Several pictures are being taken in just now. Send it again in a moment.")
    retry_after = 5


class StoreError(HubError):
    """The store in which files are kept does not answer, or refuses."""

    status = 503
    code = "store"
    message = mark("The store of files does not answer just now. Nothing is lost; try again soon.")


class BusyError(HubError):
    """The same file is being fetched already, or too many others are."""

    status = 503
    code = "busy"
    message = mark("The file is on its way from the node that published it. Try again in a moment.")
    retry_after = 5

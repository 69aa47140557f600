"""What can go wrong when a document is brought in."""

from hub.errors import HubError, mark

_WHY = {
    "too_much": mark(
        "The document holds more than a case can, or takes too long to read. Send the part that is "
        "about the practice."
    ),
    "encrypted": mark(
        "The document opens with a password only. Save it without one, and send that."
    ),
    "scanned": mark(
        "The document consists of pictures: there is no text in it to be read. Send the Word file "
        "that it was made from."
    ),
    "empty": mark("There is no text in the document."),
    "broken": mark("The document is damaged. Open it in Word or WPS, save it anew, and send that."),
    "encoding": mark("It is neither UTF-8 nor GB 18030 text. Save it as UTF-8."),
    "front_matter": mark("The front matter between the two “---” lines is not valid YAML."),
    "no_title_column": mark(
        "The sheet has no column “Title”. Its first row names the fields, and each further row is "
        "a case."
    ),
}


class UnreadableDocumentError(HubError):
    """A document can't be read; nothing of it was kept.

    :param reason: a key of the reasons above.
    """

    status = 422

    def __init__(self, reason: str) -> None:
        self.code = f"document_{reason}"
        self.message = _WHY.get(reason, _WHY["broken"])
        super().__init__(field="file")


class DocumentKindError(HubError):
    """The bytes are of no kind that becomes a draft."""

    status = 415
    code = "document_kind"
    message = mark(
        "Only these become a draft: Word (docx), PDF, Excel (xlsx), and plain text (txt, md). Open "
        "an older document (doc, wps) in Word or WPS and save it as docx."
    )

    def __init__(self) -> None:
        super().__init__(field="file")


class ImportBusyError(HubError):
    """Several documents are being read at this moment."""

    status = 503
    code = "import_busy"
    message = mark("Several documents are being read just now. Send it again in a moment.")
    retry_after = 5

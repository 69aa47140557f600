"""What can go wrong with a file of another node."""

from hub.errors import HubError, mark


class UnavailableError(HubError):
    """A file that an entry names could not be had from the node that has it."""

    status = 502
    code = "file_unavailable"
    message = mark(
        "The file is not to be had just now from the node that published it. The case itself is "
        "complete; try the file again later."
    )

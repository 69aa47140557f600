"""Letting an antivirus program look through a file before it is kept: ClamAV's daemon, clamd(8)."""

import socket
import struct
from pathlib import Path
from time import monotonic

import structlog

from hub.config import settings
from hub.media.errors import InfectedError, ScannerError

CONNECT = 5.0  # Seconds.
SEND = 30.0  # Seconds that a part may wait to be taken.
JUDGE = 120.0  # Seconds until the answer, once all was sent.
PART = 256 * 1024  # Bytes.
LONGEST = 4096  # Bytes of an answer.

logger = structlog.get_logger()


def scan(file: Path) -> None:
    """Let the scanner of this node look through a file; without one (`HUB_CLAMAV`) all is well.

    :raises InfectedError: when it found something.
    :raises ScannerError: when it can't be asked or does not judge: what nobody looked through is
        not taken in.
    """
    address = settings().clamav
    if not address:
        return
    try:
        answer = _ask(address, file)
    except (OSError, ValueError) as error:
        logger.warning("scanner failed", address=address, reason=str(error))
        raise ScannerError from error
    if answer.endswith(" FOUND"):
        name = answer.removeprefix("stream: ").removesuffix(" FOUND")
        logger.warning("infected file refused", found=name)
        raise InfectedError(name)
    if answer != "stream: OK":
        logger.warning("scanner failed", address=address, reason=answer)
        raise ScannerError


def _ask(address: str, file: Path) -> str:
    """Send a file (clamd(8), INSTREAM: each part after its length) and return the answer."""
    with _connected(address) as wire, file.open("rb") as source:
        try:
            wire.sendall(b"zINSTREAM\0")
            while part := source.read(PART):
                wire.sendall(struct.pack(">I", len(part)) + part)
            wire.sendall(struct.pack(">I", 0))
        except (BrokenPipeError, ConnectionResetError):
            pass  # It has said why, as when the file is larger than it takes.
        return _answer(wire)


def _answer(wire: socket.socket) -> str:
    end, answer = monotonic() + JUDGE, b""
    while not answer.endswith(b"\0") and len(answer) < LONGEST:
        wire.settimeout(max(end - monotonic(), 0.01))
        part = wire.recv(LONGEST)
        if not part:
            break
        answer += part
    return answer.rstrip(b"\0").decode("utf-8", "replace").strip()


def _connected(address: str) -> socket.socket:
    """Connect to `unix:/path` or `host:port`."""
    if not address.startswith("unix:"):
        host, _, port = address.rpartition(":")
        wire = socket.create_connection((host.strip("[]"), int(port)), CONNECT)
    else:
        wire = socket.socket(socket.AF_UNIX)
        wire.settimeout(CONNECT)
        try:
            wire.connect(address.removeprefix("unix:"))
        except OSError:
            wire.close()
            raise
    wire.settimeout(SEND)
    return wire

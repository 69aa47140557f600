"""An upload may be killed at any of its lines: no row is without its file, and no file is lost."""

import io
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from werkzeug.datastructures import FileStorage

import hub.cases.service.files
import hub.cases.uploading
import hub.media.service
import hub.media.stores
from hub.cases.models import CaseFile
from hub.cases.uploading import upload
from hub.database import db, transaction
from hub.identity.models import Actor, Role
from hub.media import service as media
from hub.media import stores
from hub.media.models import StoredFile
from tests.factories import make_actor, make_case
from tests.media.conftest import files

WATCHED = {
    module.__file__
    for module in (
        hub.cases.service.files,
        hub.cases.uploading,
        hub.media.service,
        hub.media.stores,
    )
}


def is_killed(line: int, work: Callable[..., object], *values: object) -> bool:
    """Do some work in a child that is killed before a line of it; False if it has fewer."""
    db.session.remove()
    db.engine.dispose()  # A connection must not be shared between processes.
    child = os.fork()
    if child == 0:
        sys.settrace(_killer(line))
        try:
            work(*values)
        finally:
            os._exit(0 if sys.exc_info()[0] is None else 1)
    _, status = os.waitpid(child, 0)
    assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0, "it failed by itself"
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _killer(line: int) -> Callable[[FrameType, str, Any], Any]:
    left = line

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in WATCHED:
            return None
        left -= event == "line"
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def rows(column: Any) -> set[str]:
    return set(db.session.scalars(select(column)))


def test_killed_at_any_line_an_upload_leaves_no_row_without_its_file_and_no_file_for_good(
    request: pytest.FixtureRequest, home: Path
) -> None:
    pace = 8 if request.node.callspec.params["home"] == "bucket" else 1  # A bucket takes longer.
    with transaction():
        author = make_actor(Role.AUTHOR)
        cases = [make_case(author=author).id for _ in range(50)]  # Of ten lines each.
    stores.store()  # Made once, before the first child.
    line = 0
    while is_killed(line, attach, author, cases[line // 10], line):
        held = rows(StoredFile.sha256)
        assert rows(CaseFile.sha256) == held, line
        assert held <= set(stores.store().names()), line
        line += pace
    held = rows(StoredFile.sha256)
    assert line > 60
    assert held, "the last one was not killed"
    assert set(files(home)) > held, "some were killed halfway"

    age_what_arrives(home)
    media.sweep()
    assert set(files(home)) == held


def attach(author: Actor, case_id: UUID, number: int) -> None:
    content = io.BytesIO(b"%PDF-1.7\n" + str(number).encode())
    upload(author, case_id, FileStorage(content, "方案.pdf"))


def age_what_arrives(home: Path) -> None:
    """Let what is half written look as if its writer were gone for long."""
    old = time.time() - 2 * media.ABANDONED
    for path in home.glob("incoming/*"):
        os.utime(path, (old, old))

"""All that is written on a node as a folder, which `hub import` reads back: Markdown and files."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from hub.cases.errors import FolderTakenError
from hub.cases.exporting.markdown import written
from hub.cases.fields import fields_of
from hub.cases.importing.texts import BESIDE
from hub.cases.models import Case, CaseFile, Revision, State
from hub.database import db
from hub.identity.models import Organisation
from hub.media.stores import store

PAGE = 200  # Cases that are read together.
NAME = 60  # Characters of a title that a file is called by.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|.\s]+')


def export_all(folder: Path) -> Iterator[str]:
    """Write every case and lesson of this node that is not withdrawn; yields each one's name.

    The newest revision counts, published or not. The folder is there once all is in it; what a
    killed run has left is written anew by the next.

    :raises FolderTakenError: when the folder is there already.
    """
    if folder.exists():
        raise FolderTakenError(folder=folder)
    draft = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    numbers = count(1)
    for rows in _pages():
        files = _files_of(rows)
        for case, revision, unit in rows:
            name = f"{next(numbers):05}-{_UNSAFE.sub(' ', revision.title).strip()[:NAME].strip()}"
            _write(draft, name, (case, revision, unit), files.get(case.id, []))
            yield name
    os.sync()
    draft.rename(folder)


def _pages() -> Iterator[Sequence[Any]]:
    """Yield all cases with their newest revision and unit, oldest first, a page at a time."""
    ids = db.session.scalars(
        select(Case.id).where(Case.state != State.WITHDRAWN).order_by(Case.created_at, Case.id)
    ).all()
    for start in range(0, len(ids), PAGE):
        page = ids[start : start + PAGE]
        statement = (
            select(Case, Revision, Organisation.name)
            .join(Revision, (Revision.case_id == Case.id) & (Revision.number == Case.rev))
            .join(Organisation, Organisation.id == Case.unit_id)
            .where(Case.id.in_(page))
            .order_by(Case.created_at, Case.id)
        )
        yield db.session.execute(statement).all()


def _files_of(rows: Sequence[Any]) -> dict[UUID, list[CaseFile]]:
    numbers = {case.id: case.rev for case, _, _ in rows}
    statement = select(CaseFile).where(CaseFile.case_id.in_(numbers))
    found: dict[UUID, list[CaseFile]] = {}
    for file in db.session.scalars(statement.order_by(CaseFile.name, CaseFile.sha256)):
        if file.number == numbers[file.case_id]:
            found.setdefault(file.case_id, []).append(file)
    return found


def _write(folder: Path, name: str, row: tuple[Case, Revision, str], files: list[CaseFile]) -> None:
    case, revision, unit = row
    front: dict[str, Any] = {"kind": case.kind}
    if case.is_long_form:
        front["long_form"] = True
    front |= {"unit": unit, "visibility": case.visibility}
    if case.partners:
        front["partners"] = case.partners
    content = {"title": revision.title, **revision.fields}
    names = [field.name for field in fields_of(case.kind)]
    front |= {name: content[name] for name in names if name in content}
    if files:
        front["files"] = [_copy(folder, name, file) for file in files]
    (folder / f"{name}.md").write_text(written(front, revision.body), encoding="utf-8")


def _copy(folder: Path, name: str, file: CaseFile) -> str:
    """Copy a file beside its case; return its place, which no other of the same name has."""
    place = Path(f"{name}{BESIDE}", file.sha256[:8], file.name)
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    with store().open(file.sha256) as source, (folder / place).open("wb") as target:
        shutil.copyfileobj(source, target)
    return place.as_posix()

"""All that is written on a node goes into a folder and comes back from it whole."""

import io
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select
from werkzeug.datastructures import FileStorage

from hub.cases.cli import export_command, import_command
from hub.cases.importing import drafting
from hub.cases.models import Case, State
from hub.cases.uploading import upload
from hub.database import db, transaction
from hub.identity import service as identity
from hub.identity.models import Actor, Role
from hub.media import stores
from tests.cases.written import png, written
from tests.factories import make_case, make_organisation, make_person, root_organisation

AWKWARD = "---\n是: yes 007 \u2028 “‘ 2026-01-01 # x\n\n- 　全角空格　|"


@pytest.fixture
def author(alpha: Flask, beta: Flask) -> Actor:
    """Return the author of all on alpha; beta has the same unit and an author."""
    for node in (beta, alpha):
        with node.app_context(), transaction():
            root = root_organisation()
            make_organisation("检修支部", parent=root)
            person = make_person("author", Role.AUTHOR, organisation=root)
            actor = identity.actor_of(person.id)
    return actor


def write(alpha: Flask, author: Actor) -> None:
    """Write a case of every sort: with all fields, of the long form, with files, a lesson."""
    with alpha.app_context():
        with transaction():
            make_case(State.PUBLISHED, author=author, title="已发布的案例", unit="检修支部")
            full = make_case(author=author, background=AWKWARD, tags=["试点", "007"]).id
            make_case(author=author, kind="pilot_lesson", visibility="group", title="一/二：三？")
            make_case(State.PUBLISHED, author=author, title="要撤回的案例").state = State.WITHDRAWN
        for name, content in (
            ("图.png", png(1)),
            ("图.png", png(2)),
            ("方案.md", AWKWARD.encode()),
        ):
            upload(author, full, FileStorage(io.BytesIO(content), name))
        sent = FileStorage(io.BytesIO(written(1).data), "稿.docx")
        drafting.draft_file(author, sent, folds=False)


def run(node: Flask, command: Any, *arguments: object) -> Any:
    with node.app_context():
        return CliRunner().invoke(command, [str(each) for each in arguments])


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_what_is_exported_and_imported_elsewhere_is_exported_there_byte_for_byte(
    alpha, beta, author, tmp_path
):
    write(alpha, author)
    assert run(alpha, export_command, tmp_path / "one").exit_code == 0
    brought = run(beta, import_command, tmp_path / "one")
    assert brought.exit_code == 0, brought.output
    assert run(beta, export_command, tmp_path / "two").exit_code == 0

    first = tree(tmp_path / "one")
    assert len(first) == 4 + 5, "four texts; of their files one is a document and one a picture"
    assert not any("撤回" in name for name in first)
    assert tree(tmp_path / "two") == first


def test_a_folder_that_is_there_is_left_alone(alpha, author, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "kept.md").write_text("mine")
    assert run(alpha, export_command, folder).exit_code == 1
    assert tree(folder) == {"kept.md": b"mine"}


def test_an_export_that_is_cut_off_leaves_no_folder_and_the_next_is_whole(
    alpha, author, tmp_path, monkeypatch
):
    write(alpha, author)
    monkeypatch.setattr(stores.Folder, "open", cut_off)
    assert run(alpha, export_command, tmp_path / "one").exit_code == 1
    assert not (tmp_path / "one").exists()
    monkeypatch.undo()
    assert run(alpha, export_command, tmp_path / "one").exit_code == 0
    assert not (tmp_path / "one.part").exists()


def cut_off(self: object, sha256: str) -> Any:
    raise OSError("gone")


@pytest.mark.parametrize("named", ["missing.pdf", "../outside.md", "/etc/hostname", "a.files"])
def test_a_text_whose_files_are_not_beside_it_is_reported_and_not_taken(
    beta, author, tmp_path, named
):
    folder = tmp_path / "in"
    (folder / "a.files").mkdir(parents=True)
    (tmp_path / "outside.md").write_text("not mine")
    (folder / "a.md").write_text(f"---\nkind: case\ntitle: 题\nfiles: ['{named}']\n---\n文\n")
    told = run(beta, import_command, folder)
    assert "1" in told.output
    with beta.app_context():
        assert db.session.scalar(select(Case).limit(1)) is None
        assert list(stores.store().names()) == []


def test_a_text_with_a_file_that_may_not_be_attached_leaves_nothing_half_taken(
    beta, author, tmp_path
):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "bad.exe").write_bytes(b"MZ\0")
    (folder / "a.md").write_text("---\nkind: case\ntitle: 题\nfiles: [bad.exe]\n---\n文\n")
    (folder / "b.md").write_text("---\nkind: case\ntitle: 另一题\n---\n文\n")
    run(beta, import_command, folder)
    with beta.app_context():
        assert len(db.session.scalars(select(Case.id)).all()) == 1

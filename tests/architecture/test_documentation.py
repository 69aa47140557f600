"""What people who run nodes have to know is written down, all of it."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click

from hub.cli import main
from hub.config import Settings

ROOT = Path(__file__).parent.parent.parent
OPERATING = (ROOT / "docs" / "operating.md").read_text()
PROOFS = (ROOT / "docs" / "proofs.md").read_text()


def _commands(group: click.Group, name: str) -> Iterator[str]:
    for command in group.commands.values():
        path = f"{name} {command.name}"
        if isinstance(command, click.Group):
            yield from _commands(command, path)
        else:
            yield path


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    real = {f"HUB_{field.name.upper()}" for field in fields(Settings)}

    assert set(re.findall(r"^\| `(HUB_[A-Z0-9_]+)` \|", OPERATING, re.MULTILINE)) == real


def test_every_command_is_documented_and_every_documented_command_exists() -> None:
    assert set(re.findall(r"^\| `(hub [a-z -]+)` \|", OPERATING, re.MULTILINE)) == set(
        _commands(main, "hub")
    )


def test_every_command_says_what_it_does() -> None:
    silent = [
        name
        for group in [main, *(c for c in main.commands.values() if isinstance(c, click.Group))]
        for name, command in group.commands.items()
        if not command.help
    ]

    assert silent == []


def test_every_make_target_is_a_target_that_the_readme_may_name() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))

    assert {"demo", "test", "lint", "type", "bench", "sure"} <= targets


def test_every_test_that_is_named_as_a_proof_exists() -> None:
    named = re.findall(r"`(tests/[a-z_/]+\.py)::(test_\w+)`", PROOFS)
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).exists() or f"def {name}(" not in (ROOT / path).read_text()
    ]

    assert named
    assert missing == []

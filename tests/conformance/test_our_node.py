"""Our own headquarters, tried as anybody's would be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import federation

ROOT = Path(__file__).parent.parent.parent


def invited(home: Path, origin: str) -> str:
    """Return the code with which a node may join, as its administrator would get it."""
    command = [sys.executable, "-m", "hub.cli", "federation", "invite", origin]
    told = subprocess.run(
        command,
        env={**os.environ, "HUB_HOME": str(home)},
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    return next(word for word in told.stdout.split() if word.startswith("jw1."))


@pytest.mark.processes
def test_our_headquarters_conforms(tmp_path: Path) -> None:
    with federation(tmp_path, ["headquarters"]) as live:
        node = live["headquarters"]
        options = []
        for name in ("writer", "reader", "spare"):
            origin = f"https://{name}.example"
            options += [f"--{name}", origin, invited(node.home, origin)]
        tried = subprocess.run(
            [sys.executable, "-m", "tests.conformance", node.url, *options],
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
            cwd=ROOT,
        )

    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert " 0 failed" in tried.stdout

"""Our own headquarters, tried as anybody's would be."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import federation

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.processes
def test_our_headquarters_conforms(tmp_path: Path) -> None:
    with federation(tmp_path, ["headquarters"]) as live:
        node = live["headquarters"]
        options = []
        for name in ("writer", "reader", "spare"):
            origin = f"https://{name}.example"
            options += [f"--{name}", origin, node.invite(origin)]
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

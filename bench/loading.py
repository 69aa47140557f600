"""Filling a node with documents, by the command that its administrator would use."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import func, select

from bench.documents import documents
from hub.cases.models import Document
from hub.cases.service import rendering
from hub.database import db
from hub.demo.nodes import DemoNode
from hub.journal import log
from hub.search.building import CURSOR
from tests.live import LiveNode

IN_FILE = 10_000  # Documents: some 30 MB, of the 64 that an import takes.


def load(node: LiveNode, folder: Path, count: int) -> list[str]:
    """Publish documents to the group with `hub import`; returns the ids of some, once at rest."""
    source = folder / "documents"
    source.mkdir()
    for number, document in enumerate(documents(count)):
        with (source / f"{number // IN_FILE:03}.jsonl").open("a") as file:
            file.write(json.dumps(document, ensure_ascii=False) + "\n")
    command = [str(Path(sys.executable).with_name("hub")), "import", str(source), "--publish"]
    options = {
        "--cleared-by": node.accounts["secrecy_reviewer"].token,
        "--signed-by": node.accounts["signatory"].token,
        "--grounds": "generated",
        "--visibility": "group",
        "--category": "business_integration",
    }
    words = [word for pair in options.items() for word in pair]
    environ = {**os.environ, "HUB_HOME": str(node.home)}
    subprocess.run(command + words, env=environ, check=True, stdout=sys.stderr)
    wait_until_indexed(node.served.node, count)
    wait_until_rendered(node.served.node)
    with node.served.node.opened():
        ids = db.session.scalars(select(Document.id).order_by(Document.id).limit(500))
        return [str(case_id) for case_id in ids]


def wait_until_indexed(node: DemoNode, count: int) -> None:
    """Wait until a node has so many documents, all of them in its index."""
    with node.opened():
        while True:
            db.session.rollback()
            found = db.session.scalar(select(func.count()).select_from(Document)) or 0
            if found >= count and int(log.read_cursor(CURSOR) or 0) == log.position():
                return
            time.sleep(0.02)


def wait_until_rendered(node: DemoNode) -> None:
    """Wait until the node has nothing left to do for itself, so that requests have it alone."""
    with node.opened():
        while int(log.read_cursor(rendering.CURSOR) or 0) < log.position():
            db.session.rollback()
            time.sleep(0.1)

"""One large file from a program into a case: how fast, and in how much memory.

    python -m bench.uploads --mib 200

The request is a form as a browser sends it, given to the application piece by piece and without a
network, so what is counted is our own work: reading the form, hashing, writing.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import click
from flask import Flask
from werkzeug.test import EnvironBuilder, run_wsgi_app

from bench.blobs import MIB, Pieces, generated, make_node, peak
from hub.database import transaction
from hub.identity import service as identity
from hub.identity.models import Role
from tests.factories import make_case, make_person, make_token, root_organisation
from tests.pages import bearer

HEAD = b"--edge\r\nContent-Disposition: form-data; name=file; filename=large.pdf\r\n\r\n%PDF-1.7\n"
END = b"\r\n--edge--\r\n"


def begin(node: Flask) -> tuple[str, dict[str, str]]:
    """Return the address of the files of a new draft, and the header of its author."""
    with node.app_context(), transaction():
        person = make_person("author", Role.AUTHOR, organisation=root_organisation())
        case = make_case(author=identity.actor_of(person.id))
        return f"/api/v1/cases/{case.id}/files", bearer(make_token(person))


def send(node: Flask, address: str, token: dict[str, str], mib: int) -> float:
    """Attach a file; return the seconds that it took."""
    parts: Iterator[bytes] = chain((HEAD,), generated(mib), (END,))
    environ = EnvironBuilder(
        address,
        base_url=node.extensions["hub.settings"].origin,
        method="POST",
        headers=token,
    ).get_environ()
    environ["CONTENT_TYPE"] = "multipart/form-data; boundary=edge"
    environ["CONTENT_LENGTH"] = str(len(HEAD) + mib * MIB + len(END))
    environ["wsgi.input"] = Pieces(parts)
    started = time.monotonic()
    answer, status, _ = run_wsgi_app(node, environ)
    assert status.startswith("201"), (status, b"".join(answer))
    return time.monotonic() - started


@click.command()
@click.option("--mib", default=200, show_default=True)
def main(mib: int) -> None:
    """Attach one file, and print what that took."""
    home = Path(tempfile.mkdtemp())
    try:
        node = make_node(home, "headquarters", "headquarters")
        limit = 2 * mib + 10
        config = replace(
            node.extensions["hub.settings"], attachment_megabytes=limit, case_megabytes=limit
        )
        node.extensions["hub.settings"] = config
        address, token = begin(node)
        send(node, address, token, 1)  # What is loaded at first use counts for nothing.
        before = peak()
        seconds = send(node, address, token, mib)
        growth = (peak() - before) / MIB
        figures = {"mib": mib, "mb_per_second": round(mib * MIB / seconds / 1e6)}
        print(json.dumps(figures | {"growth_mib": round(growth, 1), "peak_mib": peak() // MIB}))
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()

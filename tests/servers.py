"""A PostgreSQL server of our own, for as long as the tests run."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path

from tests.ports import free_port

OPTIONS = {
    "fsync": "off",  # A test's data need not survive a loss of power.
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "unix_socket_directories": "''",
    "listen_addresses": "127.0.0.1",
}


def postgresql_programs() -> Path | None:
    """Return the folder of the newest PostgreSQL server's programs, if one is installed."""
    folders = sorted(glob("/usr/lib/postgresql/*/bin"), key=lambda path: path.split("/")[-2])
    if folders:
        return Path(folders[-1])
    found = shutil.which("initdb")
    return Path(found).parent if found else None


@contextmanager
def postgresql_server(programs: Path) -> Iterator[str]:
    """Run a server on a free port; yields its URL without a database."""
    folder = Path(tempfile.mkdtemp(prefix="jingwei-postgresql-"))
    port = free_port()
    user = _unprivileged_user()
    if user:
        shutil.chown(folder, user)
    data = folder / "data"
    options = " ".join(f"-c {name}={value}" for name, value in OPTIONS.items())
    control = [programs / "pg_ctl", "-D", data, "-w", "-s", "-l", folder / "log"]
    try:
        make = ["initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"]
        _run([programs / make[0], *make[1:], "--locale=C.UTF-8"], user)
        _run([*control, "-o", f"-p {port} {options}", "start"], user)
        yield f"postgresql://postgres@127.0.0.1:{port}"
    finally:
        if (data / "postmaster.pid").exists():
            _run([*control, "-m", "immediate", "stop"], user)
        shutil.rmtree(folder)


def _unprivileged_user() -> str | None:
    """Return whom to run the server as: PostgreSQL refuses to run as root."""
    return "postgres" if os.geteuid() == 0 else None


def _run(command: list[str | Path], user: str | None) -> None:
    subprocess.run(command, user=user, check=True, stdout=subprocess.DEVNULL, cwd="/")

"""A PostgreSQL server of our own, for as long as the tests run."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path

from hub.supervision import settle
from tests.ports import free_port

OPTIONS = {
    "fsync": "off",  # A test's data need not survive a loss of power.
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "300",
    "shared_buffers": "32MB",  # All of them are gone through whenever a database is dropped.
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
}

ROOM = 4 * 1024**3  # Bytes that the data of a whole run may take.


def postgresql_programs() -> Path | None:
    """Return the folder of the newest PostgreSQL server's programs, if one is installed."""
    folders = sorted(glob("/usr/lib/postgresql/*/bin"), key=lambda path: path.split("/")[-2])
    if folders:
        return Path(folders[-1])
    found = shutil.which("initdb")
    return Path(found).parent if found else None


def memory() -> Path | None:
    """Return a folder in memory with room for the data of a whole run, if there is one."""
    folder = Path("/dev/shm")
    return folder if folder.is_dir() and shutil.disk_usage(folder).free > ROOM else None


@contextmanager
def postgresql_server(programs: Path) -> Iterator[str]:
    """Run a server on a free port; yields its URL without a database."""
    folder = Path(tempfile.mkdtemp(prefix="jingwei-postgresql-", dir=memory()))
    port = free_port()
    user = _unprivileged_user()
    if user:
        shutil.chown(folder, user)
    data, parent = folder / "data", os.getpid()
    make = [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"]
    subprocess.run(
        [*make, "--locale=C.UTF-8"], user=user, check=True, stdout=subprocess.DEVNULL, cwd="/"
    )
    options = [f"--{name}={value}" for name, value in OPTIONS.items()]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-p", str(port), *options],
            user=user,
            stdout=log,
            stderr=log,
            cwd="/",
            preexec_fn=lambda: settle("postgresql", parent),  # No threads yet.
        )
    try:
        _wait_until_ready(programs, port, server)
        yield f"postgresql://postgres@127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGQUIT)  # At once, without a last checkpoint.
        server.wait()
        shutil.rmtree(folder)


def _unprivileged_user() -> str | None:
    """Return whom to run the server as: PostgreSQL refuses to run as root."""
    return "postgres" if os.geteuid() == 0 else None


def _wait_until_ready(programs: Path, port: int, server: "subprocess.Popen[bytes]") -> None:
    ask = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(ask, check=False).returncode != 0:
        if server.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended with {server.returncode}")
        time.sleep(0.05)

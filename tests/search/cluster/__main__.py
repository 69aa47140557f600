"""A real cluster of three nodes, for as long as a command runs: see `make test-opensearch`.

    python -m tests.search.cluster pytest tests/search

The command finds the cluster's addresses in HUB_TEST_OPENSEARCH_URL. Where Java or Maven are
missing, or Maven can't fetch what is needed, this says so loudly and ends well.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen
from uuid import uuid4

from hub.supervision import settle
from tests.servers import memory

POM = Path(__file__).with_name("pom.xml")
RUNNER = "org.codelibs.opensearch.runner.OpenSearchRunner"
NODES = 3
FETCHING = 240  # Seconds that Maven may take; some hundred files, at first.
PATIENCE = 120  # Seconds until all nodes have found each other.
# Serial, and without the second compiler: it starts sooner, and nothing here runs for long.
JAVA = ("java", "-Xms256m", "-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class UnavailableError(Exception):
    """No cluster can be had here."""


def classpath() -> str:
    """Return where the programs of the cluster are, fetching them at first.

    :raises UnavailableError: when that is not possible on this machine.
    """
    for program, package in (("java", "default-jdk-headless"), ("mvn", "maven")):
        if shutil.which(program) is None:
            raise UnavailableError(f"{program} is missing; apt-get install {package}")
    with tempfile.NamedTemporaryFile("r", suffix=".classpath") as file:
        goal = "org.apache.maven.plugins:maven-dependency-plugin:build-classpath"
        ask = ["mvn", "-B", "-q", "-f", str(POM), goal]  # By its full name: says what it misses.
        try:
            told = subprocess.run(
                [*ask, f"-Dmdep.outputFile={file.name}"],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=FETCHING,
            )
        except subprocess.TimeoutExpired:
            raise UnavailableError(f"Maven fetched nothing within {FETCHING} s") from None
        if told.returncode:
            sys.stdout.write(told.stdout)
            raise UnavailableError("Maven could not fetch OpenSearch")
        return file.read()


@contextmanager
def cluster() -> Iterator[str]:
    """Run a cluster; yields the addresses of its nodes, separated by commas.

    :raises UnavailableError: when it can't be had here.
    """
    programs, parent = classpath(), os.getpid()
    folder = Path(tempfile.mkdtemp(prefix="jingwei-opensearch-", dir=memory()))
    log = folder / "log"
    options = ["-basePath", str(folder / "nodes"), "-clusterName", f"jingwei-{uuid4().hex}"]
    options += ["-numOfNode", str(NODES), "-useLogger"]  # It looks for free ports by itself.
    with log.open("w") as file:
        process = subprocess.Popen(
            [*JAVA, "-cp", programs, RUNNER, *options],
            stdout=file,
            stderr=file,
            preexec_fn=lambda: settle("opensearch", parent),  # No threads yet.
        )
    try:
        yield _wait_until_green(process, log)
    finally:
        process.send_signal(signal.SIGKILL)  # Nobody needs what it holds.
        process.wait()
        shutil.rmtree(folder)


def _wait_until_green(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Return the addresses of all nodes once they have found each other."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends and process.poll() is None:
        first = re.search(r"HTTP Port:\s+(\d+)", log.read_text())  # Later ones are not told.
        if first and (addresses := _addresses(f"http://127.0.0.1:{first[1]}")):
            return ",".join(addresses)
        time.sleep(0.2)
    raise RuntimeError(f"OpenSearch did not come up:\n{log.read_text()[-5000:]}")


def _addresses(first: str) -> list[str]:
    """Return the addresses of all nodes; none until all are there and the cluster is green."""
    try:
        with urlopen(f"{first}/_cluster/health", timeout=5) as answer:
            health = json.load(answer)
        with urlopen(f"{first}/_nodes/http", timeout=5) as answer:
            nodes = json.load(answer)["nodes"].values()
    except OSError:
        return []
    is_green = health["status"] == "green" and health["number_of_nodes"] == NODES
    return [f"http://{node['http']['publish_address']}" for node in nodes] if is_green else []


def main(command: list[str]) -> int:
    """Run a command beside a cluster; return what it returned."""
    try:
        with cluster() as addresses:
            told = {**os.environ, "HUB_TEST_OPENSEARCH_URL": addresses}
            return subprocess.run(command, env=told, check=False).returncode
    except UnavailableError as error:
        sys.stdout.write(f"\n===== NOT TESTED: the search engine OpenSearch. {error}. =====\n\n")
        return 0


sys.exit(main(sys.argv[1:]))

"""Says at the end of a run what was skipped; `HUB_TEST_NO_SKIP=1` makes a skip a failure."""

import os
from collections import Counter

import pytest

# Begin the reasons of skips that are always allowed: the data is not ours to keep here, and what
# needs a cluster has a run of its own (.ci/run).
ELSEWHERE = "needs texts that are not part of this project"
ON_CLUSTER = "needs a cluster of OpenSearch"
ALLOWED = (ELSEWHERE, ON_CLUSTER)


def _reasons(config: pytest.Config) -> Counter[str]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    return Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in skipped
        if isinstance(report.longrepr, tuple)
    )


def _forbidden() -> bool:
    return os.environ.get("HUB_TEST_NO_SKIP") == "1"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    forbidden = [r for r in _reasons(session.config) if not r.startswith(ALLOWED)]
    if _forbidden() and forbidden and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = _reasons(terminalreporter.config)
    if not reasons:
        terminalreporter.write_line("Nothing was skipped.")
        return
    is_wrong = _forbidden() and not all(reason.startswith(ALLOWED) for reason in reasons)
    verdict = "which is not allowed here" if is_wrong else "and how to get it"
    terminalreporter.write_sep("=", f"skipped, {verdict}", yellow=True)
    for reason, count in reasons.items():
        terminalreporter.write_line(f"{count:4} tests: {reason}")

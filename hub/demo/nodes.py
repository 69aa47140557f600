"""The four nodes of the demo: who they are, and founding them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask

from hub import founding
from hub.database import db

CONTENT = Path(__file__).parent.parent.parent / "content"


@dataclass(frozen=True)
class Plan:
    """A node of the demo before it exists."""

    key: str  # Name of its folder, and in the front matter of content/.
    name: str
    enterprise: str
    role: str
    organisation: str  # The first one: everybody's.


PLANS = (
    Plan("headquarters", "华衡集团", "huaheng", "headquarters", "华衡集团党委"),
    Plan("subsidiary-1", "华衡能源公司", "huaheng", "subsidiary", "华衡示范能源有限公司党委"),
    Plan("subsidiary-2", "华衡工程公司", "huaheng", "subsidiary", "华衡示范工程有限公司党委"),
    Plan("partner", "海运样例集团", "haiyun", "headquarters", "海运样例集团党委"),
)


@dataclass(frozen=True)
class DemoNode:
    """A node of the demo, as this process sees it beside the processes that serve it."""

    plan: Plan
    url: str
    home: Path
    app: Flask

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Work inside the node's application, and leave no connection to its database open."""
        with self.app.app_context():
            try:
                yield
            finally:
                db.session.remove()
                db.engine.dispose()


def found_all(home: Path, port: int) -> list[DemoNode]:
    """Found the four nodes below a folder on four ports in a row, or finish what is missing."""
    return [found(plan, home / plan.key, port + index) for index, plan in enumerate(PLANS)]


def found(plan: Plan, home: Path, port: int, **more: str) -> DemoNode:
    """Found one node on a port of this machine, or finish what is missing.

    :param more: further settings, such as `database_url`.
    """
    url = f"http://127.0.0.1:{port}"
    values = {
        "origin": url,
        "name": plan.name,
        "enterprise": plan.enterprise,
        "role": plan.role,
        "allow_loopback": "1",
        **more,
    }
    return DemoNode(plan, url, home.absolute(), founding.found(home, values, plan.organisation))

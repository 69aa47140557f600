"""`make migration`: drafts a migration from an empty database to what the models describe."""

import shutil
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config

from hub import create_app, schema
from hub.config import Settings
from hub.database import MIGRATIONS


def main(message: str) -> None:
    """Draft the migration that follows the newest, and name it in .head."""
    settings = Settings.load()
    shutil.rmtree(settings.home, ignore_errors=True)
    settings.home.mkdir(parents=True)
    number = f"{int(schema.newest()) + 1:04}"
    config = Config(MIGRATIONS / "alembic.ini")
    config.set_main_option("script_location", str(MIGRATIONS))
    with create_app(settings).app_context():
        schema.upgrade()
        written = command.revision(config, message, autogenerate=True, rev_id=number)
    path = Path(written.path)  # type: ignore[union-attr]
    path.write_text(path.read_text().replace("astext_type=Text()", ""))
    (MIGRATIONS / ".head").write_text(f"{number}\n")


if __name__ == "__main__":
    main(sys.argv[1])

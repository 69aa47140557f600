"""What runs beside the exchange: pushing files up, and removing those that nobody names."""

import threading
from time import monotonic

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from hub.cases import follower as cases
from hub.database import db
from hub.errors import HubError
from hub.federation import pusher
from hub.federation.backoff import Backoff
from hub.federation.files import pushing
from hub.journal import log

LOOK = 1.0  # Seconds between two looks at the journal.
SOON, TIDY = 15.0, 60.0  # Seconds between two looks at files, if the journal moved, and if not.
SWEEP = 3600.0  # Seconds between two looks for what was left behind.

logger = structlog.get_logger()


def push(app: Flask, stop: threading.Event) -> None:
    """Send headquarters our files until told to stop; it is left alone while it does not answer."""
    backoff, pause = Backoff(), LOOK
    while not stop.wait(pause):
        pause = LOOK
        with app.app_context():
            try:
                origin = pusher.headquarters()
                if origin:
                    pushing.push(origin)
                backoff.succeed()
            except (HubError, SQLAlchemyError) as error:
                db.session.rollback()
                pause = backoff.fail(error)
                logger.warning("files not sent", reason=str(error), pause=pause)


def tidy(app: Flask, stop: threading.Event) -> None:
    """Remove files that nobody names any more until told to stop."""
    seen, tidied_at, swept_at = -1, -TIDY, -SWEEP
    while not stop.wait(LOOK):
        with app.app_context():
            now, position = monotonic(), log.position()
            db.session.rollback()
            try:
                if now - tidied_at > (TIDY if position == seen else SOON):
                    seen, tidied_at = position, now
                    cases.tidy_files()
                if now - swept_at > SWEEP:
                    swept_at = now
                    cases.sweep_files()
            except (HubError, SQLAlchemyError) as error:
                db.session.rollback()
                logger.warning("files not tidied", reason=str(error))

"""What came of an adoption, and how far a case has been proven elsewhere: codes and their names."""

from enum import StrEnum

from hub.errors import mark


class Outcome(StrEnum):
    """What an adopting unit says came of it."""

    RUNNING = "running"
    SUCCESSFUL = "successful"
    PARTIAL = "partial"
    UNSUCCESSFUL = "unsuccessful"
    STOPPED = "stopped"


class Replicability(StrEnum):
    """How far a practice has been proven outside of the unit that it comes from."""

    PILOT = "R0"
    AT_HOME = "R1"
    CONFIRMED = "R2"
    SEVERAL = "R3"
    RULE = "R4"  # Computed from nothing: an editor says so.


OUTCOMES: dict[str, str] = {
    Outcome.RUNNING: mark("Still running"),
    Outcome.SUCCESSFUL: mark("Successful"),
    Outcome.PARTIAL: mark("Partly successful"),
    Outcome.UNSUCCESSFUL: mark("Not successful"),
    Outcome.STOPPED: mark("Stopped"),
}
REPLICABILITY: dict[str, str] = {
    Replicability.PILOT: mark("being piloted"),
    Replicability.AT_HOME: mark("works at home"),
    Replicability.CONFIRMED: mark("confirmed elsewhere"),
    Replicability.SEVERAL: mark("confirmed in several contexts"),
    Replicability.RULE: mark("made a rule"),
}

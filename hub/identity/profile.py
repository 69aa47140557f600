"""What a unit says of itself so that cases which fit it are found: codes, and what they are called.

Everything here is about organisations; nothing is about a person.
"""

from collections.abc import Mapping

from hub.errors import mark
from hub.identity.models import Layout, Level, Profile, Sector, Size

LEVELS = {
    Level.GROUP_COMMITTEE: mark("Group committee"),
    Level.SUBSIDIARY_COMMITTEE: mark("Subsidiary committee"),
    Level.GENERAL_BRANCH: mark("General branch"),
    Level.BRANCH: mark("Branch"),
    Level.PARTY_GROUP: mark("Party group"),
    Level.JOINT_BRANCH: mark("Joint branch"),
    Level.TEMPORARY_BRANCH: mark("Temporary branch"),
}
SIZES = {
    Size.UNDER_15: mark("fewer than 15 Party members"),
    Size.UP_TO_50: mark("15 to 50 Party members"),
    Size.UP_TO_200: mark("51 to 200 Party members"),
    Size.OVER_200: mark("more than 200 Party members"),
}
LAYOUTS = {
    Layout.CONCENTRATED: mark("all in one place"),
    Layout.DISPERSED: mark("dispersed or on the move"),
}
SECTORS = {
    Sector.POWER: mark("Power"),
    Sector.OIL_GAS: mark("Oil and gas"),
    Sector.MINING: mark("Coal and mining"),
    Sector.MATERIALS: mark("Metals, chemicals and medicines"),
    Sector.MANUFACTURING: mark("Machine building and aerospace"),
    Sector.CONSTRUCTION: mark("Construction and engineering"),
    Sector.TRANSPORT: mark("Rail, road and air transport"),
    Sector.SHIPPING: mark("Ports and shipping"),
    Sector.TRADE: mark("Logistics and trade"),
    Sector.UTILITIES: mark("Water, heat and public works"),
    Sector.FINANCE: mark("Finance"),
    Sector.TECHNOLOGY: mark("Telecommunications, research and design"),
    Sector.SERVICES: mark("Education, health and services"),
}
# What each part of a profile may be, with its name.
PARTS: dict[str, Mapping[str, str]] = {
    "level": {code.value: name for code, name in LEVELS.items()},
    "size": {code.value: name for code, name in SIZES.items()},
    "layout": {code.value: name for code, name in LAYOUTS.items()},
    "sector": {code.value: name for code, name in SECTORS.items()},
}


def parse(said: Mapping[str, object], prefix: str = "") -> Profile:
    """Return what another node says of a unit; what is no known code is left out.

    :param prefix: of the names under which the parts stand in `said`.
    """
    values = {part: said.get(prefix + part) for part in PARTS}
    return Profile(
        **{part: v for part, v in values.items() if isinstance(v, str) and v in PARTS[part]}
    )

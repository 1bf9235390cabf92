"""Who may see what of the lists, by the names of the roles that a login has; docs/runbooks/daily-clearance.md."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from zhengku.catalog.reference import District

ADMINISTRATOR = "Admin"
"""The role that Airflow brings along for those who run it."""

SECTION = "section"
"""The e-government section (电子政务科)."""

HALL_PREFIX = "hall_"
"""Before the key of a district: the halls of that district."""


def hall_role(district: str) -> str:
    """Return the role of the halls of a district."""
    return f"{HALL_PREFIX}{district}"


@dataclass(frozen=True)
class Access:
    """What a login may see of the lists: rows of `districts` alone, of all and of none known where it is None."""

    login: str
    districts: frozenset[str] | None
    may_see_suspicious: bool
    may_reveal: bool

    @property
    def is_whole_city(self) -> bool:
        """Whether no district is hidden."""
        return self.districts is None

    def covers(self, district: str | None) -> bool:
        """Tell whether rows of a district may be seen; None stands for a row without one."""
        return self.districts is None or district in self.districts


def access_of(login: str, roles: Collection[str], districts: Mapping[str, District]) -> Access | None:
    """Return what the roles of a login allow; None when that is nothing.

    Who runs Airflow sees the city's lists and needs nobody's telephone number; those who call people do.
    """
    is_section = SECTION in roles
    if is_section or ADMINISTRATOR in roles:
        return Access(login, None, may_see_suspicious=True, may_reveal=is_section)
    halls = frozenset(district for district in districts if hall_role(district) in roles)
    return Access(login, halls, may_see_suspicious=False, may_reveal=True) if halls else None

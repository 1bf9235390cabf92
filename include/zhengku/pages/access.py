"""Who may see and do what on the pages, by the names of the roles that a login has.

The roles are described in docs/runbooks/daily-clearance.md and docs/runbooks/validation-review.md. Every process of
Airflow imports this module: it needs neither FastAPI nor anything else that takes long to load.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from zhengku.catalog.reference import District

ADMINISTRATOR = "Admin"
"""The role that Airflow itself defines for its administrators."""

SECTION = "section"
"""The e-government section (电子政务科)."""

DATA_SECTION = "data_section"
"""The big-data section (大数据科): it reviews, returns, waives, redrives, and decides about held batches."""

OPERATOR = "operator"
"""The role of those who run the DAGs: they see how runs ended, and what to do, and no problem record."""

HALL_PREFIX = "hall_"
"""Prefix of the role of a district's halls; the key of the district follows."""


def hall_role(district: str) -> str:
    """Return the role of the halls of a district."""
    return f"{HALL_PREFIX}{district}"


class Access(Protocol):
    """What a login may see and do; each application has its own kind."""

    @property
    def login(self) -> str:
        """Name of the login."""

    @property
    def role(self) -> str:
        """The kind of login, for metrics: halls are one kind, whatever their district."""


@dataclass(frozen=True)
class ClearanceAccess:
    """What a login may see of the daily lists: rows of `districts` only, all rows where it is None."""

    login: str
    districts: frozenset[str] | None
    may_see_suspicious: bool
    may_reveal: bool

    @property
    def role(self) -> str:
        """The kind of login."""
        if not self.is_whole_city:
            return "hall"
        return SECTION if self.may_reveal else ADMINISTRATOR

    @property
    def is_whole_city(self) -> bool:
        """Whether no district is hidden."""
        return self.districts is None

    def covers(self, district: str | None) -> bool:
        """Return whether rows of a district may be seen; None is a row without a district."""
        return self.districts is None or district in self.districts


def clearance_access_of(
    login: str, roles: Collection[str], districts: Mapping[str, District]
) -> ClearanceAccess | None:
    """Return what the roles of a login allow; None when that is nothing.

    An administrator sees the lists of the city, but no telephone numbers: only those who call people need these.
    """
    is_section = SECTION in roles
    if is_section or ADMINISTRATOR in roles:
        return ClearanceAccess(login, None, may_see_suspicious=True, may_reveal=is_section)
    halls = frozenset(district for district in districts if hall_role(district) in roles)
    return ClearanceAccess(login, halls, may_see_suspicious=False, may_reveal=True) if halls else None


@dataclass(frozen=True)
class ReviewAccess:
    """What a login may see of the review: each sees overview and report, only some see problem records."""

    login: str
    may_see_problems: bool
    may_act: bool

    @property
    def role(self) -> str:
        """The kind of login."""
        if self.may_act:
            return DATA_SECTION
        return ADMINISTRATOR if self.may_see_problems else SECTION


def review_access_of(login: str, roles: Collection[str]) -> ReviewAccess | None:
    """Return what the roles of a login allow; None when that is nothing.

    An administrator sees the problem records, masked, and decides nothing; the e-government section sees only how
    complete and how good the data is; operators the same, and so how each run ended.
    """
    if DATA_SECTION in roles:
        return ReviewAccess(login, may_see_problems=True, may_act=True)
    if ADMINISTRATOR in roles:
        return ReviewAccess(login, may_see_problems=True, may_act=False)
    if SECTION in roles or OPERATOR in roles:
        return ReviewAccess(login, may_see_problems=False, may_act=False)
    return None


A = TypeVar("A", ClearanceAccess, ReviewAccess)


@dataclass(frozen=True)
class Right(Generic[A]):
    """Something that not every login with access may see or do; `refusal` is the Chinese answer to the others."""

    is_held: Callable[[A], bool]
    refusal: str


SEE_SUSPICIOUS: Right[ClearanceAccess] = Right(lambda access: access.may_see_suspicious, "可疑评价仅供电子政务科查看。")
REVEAL: Right[ClearanceAccess] = Right(lambda access: access.may_reveal, "您的角色不能查看完整联系电话。")
SEE_PROBLEMS: Right[ReviewAccess] = Right(lambda access: access.may_see_problems, "问题数据仅供大数据科查看。")
ACT: Right[ReviewAccess] = Right(lambda access: access.may_act, "只有大数据科可以办理。")

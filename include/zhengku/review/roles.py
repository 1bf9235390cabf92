"""Who may see and do what of the review, by the roles of a login; docs/runbooks/validation-review.md."""

from collections.abc import Collection
from dataclasses import dataclass

from zhengku.clearance.roles import ADMINISTRATOR, SECTION

DATA_SECTION = "data_section"
"""The big-data section (大数据科): it reviews, returns, waives, redrives, and decides about held batches."""


@dataclass(frozen=True)
class ReviewAccess:
    """What a login may see: everybody here the overview and the report, not everybody the problem records."""

    login: str
    may_see_problems: bool
    may_act: bool


def review_access_of(login: str, roles: Collection[str]) -> ReviewAccess | None:
    """Return what the roles of a login allow; None when that is nothing.

    Who runs Airflow sees what is out of order, masked, and decides nothing; the e-government section sees how complete
    and how good the data is.
    """
    if DATA_SECTION in roles:
        return ReviewAccess(login, may_see_problems=True, may_act=True)
    if ADMINISTRATOR in roles:
        return ReviewAccess(login, may_see_problems=True, may_act=False)
    if SECTION in roles:
        return ReviewAccess(login, may_see_problems=False, may_act=False)
    return None

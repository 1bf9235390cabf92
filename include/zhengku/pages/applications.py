"""The two applications of pages: 日清清单 for halls and sections, 归集校验 for the big-data section.

They do not depend on Airflow: a `Host` returns who is logged in, and what each login may see.
"""

from fastapi import FastAPI

from zhengku.catalog import Catalog
from zhengku.pages import clearance, review
from zhengku.pages.access import ReviewAccess
from zhengku.pages.frame import PageSet, new_app
from zhengku.pages.host import Host
from zhengku.pages.list_view import scope_name


def _review_role_name(access: ReviewAccess, _catalog: Catalog) -> str:
    return "大数据科" if access.may_act else "查看"


CLEARANCE = PageSet(
    title="日清清单",
    refusal="您的账号没有查看日清清单的角色。请联系系统管理员授予“section”（电子政务科）或“hall_区划”（大厅）角色。",
    demo_roles=("管理员（ADMIN）视同系统管理员，OP 视同电子政务科，名为“hall_区划”的账号视同该区划大厅。"),
    role_name=scope_name,
    package=clearance,
)

REVIEW = PageSet(
    title="归集校验",
    refusal=(
        "您的账号没有查看归集校验的角色。请联系系统管理员授予“data_section”（大数据科）或“section”（电子政务科）角色。"
    ),
    demo_roles="名为“data_section”的账号视同大数据科，管理员（ADMIN）只能查看，OP 视同电子政务科。",
    role_name=_review_role_name,
    package=review,
)


def create_clearance_app(host: Host) -> FastAPI:
    """Return the application of the daily lists."""
    return new_app(CLEARANCE, host)


def create_review_app(host: Host) -> FastAPI:
    """Return the application of the review."""
    return new_app(REVIEW, host)

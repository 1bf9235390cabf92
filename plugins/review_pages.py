"""The pages 归集总览, 验证报告 and 问题数据 in Airflow's interface: behind its login, in its menu.

Beside them, who may decide about held batches may alone answer what the DAG `held_batches` asks: of Airflow, everybody
may who may change the DAG.
"""

import re
from typing import Any

from airflow.plugins_manager import AirflowPlugin
from airflow_pages import LatePages, airflow_host, current_user, role_names

from zhengku.pages.access import ReviewAccess, review_access_of

PATH = "/zhengku/review"

# The menu shows the entries of a category together.
_MENU = "归集校验"
_ENTRIES = (
    ("归集总览", "", "review"),
    ("验证报告", "report", "review-report"),
    ("问题数据", "problems", "review-problems"),
)

_ANSWER = re.compile(r"/dags/held_batches/.*/hitlDetails/?$")


def make_app() -> Any:
    """Return the application, with Airflow's login and roles."""
    from zhengku.pages.applications import create_review_app

    return create_review_app(airflow_host(_access))


def _access(user: Any) -> ReviewAccess | None:
    return review_access_of(str(user.get_name()), role_names(user))


class DecidersAlone:
    """Refuses an answer about a held batch to who may not decide about it, before Airflow takes it."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, unless it is such an answer."""
        is_answer = scope["type"] == "http" and scope["method"] == "PATCH" and _ANSWER.search(scope["path"])
        if is_answer and not await _may_answer(scope):
            from fastapi.responses import JSONResponse

            refusal = JSONResponse({"detail": "只有大数据科（data_section）可以处理暂扣批次。"}, 403)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)


async def _may_answer(scope: Any) -> bool:
    from fastapi import HTTPException, Request

    try:
        access = _access(await current_user(Request(scope)))
    except HTTPException:
        # Nobody is logged in: Airflow itself refuses it.
        return True
    return access is not None and access.may_act


class ReviewPlugin(AirflowPlugin):
    """Shows the pages below `PATH`, and in frames behind the entries of a menu."""

    name = "zhengku_review"
    fastapi_apps = [{"app": LatePages(make_app), "url_prefix": PATH, "name": _MENU}]  # noqa: RUF012
    fastapi_root_middlewares = [{"middleware": DecidersAlone, "name": "暂扣批次的答复"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {
            "name": name,
            # Below the path at which Airflow itself is served.
            "href": f"{PATH.removeprefix('/')}/{page}",
            "destination": "nav",
            "url_route": route,
            "category": _MENU,
        }
        for name, page, route in _ENTRIES
    ]

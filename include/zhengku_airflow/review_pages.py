"""The pages 归集总览, 验证报告 and 问题数据 with Airflow's login, and who may answer questions about held batches.

Airflow accepts an answer of the DAG `held_batches` from every login that may edit the DAG. Only logins that may decide
about held batches on the pages are allowed here.
"""

import re
from typing import TYPE_CHECKING, Any

from zhengku.pages.access import ReviewAccess, review_access_of
from zhengku_airflow.pages_host import airflow_host, current_user, role_names

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

REVIEW_PATH = "/zhengku/review"
"""Where the pages are mounted, below the address of the API server."""

# Airflow accepts a run's name that ends with a line break: `.` must match it, too.
_ANSWER = re.compile(r"/dags/held_batches/.*hitlDetails", re.DOTALL)


def review_app() -> "FastAPI":
    """Return the application, with Airflow's login and roles."""
    from zhengku.pages.applications import create_review_app

    return create_review_app(airflow_host(_access))


def _access(user: Any) -> ReviewAccess | None:
    return review_access_of(str(user.get_name()), role_names(user))


class HeldBatchAnswers:
    """Middleware of Airflow's API: refuses an answer about a held batch from a login that may not decide about it."""

    def __init__(self, app: "ASGIApp") -> None:
        self._app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Refuse a forbidden answer with 403; pass every other request on."""
        is_answer = scope["type"] == "http" and scope["method"] == "PATCH" and _ANSWER.search(scope["path"])
        if is_answer and not await _may_answer(scope):
            from fastapi.responses import JSONResponse

            refusal = JSONResponse({"detail": "只有大数据科（data_section）可以处理暂扣批次。"}, 403)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)


async def _may_answer(scope: "Scope") -> bool:
    from fastapi import HTTPException, Request

    try:
        access = _access(await current_user(Request(scope)))
    except HTTPException:
        # Without a login Airflow itself refuses the request.
        return True
    return access is not None and access.may_act

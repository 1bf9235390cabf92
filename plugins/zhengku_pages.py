"""The entries of our pages in Airflow: where each is mounted, and where the menu shows it."""

from airflow.plugins_manager import AirflowPlugin

from zhengku_airflow.clearance_pages import CLEARANCE_PATH, clearance_app
from zhengku_airflow.pages_host import LatePages
from zhengku_airflow.review_pages import REVIEW_PATH, HeldBatchAnswers, review_app

# The menu shows the entries of one category together.
_REVIEW_MENU = "归集校验"
_REVIEW_ENTRIES = (
    ("归集总览", "", "review"),
    ("验证报告", "report", "review-report"),
    ("问题数据", "problems", "review-problems"),
)
# The tabs of every DAG and of every run.
_DAG_TABS = (
    ("运行报告", "run?dag={DAG_ID}", "dag", "review-runs"),
    ("处理手册", "runbook?dag={DAG_ID}", "dag", "review-runbook"),
    ("运行报告", "run?dag={DAG_ID}&run={RUN_ID}", "dag_run", "review-run"),
    ("处理手册", "runbook?dag={DAG_ID}", "dag_run", "review-run-runbook"),
)


class ClearancePlugin(AirflowPlugin):
    """The pages 日清清单, in a frame that an entry of the menu opens."""

    name = "zhengku_clearance"
    fastapi_apps = [{"app": LatePages(clearance_app), "url_prefix": CLEARANCE_PATH, "name": "日清清单"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {
            "name": "日清清单",
            # Below the path at which Airflow itself is served.
            "href": f"{CLEARANCE_PATH.removeprefix('/')}/",
            "destination": "nav",
            "url_route": "clearance",
            "nav_top_level": True,
        }
    ]


class ReviewPlugin(AirflowPlugin):
    """The pages of the review, in frames that the entries of a menu open."""

    name = "zhengku_review"
    fastapi_apps = [{"app": LatePages(review_app), "url_prefix": REVIEW_PATH, "name": _REVIEW_MENU}]  # noqa: RUF012
    fastapi_root_middlewares = [{"middleware": HeldBatchAnswers, "name": "暂扣批次的答复"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        *(
            {
                "name": name,
                # Below the path at which Airflow itself is served.
                "href": f"{REVIEW_PATH.removeprefix('/')}/{page}",
                "destination": "nav",
                "url_route": route,
                "category": _REVIEW_MENU,
            }
            for name, page, route in _REVIEW_ENTRIES
        ),
        *(
            {
                "name": name,
                "href": f"{REVIEW_PATH.removeprefix('/')}/{page}",
                "destination": destination,
                "url_route": route,
            }
            for name, page, destination, route in _DAG_TABS
        ),
    ]

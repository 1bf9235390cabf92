"""The page 日清清单 in Airflow's interface: behind its login, in its menu."""

from typing import Any

from airflow.plugins_manager import AirflowPlugin
from airflow_pages import LatePages, airflow_host, role_names

PATH = "/zhengku/clearance"


def make_app() -> Any:
    """Return the application, with Airflow's login and roles."""
    from zhengku.catalog import load_catalog
    from zhengku.pages.access import ClearanceAccess, clearance_access_of
    from zhengku.pages.applications import create_clearance_app
    from zhengku.settings import Settings

    districts = load_catalog(Settings.load().catalog_folder).districts

    def access(user: Any) -> ClearanceAccess | None:
        return clearance_access_of(str(user.get_name()), role_names(user), districts)

    return create_clearance_app(airflow_host(access))


class ClearancePlugin(AirflowPlugin):
    """Shows the pages below `PATH`, and in a frame behind an entry of the menu."""

    name = "zhengku_clearance"
    fastapi_apps = [{"app": LatePages(make_app), "url_prefix": PATH, "name": "日清清单"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {
            "name": "日清清单",
            # Below the path at which Airflow itself is served.
            "href": f"{PATH.removeprefix('/')}/",
            "destination": "nav",
            "url_route": "clearance",
            "nav_top_level": True,
        }
    ]

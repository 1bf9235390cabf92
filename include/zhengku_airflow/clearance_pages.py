"""The pages 日清清单 with Airflow's login."""

from typing import TYPE_CHECKING, Any

from zhengku_airflow.pages_host import airflow_host, role_names

if TYPE_CHECKING:
    from fastapi import FastAPI

    from zhengku.pages.access import ClearanceAccess

CLEARANCE_PATH = "/zhengku/clearance"
"""Where the pages are mounted, below the address of the API server."""


def clearance_app() -> "FastAPI":
    """Return the application, with Airflow's login and roles."""
    from zhengku.catalog import load_catalog
    from zhengku.pages.access import clearance_access_of
    from zhengku.pages.applications import create_clearance_app
    from zhengku.settings import Settings

    districts = load_catalog(Settings.load().catalog_folder).districts

    def access(user: Any) -> "ClearanceAccess | None":
        return clearance_access_of(str(user.get_name()), role_names(user), districts)

    return create_clearance_app(airflow_host(access))

"""The page 日清清单 in Airflow's interface: behind its login, in its menu.

Every Airflow process imports this file; the application itself is made by the first request for it.
"""

from typing import Any
from urllib.parse import urljoin

from airflow.plugins_manager import AirflowPlugin

PATH = "/zhengku/clearance"


class LatePages:
    """The application, made when it is first asked for: most processes of Airflow never serve a page."""

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if self._app is None:
            self._app = make_app()
        await self._app(scope, receive, send)


def make_app() -> Any:
    """Return the application, with Airflow's login and roles."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.tokens import get_signing_key
    from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
    from airflow.configuration import conf
    from clearance_access import is_for_demos, role_names
    from fastapi import Request

    from zhengku.catalog import load_catalog
    from zhengku.clearance.roles import Access, access_of
    from zhengku.pages.app import create_app
    from zhengku.pages.host import Host
    from zhengku.settings import Settings

    districts = load_catalog(Settings.load().catalog_folder).districts

    async def current_user(request: Request) -> Any:
        return await get_user(request, None, await bearer_scheme(request))

    def access(user: Any) -> Access | None:
        return access_of(str(user.get_name()), role_names(user), districts)

    def login_address(back: str) -> str:
        return get_auth_manager().get_url_login(next_url=urljoin(conf.get("api", "base_url"), back))

    return create_app(
        Host(
            current_user=current_user,
            access=access,
            login_address=login_address,
            signing_key=lambda: get_signing_key("api", "secret_key"),
            is_for_demos=is_for_demos,
        )
    )


class ClearancePlugin(AirflowPlugin):
    """Shows the pages below `PATH`, and in a frame behind an entry of the menu."""

    name = "zhengku_clearance"
    fastapi_apps = [{"app": LatePages(), "url_prefix": PATH, "name": "日清清单"}]  # noqa: RUF012
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

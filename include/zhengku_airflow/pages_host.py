"""The host of our pages in Airflow's interface: Airflow's login and roles, checked for every request.

With FAB a login has the roles that were assigned to it. The simple auth manager of `make up` and `make demo` does not
have our roles: its ADMIN is treated as the administrator, its OP as the e-government section, and a login with the name
of a hall's role (`hall_echeng`) or of the big-data section's (`data_section`) has that role.

Every Airflow process imports this module by `plugins/`: Airflow's API and the pages are imported only where needed.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from zhengku.pages.access import ADMINISTRATOR, DATA_SECTION, HALL_PREFIX, SECTION

if TYPE_CHECKING:
    from fastapi import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from zhengku.pages.access import Access
    from zhengku.pages.host import Host

_SIMPLE_ROLES = {"ADMIN": ADMINISTRATOR, "OP": SECTION}


class LatePages:
    """An application that is created at its first request: most processes of Airflow never serve a page."""

    def __init__(self, make_app: "Callable[[], ASGIApp]") -> None:
        self._make_app = make_app
        self._app: ASGIApp | None = None

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request."""
        if self._app is None:
            self._app = self._make_app()
        await self._app(scope, receive, send)


def airflow_host(access: "Callable[[Any], Access | None]") -> "Host":
    """Return the host of an application: Airflow's login; `access` returns what one of Airflow's users may see."""
    from airflow.api_fastapi.auth.tokens import get_signing_key

    from zhengku.pages.host import Host

    return Host(
        current_user=current_user,
        access=access,
        login_address=_login_address,
        signing_key=lambda: get_signing_key("api", "secret_key"),
        is_for_demos=is_for_demos,
    )


async def current_user(request: "Request") -> Any:
    """Return Airflow's user who makes a request; raises `HTTPException` 401 or 403 when nobody is logged in.

    The class of the user depends on the auth manager.
    """
    from airflow.api_fastapi.core_api.security import bearer_scheme, get_user

    return await get_user(request, None, await bearer_scheme(request))


def _login_address(back: str) -> str:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.configuration import conf

    return get_auth_manager().get_url_login(next_url=urljoin(conf.get("api", "base_url"), back))


def is_for_demos() -> bool:
    """Return whether the logins are those of the simple auth manager, made for trying out."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    return isinstance(get_auth_manager(), SimpleAuthManager)


def role_names(user: Any) -> frozenset[str]:
    """Return the names of the roles of one of Airflow's users; none for a user of an unknown auth manager."""
    if is_for_demos():
        named = _SIMPLE_ROLES.get(str(user.role).upper())
        login = str(user.get_name())
        is_role = login.startswith(HALL_PREFIX) or login == DATA_SECTION
        return frozenset(role for role in (named, login if is_role else None) if role)
    return frozenset(str(role.name) for role in getattr(user, "roles", None) or ())

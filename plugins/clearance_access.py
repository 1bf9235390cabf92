"""Who is logged in, and what of the daily lists he may see: Airflow's login and roles decide, for every request.

With FAB a login has the roles that were given to it. The simple auth manager of `make up` and `make demo` has none
of ours: its ADMIN stands for the administrator, its OP for the section, and a login named like a hall's role
(`hall_echeng`) for that hall.
"""

from typing import Any

from zhengku.clearance.roles import ADMINISTRATOR, HALL_PREFIX, SECTION

_SIMPLE_ROLES = {"ADMIN": ADMINISTRATOR, "OP": SECTION}


def is_for_demos() -> bool:
    """Tell whether the logins are those of the simple auth manager, made for trying out."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    return isinstance(get_auth_manager(), SimpleAuthManager)


def role_names(user: Any) -> frozenset[str]:
    """Return the names of the roles of one of Airflow's users; of a user of another auth manager none is known."""
    if is_for_demos():
        named = _SIMPLE_ROLES.get(str(user.role).upper())
        login = str(user.get_name())
        return frozenset(role for role in (named, login if login.startswith(HALL_PREFIX) else None) if role)
    return frozenset(str(role.name) for role in getattr(user, "roles", None) or ())

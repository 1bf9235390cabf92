"""Logins with FAB: rules for passwords, the lock after wrong ones, a logout that ends the session, and a record of it.

`fab_config.py` names `LoginManager`, docker-compose.yml names `EndingFabAuthManager`. The record is Airflow's audit
log, with the login as owner and the caller's address as extra.
"""

import logging
import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urljoin

from airflow.models.log import Log
from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
from airflow.providers.fab.auth_manager.models import Group, Role, User
from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride
from fastapi import HTTPException
from flask import current_app, flash, has_request_context, request, session
from flask_appbuilder.const import AUTH_DB  # type: ignore[import-untyped]
from flask_appbuilder.exceptions import PasswordComplexityValidationError  # type: ignore[import-untyped]
from sqlalchemy import select
from werkzeug.security import check_password_hash

from zhengku import clock
from zhengku_airflow.passwords import password_weakness

log = logging.getLogger(__name__)

WRONG_PASSWORDS = 5
"""So many wrong passwords, without a right one between them, lock a login."""
LOCKED = timedelta(minutes=15)

# Shown after every refused try, whether the login exists or not: it tells nobody which logins there are.
_EXPLANATION = (
    f"登录名或密码不对，或者登录已锁定。连续输错 {WRONG_PASSWORDS} 次的登录锁定 {LOCKED.seconds // 60} 分钟，"
    "其间正确的密码也被拒绝；急需时请管理员重设密码。"
)


class WeakPassword(HTTPException, PasswordComplexityValidationError):  # type: ignore[misc]
    """A password breaks the rules: status 400 of the API, a message in a form, the last line of a command."""

    def __init__(self, weakness: str) -> None:
        super().__init__(status_code=400, detail=weakness)

    def __str__(self) -> str:
        """Return the weakness alone, which the form shows."""
        return str(self.detail)


def require_strong_password(password: str) -> None:
    """Raise `WeakPassword` when a password breaks the rules."""
    weakness = password_weakness(password)
    if weakness:
        raise WeakPassword(weakness)


class EndingFabAuthManager(FabAuthManager):
    """FAB's, whose logout also ends the session on the server: a copied cookie would otherwise stay good.

    The name has to contain FabAuthManager: Airflow looks for that word in its setting.
    """

    def get_url_logout(self) -> str:
        """Return FAB's own logout page, which calls `on_user_logout`; Airflow revoked the token before."""
        return urljoin(self.apiserver_endpoint, "/auth/logout/")


class LoginManager(FabAirflowSecurityManagerOverride):
    """FAB's security manager with our rules."""

    def auth_user_db(self, username: str, password: str, rotate_session_id: bool = True) -> User | None:
        """Return the user of a right password; None for a wrong one and for a locked login."""
        return self._unless_locked(username, partial(super().auth_user_db, username, password, rotate_session_id))

    def auth_user_ldap(self, username: str, password: str, rotate_session_id: bool = True) -> User | None:
        """Return the user whom the directory accepts; None for a wrong password and for a locked login."""
        return self._unless_locked(username, partial(super().auth_user_ldap, username, password, rotate_session_id))

    def on_user_login(self, user: User) -> None:
        """Write the login down."""
        self._write_down("login", user)

    def update_user_auth_stat(self, user: User, success: bool = True) -> None:
        """Count a right or a wrong password, and lock the login after too many, before `_is_locked` looks again."""
        if success:
            super().update_user_auth_stat(user)
            return
        user.fail_login_count = (user.fail_login_count or 0) + 1
        self._add_event("login_failed", user)
        if user.fail_login_count >= WRONG_PASSWORDS:
            # Counted anew after the lock.
            user.fail_login_count = 0
            self._add_event("login_locked", user)
            log.warning("login %s is locked for %s after %d wrong passwords", user.username, LOCKED, WRONG_PASSWORDS)
        self.session.commit()

    def add_user(
        self,
        username: str,
        first_name: str,
        last_name: str,
        email: str,
        role: list[Role] | Role | None = None,
        password: str = "",
        hashed_password: str = "",
        groups: list[Group] | None = None,
    ) -> User:
        """Create a login. Raises `WeakPassword` itself: FAB's would say only that it could not."""
        if not hashed_password and (password or self.auth_type == AUTH_DB):
            require_strong_password(password)
        return super().add_user(username, first_name, last_name, email, role, password, hashed_password, groups)

    def on_user_logout(self, user: User) -> None:
        """Remove the session from the server, and write the logout down."""
        session.clear()
        self._write_down("logout", user)

    def reset_user_sessions(self, user: User) -> None:
        """End the user's sessions and the lock: called whenever a login gets a new password."""
        super().reset_user_sessions(user)
        user.fail_login_count = 0
        self._write_down("login_unlocked", user)

    def _hash_password(self, password: str) -> str:
        """Hash a new password; every way to set one ends here. Raises `WeakPassword`."""
        if not password and self.auth_type != AUTH_DB:
            # A person of the directory has no password here, and the empty one must not be right.
            password = secrets.token_urlsafe(32)
        require_strong_password(password)
        return str(super()._hash_password(password))

    def _unless_locked(self, username: str, attempt: Callable[[], User | None]) -> User | None:
        known = self.find_user(username=username) or self.find_user(email=username) if username else None
        try:
            user = None
            if known is not None and self._is_locked(known):
                # As slow as a wrong password.
                check_password_hash(current_app.config["AUTH_DB_FAKE_PASSWORD_HASH_CHECK"], "password")
                self._write_down("login_refused", known)
            else:
                user = attempt()
        finally:
            # Releases the row.
            self.session.commit()
        if user is None and has_request_context():
            flash(_EXPLANATION, "warning")
        return user

    def _is_locked(self, user: User) -> bool:
        # Tries that arrive together wait for each other here: none is left out of the count.
        self.session.refresh(user, with_for_update={"of": User})
        last = self.session.scalars(
            select(Log.event)
            .where(
                Log.owner == user.username,
                Log.event.in_(("login_locked", "login_unlocked")),
                Log.dttm > clock.now() - LOCKED,
            )
            .order_by(Log.id.desc())
            .limit(1)
        ).first()
        return bool(last == "login_locked")

    def _write_down(self, event: str, user: User) -> None:
        self._add_event(event, user)
        self.session.commit()

    def _add_event(self, event: str, user: User) -> None:
        address: Any = request.remote_addr if has_request_context() else None
        name = f"{user.first_name} {user.last_name}".strip()
        self.session.add(Log(event, owner=user.username, owner_display_name=name, extra=address))

"""Under which account the backup tool and a restored server run: PostgreSQL refuses root."""

import os
import pwd
from pathlib import Path
from typing import Any

from zhengku.errors import ConfigurationError


def server_account() -> pwd.struct_passwd | None:
    """Return the account of the server where we are root, `postgres`; None for an ordinary account.

    Raises `ConfigurationError` when root has no such account.
    """
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        raise ConfigurationError(
            "Expected an ordinary account, or root with an account `postgres` beside: PostgreSQL does not run as root. "
            "Run this as the account that owns the database's files."
        ) from None


def run_as() -> dict[str, Any]:
    """Return the arguments of `subprocess` that run a program under the server's account."""
    account = server_account()
    return {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def give_folder(folder: Path) -> None:
    """Make a folder that only the server's account (and root) can use."""
    folder.mkdir(mode=0o700)
    account = server_account()
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)

"""Ids and secrets of the made-up departments, derived from one secret of the folder."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path


def app_id(department: str) -> str:
    """Return the id that zhengku uses at a department."""
    return f"zhengku-{department}"


def app_secret(folder: Path, name: str) -> str:
    """Return the secret of a department's interface, or of the SFTP server; it never changes for a folder."""
    return hmac.new(_root(folder), name.encode(), hashlib.sha256).hexdigest()[:32]


def _root(folder: Path) -> bytes:
    path = folder / "secret"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        own = folder / f".secret-{os.getpid()}-{secrets.token_hex(4)}"
        with os.fdopen(os.open(own, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        try:
            # `link` never overwrites: when two programs start at once, only one of them writes the secret.
            path.hardlink_to(own)
        except FileExistsError:
            # The secret of the other program is used.
            pass
        finally:
            own.unlink()
    return path.read_bytes()

"""Addresses of sources, which may hold logins: they are set in the environment, and no message shows the login."""

from urllib.parse import urlsplit


def without_login(address: str) -> str:
    """Return an address as a message may show it: no user, no password, no query; a folder as it is."""
    if "://" not in address:
        return address
    parts = urlsplit(address)
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"

"""A mistake in the catalogue, reported with its place and its fix."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

Severity = Literal["error", "warning", "info"]

SECRET_FIX = (
    "Name a connection by its id here and put its address and secret into the environment (ZHENGKU_CONN_<ID>); "
    "a secret that was saved here counts as known to others: change it."
)

# Deliberately broad: after a false alarm a text is reworded; a secret in the repository must be replaced.
_ADDRESS_OR_SECRET = re.compile(
    r"[a-z][a-z0-9+.-]*://"
    r"|^\\\\\w"
    r"|[^\s:/@]+:[^\s@/]+@[\w.-]+"
    r"|(?:password|passwd|pwd|secret|token|口令|密码|密钥)\s*[=:：]"
    r"|(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])",
    re.IGNORECASE,
)
_RANDOM_TOKEN = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z0-9+/=_-]{24,}|(?=.*\d)(?=.*[a-f])[0-9a-f]{32,}")
_SECRET_NAME = re.compile(r"passw|pwd|secret|token|app_?key|api_?key|credential|口令|密码|密钥", re.IGNORECASE)


@dataclass(frozen=True)
class Problem:
    """One mistake: `line` counts from 1 and is None when the problem is about the complete file.

    An `error` stops the department or, in a shared table, all of them; a `warning` is probably a mistake; `info` is
    something to know.
    """

    file: Path
    line: int | None
    message: str
    fix: str
    severity: Severity = "error"

    def __str__(self) -> str:
        """Return `<file>:<line>: <message>. <fix>` on one line; the path is relative to the working directory."""
        here = Path.cwd()
        file = self.file.relative_to(here) if self.file.is_relative_to(here) else self.file
        place = f"{file}:{self.line}" if self.line else str(file)
        return " ".join(f"{place}: {self.message}. {self.fix}".split())


def did_you_mean(wrong: str, allowed: Iterable[str]) -> str:
    """Return the fix for an unknown name: the most similar allowed name, else all of them."""
    names = sorted(set(allowed))
    lower = {name.lower(): name for name in names}
    near = get_close_matches(wrong.strip().lower(), lower, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {lower[near[0]]!r}?"
    return f"Allowed: {', '.join(names)}." if names else "There is none yet."


def looks_secret(value: str) -> bool:
    """Return whether a value looks like an address, a password or a token, which must not be in the catalogue."""
    return bool(_ADDRESS_OR_SECRET.search(value) or _RANDOM_TOKEN.fullmatch(value.strip()))


def names_a_secret(key: str) -> bool:
    """Return whether a key is a name for a secret (`password`, `app_key`, 口令 …)."""
    return bool(_SECRET_NAME.search(key))


def shown(value: object) -> str:
    """Return a value as a message shows it: shortened, and hidden when it looks like a secret."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = str(value)
    if looks_secret(text):
        return "a value that is not shown"
    return repr(text if len(text) <= 40 else text[:39] + "…") if isinstance(value, str) else text

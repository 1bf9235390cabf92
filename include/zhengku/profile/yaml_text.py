"""Writing single values as YAML."""

import json
import re
from collections.abc import Sequence
from typing import Final

_PLAIN_SCALAR: Final = re.compile(r"[A-Za-z\u4e00-\u9fff][\w\u4e00-\u9fff/（）·.-]*")
_YAML_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def scalar(text: str) -> str:
    """Return a text as YAML, in quotes unless YAML reads it as the same text without them."""
    if _PLAIN_SCALAR.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    return quoted(text)


def quoted(text: str) -> str:
    """Return a text as YAML in quotes."""
    return json.dumps(text, ensure_ascii=False)


def flow_mapping(entries: Sequence[str]) -> str:
    """Return entries (`key: value`, as YAML) as a mapping on one line."""
    return f"{{{', '.join(entries)}}}"

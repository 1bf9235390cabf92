"""The end of a failed task's log: what was expected, what came, where and how to fix it, in plain lines.

Airflow logs every error with its traceback. For an error of ours the traceback says nothing that its text does not say,
and it hides the text; for any other error, a defect, it stays. docs/decisions/0062.
"""

import logging
import sys
import textwrap
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from traceback import walk_tb
from typing import Any, Final

import structlog

from zhengku.errors import ZhengkuError

log = logging.getLogger(__name__)

FAILED: Final = "Task failed with exception"
"""How Airflow's task runner logs the error of a task."""

_WIDTH: Final = 120
_PLACES: Final = 5


def end_plainly(_context: Mapping[str, Any]) -> None:
    """Let the log of the task that starts now end with plain lines where an error of ours fails it.

    Airflow calls it in the process of each task. It has set up the log there before, and its logger keeps the list of
    processors: only a change of that list reaches it.
    """
    processors = structlog.get_config()["processors"]
    if without_traceback not in processors:
        processors.insert(0, without_traceback)


def without_traceback(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the traceback of an error of ours by its text, as structlog calls it with every line of the log."""
    error = sys.exc_info()[1]
    if event.get("event") == FAILED and event.get("exc_info") and isinstance(error, ZhengkuError):
        places = [f"{Path(frame.f_code.co_filename).name}:{line}" for frame, line in walk_tb(error.__traceback__)]
        # At the level of debugging only, and without the text of what caused it, which may quote a row.
        log.debug("Raised at %s", " > ".join(places[-_PLACES:]))
        del event["exc_info"]
        event["event"] = plain_lines(error)
    return event


def plain_lines(error: ZhengkuError) -> str:
    """Return an error's text, each of several complaints beginning a line, no line longer than 120 characters."""
    first, *others = str(error).split(" | ")
    paragraphs = [f"{type(error).__name__}: {first}", *(f"- {other}" for other in others)]
    return "\n".join(line for paragraph in paragraphs for line in _wrapped(paragraph))


def _wrapped(paragraph: str) -> list[str]:
    indent = "  " if paragraph.startswith("- ") else ""
    # Addresses and paths stay whole, so that they can be copied.
    return textwrap.wrap(paragraph, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)

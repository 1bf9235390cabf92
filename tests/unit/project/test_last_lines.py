"""The end of a failed task's log."""

import pytest
import structlog
from structlog.testing import LogCapture

from zhengku.errors import BatchesFailed, DeliveryUnavailable
from zhengku_airflow.last_lines import FAILED, end_plainly, without_traceback


@pytest.fixture
def log():
    """A logger that was made before the task began, as Airflow's is."""
    capture = LogCapture()
    structlog.configure(processors=[capture])
    logger = structlog.get_logger("task").bind()
    for _ in range(2):
        end_plainly({})
    yield logger, capture.entries
    structlog.reset_defaults()


def logged(log, error, event=FAILED):
    logger, entries = log
    try:
        raise error from ValueError("a row's value")
    except type(error):
        logger.exception(event)
    [entry] = entries
    return entry


def test_error_of_ours_is_told_in_wrapped_lines_without_its_traceback(log):
    path = "/data/landing/" + "x" * 130
    entry = logged(log, BatchesFailed(f"2 to look at: {'batch 12 is rejected ' * 9}| feed a has none | Report: {path}"))
    first, *_, feed, report, place = entry["event"].splitlines()
    assert first.startswith("BatchesFailed: 2 to look at: batch 12")
    assert (feed, report, place) == ("- feed a has none", "- Report:", f"  {path}")
    assert all(len(line) <= 120 for line in entry["event"].splitlines() if path not in line)
    assert "exc_info" not in entry
    assert entry["log_level"] == "error"
    assert "a row's value" not in str(entry)


def test_defect_and_every_other_line_keep_their_traceback(log):
    assert logged(log, ZeroDivisionError("a defect"))["exc_info"]
    log[1].clear()
    assert logged(log, DeliveryUnavailable("down"), "Sending failed")["event"] == "Sending failed"
    assert structlog.get_config()["processors"].count(without_traceback) == 1

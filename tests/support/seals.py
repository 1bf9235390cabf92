"""Sealing all evidence that a test has made."""

import time
from typing import Any

import psycopg

from zhengku.audit import Seal, close_evidence

SEAL_LAG_SECONDS = 1.1
"""A seal ends a second before it is made: what a test has just written is sealed after this wait."""


def seal_everything(connection: psycopg.Connection[Any]) -> Seal:
    """Seal what was committed until now."""
    connection.commit()
    time.sleep(SEAL_LAG_SECONDS)
    seal = close_evidence(connection)
    assert seal is not None
    return seal

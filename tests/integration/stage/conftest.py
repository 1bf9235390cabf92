"""A connection to a database of one test, whose rows are dictionaries."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(database_url.replace("+psycopg", ""), row_factory=dict_row) as connection:
        yield connection

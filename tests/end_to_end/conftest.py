"""Tests of whole Airflows: two of them may run side by side."""

from tests.small_city import any_free_port

__all__ = ["any_free_port"]

"""Tests of whole Airflows: two of them may run side by side."""

from tests.support.small_city import room_for_two

__all__ = ["room_for_two"]

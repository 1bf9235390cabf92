"""The fixtures of the departments' tests."""

import pytest

# Its checks say what differs, like those of a test.
pytest.register_assert_rewrite("tests.departments.harness")

from tests.departments.harness import department_road  # noqa: E402, F401

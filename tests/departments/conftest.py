"""The fixtures of the departments' tests."""

import pytest

# Its checks say what differs, like those of a test.
pytest.register_assert_rewrite("tests.support.department_pipeline")

from tests.support.department_pipeline import department_pipeline

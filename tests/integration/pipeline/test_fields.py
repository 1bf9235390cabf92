"""Every standard field comes into the store as delivered, is replaced by a newer version, and outlives a delete."""

import pytest
from tests.support.every_field import walk


@pytest.mark.slow
def test_every_field_is_stored_replaced_and_kept(whole):
    walk(whole)

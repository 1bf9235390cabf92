"""The examples in the docstrings of the interfaces that a transport implements run, and print what they say."""

import doctest
from types import ModuleType

import pytest

from zhengku.readers import reader
from zhengku.transports import connector, source


@pytest.mark.parametrize("module", [source, connector, reader], ids=lambda module: module.__name__)
def test_examples_print_what_they_say(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted >= 4
    assert result.failed == 0

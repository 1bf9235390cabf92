"""Who acts on the command line: the account of the operating system, and not what anybody says."""

import os
import pwd
from types import SimpleNamespace

import pytest

from zhengku.cli.common import person
from zhengku.errors import ConfigurationError


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run under the account `zhang`, in an environment that names another."""
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    monkeypatch.setattr(pwd, "getpwuid", {4711: SimpleNamespace(pw_name="zhang")}.__getitem__)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "data_section")


def test_account_is_recorded_whatever_the_environment_says():
    assert person(None) == "命令行 zhang"


def test_on_whose_behalf_is_recorded_after_the_account():
    assert person(" 大数据科值班 ") == "命令行 zhang，代 大数据科值班"


def test_account_without_a_name_is_recorded_by_its_number(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 4712)
    assert person(None) == "命令行 uid 4712"


def test_blank_behalf_is_refused():
    with pytest.raises(ConfigurationError, match="Expected on whose behalf, after --for, got a blank"):
        person("  ")

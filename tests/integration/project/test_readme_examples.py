"""The example of a collection in both READMEs is what the command prints for two correct and two wrong rows."""

import re

import pytest
from tests.support import command_line
from tests.support.readme_examples import READMES, WIDTH, example

from zhengku.settings import project_home

COMMAND = "zhengku collect market_supervision/business_license"


def without_times(lines: list[str]) -> list[str]:
    return [re.sub(r"\d\d-\d\d \d\d:\d\d:\d\d", "MM-DD hh:mm:ss", line) for line in lines]


@pytest.mark.parametrize("readme", READMES)
def test_example_is_what_the_command_prints(installation, make_row, monkeypatch, readme):
    wrong_code = make_row(4, 统一社会信用代码="91420700XN0000012R")
    installation.deliver_rows("licenses_2026-11-23.csv", make_row(1), make_row(2), make_row(3, 企业名称=""), wrong_code)
    monkeypatch.setattr(command_line, "WIDTH", WIDTH)
    ran = command_line.zhengku(installation.settings.environment, *COMMAND.split()[1:])
    assert ran.returncode == 0
    shown = example(project_home(), readme, COMMAND)
    assert without_times(ran.stdout.rstrip().split("\n")) == without_times(shown)

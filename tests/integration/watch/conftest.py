"""An installation whose catalogue knows the working days of years to come, whatever day it is."""

import shutil
from pathlib import Path

import pytest
from tests.support.installation import Installation, make_installation

from zhengku import clock


@pytest.fixture
def watched(tmp_path: Path, database_url: str, register_catalog: Path) -> Installation:
    folder = tmp_path / "catalog"
    shutil.copytree(register_catalog, folder)
    this_year = clock.today().year
    with (folder / "working_days.csv").open("a", encoding="utf-8") as file:
        file.writelines(f"{year}-12-31,yes,made up\n" for year in range(this_year, this_year + 3))
    return make_installation(tmp_path, database_url, folder)

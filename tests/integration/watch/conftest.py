"""An installation in which nothing is out of order by the day or the machine of the test."""

import shutil
from pathlib import Path

import pytest
from tests.support.calm_catalog import calm
from tests.support.installation import Installation, make_installation


@pytest.fixture
def watched(tmp_path: Path, database_url: str, register_catalog: Path) -> Installation:
    folder = tmp_path / "catalog"
    shutil.copytree(register_catalog, folder)
    calm(folder)
    return make_installation(tmp_path, database_url, folder)

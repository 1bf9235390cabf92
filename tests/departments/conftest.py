"""The fixtures of the departments' tests, those that `zhengku departments new` writes included."""

from pathlib import Path

import pytest
from tests.support.department_pipeline import DepartmentPipeline

from zhengku.settings import Settings, project_home


@pytest.fixture
def department_pipeline(tmp_path: Path, database_url: str) -> DepartmentPipeline:
    """The pipeline with the catalogue of this checkout, or the one that ZHENGKU_CATALOG_DIR names."""
    catalog = Settings.load().catalog_folder
    environment = {
        "ZHENGKU_DATABASE_URL": database_url,
        "ZHENGKU_LANDING_URL": str(tmp_path / "landing"),
        "ZHENGKU_REPORT_DIR": str(tmp_path / "reports"),
        "ZHENGKU_CATALOG_DIR": str(catalog),
    }
    return DepartmentPipeline(Settings(home=project_home(), environment=environment))

"""The DAGs, as Airflow reads them."""

from typing import Any

import pytest

from zhengku.settings import project_home


@pytest.fixture(scope="module")
def dags() -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(project_home() / "dags"))
    assert bag.import_errors == {}
    return bag.dags

"""A local stack that collects some feeds only, for tests of a real Airflow."""

import json
import re
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from local_stack import cluster, stack
from local_stack.airflow import AirflowApi
from local_stack.stack import LocalStack
from zhengku.settings import project_home

COMPONENTS: Final = ("api-server", "scheduler", "dag-processor")

# The day comes again in 2028: no run but those of the test.
NEVER: Final = "0 0 29 2 *"

NIGHT_SECONDS: Final = 900.0
"""For a machine that is busy with other things too."""

_FINISHED: Final = ("success", "failed")


def write_small_catalog(folder: Path, feeds: Mapping[str, Collection[str]], **changed: object) -> None:
    """Write the shipped catalogue with `feeds` by department alone.

    They are word by word as they are shipped, but for the schedule and what is `changed` in each department.
    """
    shipped = project_home() / "include" / "catalog"
    shutil.copytree(shipped, folder, ignore=shutil.ignore_patterns("departments"))
    (folder / "departments").mkdir()
    own = {"schedule": NEVER, **changed}
    for department, kept in feeds.items():
        text = (shipped / "departments" / f"{department}.yaml").read_text("utf-8")
        head, *blocks = re.split(r"^  (\w+):\n", text, flags=re.MULTILINE)
        head = re.sub(rf"^({'|'.join(own)}):.*\n", "", head, flags=re.MULTILINE)
        assert head.endswith("\nfeeds:\n"), department
        found = dict(zip(blocks[::2], blocks[1::2], strict=True))
        parts = [
            head.removesuffix("feeds:\n"),
            *(f"{key}: {json.dumps(value)}\n" for key, value in own.items()),
            "feeds:\n",
            *(f"  {feed}:\n{found[feed]}" for feed in kept),
        ]
        (folder / "departments" / f"{department}.yaml").write_text("".join(parts), encoding="utf-8")


class SmallCity(LocalStack):
    """A local stack whose catalogue has `feeds` by department alone; see `write_small_catalog`.

    `others` are shipped DAGs beside those of the departments.
    """

    def __init__(
        self, state: Path, feeds: Mapping[str, Collection[str]], others: Collection[str] = (), **changed: object
    ) -> None:
        super().__init__(project_home(), state, print)
        self.departments = sorted(feeds)
        self.others = others
        write_small_catalog(state / "catalog", feeds, **changed)
        (state / "dags").mkdir()
        for department in self.departments:
            (state / "dags" / f"{department}.py").write_text(self.dag_file(department), encoding="utf-8")
        for other in others:
            shutil.copy(self.home / "dags" / f"{other}.py", state / "dags")

    def dag_file(self, department: str) -> str:
        """Return the content of a department's DAG file: the shipped one."""
        return (self.home / "dags" / f"{department}.py").read_text("utf-8")

    def _our_settings(self) -> dict[str, str]:
        return {**super()._our_settings(), "ZHENGKU_CATALOG_DIR": str(self.state / "catalog")}

    def start(self) -> None:
        """Start all of it."""
        self.up(COMPONENTS)
        with self.api() as api:
            assert not api.import_errors(), api.import_errors()
            assert sorted(api.dags()) == sorted([*self.departments, *self.others])

    def query(self, database: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Carry out a statement in a database of the stack; return its rows, if it has any."""
        with psycopg.connect(self.postgres.url(database).replace("+psycopg", "")) as connection:
            result = connection.execute(statement.encode(), parameters or None)
            return result.fetchall() if result.description else []

    def stop(self) -> None:
        """Stop all of it."""
        self.down()

    def run(self, api: AirflowApi, run_id: str, departments: Collection[str]) -> list[str]:
        """Run the DAGs side by side; return those that failed."""
        for department in departments:
            api.trigger(department, run_id)
        states = dict.fromkeys(departments, "queued")
        deadline = time.monotonic() + NIGHT_SECONDS
        while waiting := [department for department, state in states.items() if state not in _FINISHED]:
            assert time.monotonic() < deadline, f"{run_id}: not finished after {NIGHT_SECONDS:.0f} s: {waiting}"
            time.sleep(1)
            states.update({department: api.run_state(department, run_id) for department in waiting})
        return sorted(department for department, state in states.items() if state == "failed")


@pytest.fixture(scope="session", autouse=True)
def room_for_two() -> Iterator[None]:
    """Give each stack a port of its own, and time: two that start at once would both find the usual port free."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stack, "USUAL_PORT", 0)
        for part in (stack, cluster):
            patch.setattr(part, "HEALTHY_SECONDS", 600.0)
        patch.setattr(stack, "PARSED_SECONDS", 300.0)
        patch.setattr(cluster, "INIT_SECONDS", 900.0)
        patch.setattr(cluster, "LOGINS_SECONDS", 600.0)
        yield


@contextmanager
def running(city: SmallCity) -> Iterator[None]:
    """Start a city, and stop it in the end."""
    with pytest.MonkeyPatch.context() as environment:
        # The stack asks the environment for the folder of its DAGs.
        environment.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(city.state / "dags"))
        try:
            city.start()
            yield
        finally:
            city.stop()

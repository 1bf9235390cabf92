"""The pools of the departments: `python -m zhengku_airflow.pools` writes them for `airflow pools import`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from zhengku.catalog.catalog import department_files, load_department
from zhengku.errors import CatalogError
from zhengku.settings import Settings


def department_pools(catalog_folder: Path, warn: Callable[[str], None]) -> dict[str, int]:
    """Return the slots of each pool. A department with a wrong file gets no pool, and `warn` gets the reason."""
    pools: dict[str, int] = {}
    for file in department_files(catalog_folder):
        try:
            department = load_department(catalog_folder, file.stem)
        except CatalogError as error:
            warn(f"no pool for {file.stem}: {error}")
        else:
            pools[department.pool.name] = department.pool.slots
            # One month at a time, so that the systems keep up with their daily work.
            pools[department.backfill_pool] = 1
    return pools


def main() -> None:
    """Write the pools to standard output, in the form that `airflow pools import` reads."""
    pools = department_pools(Settings.load().catalog_folder, lambda line: print(line, file=sys.stderr))
    listed = {
        name: {"slots": slots, "description": "named by a department's file", "include_deferred": False}
        for name, slots in pools.items()
    }
    print(json.dumps(listed))


if __name__ == "__main__":
    main()

"""The benchmarks still run, on few rows: nobody measures on every change, and what they call changes under them.

What they measure is not looked at. `first_load`, which fills the memory first, `exchange_rows`, which needs a MariaDB,
and `review` and `night`, which take minutes whatever the size, are left to `make bench`.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]

SMALL = {
    "clearance_workbook": ["--rows", "2000", "--rounds", "1"],
    "daily_clearance": ["--cases", "50000"],
    "evidence": ["--rows", "20000", "--rounds", "1"],
    "http_pages": ["--rows", "5000", "--rounds", "1"],
    "reconcile": ["--rows", "100000"],
    "second_register": ["--rows", "5000"],
    "stock": ["--rows", "20000"],
    "validation": ["--rows", "5000", "--rounds", "1"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_benchmark_runs_to_its_end(name: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *SMALL[name]],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": f"{PROJECT / 'include'}:{PROJECT}"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout

"""A second complete register of a type right after its first one, before the server has analysed or vacuumed the table.

`python -m benchmarks.second_register [--rows N]`; the server, an embedded PostgreSQL of its own, never does either. In
the second register one row in a hundred has changed, nine are written differently (a full-width blank), and one in a
thousand is missing.
"""

import argparse
import os
import platform
import shutil
import tempfile
from pathlib import Path

from benchmarks.first_load import deliver, fresh_database

from local_stack.postgres import EmbeddedPostgres
from simulator.business_licenses import write_register
from zhengku.settings import project_home

SETTINGS = {"autovacuum": "off", "max_wal_size": "8GB"}


def write_catalog(folder: Path) -> None:
    """Copy the shipped catalogue, with a feed whose every delivery is a complete register."""
    shutil.copytree(project_home() / "include" / "catalog", folder)
    path = folder / "departments" / "market_supervision.yaml"
    text = path.read_text(encoding="utf-8")
    assert "deliveries: increments" in text
    path.write_text(text.replace("deliveries: increments", "deliveries: snapshots", 1), encoding="utf-8")


def write_second(register: Path, path: Path) -> None:
    """Write the register as it is a day later."""
    with register.open(encoding="utf-8", newline="") as source, path.open("w", encoding="utf-8", newline="") as target:
        target.write(next(source))
        for number, line in enumerate(source):
            if number % 1000:
                changed = "（更名）" if number % 100 == 1 else "　" if number % 100 < 10 else ""
                target.write(line.replace(",", f"{changed},", 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {options.rows:,} rows")
    with tempfile.TemporaryDirectory(prefix="zhengku-bench-") as name:
        folder = Path(name)
        write_catalog(folder / "catalog")
        os.environ["ZHENGKU_CATALOG_DIR"] = str(folder / "catalog")
        register, second = folder / "register.csv", folder / "second.csv"
        write_register(register, options.rows, seed=1)
        write_second(register, second)
        server = EmbeddedPostgres(folder / "postgres", SETTINGS)
        server.start()
        try:
            url = fresh_database(server, "zhengku")
            for content, seconds_ago in ((register, 3600), (second, 1800)):
                figures = deliver(url, folder, content, content.name, seconds_ago)
                shown = " ".join(f"{step} {seconds:.1f}" for step, seconds in figures["seconds"].items())
                print(f"  {content.stem}: {shown}; {figures['counts']}", flush=True)
        finally:
            server.stop()
    print("  aim: the second takes no longer than the first, whatever statistics the server has of the table")


if __name__ == "__main__":
    main()

"""What rights, triggers and seals cost a night: a first load and 20,000 changed rows, with and without them, in turns.

Without: as the owner, in a database whose triggers are dropped. With: as the account of the pipeline, and then sealed
and verified. `make bench` runs it.
"""

import argparse
import platform
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import psycopg
from benchmarks.first_load import CHANGED, deliver, drop_database, fresh_database, plain, show, write_changed

from local_stack.postgres import EmbeddedPostgres
from simulator.business_licenses import write_register
from zhengku.accounts import ACCOUNTS, make_accounts
from zhengku.audit import close_evidence, verify
from zhengku.database import store_connection

_DROP_TRIGGERS = """
do $$
declare
    one record;
begin
    for one in select tgname, tgrelid::regclass as name from pg_trigger where tgname like 'refuse%' loop
        execute format('drop trigger %I on %s', one.tgname, one.name);
    end loop;
end
$$
"""


def _night(url: str, folder: Path, register: Path, changed: Path) -> float:
    """Load the register and the changed rows; return the seconds of both."""
    for name in ("drop", "landing"):
        shutil.rmtree(folder / name, ignore_errors=True)
    first = deliver(url, folder, register, "register.csv", 3600, is_whole=True)
    later = deliver(url, folder, changed, "changed.csv", 1800)
    return float(first["seconds"]["all"] + later["seconds"]["all"])


def _without(server: EmbeddedPostgres, folder: Path, register: Path, changed: Path) -> float:
    url = fresh_database(server, "without")
    with psycopg.connect(plain(url)) as connection:
        connection.execute(_DROP_TRIGGERS)
    seconds = _night(url, folder, register, changed)
    drop_database(server, "without")
    return seconds


def _with(server: EmbeddedPostgres, folder: Path, register: Path, changed: Path) -> tuple[float, float, float]:
    """Return the seconds of the night, of its seal, and of the verification."""
    url = fresh_database(server, "with")
    with store_connection(url) as connection:
        make_accounts(connection, {account: server.password(account) for account in ACCOUNTS})
        # The measuring process writes all dirty pages before each side.
        connection.execute("grant pg_checkpoint to zhengku_pipeline")
    small = server.url("with", "zhengku_pipeline")
    seconds = _night(small, folder, register, changed)
    # A seal ends a second before it is made.
    time.sleep(1.1)
    with store_connection(small) as connection:
        started = time.perf_counter()
        seal = close_evidence(connection)
        sealed = time.perf_counter() - started
        assert seal is not None
        assert seal.sealed_rows >= min(CHANGED, 1)
        started = time.perf_counter()
        assert verify(connection) == []
        verified = time.perf_counter() - started
    drop_database(server, "with")
    return seconds, sealed, verified


def main() -> None:
    """Measure, and print one line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{arguments.rows:,} rows, then {CHANGED:,} changed ones; {platform.platform()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="zhengku-bench-") as name:
        folder = Path(name)
        register, changed = folder / "register.csv", folder / "changed.csv"
        write_register(register, arguments.rows, seed=1)
        write_changed(register, changed, arguments.rows, "变更")
        server = EmbeddedPostgres(folder / "postgres")
        server.start()
        try:
            without, nights, seals, checks = [], [], [], []
            for _ in range(arguments.rounds):
                without.append(_without(server, folder, register, changed))
                night, sealed, verified = _with(server, folder, register, changed)
                nights.append(night)
                seals.append(sealed)
                checks.append(verified)
                print(f"  {without[-1]:.2f} s without, {night:.2f} s with, {sealed:.2f} s seal", flush=True)
            show("without", without)
            show("with accounts and triggers", nights)
            show("seal", seals)
            show("verification", checks)
            ratios = [(a + b) / c for a, b, c in zip(nights, seals, without, strict=True)]
            show("with and sealed : without", ratios, "")
            print(f"  a night costs {statistics.median(ratios) - 1:+.1%}")
        finally:
            server.stop()


if __name__ == "__main__":
    main()

"""The local stack: PostgreSQL, the store's schema, made-up departments, and Airflow, started and stopped together.

All that it writes is in one folder, `var/` of the project unless another is chosen.
"""

import importlib.metadata
import os
import socket
import subprocess
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg

from local_stack.airflow import COMPONENTS, AirflowApi, AirflowHome, command
from local_stack.city import MadeUpCity
from local_stack.postgres import EmbeddedPostgres
from local_stack.private_file import write_private
from local_stack.processes import BackgroundProgram, stop_programs
from zhengku.accounts import ACCOUNTS, make_accounts
from zhengku.database import store_connection
from zhengku.errors import StoreUnavailable, ZhengkuError
from zhengku_airflow.pools import department_pools

STORE_DATABASE = "zhengku"
AIRFLOW_DATABASE = "airflow"
USUAL_PORT = 8080
HEALTHY_SECONDS = 120.0
PARSED_SECONDS = 30.0

Progress = Callable[[str], None]


class LocalStack:
    """One local stack: `home` is the project, `state` the folder that it writes to, `progress` gets a line per step."""

    def __init__(self, home: Path, state: Path | None = None, progress: Progress = lambda line: None) -> None:
        self.home = home
        self.state = (state or home / "var").absolute()
        self.airflow = AirflowHome(home, self.state)
        self.postgres = EmbeddedPostgres(self.state / "postgres")
        self._progress = progress
        self._programs = {name: BackgroundProgram(name, self.state / "run", self.state / "log") for name in COMPONENTS}
        simulator = BackgroundProgram("simulator", self.state / "run", self.state / "log")
        self.city = MadeUpCity(self.state / "simulator", self.postgres, simulator)

    # ---- what a user needs to know

    @property
    def address(self) -> str:
        """Where the pages are, once the stack is up."""
        return f"http://127.0.0.1:{self._port()}"

    def logins(self) -> dict[str, str]:
        """Return each login with its password."""
        return self.airflow.passwords()

    def api(self) -> AirflowApi:
        """Return Airflow's API, as its administrator."""
        return AirflowApi(self.address, "admin", self.logins()["admin"])

    def running(self) -> dict[str, bool]:
        """Return for PostgreSQL and every component whether it runs."""
        return {
            "postgres": self.postgres.is_running(),
            "simulator": self.city.program.process() is not None,
            **{name: program.process() is not None for name, program in self._programs.items()},
        }

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Return the processes of each of Airflow's components, the main one first; tasks belong to the scheduler."""
        return {name: program.family() for name, program in self._programs.items()}

    def environment(self) -> dict[str, str]:
        """Return the environment of every process of the stack, with PostgreSQL's current address.

        Settings of the caller for another installation are removed: a demo may never write to a real store.
        """
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW__", "AIRFLOW_HOME", "AIRFLOW_CONFIG", "ZHENGKU_"))
        }
        return {
            **inherited,
            **self.airflow.settings(self.postgres.url(AIRFLOW_DATABASE), self._port()),
            **self._our_settings(),
        }

    # ---- up and down

    def up(self, components: Collection[str] = tuple(COMPONENTS)) -> set[str]:
        """Start what does not run yet, and return its names once all is healthy and the DAG files were read.

        Raises `ZhengkuError` with the end of the log of what did not start.
        """
        for folder in ("run", "log", "airflow", "landing", "reports"):
            (self.state / folder).mkdir(parents=True, exist_ok=True)
        # A program writes its log with the rights of any file.
        (self.state / "log").chmod(0o700)
        before = {name for name, runs in self.running().items() if runs}
        if not {"postgres", "simulator"} <= before:
            # Running components cannot find a restarted database or department, which gets another port.
            self._stop_components()
            before &= {"postgres"}
        if "postgres" not in before:
            self._progress("starting PostgreSQL")
            self.postgres.start()
        if "simulator" not in before:
            self._progress("starting the made-up departments")
            stop_programs([self.city.program])
            self.city.start(os.environ)
        self._write_local_settings()
        self._migrate()
        wanted = [name for name in components if name not in before]
        if wanted:
            self._progress(f"starting Airflow: {', '.join(wanted)}")
            if "api-server" in wanted:
                self._choose_port()
            environment = self.environment()
            for name in wanted:
                # Processes that an earlier, killed component left would work in parallel with the new one.
                stop_programs([self._programs[name]])
                self._programs[name].start(command(*COMPONENTS[name]), {**environment, **self._settings_of(name)})
        self._wait_until_healthy(components)
        self._make_pools()
        self._wait_until_parsed()
        return {"postgres", "simulator", *components} - before

    def down(self, only: Collection[str] | None = None) -> None:
        """Stop the components and then PostgreSQL, or only those in `only`; does nothing when nothing runs."""
        self._stop_components(only)
        if only is None or "simulator" in only:
            stop_programs([self.city.program])
        if only is None or "postgres" in only:
            self.postgres.stop()

    def _stop_components(self, only: Collection[str] | None = None) -> None:
        stop_programs(program for name, program in self._programs.items() if only is None or name in only)

    # ---- settings

    def _our_settings(self) -> dict[str, str]:
        return {
            "ZHENGKU_HOME": str(self.home),
            "ZHENGKU_DATABASE_URL": self.postgres.url(STORE_DATABASE, "zhengku_pipeline"),
            "ZHENGKU_LANDING_URL": str(self.state / "landing"),
            "ZHENGKU_REPORT_DIR": str(self.state / "reports"),
            **self.city.connections(),
        }

    def _settings_of(self, component: str) -> dict[str, str]:
        """Return what differs for one component: the pages have an account of the database that reads and asks."""
        pages = self.postgres.url(STORE_DATABASE, "zhengku_pages")
        return {"ZHENGKU_DATABASE_URL": pages} if component == "api-server" else {}

    def _write_local_settings(self) -> None:
        """Write `local.env`, which points `zhengku` on the command line at this stack; other variables in it stay."""
        path = self.state / "local.env"
        ours = {name: value for name, value in self._our_settings().items() if name != "ZHENGKU_HOME"}
        # For `zhengku db upgrade` alone.
        ours["ZHENGKU_OWNER_DATABASE_URL"] = self.postgres.url(STORE_DATABASE)
        existing = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        lines = [line for line in existing if line.partition("=")[0].strip() not in ours]
        lines += [f"{name}={value}" for name, value in ours.items()]
        # It contains the password of the database.
        write_private(path, "".join(f"{line}\n" for line in lines))

    @property
    def _port_file(self) -> Path:
        return self.state / "run" / "api-server.port"

    def _port(self) -> int:
        try:
            return int(self._port_file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return USUAL_PORT

    def _choose_port(self) -> None:
        """Keep the last port or the usual one, unless another program uses it."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            for port in (self._port(), USUAL_PORT, 0):
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
                self._port_file.write_text(str(probe.getsockname()[1]), encoding="ascii")
                return

    # ---- databases

    def _migrate(self) -> None:
        """Migrate both databases to the newest schema, in parallel."""
        for name in (STORE_DATABASE, AIRFLOW_DATABASE):
            self.postgres.create_database(name)
        with ThreadPoolExecutor(2) as pool:
            for step in (pool.submit(self._migrate_airflow), pool.submit(self._migrate_store)):
                step.result()

    def _migrate_store(self) -> None:
        from zhengku.database import upgrade

        upgrade(self.postgres.url(STORE_DATABASE))
        self._make_accounts()

    def _make_accounts(self) -> None:
        with store_connection(self.postgres.url(STORE_DATABASE)) as connection:
            make_accounts(connection, {account: self.postgres.password(account) for account in ACCOUNTS})

    def _migrate_airflow(self) -> None:
        # `airflow` itself needs ten seconds to find out that there is nothing to do.
        marker = self.airflow.folder / "migrated"
        version = importlib.metadata.version("apache-airflow-core")
        revision = self._airflow_revision()
        if revision and marker.is_file() and marker.read_text(encoding="ascii") == f"{version} {revision}":
            return
        self._progress("making the schema of Airflow's own database")
        log = self.state / "log" / "airflow-migrate.log"
        with log.open("wb") as output:
            migrated = subprocess.run(
                command("db", "migrate"),
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if migrated.returncode:
            raise StoreUnavailable(
                f"`airflow db migrate` failed with status {migrated.returncode}; the end of {log}:\n"
                + "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
            )
        marker.write_text(f"{version} {self._airflow_revision()}", encoding="ascii")

    def _airflow_revision(self) -> str | None:
        with psycopg.connect(self.postgres.url(AIRFLOW_DATABASE).replace("+psycopg", "")) as connection:
            try:
                row = connection.execute("select version_num from alembic_version").fetchone()
            except psycopg.errors.UndefinedTable:
                return None
        return str(row[0]) if row else None

    # ---- waiting

    def _wait_until_healthy(self, components: Collection[str]) -> None:
        deadline = time.monotonic() + HEALTHY_SECONDS
        with self.api() as api:
            while True:
                signs = api.health()
                late = []
                for name in components:
                    process = self._programs[name].process()
                    if process is None:
                        raise ZhengkuError(self._end_of_log(name, "ended right after its start"))
                    # The last heartbeat of a killed predecessor counts as healthy for half a minute.
                    part = "metadatabase" if name == "api-server" else name.replace("-", "_")
                    if signs.get(part, 0.0) < process.create_time():
                        late.append(name)
                if not late:
                    return
                if time.monotonic() > deadline:
                    raise ZhengkuError(self._end_of_log(late[0], f"is not healthy after {HEALTHY_SECONDS:.0f} s"))
                time.sleep(0.25)

    def _make_pools(self) -> None:
        """Create the pool that each department's file names: a task in a pool that does not exist waits for ever."""
        pools = department_pools(self.home / "include" / "catalog", self._progress)
        with self.api() as api:
            for name, slots in pools.items():
                api.set_pool(name, slots)

    def _wait_until_parsed(self) -> None:
        """Wait until every DAG file was parsed or found wrong, at most `PARSED_SECONDS`: a file may define no DAG."""
        expected = {file.name for file in self.airflow.dags_folder.glob("*.py") if _may_define_a_dag(file)}
        deadline = time.monotonic() + PARSED_SECONDS
        with self.api() as api:
            while True:
                known = {*api.dags().values(), *api.import_errors()}
                if expected <= known:
                    return
                if time.monotonic() > deadline:
                    self._progress(
                        f"no DAG came from {', '.join(sorted(expected - known))} in {PARSED_SECONDS:.0f} s; "
                        f"see {self._programs['dag-processor'].log}"
                    )
                    return
                time.sleep(0.25)

    def _end_of_log(self, name: str, what: str) -> str:
        program = self._programs[name]
        return f"Airflow's {name} {what}; the end of {program.log}:\n" + "\n".join(program.last_lines(15))


def _may_define_a_dag(file: Path) -> bool:
    """Return whether Airflow will parse the file, by Airflow's own rule: both words occur in it."""
    content = file.read_bytes().lower()
    return b"dag" in content and b"airflow" in content

"""`docker-compose.yml` as processes of this machine: PostgreSQL, Redis, Airflow with a queue, two workers, a simulator.

Commands, environment and health checks are those of the file. The differences are listed in `DIFFERING` (values that
are replaced), `DIFFERING_ARGUMENTS`, `ADDED` (names that the file does not have) and `ADDED_ARGUMENTS`, and nowhere
else. The one server of PostgreSQL is both `postgres` and `simulator-database`. The files of secrets are in a folder of
the cluster instead of `/run/secrets`. What a container confines (rights, memory, networks) is not imitated.
"""

import functools
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from ruamel.yaml import YAML

from local_stack.postgres import SUPERUSER
from local_stack.private_file import write_private
from local_stack.processes import BackgroundProgram, stop_programs
from local_stack.stack import AIRFLOW_DATABASE, STORE_DATABASE, LocalStack, Progress
from zhengku.accounts import ACCOUNTS
from zhengku.errors import ConfigurationError, ZhengkuError

PROGRAMS = {
    "api-server": "api-server",
    "scheduler": "scheduler",
    "dag-processor": "dag-processor",
    "triggerer": "triggerer",
    "worker-1": "worker",
    "worker-2": "worker",
}
"""Each process that runs Airflow, and the service of `docker-compose.yml` that it represents."""

DIFFERING = {
    "ZHENGKU_HOME": "the checkout",
    "ZHENGKU_DATABASE_URL": "host, port and account of the database",
    "ZHENGKU_DATABASE_PASSWORD_FILE": "folder of the secrets",
    "ZHENGKU_LANDING_URL": "folder",
    "ZHENGKU_REPORT_DIR": "folder",
    "AIRFLOW_HOME": "folder",
    "AIRFLOW__API__BASE_URL": "port",
    "AIRFLOW__API__PORT": "port: on one machine another program may have the usual one",
    "AIRFLOW__API__SECRET_KEY_CMD": "folder of the secrets",
    "AIRFLOW__API_AUTH__JWT_SECRET_CMD": "folder of the secrets",
    "AIRFLOW__CELERY__BROKER_URL_CMD": "folder of the secrets, host and port of Redis",
    "AIRFLOW__CORE__DAGS_FOLDER": "folder",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "host and port",
    "AIRFLOW__CORE__FERNET_KEY_CMD": "folder of the secrets",
    "AIRFLOW__CORE__PLUGINS_FOLDER": "folder",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": "folder of the secrets, host, port and account of the database",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC_CMD": "the same",
    "AIRFLOW__FAB__CONFIG_FILE": "folder",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER": "folder",
    "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": "folder",
    "SIMULATOR_DATABASE_URL": "host, port and account of the database",
    "SIMULATOR_DATABASE_PASSWORD_FILE": "folder of the secrets",
    "SIMULATOR_FOLDER": "folder",
    "SIMULATOR_HOST": "host",
}
"""Variables of the file that have another value here, and what is different."""

DIFFERING_ARGUMENTS = {
    "redis": {"-ec": "folder of the secrets"},
    "simulator": {
        "--folder": "folder",
        "--host": "this machine only",
        "--port": "any free one: on one machine another program may have the usual one",
        "--sftp-port": "the same",
        "--known-as": "host",
    },
}
"""Options of the file's commands that have another value here, and what is different."""

ADDED = {
    "AIRFLOW__API__HOST": "this machine only; Docker publishes a port instead",
    "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__GLOBAL_KEYPREFIX": "the Redis of this machine may serve others too",
    "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": "two workers share one network",
    "ZHENGKU_WORKER_NAME": "two workers share one host name",
    "ZHENGKU_CONN_*": "departments.env of the workers",
    "NO_PROXY": "a proxy of the machine cannot reach our own 127.0.0.1",
    "no_proxy": "the same",
}
"""Variables that the file does not have, and why they are needed here."""

ADDED_ARGUMENTS = {
    "redis": "port, address and folder",
    "worker": "--celery-hostname: two workers share one host name",
}
"""Services whose command has further arguments here, after those of the file."""

ROLES = {
    "admin": "Admin",
    "viewer": "Viewer",
    "section": "section",
    "data_section": "data_section",
    "hall_echeng": "hall_echeng",
}
"""Login and role; in production, logins are created by `airflow users create`."""

SECRETS = "/run/secrets"
"""Where containers have the files of secrets."""

USUAL_REDIS = "redis://127.0.0.1:6379/0"
HEALTHY_SECONDS = 180.0
INIT_SECONDS = 300.0
LOGINS_SECONDS = 120.0
REDIS_SECONDS = 20.0

# ${NAME}, ${NAME:-default}, ${NAME:?message}, and $$ for one $.
_VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}|(?P<wrong>))")


def read_services(file: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the services of a Compose file, with `variables` inserted as Compose does it.

    `${NAME}`, `${NAME:-default}`, `${NAME:?message}` and `$$` are supported. Raises `ConfigurationError` for any other
    text that starts with `$`, and for a variable that has neither value nor default.
    """
    content = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    services: dict[str, Any] = _interpolate(content["services"], variables, file.name)
    return services


def _interpolate(node: Any, variables: Mapping[str, str], place: str) -> Any:
    if isinstance(node, dict):
        return {key: _interpolate(value, variables, f"{place}: {key}") for key, value in node.items()}
    if isinstance(node, list):
        return [_interpolate(value, variables, place) for value in node]
    if not isinstance(node, str):
        return node

    def value_of(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        if match["wrong"] is not None:
            raise ConfigurationError(
                f"{place}: expected ${{NAME}}, ${{NAME:-default}}, ${{NAME:?message}} or $$ at a $"
            )
        value = variables.get(match["name"], "")
        if value or (match["kind"] is None and match["name"] in variables):
            return value
        if match["kind"] == "-":
            return match["rest"]
        raise ConfigurationError(
            f"{place}: {match['name']} is not set" + (f": {match['rest']}" if match["rest"] else "")
        )

    return _VARIABLE.sub(value_of, node)


class Cluster(LocalStack):
    """One local cluster: `home` is the project, `state` the folder that it writes to (`var/cluster` of the project).

    `variables` are those of `.env`, and override what this machine chooses. The Redis on the usual port is used when it
    answers without a password, with a key prefix of this cluster; with `own_redis`, or when none answers, a Redis is
    started from the installed `redis-server`.
    """

    def __init__(
        self,
        home: Path,
        state: Path | None = None,
        progress: Progress = lambda line: None,
        variables: Mapping[str, str] | None = None,
        *,
        own_redis: bool = False,
    ) -> None:
        super().__init__(home, state or home / "var" / "cluster", progress)
        self._programs = {name: BackgroundProgram(name, self.state / "run", self.state / "log") for name in PROGRAMS}
        self._redis = BackgroundProgram("redis", self.state / "run", self.state / "log")
        self._own_redis = own_redis
        self._given = dict(variables or {})

    # ---- the file, and what differs

    def variables(self) -> dict[str, str]:
        """Return what `.env` has in production, with sizes for one machine."""
        return {
            "ZHENGKU_SECRETS_GID": str(os.getgid()),
            # Without TLS on 127.0.0.1; a browser would not send the cookie.
            "ZHENGKU_COOKIE_SECURE": "False",
            "ZHENGKU_INSTANCE_NAME": "证库 · 本机",
            # Two workers share the machine.
            "ZHENGKU_WORKER_CONCURRENCY": "2",
            "ZHENGKU_PARALLELISM": "4",
            **self._given,
        }

    @functools.cached_property
    def services(self) -> dict[str, Any]:
        """The services of `docker-compose.yml`, with this machine's variables and folder of secrets inserted."""
        services = read_services(self.home / "docker-compose.yml", self.variables())
        here: dict[str, Any] = json.loads(json.dumps(services).replace(SECRETS, json.dumps(str(self.secrets))[1:-1]))
        return here

    @property
    def secrets(self) -> Path:
        """Folder of the files of secrets."""
        return self.state / "secrets"

    def _write_secrets(self) -> None:
        """Write the files that docker/make-secrets.sh makes in production; PostgreSQL runs."""
        keys = self.airflow.keys()
        password = urlsplit(self.postgres.url("postgres")).password
        self.secrets.mkdir(mode=0o700, exist_ok=True)
        for name, secret in {
            # One server, whose one account owns both databases.
            **dict.fromkeys(("airflow_database_password", "zhengku_owner_password"), password),
            **{f"{account}_password": self.postgres.password(account) for account in ACCOUNTS},
            "simulator_database_password": password,
            "redis_password": keys["session"],
            "airflow_fernet_key": keys["fernet"],
            "airflow_jwt_secret": keys["jwt"],
            "airflow_session_secret": keys["session"],
        }.items():
            write_private(self.secrets / name, str(secret))

    def command(self, program: str) -> list[str]:
        """Return the command line of a program of `PROGRAMS`, of `init`, `redis` or `simulator`."""
        service = PROGRAMS.get(program, program)
        line = [str(word) for word in self.services[service]["command"]]
        if service == "worker":
            line += ["--celery-hostname", _worker_name(program)]
        if service == "simulator":
            values = {
                "--folder": str(self.city.places.folder),
                "--host": "127.0.0.1",
                "--port": "0",
                "--sftp-port": "0",
                "--known-as": "localhost",
            }
            line = [values.get(option, word) for option, word in zip(["", *line], line, strict=False)]
        if service == "redis":
            line += ["--port", str(self._stored_port("redis")), "--bind", "127.0.0.1", "--dir", str(self._redis_folder)]
        return line

    def settings(self, program: str) -> dict[str, str]:
        """Return a program's environment without the variables that every process of this machine has."""
        service = PROGRAMS.get(program, program)
        settings = {name: str(value) for name, value in self.services[service]["environment"].items()}
        differing = self._differing(program, settings)
        settings.update({name: value for name, value in differing.items() if name in settings})
        settings.update(self._added(program))
        return settings

    def environment(self, program: str = "init") -> dict[str, str]:
        """Return the complete environment of one program; its PATH finds `airflow`, `zhengku` and `python`."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW__", "AIRFLOW_HOME", "AIRFLOW_CONFIG", "ZHENGKU_", "SIMULATOR_"))
        }
        path = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)])
        return {**inherited, "PATH": path, **self.settings(program)}

    def _differing(self, program: str, written: Mapping[str, str]) -> dict[str, str]:
        if program == "redis":
            return {}
        if program == "simulator":
            return {
                "SIMULATOR_DATABASE_URL": self._without_password("postgres"),
                "SIMULATOR_FOLDER": str(self.city.places.folder),
                "SIMULATOR_HOST": "127.0.0.1",
            }
        address = self.address
        place = f"://{SUPERUSER}:%s@127.0.0.1:{self.postgres.port}/{AIRFLOW_DATABASE}"
        connections = {
            name: written[name].replace("://airflow:%s@postgres:5432/airflow", place)
            for name in ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC_CMD")
        }
        return {
            "ZHENGKU_HOME": str(self.home),
            "ZHENGKU_DATABASE_URL": self._without_password(
                STORE_DATABASE, urlsplit(written.get("ZHENGKU_DATABASE_URL", "")).username
            ),
            "ZHENGKU_LANDING_URL": str(self.state / "landing"),
            "ZHENGKU_REPORT_DIR": str(self.state / "reports"),
            "AIRFLOW_HOME": str(self.airflow.folder / program),
            "AIRFLOW__API__BASE_URL": address,
            "AIRFLOW__API__PORT": str(self._port()),
            "AIRFLOW__CELERY__BROKER_URL_CMD": written.get("AIRFLOW__CELERY__BROKER_URL_CMD", "").replace(
                "redis://:%s@redis:6379/0", self._broker()
            ),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.airflow.dags_folder),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.home / "plugins"),
            **connections,
            "AIRFLOW__FAB__CONFIG_FILE": str(self.home / "include" / "zhengku_airflow" / "fab_config.py"),
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.airflow.task_log_folder),
            "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(self.state / "log" / "dag_files"),
        }

    def _without_password(self, database: str, account: str | None = SUPERUSER) -> str:
        return f"postgresql+psycopg://{account}@127.0.0.1:{self.postgres.port}/{database}"

    def _broker(self) -> str:
        """Return the address of the queue with `%s` for the password, of which a Redis of somebody else has none."""
        url = self.redis_url()
        password = urlsplit(url).password
        return url.replace(password, "%s") if password else f"{url}%.0s"

    def _added(self, program: str) -> dict[str, str]:
        if program in ("redis", "simulator"):
            return {}
        added = {
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__GLOBAL_KEYPREFIX": self._key_prefix,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }
        if PROGRAMS.get(program) == "worker":
            added["AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT"] = str(self._stored_port(program))
            added["ZHENGKU_WORKER_NAME"] = _worker_name(program)
            added.update(
                (name, value) for name, value in self._our_settings().items() if name.startswith("ZHENGKU_CONN_")
            )
        return added

    # ---- up and down

    def running(self) -> dict[str, bool]:
        """Return for PostgreSQL, Redis, the simulator and every program whether it runs."""
        return {
            "postgres": self.postgres.is_running(),
            "redis": self._redis_answers(),
            "simulator": self.city.program.process() is not None,
            **{name: program.process() is not None for name, program in self._programs.items()},
        }

    def up(self, components: Collection[str] = tuple(PROGRAMS)) -> set[str]:
        """Start what does not run yet, and return its names once all is healthy and the DAG files were read.

        Raises `ZhengkuError` with the end of the log of what did not start.
        """
        before = {name for name, runs in self.running().items() if runs}
        servers = {"postgres", "redis", "simulator"}
        if not servers <= before:
            # Running programs cannot find a restarted database, queue or department, which gets another port.
            self._stop_components()
            before &= servers
        self.start_servers()
        self._write_local_settings()
        wanted = [name for name in components if name not in before]
        if "api-server" in wanted:
            self._choose_port()
        for name in wanted:
            # Processes that an earlier, killed program left would work in parallel with the new one.
            stop_programs([self._programs[name]])
            if PROGRAMS[name] == "worker":
                self._choose_stored_port(name)
        if wanted:
            self._init()
            self._make_logins()
            self._progress(f"starting {', '.join(wanted)}")
            for name in wanted:
                (self.airflow.folder / name).mkdir(exist_ok=True)
                self._programs[name].start(self.command(name), self.environment(name))
        self._wait_until_healthy(components)
        self._wait_until_parsed()
        return {*servers, *components} - before

    def start_servers(self) -> None:
        """Start PostgreSQL and the simulator, and find or start Redis; does nothing when they run."""
        for folder in ("run", "log", "airflow", "landing", "reports", "redis"):
            (self.state / folder).mkdir(parents=True, exist_ok=True)
        # A program writes its log with the rights of any file.
        (self.state / "log").chmod(0o700)
        self.airflow.passwords()
        if not self.postgres.is_running():
            self._progress("starting PostgreSQL")
            self.postgres.start()
        self._write_secrets()
        if not self._redis_answers():
            self._find_redis()
        if self.city.program.process() is None:
            self._progress("starting the made-up departments")
            stop_programs([self.city.program])
            self.city.start(self.environment("simulator"), self.command("simulator"))

    def down(self, only: Collection[str] | None = None) -> None:
        """Stop the programs, the simulator, Redis if it is ours, and then PostgreSQL; or only those in `only`."""
        self._stop_components(only)
        if only is None or "simulator" in only:
            stop_programs([self.city.program])
        if only is None or "redis" in only:
            self._leave_redis()
        if only is None or "postgres" in only:
            self.postgres.stop()

    def program(self, name: str) -> BackgroundProgram:
        """Return one of `PROGRAMS` as a process."""
        return self._programs[name]

    def _init(self) -> None:
        """Run the service `init`: both schemas, the pools, and the roles."""
        for name in (STORE_DATABASE, AIRFLOW_DATABASE):
            self.postgres.create_database(name)
        self._progress("bringing both databases to the newest schema, and making pools and roles")
        (self.airflow.folder / "init").mkdir(exist_ok=True)
        log = self.state / "log" / "init.log"
        with log.open("wb") as output:
            done = subprocess.run(
                self.command("init"),
                env=self.environment("init"),
                cwd=self.state / "run",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=INIT_SECONDS,
                check=False,
            )
        if done.returncode:
            raise ZhengkuError(
                f"The service init failed with status {done.returncode}; the end of {log}:\n"
                + "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
            )
        # In production docker/databases.sh makes them, before the schema.
        self._make_accounts()

    def _make_logins(self) -> None:
        """Create the logins of `ROLES`; an existing login keeps its password."""
        marker = self.airflow.folder / "logins"
        passwords = self.airflow.passwords()
        if marker.is_file():
            return
        self._progress("making the logins")
        made = subprocess.run(
            [sys.executable, "-m", "local_stack.logins"],
            input=json.dumps({login: (role, passwords[login]) for login, role in ROLES.items()}),
            env=self.environment("init"),
            cwd=self.state / "run",
            capture_output=True,
            text=True,
            timeout=LOGINS_SECONDS,
            check=False,
        )
        if made.returncode:
            raise ZhengkuError(
                f"The logins were not made (status {made.returncode}):\n" + "\n".join(made.stderr.splitlines()[-15:])
            )
        marker.touch()

    def _wait_until_healthy(self, components: Collection[str]) -> None:
        """Run the health checks of the file until all succeed."""
        deadline = time.monotonic() + HEALTHY_SECONDS
        late = list(components)
        while late:
            for name in late:
                if self._programs[name].process() is None:
                    raise ZhengkuError(self._end_of_log(name, "ended right after its start"))
            with ThreadPoolExecutor(2) as pool:
                late = [
                    name for name, healthy in zip(late, pool.map(self.is_healthy, late), strict=True) if not healthy
                ]
            if late and time.monotonic() > deadline:
                raise ZhengkuError(self._end_of_log(late[0], f"is not healthy after {HEALTHY_SECONDS:.0f} s"))
            if late:
                time.sleep(1)

    def is_healthy(self, program: str) -> bool:
        """Run the health check that the file has for the service of a program of `PROGRAMS`, or for `simulator`."""
        service = PROGRAMS.get(program, program)
        kind, *line = self.services[service]["healthcheck"]["test"]
        if kind != "CMD":
            raise ConfigurationError(f"docker-compose.yml: healthcheck of {service}: expected CMD, got {kind}")
        asked = subprocess.run(
            line,
            env=self.environment(program),
            cwd=self.state / "run",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return asked.returncode == 0

    # ---- Redis

    @property
    def _key_prefix(self) -> str:
        return f"zhengku:{self.airflow.keys()['session'][:8]}:"

    @property
    def _redis_folder(self) -> Path:
        return self.state / "redis"

    @property
    def _redis_url_file(self) -> Path:
        return self.state / "run" / "redis.url"

    def redis_url(self) -> str:
        """Address of the queue. Raises `ZhengkuError` while the cluster has none."""
        try:
            return self._redis_url_file.read_text(encoding="ascii")
        except OSError as error:
            raise ZhengkuError("The cluster has no queue: start it with `make cluster`.") from error

    def _redis_answers(self) -> bool:
        return self._redis_url_file.is_file() and _answers(self.redis_url())

    def _find_redis(self) -> None:
        """Use the Redis of this machine, or start one."""
        if not self._own_redis and _answers(USUAL_REDIS):
            self._progress("using the Redis on port 6379, with a prefix before all keys")
            write_private(self._redis_url_file, USUAL_REDIS)
            return
        environment = os.environ.get("PATH", os.defpath)
        if not any((Path(folder) / "redis-server").is_file() for folder in environment.split(os.pathsep)):
            raise ConfigurationError(
                "No queue: no Redis answers on 127.0.0.1:6379 without a password, and there is no redis-server on the "
                "PATH to start one. Install redis-server (package redis-server), or start your Redis."
            )
        stop_programs([self._redis])
        self._choose_stored_port("redis")
        self._progress("starting Redis")
        self._redis.start(self.command("redis"), self.environment("redis"))
        password = (self.secrets / "redis_password").read_text(encoding="ascii")
        url = f"redis://:{password}@127.0.0.1:{self._stored_port('redis')}/0"
        deadline = time.monotonic() + REDIS_SECONDS
        while not _answers(url):
            if self._redis.process() is None or time.monotonic() > deadline:
                raise ZhengkuError(
                    f"Redis did not start; the end of {self._redis.log}:\n" + "\n".join(self._redis.last_lines(10))
                )
            time.sleep(0.1)
        write_private(self._redis_url_file, url)

    def _leave_redis(self) -> None:
        """Stop our own Redis; in a Redis of somebody else, delete the keys with our prefix."""
        if self._redis.process() is None and self._redis_answers():
            with redis.Redis.from_url(self.redis_url()) as client:
                for key in client.scan_iter(match=f"{self._key_prefix}*", count=1000):
                    client.delete(key)
        stop_programs([self._redis])
        self._redis_url_file.unlink(missing_ok=True)

    # ---- ports

    def _stored_port(self, name: str) -> int:
        try:
            return int((self.state / "run" / f"{name}.port").read_text(encoding="ascii"))
        except FileNotFoundError:
            self._choose_stored_port(name)
            return self._stored_port(name)

    def _choose_stored_port(self, name: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (self.state / "run" / f"{name}.port").write_text(str(port), encoding="ascii")


def _worker_name(program: str) -> str:
    return f"{program}@127.0.0.1"


def _answers(url: str) -> bool:
    """Return whether a Redis at an address accepts our commands."""
    try:
        with redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False

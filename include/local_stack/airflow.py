"""Airflow for one machine: its settings, its secrets, and the few calls of its API that the local stack needs."""

import base64
import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import httpx

from local_stack.private_file import write_private
from zhengku import clock
from zhengku.errors import ZhengkuError
from zhengku_airflow.passwords import password_weakness

COMPONENTS = {
    "api-server": ("api-server",),
    # The API server reads the log files itself: nothing has to serve them.
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
"""Name of each component and the arguments of `airflow` that start it."""

USERS = {"admin": "admin", "viewer": "viewer", "section": "op", "data_section": "user", "hall_echeng": "viewer"}
"""Login and role of the simple auth manager; zhengku_airflow/pages_host.py maps them to the roles of our pages."""


def command(*arguments: str) -> list[str]:
    """Return the command line that runs `airflow` with the interpreter that runs us."""
    return [sys.executable, "-m", "airflow", *arguments]


@dataclass(frozen=True)
class AirflowHome:
    """Airflow's own folder of one local stack: `home` is the project, `state` the folder that the stack writes to."""

    home: Path
    state: Path

    @property
    def folder(self) -> Path:
        """AIRFLOW_HOME."""
        return self.state / "airflow"

    @property
    def task_log_folder(self) -> Path:
        """Logs of the tasks, a folder for each DAG, run, task and try."""
        return self.state / "log" / "tasks"

    @property
    def dags_folder(self) -> Path:
        """Folder of the DAG files: `AIRFLOW__CORE__DAGS_FOLDER`, else the project's."""
        return Path(os.environ.get("AIRFLOW__CORE__DAGS_FOLDER") or self.home / "dags")

    def passwords(self) -> dict[str, str]:
        """Return the password of each login of `USERS`, generated at the first call and stored."""
        return _stored_secrets(self.password_file, dict.fromkeys(USERS, _new_password))

    @property
    def password_file(self) -> Path:
        """Where Airflow's login reads the passwords."""
        return self.folder / "passwords.json"

    def keys(self) -> dict[str, str]:
        """Return `fernet`, `jwt` and `session`, generated at the first call and stored."""
        return _stored_secrets(
            self.folder / "secrets.json",
            {
                "fernet": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii"),
                "jwt": lambda: secrets.token_hex(32),
                "session": lambda: secrets.token_hex(32),
            },
        )

    def settings(self, database_url: str, port: int) -> dict[str, str]:
        """Return Airflow's settings as environment variables; the API server is to listen on `port` of 127.0.0.1."""
        self.passwords()
        keys = self.keys()
        address = f"http://127.0.0.1:{port}"
        return {
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__API__BASE_URL": address,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__INSTANCE_NAME": "证库 · 本机",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__SECRET_KEY": keys["session"],
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt"],
            "AIRFLOW__CORE__AUTH_MANAGER": (
                "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
            ),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags_folder),
            "AIRFLOW__CORE__DEFAULT_TIMEZONE": "Asia/Shanghai",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__FERNET_KEY": keys["fernet"],
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.home / "plugins"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.password_file),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{login}:{role}" for login, role in USERS.items()),
            # By default new files are found every five minutes, which is long for somebody who writes a DAG.
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
            # A changed file is read at once; reading all others every half minute, as by default, keeps a core busy.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
            # With psycopg 3 Airflow's own query of the graphs fails.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url.replace("+psycopg:", "+psycopg2:", 1),
            # Airflow would choose asyncpg, which is not installed.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": database_url,
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.task_log_folder),
            "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
            "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(self.state / "log" / "dag_files"),
            "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o640",
            "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o750",
            "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "great_expectations=WARNING",
            # By default a finished task is noticed up to five seconds late.
            "AIRFLOW__OPENLINEAGE__DISABLE_SOURCE_CODE": "True",
            "AIRFLOW__OPENLINEAGE__EXTRACTORS": "zhengku_airflow.lineage.StepExtractor",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            # Each task is a new process: from this server it inherits what otherwise takes it seconds to import.
            "AIRFLOW__SCHEDULER__MP_START_METHOD": "forkserver",
            "AIRFLOW__SCHEDULER__MP_FORKSERVER_PRELOAD": (
                "airflow,airflow.executors.local_executor,great_expectations,zhengku.pipeline.pipeline,zhengku.validate.run"
            ),
            "GX_ANALYTICS_ENABLED": "false",
            # A proxy of the machine cannot reach our own 127.0.0.1.
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "PYTHONUNBUFFERED": "1",
            "PYTHONUTF8": "1",
        }


def _new_password() -> str:
    """Return a random password that keeps the rules of logins."""
    while password_weakness(password := secrets.token_urlsafe(12)):
        pass
    return password


def _stored_secrets(path: Path, makers: dict[str, Callable[[], str]]) -> dict[str, str]:
    """Read a JSON file of secrets, after adding the missing ones; only this account may read it."""
    stored: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    lacking = {name: make() for name, make in makers.items() if name not in stored}
    if lacking:
        path.parent.mkdir(parents=True, exist_ok=True)
        stored.update(lacking)
        write_private(path, json.dumps(stored))
    return stored


@dataclass(frozen=True)
class TaskState:
    """The state of one task of a run; `name` is what the grid shows."""

    task_id: str
    map_index: int
    name: str
    state: str
    try_number: int


class AirflowApi:
    """The API of a running Airflow, as one of its logins. Use it as a context manager."""

    def __init__(self, address: str, login: str, password: str) -> None:
        self.address = address
        self._credentials = {"username": login, "password": password}
        # A machine that is busy with a first start answers late.
        self._client = httpx.Client(base_url=address, timeout=60, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def health(self) -> dict[str, float]:
        """Return the last heartbeat of each healthy part in seconds since 1970; empty while the API does not answer.

        The database has no heartbeat: its time is now.
        """
        try:
            answer = self._client.get("/api/v2/monitor/health", timeout=5)
            answer.raise_for_status()
            parts: dict[str, dict[str, str | None]] = answer.json()
        except (httpx.HTTPError, ValueError):
            return {}
        signs: dict[str, float] = {}
        for name, part in parts.items():
            if part.get("status") == "healthy":
                sign = part.get(f"latest_{name}_heartbeat")
                signs[name] = datetime.fromisoformat(sign).timestamp() if sign else clock.now().timestamp()
        return signs

    def import_errors(self) -> dict[str, str]:
        """Return the DAG files that could not be imported, each with the last line of its error."""
        return {
            Path(entry["filename"]).name: entry["stack_trace"].strip().rpartition("\n")[2]
            for entry in self._pages("importErrors", "import_errors")
        }

    def dags(self) -> dict[str, str]:
        """Return the DAGs that were read, each with its file's name."""
        return {entry["dag_id"]: Path(entry["fileloc"]).name for entry in self._pages("dags", "dags")}

    def is_paused(self, dag_id: str) -> bool:
        """Return whether the DAG is paused."""
        return bool(self._call("GET", f"dags/{dag_id}")["is_paused"])

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run the DAG."""
        self._call("PATCH", f"dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str, run_id: str, logical_date: datetime | None = None) -> None:
        """Start a run of a DAG, with `logical_date` where it is given."""
        moment = logical_date.isoformat() if logical_date else None
        self._call("POST", f"dags/{dag_id}/dagRuns", {"logical_date": moment, "dag_run_id": run_id})

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return `queued`, `running`, `success` or `failed`."""
        return str(self._call("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])

    def active_runs(self) -> set[tuple[str, str]]:
        """Return DAG and id of every run that has not finished."""
        return {
            (entry["dag_id"], entry["dag_run_id"])
            for entry in self._pages("dags/~/dagRuns?state=queued&state=running", "dag_runs")
        }

    def set_pool(self, name: str, slots: int) -> None:
        """Create a pool with so many slots, or change the pool of this name."""
        if any(pool["name"] == name for pool in self._pages("pools", "pools")):
            self._call(
                "PATCH", f"pools/{name}?update_mask=slots", {"pool": name, "slots": slots, "include_deferred": False}
            )
        else:
            self._call("POST", "pools", {"name": name, "slots": slots})

    def task_states(self, dag_id: str, run_id: str) -> list[TaskState]:
        """Return the tasks of a run, mapped ones one by one."""
        return [
            TaskState(
                task_id=entry["task_id"],
                map_index=entry["map_index"],
                # Until it runs, Airflow names a mapped task by its number.
                name=f"{entry['task_display_name']} {entry['rendered_map_index']}"
                if entry.get("rendered_map_index") not in (None, str(entry["map_index"]))
                else entry["task_display_name"],
                state=entry["state"] or "waiting",
                try_number=entry["try_number"],
            )
            for entry in self._pages(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances")
        ]

    def _pages(self, path: str, key: str) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            answer = self._call("GET", f"{path}{'&' if '?' in path else '?'}limit=100&offset={offset}")
            yield from answer[key]
            offset += len(answer[key])
            if not answer[key] or offset >= answer["total_entries"]:
                return

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            if "Authorization" not in self._client.headers:
                login = self._client.post("/auth/token", json=self._credentials)
                login.raise_for_status()
                self._client.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
            answer = self._client.request(method, f"/api/v2/{path}", json=body)
            answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            raise ZhengkuError(
                f"Airflow's API at {self.address} refused {error.request.method} {error.request.url.path}: "
                f"{error.response.status_code} {error.response.text[:300]}"
            ) from error
        except httpx.HTTPError as error:
            raise ZhengkuError(f"Airflow's API at {self.address} does not answer {method} {path}: {error!r}") from error
        content: dict[str, Any] = answer.json()
        return content

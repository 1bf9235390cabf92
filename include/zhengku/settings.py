"""Settings of one installation: environment variables, and `var/local.env` for those that are not set.

`make demo` and `make up` write `var/local.env` for the embedded database; a real deployment sets the environment.
A secret may be in a file: `ZHENGKU_<NAME>_FILE` names a file with the value of `ZHENGKU_<NAME>`.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote, urlsplit

from zhengku.errors import ConfigurationError

CARRIED_FOLDER = Path(__file__).resolve().parent / "carried"
"""A wheel has copies of the folders named in `setup.py` here, such as `sql/`; a checkout has no such folder."""


def release_folder() -> Path:
    """Return the folder that has `sql/`, `expectations/`, `include/catalog/` and `docs/runbooks/` of this release."""
    return CARRIED_FOLDER if CARRIED_FOLDER.is_dir() else Path(__file__).resolve().parents[2]


def sql_folder() -> Path:
    """Return the folder of statements, functions and migrations. It is always the release's: they are code."""
    return release_folder() / "sql"


def project_home() -> Path:
    """Return the folder of `expectations/` and `include/catalog/`: `ZHENGKU_HOME`, by default that of the release."""
    return Path(os.environ.get("ZHENGKU_HOME") or release_folder())


def _writable_folder(home: Path) -> Path:
    """Return the folder that an installation writes to; the files of a wheel are read only."""
    return (Path.cwd() if home == CARRIED_FOLDER else home) / "var"


def _sqlalchemy_address(variable: str, url: str) -> str:
    if not url.startswith(("postgresql://", "postgresql+psycopg://")):
        raise ConfigurationError(
            f"{variable}: expected postgresql://… or postgresql+psycopg://…, got {url.split(':', 1)[0]}:…"
        )
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def with_secret_files(environment: Mapping[str, str], prefix: str = "ZHENGKU_") -> dict[str, str]:
    """Return variables with the values that files have: `<NAME>_FILE` becomes `<NAME>`, for names with the prefix.

    An address `<NAME>_URL` without a password then gets the one of `<NAME>_PASSWORD`, whatever characters it has.
    Raises `ConfigurationError` when a file is missing, empty or open to other accounts, or when both are set.
    """
    values = dict(environment)
    for variable, path in environment.items():
        name = variable.removesuffix("_FILE")
        if not variable.startswith(prefix) or name == variable or not path:
            continue
        if values.get(name):
            raise ConfigurationError(f"{name} and {variable} are both set: expected one of them. Remove {name}.")
        values[name] = read_secret(Path(path), variable)
    for variable, address in values.items():
        password = values.get(f"{variable.removesuffix('_URL')}_PASSWORD")
        if variable.startswith(prefix) and variable.endswith("_URL") and password and "://" in address:
            values[variable] = _with_password(variable, address, password)
    return values


def read_secret(path: Path, variable: str) -> str:
    """Return the secret in a file, without the line break at its end; `variable` is the setting that names the file.

    Other accounts may not read or write it: its mode is 0600, or 0640 with a group of its own.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        secret = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(
            f"{variable}: expected a file with a secret that account {os.geteuid()} may read, got {path}: {reason}. "
            'Make the file (docs/deployment.md, "Secrets"), or correct the path.'
        ) from error
    if mode & 0o027:
        raise ConfigurationError(
            f"{variable}: expected mode 0600 or 0640, got {mode:04o}: others may use {path}. Run chmod 0600 {path}."
        )
    if not secret.strip():
        raise ConfigurationError(f"{variable}: expected a secret, got an empty file: {path}. Write the secret to it.")
    return secret


def _with_password(variable: str, address: str, password: str) -> str:
    try:
        parts = urlsplit(address)
        host = parts.netloc.rpartition("@")[2]
        _ = parts.port
    except ValueError as error:
        raise ConfigurationError(
            f"{variable}: expected an address such as postgresql://user@host:5432/name, got one that cannot be read: "
            "check its host and port."
        ) from error
    if parts.password or not parts.username:
        return address
    return parts._replace(netloc=f"{parts.username}:{quote(password, safe='')}@{host}").geturl()


@dataclass(frozen=True)
class Settings:
    """The settings of one installation: `environment` holds the variables that `Settings.load` read."""

    home: Path
    environment: dict[str, str]

    @classmethod
    def load(cls) -> "Settings":
        """Read `var/local.env` (lines of NAME=value), the environment, which takes precedence, and files of secrets.

        Raises `ConfigurationError` for a file of a secret that cannot be used.
        """
        home = project_home()
        values: dict[str, str] = {}
        local = _writable_folder(home) / "local.env"
        if local.is_file():
            for line in local.read_text(encoding="utf-8").splitlines():
                name, separator, value = line.partition("=")
                if separator and not name.lstrip().startswith("#"):
                    values[name.strip()] = value.strip()
        if os.environ.get("ZHENGKU_DATABASE_URL"):
            # The two addresses are of one database: `zhengku db upgrade` must not go to another one.
            values.pop("ZHENGKU_OWNER_DATABASE_URL", None)
        values.update(os.environ)
        return cls(home=home, environment=with_secret_files(values))

    @cached_property
    def database_url(self) -> str:
        """SQLAlchemy address of the license store (`ZHENGKU_DATABASE_URL`).

        Raises `ConfigurationError` when it is not set.
        """
        url = self.environment.get("ZHENGKU_DATABASE_URL", "")
        if not url:
            raise ConfigurationError(
                "No database: ZHENGKU_DATABASE_URL is not set and there is no var/local.env. "
                "Set it to postgresql://user:password@host:5432/name, or run `make up` for the embedded server."
            )
        return _sqlalchemy_address("ZHENGKU_DATABASE_URL", url)

    @property
    def owner_database_url(self) -> str:
        """Address of the store for the account that owns the schema (`ZHENGKU_OWNER_DATABASE_URL`).

        Where it is not set, `database_url`. Only `zhengku db` uses it.
        """
        return _sqlalchemy_address(
            "ZHENGKU_OWNER_DATABASE_URL", self.environment.get("ZHENGKU_OWNER_DATABASE_URL") or self.database_url
        )

    def account_password(self, account: str) -> str | None:
        """Return the password for an account of the database (`ZHENGKU_PIPELINE_PASSWORD` and so on); None if unset."""
        return self.environment.get(f"{account.upper()}_PASSWORD") or None

    @cached_property
    def landing_url(self) -> str:
        """Where raw deliveries are stored: a folder or any fsspec address (`ZHENGKU_LANDING_URL`)."""
        return self.environment.get("ZHENGKU_LANDING_URL") or str(_writable_folder(self.home) / "landing")

    @cached_property
    def report_folder(self) -> Path:
        """Folder of reports (`ZHENGKU_REPORT_DIR`)."""
        return Path(self.environment.get("ZHENGKU_REPORT_DIR") or _writable_folder(self.home) / "reports")

    @cached_property
    def return_folder(self) -> Path:
        """Folder of the unmasked files that are returned to departments (`ZHENGKU_RETURN_DIR`)."""
        return Path(self.environment.get("ZHENGKU_RETURN_DIR") or self.report_folder / "returns")

    @cached_property
    def task_log_folder(self) -> Path | None:
        """Folder of Airflow's logs of tasks (`ZHENGKU_TASK_LOG_DIR`, else Airflow's own setting); None if unknown."""
        names = ("ZHENGKU_TASK_LOG_DIR", "AIRFLOW__LOGGING__BASE_LOG_FOLDER")
        found = next((self.environment[name] for name in names if self.environment.get(name)), None)
        return None if found is None else Path(found)

    @cached_property
    def catalog_folder(self) -> Path:
        """Folder of the catalogue (`ZHENGKU_CATALOG_DIR`)."""
        return Path(self.environment.get("ZHENGKU_CATALOG_DIR") or self.home / "include" / "catalog")

    @cached_property
    def suite_folder(self) -> Path:
        """Folder of the Great Expectations suites (`ZHENGKU_EXPECTATIONS_DIR`)."""
        return Path(self.environment.get("ZHENGKU_EXPECTATIONS_DIR") or self.home / "expectations")

    @property
    def runbook_folder(self) -> Path:
        """Folder of the runbooks that the pages show: those of the release."""
        return release_folder() / "docs" / "runbooks"

    def connection(self, connection_id: str) -> str:
        """Return the address of a source (`ZHENGKU_CONN_<ID>`) by the connection id that the catalogue has.

        Addresses may hold passwords, so they are never in the catalogue. Raises `ConfigurationError` when unset.
        """
        name = f"ZHENGKU_CONN_{connection_id.upper()}"
        address = self.environment.get(name, "")
        if not address:
            raise ConfigurationError(
                f"Connection {connection_id!r} has no address: set {name} (a folder, sftp://…, https://id:secret@…, "
                "or a database's address)."
            )
        return address

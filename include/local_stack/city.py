"""The made-up departments of a local stack: their interfaces, exchange databases and drops."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import psycopg

from local_stack.processes import BackgroundProgram
from simulator.city import City, write_truth
from simulator.databases import create_database
from simulator.model import Night, TablePlace
from simulator.publish import HTTP_PORT_FILE, Places, connections, publish
from simulator.service_sources import SERVICE_SYSTEMS
from simulator.services import Collection, with_services
from simulator.sources import SYSTEMS
from zhengku.errors import ZhengkuError

READY_SECONDS = 30.0
FAULT_RATE = 0.03
"""Share of requests that get a fault, to show that the collection works in spite of faults."""
CARELESS = 0.25
"""Share of systems that deliver wrong rows: about two rows of a hundred in all, and not in every type."""

ALL_SYSTEMS = (*SYSTEMS, *SERVICE_SYSTEMS)
"""The systems of certificates, and those of cases and evaluations."""


class DatabaseServer(Protocol):
    """A database server; `url` returns addresses as SQLAlchemy takes them."""

    def url(self, database: str) -> str:
        """Return the address of a database of this name, whether it exists or not."""


class MadeUpCity:
    """The departments' systems, below `folder`; their exchange databases are on `postgres`."""

    def __init__(self, folder: Path, postgres: DatabaseServer, program: BackgroundProgram) -> None:
        self._folder = folder
        self._postgres = postgres
        self.program = program

    @property
    def places(self) -> Places:
        """Where the systems are."""
        return Places(
            self._folder,
            {name: self._postgres.url(f"zhengku_sim_{name}") for name in self._departments_with_database()},
        )

    @property
    def drop_folder(self) -> Path:
        """The drop of 市市场监督管理局, where a person can put a file by hand."""
        return self._folder / "drop" / "market_supervision"

    def start(self, environment: Mapping[str, str], command: Sequence[str] | None = None) -> None:
        """Create the missing databases, and start the servers; raises `ZhengkuError` with the end of their log.

        `command` replaces the usual command line, `python -m simulator serve …`.
        """
        self.make_places()
        (self._folder / HTTP_PORT_FILE).unlink(missing_ok=True)
        serve = ["-m", "simulator", "serve", "--folder", str(self._folder), "--faults", str(FAULT_RATE)]
        self.program.start(command or [sys.executable, *serve], environment)
        deadline = time.monotonic() + READY_SECONDS
        # The servers write this file last.
        while not (self._folder / HTTP_PORT_FILE).is_file():
            if self.program.process() is None or time.monotonic() > deadline:
                raise ZhengkuError(
                    f"The made-up departments did not start; the end of {self.program.log}:\n"
                    + "\n".join(self.program.last_lines(15))
                )
            time.sleep(0.1)

    def make_places(self) -> None:
        """Create the missing folders and exchange databases."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.drop_folder.mkdir(parents=True, exist_ok=True)
        with psycopg.connect(self._postgres.url("postgres").replace("+psycopg", "")) as connection:
            there = {name for (name,) in connection.execute("select datname from pg_database")}
        for name in self._departments_with_database():
            if f"zhengku_sim_{name}" not in there:
                create_database(self._postgres.url("postgres"), name)

    def connections(self, host: str = "127.0.0.1") -> dict[str, str]:
        """Return the environment that points the catalogue at the systems; empty while they do not run.

        `host` is the name by which the collecting side reaches the interfaces and SFTP.
        """
        if not (self._folder / HTTP_PORT_FILE).is_file():
            return {}
        return connections(self.places, ALL_SYSTEMS, host)

    def pass_night(self, rows: int, seed: int) -> tuple[Night, Collection]:
        """Publish the next night in the systems, write its truth next to them, and return it.

        `rows` is the number of certificates of a feed; the collection has the cases and evaluations of the night. With
        other `rows` or another `seed` the city starts with its first night.
        """
        record = self._folder / "nights.json"
        begun = json.loads(record.read_text(encoding="ascii")) if record.is_file() else {}
        same = (begun.get("rows"), begun.get("seed")) == (rows, seed)
        number = begun["nights"] + 1 if same else 1
        *_, (night, collection) = with_services(City(seed, rows, nights=number, mishaps=False, careless=CARELESS))
        publish(night, self.places)
        write_truth(night, self._folder)
        record.write_text(json.dumps({"rows": rows, "seed": seed, "nights": number}), encoding="ascii")
        return night, collection

    @staticmethod
    def _departments_with_database() -> list[str]:
        return sorted({system.department for system in ALL_SYSTEMS if isinstance(system.place, TablePlace)})

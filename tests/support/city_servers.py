"""A made-up city on real servers, beside an installation that collects from it."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.installation import OWNER_URL
from tests.support.temporary_database import as_account

from simulator.databases import create_database, drop_database
from simulator.faults import Faults
from simulator.model import SourceSystem, TablePlace
from simulator.publish import Places, connections
from simulator.serve import Servers
from simulator.sources import SYSTEMS
from zhengku.settings import Settings, project_home


@dataclass(frozen=True)
class Surroundings:
    """Where the city's systems are, and the environment by which they are found."""

    places: Places
    environment: dict[str, str]
    servers: Servers


@contextmanager
def surroundings(
    folder: Path,
    exchange_servers: Sequence[str],
    systems: Sequence[SourceSystem] = SYSTEMS,
    faults: Faults | None = None,
) -> Iterator[Surroundings]:
    """Start the departments' servers; the exchange databases lie on `exchange_servers` in turn."""
    with ExitStack() as stack:
        databases = {}
        for department in sorted({s.department for s in systems if isinstance(s.place, TablePlace)}):
            server = exchange_servers[len(databases) % len(exchange_servers)]
            url = create_database(server, f"zhengku_sim_{department}_{secrets.token_hex(3)}")
            stack.callback(drop_database, url)
            databases[department] = url
        places = Places(folder, databases)
        servers = stack.enter_context(Servers(folder, faults=faults, slow_seconds=0.2))
        yield Surroundings(places, connections(places, systems), servers)


def settings_of(folder: Path, database_url: str, environment: dict[str, str]) -> Settings:
    """Return the settings of an installation under `folder`."""
    return Settings(
        home=project_home(),
        environment={
            "ZHENGKU_DATABASE_URL": as_account(database_url, "zhengku_pipeline"),
            OWNER_URL: database_url,
            "ZHENGKU_LANDING_URL": str(folder / "landing"),
            "ZHENGKU_REPORT_DIR": str(folder / "reports"),
            **environment,
        },
    )

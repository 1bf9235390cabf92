"""The made-up departments of docker-compose.yml: `python -m local_stack.departments night`, and `… connections`.

Run it in the service `simulator`, whose environment says where the systems are: SIMULATOR_FOLDER,
SIMULATOR_DATABASE_URL (with a user who may create databases; SIMULATOR_DATABASE_PASSWORD_FILE names the file of the
password) and SIMULATOR_HOST (its name for the workers).
"""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from local_stack.city import MadeUpCity
from local_stack.processes import BackgroundProgram
from zhengku.errors import ZhengkuError
from zhengku.settings import with_secret_files


@dataclass(frozen=True)
class GivenServer:
    """A PostgreSQL server that runs elsewhere; `address` is that of any of its databases."""

    address: str

    def url(self, database: str) -> str:
        """Return the address of a database of this name, whether it exists or not."""
        return sa.make_url(self.address).set(database=database).render_as_string(hide_password=False)


def main() -> None:
    """Publish a night, or print the lines of departments.env, which contain passwords."""
    parser = argparse.ArgumentParser(prog="python -m local_stack.departments", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    night = commands.add_parser("night", help="publish the next night in the systems")
    night.add_argument("--rows", type=int, default=400, help="certificates of each feed on the first night")
    night.add_argument("--seed", type=int, default=1)
    commands.add_parser("connections", help="print ZHENGKU_CONN_<ID>=<address>, a line each")
    given = parser.parse_args()

    environment = with_secret_files(os.environ, "SIMULATOR_")
    folder = Path(environment["SIMULATOR_FOLDER"])
    server = GivenServer(environment["SIMULATOR_DATABASE_URL"])
    city = MadeUpCity(folder, server, BackgroundProgram("simulator", folder, folder))
    if given.command == "night":
        city.make_places()
        passed, _ = city.pass_night(given.rows, given.seed)
        sys.stdout.write(f"night {passed.number} has passed; its truth is in {folder / 'truth'}\n")
        return
    found = city.connections(environment["SIMULATOR_HOST"])
    if not found:
        raise ZhengkuError(f"The made-up departments do not run: {folder} has no port of theirs. Start the simulator.")
    sys.stdout.write("".join(f"{name}={value}\n" for name, value in found.items()))


if __name__ == "__main__":
    main()

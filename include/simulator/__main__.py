"""The made-up city: `python -m simulator nights …` publishes nights, `… serve …` runs the departments' servers."""

import argparse
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

from simulator import serve
from simulator.business_licenses import write_file_drop, write_register
from simulator.city import City, write_truth
from simulator.model import TablePlace
from simulator.publish import Places, publish
from simulator.services import with_services


def main() -> None:
    """Read the command line and run one command."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    drop = commands.add_parser("business-licenses", help="a file drop with clean and dirty rows, all made up")
    drop.add_argument("folder", type=Path)
    drop.add_argument("--rows", type=int, default=400)
    drop.add_argument("--seed", type=int, default=1)
    drop.add_argument("--with-rejected", action="store_true", help="a third file that lacks a column")
    drop.add_argument("--truth", type=Path, metavar="FOLDER", help="write truth.json there")
    register = commands.add_parser("register", help="a large clean register for benchmarks")
    register.add_argument("file", type=Path)
    register.add_argument("--rows", type=int, default=1_000_000)
    register.add_argument("--seed", type=int, default=1)
    register.add_argument("--template", type=Path, metavar="CSV", help="register whose scopes and addresses to take")
    serve.add_arguments(commands.add_parser("serve", help="run the departments' interfaces and SFTP server"))
    nights = commands.add_parser("nights", help="nights of the whole city: what its systems show, and their truth")
    nights.add_argument("--folder", type=Path, required=True, help="gets systems/, drop/, sftp/ and truth/")
    nights.add_argument("--seed", type=int, default=1)
    nights.add_argument("--rows", type=int, default=400, help="certificates of each feed on the first night")
    nights.add_argument("--first-day", type=date.fromisoformat, default=date(2026, 1, 5), help="in the past")
    nights.add_argument("--nights", type=int, default=1)
    nights.add_argument(
        "--database",
        action="append",
        default=[],
        metavar="DEPARTMENT=URL",
        help="exchange database to fill; departments without one are left out",
    )
    given = parser.parse_args()
    if given.command == "serve":
        serve.run(given)
    elif given.command == "nights":
        let_nights_pass(given)
    elif given.command == "register":
        write_register(given.file, given.rows, given.seed, given.template)
    else:
        write_file_drop(
            given.folder, given.rows, given.seed, with_rejected=given.with_rejected, truth_folder=given.truth
        )


def let_nights_pass(given: argparse.Namespace) -> None:
    """Publish the nights one after the other, and write the truth of each."""
    places = Places(given.folder, dict(entry.split("=", 1) for entry in given.database))
    city = City(given.seed, given.rows, given.first_day, given.nights)
    for night, _ in with_services(city):
        there = [
            delivery
            for delivery in night.deliveries
            if not isinstance(delivery.system.place, TablePlace) or delivery.system.department in places.databases
        ]
        night = replace(night, deliveries=tuple(there))
        publish(night, places)
        write_truth(night, given.folder)
        rows = sum(len(delivery.rows) for delivery in night.deliveries)
        sys.stdout.write(f"night {night.number}, {night.day}: {len(night.deliveries)} feeds, {rows} rows to read\n")


if __name__ == "__main__":
    main()

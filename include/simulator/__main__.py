"""Make a department's files: `python -m simulator business-licenses FOLDER` or `… register FILE`."""

import argparse
from pathlib import Path

from simulator.business_licenses import write_file_drop, write_register


def main() -> None:
    """Read the command line and write the files."""
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
    given = parser.parse_args()
    if given.command == "register":
        write_register(given.file, given.rows, given.seed, given.template)
    else:
        write_file_drop(
            given.folder, given.rows, given.seed, with_rejected=given.with_rejected, truth_folder=given.truth
        )


if __name__ == "__main__":
    main()

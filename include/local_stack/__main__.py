"""`python -m local_stack up|down|status|demo`: what `make up`, `make down` and `make demo` call."""

import argparse
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from local_stack.demo import ROWS, SEED, run_demo
from local_stack.stack import LocalStack
from zhengku.errors import ZhengkuError
from zhengku.settings import project_home

NOT_RUNNING = 3
"""Exit status of `status` when something does not run."""


def main() -> None:
    """Run one command; an error is told on one line, with exit status 1."""
    parser = argparse.ArgumentParser(
        prog="local_stack", description="PostgreSQL and Airflow as processes of this machine."
    )
    parser.add_argument(
        "--state", type=Path, help="folder for all that the stack writes (default: var/ of the project)"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start everything and leave it running")
    commands.add_parser("down", help="stop everything")
    commands.add_parser("status", help="tell what runs")
    demo = commands.add_parser("demo", help="run made-up licenses through the whole road")
    demo.add_argument("--rows", type=int, default=ROWS)
    demo.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()

    begin = time.monotonic()

    def progress(line: str) -> None:
        print(f"{time.monotonic() - begin:5.0f} s  {line}", flush=True)

    # Ended like Ctrl-C, so that a demo stops what it started.
    signal.signal(signal.SIGTERM, _interrupt)
    stack = LocalStack(project_home(), arguments.state, progress)
    try:
        match arguments.command:
            case "up":
                stack.up()
                _print_welcome(stack)
            case "down":
                stack.down()
                print("stopped: Airflow and PostgreSQL")
            case "status":
                running = stack.running()
                for name, runs in running.items():
                    print(f"{name:14} {'running' if runs else 'stopped'}")
                sys.exit(0 if all(running.values()) else NOT_RUNNING)
            case "demo":
                run_demo(stack, progress, arguments.rows, arguments.seed)
    except ZhengkuError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _print_welcome(stack: LocalStack) -> None:
    print(f"\nAirflow     {stack.address}   (its language is the browser's; 简体中文 is in the menu of the user, too)")
    for login, password in stack.logins().items():
        print(f"login       {login} / {password}")
    print(f"file drop   {stack.drop_folder}")
    print(f"logs        {stack.state / 'log'}")
    print("next        make status, make down; `zhengku` on the command line uses the same store")
    with stack.api() as api:
        for file, error in api.import_errors().items():
            print(f"broken DAG  {file}: {error}")


if __name__ == "__main__":
    main()

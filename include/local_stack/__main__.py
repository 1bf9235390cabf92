"""`python -m local_stack up|down|status|demo|cluster`: what `make up`, `make demo`, `make cluster` and others call."""

import argparse
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from local_stack.cluster import Cluster
from local_stack.demo import ROWS, SEED, run_demo
from local_stack.stack import LocalStack
from zhengku.errors import ZhengkuError
from zhengku.settings import project_home

NOT_RUNNING = 3
"""Exit status of `status` when something does not run."""


def main() -> None:
    """Run one command; an error is printed on one line, with exit status 1."""
    parser = argparse.ArgumentParser(
        prog="local_stack", description="PostgreSQL and Airflow as processes of this machine."
    )
    parser.add_argument(
        "--state", type=Path, help="folder for all that the stack writes (default: var/ of the project)"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start everything and leave it running")
    commands.add_parser("down", help="stop everything")
    commands.add_parser("status", help="show what runs")
    cluster = commands.add_parser(
        "cluster", help="the services of docker-compose.yml as processes: Celery, two workers"
    )
    cluster.add_argument("action", choices=("up", "down", "status"))
    cluster.add_argument("--own-redis", action="store_true", help="start a Redis even if one answers on port 6379")
    demo = commands.add_parser("demo", help="run a night of all made-up departments through all steps")
    demo.add_argument("--rows", type=int, default=ROWS)
    demo.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()

    started = time.monotonic()

    def progress(line: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {line}", flush=True)

    # Handled like Ctrl-C, so that a demo stops what it started.
    signal.signal(signal.SIGTERM, _interrupt)
    stack: LocalStack
    if arguments.command == "cluster":
        stack = Cluster(project_home(), arguments.state, progress, own_redis=arguments.own_redis)
        action = arguments.action
    else:
        stack = LocalStack(project_home(), arguments.state, progress)
        action = arguments.command
    try:
        match action:
            case "up":
                stack.up()
                _print_welcome(stack)
            case "down":
                stack.down()
                print(f"stopped: {', '.join(stack.running())}")
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
    print(f"departments {stack.city.places.folder}   (made up; 市市场监督管理局's drop is {stack.city.drop_folder})")
    print(f"logs        {stack.state / 'log'}")
    if isinstance(stack, Cluster):
        print(f"settings    {stack.state / 'local.env'} holds those that `zhengku` on the command line needs")
        print("next        make cluster-status, make cluster-down")
    else:
        print("next        make status, make down; `zhengku` on the command line uses the same store")
    with stack.api() as api:
        for file, error in api.import_errors().items():
            print(f"broken DAG  {file}: {error}")


if __name__ == "__main__":
    main()

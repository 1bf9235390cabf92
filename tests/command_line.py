"""The command line `zhengku`, run in this process: a process of its own needs seconds for its imports alone."""

import io
import os
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess
from unittest import mock

from zhengku.cli.main import backfill as backfill_cli
from zhengku.cli.main import clearance as clearance_cli
from zhengku.cli.main import history as history_cli
from zhengku.cli.main import main as cli
from zhengku.cli.main import reconcile as reconcile_cli
from zhengku.cli.main import review as review_cli
from zhengku.cli.main import rules as rules_cli
from zhengku.cli.main import stock as stock_cli

WIDTH = 400
"""Columns of the terminal: wide enough that no cell is cut."""


def zhengku(environment: Mapping[str, str], *arguments: str) -> CompletedProcess[str]:
    """Run `zhengku` with its arguments and environment; return its exit status and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        mock.patch.dict(os.environ, environment),
        mock.patch("sys.argv", ["zhengku", *arguments]),
        mock.patch.object(cli, "out", cli.Console(width=WIDTH)),
        mock.patch.object(cli, "err", cli.Console(width=WIDTH, stderr=True)),
        mock.patch.object(clearance_cli, "out", cli.Console(width=WIDTH)),
        mock.patch.object(backfill_cli, "out", cli.Console(width=WIDTH)),
        mock.patch.object(stock_cli, "out", cli.Console(width=WIDTH)),
        mock.patch.object(history_cli, "out", cli.Console(width=WIDTH)),
        mock.patch.object(rules_cli, "out", cli.Console(width=WIDTH)),
        mock.patch.object(review_cli, "out", cli.Console(width=WIDTH)),
        mock.patch.object(reconcile_cli, "out", cli.Console(width=WIDTH)),
        mock.patch.object(rules_cli, "err", cli.Console(width=WIDTH, stderr=True)),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
    status = code if isinstance(code, int) else 0 if code is None else 1
    return CompletedProcess(["zhengku", *arguments], status, out.getvalue(), err.getvalue())

"""The command line `zhengku`, run in this process: a process of its own needs seconds for its imports alone."""

import io
import os
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess
from unittest import mock

from zhengku.cli import common, main

WIDTH = 400
"""Columns of the terminal: wide enough that no cell is cut."""


def zhengku(environment: Mapping[str, str], *arguments: str) -> CompletedProcess[str]:
    """Run `zhengku` with its arguments and environment; return its exit status and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        mock.patch.dict(os.environ, environment),
        mock.patch("sys.argv", ["zhengku", *arguments]),
        mock.patch.object(common.out, "_width", WIDTH),
        mock.patch.object(common.err, "_width", WIDTH),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main.main()
        except SystemExit as end:
            code = end.code
    status = code if isinstance(code, int) else 0 if code is None else 1
    return CompletedProcess(["zhengku", *arguments], status, out.getvalue(), err.getvalue())

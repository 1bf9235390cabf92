"""Programs of the local stack: they outlive their starter, and nothing of them stays behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from local_stack.processes import BackgroundProgram, lives, stop_programs

# A parent that has a child, as the scheduler has its tasks; `deaf` ones heed no request to end.
PARENT = """
import signal, subprocess, sys, time
if sys.argv[1] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("child", child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def program(tmp_path: Path) -> BackgroundProgram:
    return BackgroundProgram("parent", tmp_path, tmp_path)


def start(program: BackgroundProgram, manner: str = "heeding") -> list[psutil.Process]:
    """Start the parent and return it with its child, once both run."""
    program.start([sys.executable, "-c", PARENT, manner], os.environ)
    deadline = time.monotonic() + 10
    while len(program.family()) < 2 or not program.last_lines(1):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return program.family()


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if lives(process)]


def test_stopping_ends_the_program_and_its_children(program: BackgroundProgram) -> None:
    family = start(program)
    stop_programs([program])
    assert living(family) == []
    assert program.process() is None
    assert not program.pid_file.exists()


def test_a_program_that_does_not_heed_is_killed(program: BackgroundProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_stack.processes.ASK_SECONDS", 0.2)
    monkeypatch.setattr("local_stack.processes.TERMINATE_SECONDS", 0.2)
    family = start(program, "deaf")
    stop_programs([program])
    assert living(family) == []


def test_children_of_a_killed_program_are_stopped_too(program: BackgroundProgram) -> None:
    family = start(program)
    [main] = [process for process in family if process == program.process()]
    main.kill()
    main.wait(5)
    assert program.process() is None
    assert len(living(family)) == 1
    stop_programs([program])
    assert living(family) == []


def test_starting_twice_is_harmless(program: BackgroundProgram) -> None:
    family = start(program)
    assert start(program) == family
    stop_programs([program])


@pytest.mark.parametrize("hours", [-1, 1], ids=["recorded before it started", "recorded after it started"])
def test_a_number_that_now_means_another_program_is_left_alone(program: BackgroundProgram, hours: int) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        try:
            recorded = psutil.Process(other.pid).create_time() + hours * 3600
            program.pid_file.write_text(f"{other.pid}\n{recorded}\n")
            assert program.process() is None
            stop_programs([program])
            assert other.poll() is None
        finally:
            other.kill()


def test_what_it_writes_is_kept_in_its_log(program: BackgroundProgram) -> None:
    start(program)
    assert program.last_lines(1)[0].startswith("child ")
    stop_programs([program])

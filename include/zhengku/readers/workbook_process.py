"""Reads a landed spreadsheet in a process of its own, under limits of memory and time.

A file's content can make a parser allocate any amount of memory, and a step that crashes for that would crash again
every night. So the parser runs in a child process: when that crashes, the file is rejected, and nothing else is
affected. It takes a fifth of a second for each workbook. Files of text, pages and tables are read in this process:
their readers hold one record at a time, whose size they limit.

The child has the file as its standard input and writes messages to its standard output: each is a length, in four
bytes, and MessagePack.
"""

import os
import resource
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

import msgspec

from zhengku.errors import DeliveryRejected, StorageFull, WorkerKilled
from zhengku.readers.blocks import Block, Note
from zhengku.readers.workbook import SheetRead, WorkbookForm, open_workbook
from zhengku.readers.workbook_archive import not_workbook

MOST_MEMORY: Final = 4 * 1024**3
"""Limit of address space, in bytes. A million rows of 15 columns take some 2.3 GB of it."""

MOST_SECONDS: Final = 900
"""Limit of processor time (not of waiting). A million rows of 15 columns take some 90."""

_BLOCK: Final = 1024 * 1024
_COMMAND = (sys.executable, "-m", "zhengku.readers.workbook_process")


class _Request(msgspec.Struct):
    required: tuple[str, ...]
    form: WorkbookForm
    memory: int
    seconds: int


class _Opened(msgspec.Struct, tag=True):
    columns: tuple[str, ...]


class _Rows(msgspec.Struct, tag=True):
    block: Block


class _Ended(msgspec.Struct, tag=True):
    good: int
    bad: int
    blank_lines: int
    sheets: list[SheetRead]


class _Rejected(msgspec.Struct, tag=True):
    rule: str
    message: str
    reason: str


_Message = _Opened | _Rows | _Ended | _Rejected
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final[msgspec.msgpack.Decoder[_Message]] = msgspec.msgpack.Decoder(_Message)


class IsolatedWorkbookReader:
    """The rows of a landed spreadsheet, read by a process of its own; iterate it once.

    See `zhengku.readers.workbook.WorkbookReader`; the totals and `sheets` are final when the iteration has ended.
    """

    def __init__(self, content: BinaryIO, required_columns: Sequence[str], form: WorkbookForm) -> None:
        """Raise what `open_workbook` raises; `WorkerKilled` when the process was killed from outside."""
        self.good = 0
        self.bad = 0
        self.blank_lines = 0
        self.notes: tuple[Note, ...] = ()
        self.unread: Final[tuple[str, ...]] = ()
        self.sheets: list[SheetRead] = []
        request = msgspec.json.encode(_Request(tuple(required_columns), form, MOST_MEMORY, MOST_SECONDS))
        with tempfile.TemporaryFile(prefix="zhengku-") as copy:
            _copy(content, copy)
            self._process = subprocess.Popen(
                [*_COMMAND, request.decode()],
                stdin=copy,
                stdout=subprocess.PIPE,
                # A parser's error messages may quote a cell.
                stderr=subprocess.DEVNULL,
                # The child needs none of our passwords.
                env={name: value for name, value in os.environ.items() if not name.startswith(("ZHENGKU_", "AIRFLOW"))},
            )
        weakref.finalize(self, _end, self._process)
        opened = self._next()
        assert isinstance(opened, _Opened)
        self.columns: Final = opened.columns

    @property
    def fetched(self) -> int:
        """Records read so far, good and bad."""
        return self.good + self.bad

    def __iter__(self) -> Iterator[Block]:
        while isinstance(message := self._next(), _Rows):
            self.good += message.block.rows
            self.bad += len(message.block.bad)
            yield message.block
        assert isinstance(message, _Ended)
        self.good, self.bad, self.blank_lines = message.good, message.bad, message.blank_lines
        self.sheets = message.sheets
        self._process.wait()

    def _next(self) -> _Message:
        assert self._process.stdout is not None
        length = self._process.stdout.read(4)
        size = int.from_bytes(length, "big")
        body = self._process.stdout.read(size)
        if len(length) < 4 or len(body) < size:
            raise self._crash()
        message = _DECODER.decode(body)
        if isinstance(message, _Rejected):
            raise DeliveryRejected(message.rule, message.message, message.reason)
        return message

    def _crash(self) -> DeliveryRejected | WorkerKilled:
        """Return the error of a process that ended too early: the file's fault, or somebody killed it."""
        ended = self._process.wait()
        if ended in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP):
            # Killed by a person, by the system for want of memory, or by a shutdown: not the file's fault.
            return WorkerKilled(
                f"The process that reads the spreadsheet was ended by {signal.Signals(-ended).name}: somebody ended "
                "it, or this machine has no memory left. Run this step again."
            )
        if ended == -signal.SIGXCPU:
            return not_workbook(
                f"reading it took more than {MOST_SECONDS} s of processor time",
                f"解析用时超过{MOST_SECONDS}秒，文件过大或已被改动",
            )
        how = signal.Signals(-ended).name if ended < 0 else f"exit status {ended}"
        return not_workbook(
            f"the process that reads it crashed ({how}), in most cases because it needs more than "
            f"{MOST_MEMORY // 1024**2} MB of memory",
            f"解析时出错或所需内存超过{MOST_MEMORY // 1024**3}GB，文件过大、已损坏或被改动",
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _copy(content: BinaryIO, copy: BinaryIO) -> None:
    """Copy the landed file to where the child can read it: the landing area need not be a folder of this machine."""
    while block := content.read(_BLOCK):
        try:
            copy.write(block)
        except OSError as error:
            raise StorageFull(
                f"The folder for temporary files {tempfile.gettempdir()} cannot take the spreadsheet "
                f"({error.strerror or type(error).__name__}). Free space or set TMPDIR, then run this step again."
            ) from error
    copy.flush()
    copy.seek(0)


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (soft, hard))


def _send(message: _Message) -> None:
    body = _ENCODER.encode(message)
    sys.stdout.buffer.write(len(body).to_bytes(4, "big"))
    sys.stdout.buffer.write(body)


def main(request: str) -> None:
    """Read the spreadsheet on standard input, as `request` says in JSON, and write its rows to standard output."""
    settings = msgspec.json.decode(request, type=_Request)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, settings.seconds)
    _limit(resource.RLIMIT_AS, settings.memory)
    try:
        reader = open_workbook(sys.stdin.buffer, required_columns=settings.required, form=settings.form)
        _send(_Opened(reader.columns))
        for block in reader:
            _send(_Rows(block))
        _send(_Ended(reader.good, reader.bad, reader.blank_lines, reader.sheets))
    except DeliveryRejected as error:
        _send(_Rejected(error.rule, str(error), error.reason))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1])

"""`zhengku restore …` and `zhengku restore-drill`: backups, what is done after a restore, and the drill."""

import logging
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from zhengku import clock
from zhengku.cli.common import AsJson, Behalf, Reason, out, person, print_json
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import store_connection
from zhengku.errors import BatchesFailed, ConfigurationError
from zhengku.operations.restore.backup import backup_state
from zhengku.operations.restore.drill import Drill, restore_drill
from zhengku.operations.restore.finish import FinishedRestore, finish_restore
from zhengku.operations.restore.restore_report import write_restore_report
from zhengku.settings import Settings

restore_app = typer.Typer(no_args_is_help=True, help="Restoring the database to a minute (docs/runbooks/restore.md).")

_MOMENT = "YYYY-MM-DDTHH:MM[:SS]"
To = Annotated[str, typer.Option("--to", metavar=_MOMENT, help="The moment restored to, in Asia/Shanghai.")]


@restore_app.command("state")
def restore_state(as_json: AsJson = False) -> None:
    """Show how old the newest archived WAL and the newest base backup are. Status 1 if somebody has to look."""
    with store_connection(Settings.load().database_url) as connection:
        state = backup_state(connection)
    complaints = state.complaints(clock.now())
    if as_json:
        print_json({**asdict(state), "complaints": list(complaints)})
    else:
        for line in complaints:
            print(line)  # noqa: T201
        if not complaints:
            out.print(
                f"WAL archived until {_text(state.last_archived_at)}, {state.waiting_bytes // 1024:,} kB since; "
                f"{state.last_backup_kind} backup of {_text(state.last_backup_at)}.",
                soft_wrap=True,
            )
    if complaints:
        raise typer.Exit(1)


@restore_app.command("finish")
def restore_finish(
    to: To,
    reason: Reason,
    given_up: Annotated[
        str | None,
        typer.Option(
            "--given-up",
            metavar="FILE",
            help="A file (0600) with the address of the store that was given up, which is only read: production before "
            "the restore, or a copy restored to the end of the archive.",
        ),
    ] = None,
    lost: Annotated[bool, typer.Option("--lost", help="There is no such store: files are all that is left.")] = False,
    dump: Annotated[bool, typer.Option("--dump", help="The store was made from a dump (pg_dump).")] = False,
    behalf: Behalf = None,
) -> None:
    """Finish a restore: raise all numbers, compare landing and ledger, load what lacks, seal. Before the next night."""
    if (given_up is None) != lost:
        raise ConfigurationError(
            "Expected either --given-up with a file that has the address of the given-up store, or --lost; got "
            f"{'both' if given_up else 'neither'}. What it knows is what is not lost: docs/runbooks/restore.md."
        )
    settings = Settings.load()
    address = None if given_up is None else _address(Path(given_up))
    finished = finish_restore(settings, _moment(to), address, person(behalf), reason, from_dump=dump)
    path = write_restore_report(finished, settings.report_folder)
    _print_finished(finished)
    out.print(f"Report: {path}", soft_wrap=True)
    _require_done(finished)


def drill(
    to: To,
    folder: Annotated[Path, typer.Option(help="An empty folder for the copy, with room for 1.2 times the database.")],
    keep: Annotated[bool, typer.Option("--keep", help="Keep the copy (personal data) for a look at it.")] = False,
    as_json: AsJson = False,
    behalf: Behalf = None,
) -> None:
    """Restore to a minute apart from production, finish there, compare with production. Status 1 if it fails."""
    settings = Settings.load()
    done = restore_drill(settings, _moment(to), folder.absolute(), person(behalf), keep=keep, progress=_say)
    if as_json:
        print_json(
            {
                "restored_to": done.restored_to,
                "backup": done.backup,
                "bytes": done.size,
                "seconds": done.seconds,
                "checks": {check.title: list(check.found) for check in done.checks},
            }
        )
    else:
        _print_drill(done)
    if not done.passed:
        raise typer.Exit(1)


def _say(line: str) -> None:
    logging.getLogger(__name__).info(line)


def _print_drill(done: Drill) -> None:
    out.print(
        f"Restored to {_text(done.restored_to)} from {done.backup}, {done.size / 1024**2:,.0f} MB: "
        + ", ".join(f"{step} {seconds:,.1f} s" for step, seconds in done.seconds.items()),
        soft_wrap=True,
    )
    for check in done.checks:
        out.print(f"{'passed' if check.passed else 'FAILED'}  {check.title}", soft_wrap=True)
        for line in check.found[:20]:
            out.print(f"        {line}", soft_wrap=True)
        if len(check.found) > 20:
            out.print(f"        … and {len(check.found) - 20:,} more (--json has all)", soft_wrap=True)
    if done.finished is not None:
        _print_finished(done.finished)


def _print_finished(finished: FinishedRestore) -> None:
    returns, batches = finished.numbers["quarantine.problem_return"], finished.numbers["ledger.batch"]
    out.print(
        f"Restore {finished.restore_id} to {_text(finished.restored_to)}: returns go on with {returns[1]:,} (up to "
        f"{returns[0]:,} were given), batches with {batches[1]:,} ({batches[0]:,}).",
        soft_wrap=True,
    )
    landing = finished.landing
    out.print(
        f"Landing area: {landing.files:,} files, {len(landing.unknown):,} unknown to the ledger, "
        f"{len(landing.missing):,} missing, {len(landing.damaged):,} damaged.",
        soft_wrap=True,
    )
    loaded = sum(batch.status == "loaded" for batch in finished.repeated)
    out.print(f"Done again: {len(finished.repeated):,} batches, {loaded:,} of them loaded.", soft_wrap=True)
    for one in finished.not_repeated:
        out.print(f"Not done again: {one.what}: {one.why}", soft_wrap=True)
    out.print(f"Sealed by seal {finished.seal_id}, head {finished.head}", soft_wrap=True)


def _require_done(finished: FinishedRestore) -> None:
    """Raise `BatchesFailed` where somebody has to look at a batch or a landed file."""
    look = [f"batch {batch.batch_id} is {batch.status}" for batch in finished.repeated if batch.status == "held"]
    look += [f"{path} is missing in the landing area" for path in finished.landing.missing]
    look += [f"{path} was changed in the landing area" for path in finished.landing.damaged]
    if look:
        raise BatchesFailed(f"{len(look)} to look at: {' | '.join(look[:20])}")


def _address(path: Path) -> str:
    from zhengku.settings import read_secret

    address = read_secret(path, "--given-up")
    if not address.startswith(("postgresql://", "postgresql+psycopg://")):
        raise ConfigurationError(
            f"--given-up: expected postgresql://user:password@host:5432/name in {path}, got something else."
        )
    return address.replace("postgresql://", "postgresql+psycopg://", 1)


def _moment(text: str) -> datetime:
    """Read a moment that a person typed, in Asia/Shanghai unless it has a zone; raises `ConfigurationError`."""
    try:
        moment = datetime.fromisoformat(text)
        clock.usable(moment.date())
        if "T" not in text and " " not in text.strip():
            raise ValueError("it is a day")
    except ValueError:
        raise ConfigurationError(
            f"--to: expected a moment as {_MOMENT} in Asia/Shanghai, like 2026-11-24T03:30; got {text!r:.40}."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=CITY_TIME_ZONE)


def _text(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment.astimezone(CITY_TIME_ZONE):%Y-%m-%d %H:%M:%S}"

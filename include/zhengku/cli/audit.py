"""`zhengku audit`: seals of the evidence."""

import re
from dataclasses import asdict
from typing import Annotated

import typer

from zhengku.audit import close_evidence, seals, verify
from zhengku.cli.common import AsJson, Limit, clock_text, out, print_json
from zhengku.database import store_connection
from zhengku.errors import ConfigurationError
from zhengku.settings import Settings

audit_app = typer.Typer(no_args_is_help=True, help="Evidence (留痕): seal it, and find what was changed afterwards.")

_SHORTEST_HEAD = 12


@audit_app.command("verify")
def audit_verify(
    head: Annotated[
        list[str] | None,
        typer.Option(metavar="N=DIGITS", help="The head of seal N as a report printed it: its first 12 digits or all."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare all evidence with its seals: name each row that was changed, removed or put in. Status 1 if any was."""
    printed = dict(_printed_head(text) for text in head or ())
    with store_connection(Settings.load().database_url) as connection:
        findings = verify(connection, printed)
        newest = seals(connection, limit=1)
    if as_json:
        print_json({"seal": asdict(newest[0]) if newest else None, "findings": [asdict(one) for one in findings]})
    else:
        for one in findings:
            print(one)  # noqa: T201
        if not newest:
            out.print(
                "Nothing was sealed yet. The validation report seals every morning; `zhengku audit close` seals now."
            )
        elif not findings:
            out.print(
                f"All evidence is as it was sealed, until {clock_text(newest[0].sealed_until)} (seal "
                f"{newest[0].seal_id}). Compare its head with a printed report: {newest[0].head}",
                soft_wrap=True,
            )
    if findings:
        raise typer.Exit(1)


@audit_app.command("close")
def audit_close() -> None:
    """Seal the evidence that was written since the last seal. The validation report does so every morning."""
    with store_connection(Settings.load().database_url) as connection:
        seal = close_evidence(connection)
    if seal is None:
        out.print("Nothing to seal: a transaction that still runs is older than all evidence.")
    else:
        out.print(
            f"Seal {seal.seal_id}, until {clock_text(seal.sealed_until)}: {seal.sealed_rows:,} rows, head {seal.head}",
            soft_wrap=True,
        )


@audit_app.command("seals")
def audit_seals(limit: Limit = 50, as_json: AsJson = False) -> None:
    """List the seals, the newest first."""
    with store_connection(Settings.load().database_url) as connection:
        found = seals(connection, limit)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    for one in found:
        out.print(
            f"{one.seal_id:>6}  until {clock_text(one.sealed_until)}  {one.sealed_rows:>12,} rows  {one.head}",
            soft_wrap=True,
        )


def _printed_head(text: str) -> tuple[int, str]:
    found = re.fullmatch(rf"(\d{{1,9}})=([0-9a-fA-F]{{{_SHORTEST_HEAD},64}})", text)
    if found is None:
        raise ConfigurationError(
            f"--head: expected the number of a seal and the first {_SHORTEST_HEAD} to 64 hexadecimal digits "
            f"of its head, like 12=9f86d081884c; got {text!r:.90}."
        )
    return int(found[1]), found[2]

"""`zhengku catalog` and `zhengku db`: the check of the catalogue, and the schema of the store."""

from dataclasses import asdict
from typing import Annotated

import typer

from zhengku import clock
from zhengku.accounts import ACCOUNTS, make_accounts
from zhengku.catalog import department_schema
from zhengku.check.configuration import check_catalog
from zhengku.cli.common import AsJson, out, print_json
from zhengku.database import store_connection, upgrade
from zhengku.settings import Settings

db_app = typer.Typer(no_args_is_help=True, help="The database of the license store.")


catalog_app = typer.Typer(no_args_is_help=True, help="The catalogue of types, districts and departments.")


@db_app.command("upgrade")
def db_upgrade() -> None:
    """Create the schema of the license store, or bring it to this release.

    The account is the owner of the schema: ZHENGKU_OWNER_DATABASE_URL, by default ZHENGKU_DATABASE_URL.
    """
    rekeyed = upgrade(Settings.load().owner_database_url)
    out.print("The schema is up to date.")
    for outcome, number in rekeyed.items():
        out.print(f"Keys {outcome}: {number:,}. They are listed in ledger.rekeyed_record.")


@db_app.command("roles")
def db_roles() -> None:
    """Make the accounts of the database that are missing, and give each the rights that it needs.

    Run it as the server's administrator. Passwords are read from the files that ZHENGKU_PIPELINE_PASSWORD_FILE and,
    in the same way, the variables of ZHENGKU_PAGES, ZHENGKU_NOTICES and ZHENGKU_REPORTS name; an account without a
    password cannot log in.
    """
    settings = Settings.load()
    passwords = {account: password for account in ACCOUNTS if (password := settings.account_password(account))}
    with store_connection(settings.owner_database_url) as connection:
        made = make_accounts(connection, passwords)
    for account, purpose in ACCOUNTS.items():
        state = "made" if account in made else "there"
        out.print(f"{account}: {state}, {'password set' if account in passwords else 'password unchanged'}; {purpose}.")


@catalog_app.command("check")
def catalog_check(
    department: Annotated[
        str | None, typer.Argument(metavar="DEPARTMENT", help="Only its file, and mistakes that stop every department.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check the catalogue: every mistake with file, line and fix.

    The code of collect, stage, validate and load itself finds what these steps would refuse. Addresses of sources are
    checked where the environment has them, without connecting to them.
    """
    settings = Settings.load()
    today = clock.today()
    problems = check_catalog(settings.catalog_folder, settings.suite_folder, today, settings.environment, department)
    errors = [problem for problem in problems if problem.severity == "error"]
    if as_json:
        print_json([{**asdict(problem), "file": str(problem.file)} for problem in problems])
    else:
        for problem in problems:
            print(problem)  # noqa: T201
        out.print(f"{len(errors)} mistakes, {len(problems) - len(errors)} notes.")
    if errors:
        raise typer.Exit(1)


@catalog_app.command("schema")
def catalog_schema() -> None:
    """Print the JSON Schema of a department's file (committed as department.schema.json, for editors)."""
    print_json(department_schema())

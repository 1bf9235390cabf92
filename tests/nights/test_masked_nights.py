"""A night of the made-up city, its lists, reports, pages, commands and logs: nobody's number or name in clear.

What must not be shown is read from the store: what the departments sent as telephone, identity and permit numbers and
as names of people, and the numbers that people wrote into free text and names of files.
"""

import logging
import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from tests.support.city_servers import settings_of, surroundings
from tests.support.collected_nights import collect_and_load, collect_and_load_services
from tests.support.command_line import zhengku

from simulator.city import City
from simulator.drops import STRAYS
from simulator.publish import publish
from simulator.service_records import REASONS
from simulator.service_sources import SERVICE_SYSTEMS
from simulator.services import ServiceCity
from simulator.sources import SYSTEMS
from zhengku import clock
from zhengku.clearance.delivery import write_workbooks
from zhengku.clearance.publish import DailyClearance
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import store_connection
from zhengku.errors import BatchesFailed
from zhengku.pages.access import clearance_access_of, review_access_of
from zhengku.pages.applications import CLEARANCE, REVIEW, create_clearance_app, create_review_app
from zhengku.pages.host import Host
from zhengku.pipeline.pipeline import Pipeline
from zhengku.review.daily import publish_nights
from zhengku.settings import Settings
from zhengku.stock.collection_rate import publish_collection
from zhengku.stock.expiry import publish_expiry

SEED = 61

DEPARTMENTS = ("emergency", "tobacco", "disabled_persons", "civil_affairs")

WRITTEN = re.compile(r"199[ 0-9]{8,10}|420704[_ 0-9]{12,14}|E[0-9]{8}|0711-[0-9]{7}")
"""Numbers within free text and names of files, as the simulator writes them."""

_NUMBERS = """
    select phone from store.service_case where phone ~ '^[0-9]{11}$'
    union select holder_code from store.certificate where holder_code_type not in ('001', '099')
    union select certificate_number from store.certificate where certificate_number ~ '^[0-9]{17}[0-9X]$'
"""
_NAMES = """
    select applicant from store.service_case where applicant ~ '^.某某$'
    union select holder from store.certificate where holder_code_type not in ('001', '099') and holder ~ '^.某某$'
"""


def secrets_of(settings: Settings) -> tuple[set[str], set[str]]:
    """Return numbers and names of people in the store, and the numbers in free text and in names of files."""
    with store_connection(settings.database_url) as connection:
        numbers = {row[0] for row in connection.execute(_NUMBERS) if row[0]}
        names = {row[0] for row in connection.execute(_NAMES)}
    return numbers | {found for text in (*REASONS, *STRAYS) for found in WRITTEN.findall(text)}, names


def texts_of(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the text of each file of the reports but for the returns, which are for the department itself."""
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or "returns" in path.parts:
            continue
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as book:
                for part in book.namelist():
                    yield f"{path.name}/{part}", book.read(part).decode("utf-8")
        else:
            yield path.name, path.read_text("utf-8")


def pages_of(settings: Settings, pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    """Yield every page that has a tab, and the first problem records, as those see them who may see most."""

    async def current_user(_: Request) -> str:
        return "wang"

    def host(is_review: bool) -> Host:
        districts = pipeline.catalog.districts
        return Host(
            current_user=current_user,
            access=lambda user: (
                review_access_of(user, {"data_section"})
                if is_review
                else clearance_access_of(user, {"section"}, districts)
            ),
            login_address=lambda back: f"https://zhengku.example/?next={back}",
            signing_key=lambda: "a key",
            is_for_demos=lambda: False,
        )

    applications = ((CLEARANCE, create_clearance_app(host(False))), (REVIEW, create_review_app(host(True))))
    for page_set, app in applications:
        app.state.settings = lambda: settings
        outer = FastAPI()
        outer.mount("/pages", app)
        client = TestClient(outer)
        paths = [tab.path for tab in page_set.tabs]
        if page_set is REVIEW:
            paths += ["problems?status=all", *(f"problem?problem={number}" for number in range(1, 20))]
        for path in paths:
            answer = client.get(f"/pages/{path}")
            assert answer.status_code in (200, 404), path
            if answer.status_code == 200:
                yield path, answer.text


@pytest.mark.slow
def test_nothing_that_is_shown_has_a_number_or_a_name_of_a_person(
    tmp_path: Path, database_url: str, server_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "zhengku")
    systems = [system for system in SYSTEMS if system.department in DEPARTMENTS]
    with surroundings(tmp_path / "city", [server_url], [*systems, *SERVICE_SYSTEMS]) as around:
        settings = settings_of(tmp_path, database_url, around.environment)
        pipeline = Pipeline(settings)
        for night in City(SEED, 40, nights=1, systems=systems).nights():
            publish(night, around.places)
            collect_and_load(pipeline, systems, "night")
        for collection in ServiceCity(SEED, 20, days=4).collections():
            publish(collection.night, around.places)
            collect_and_load_services(collection, pipeline)
            moment = collection.at.replace(tzinfo=CITY_TIME_ZONE)
            listed = DailyClearance(settings).publish(collection.day, collection.kind, moment)
        with store_connection(settings.database_url) as connection:
            write_workbooks(connection, pipeline.catalog, listed, settings.report_folder)
        for department in dict.fromkeys(system.department for system in systems):
            with suppress(BatchesFailed):
                pipeline.conclude(department, "night")
        publish_nights(settings, clock.now())
        publish_expiry(settings, pipeline.catalog, date(2026, 11, 30))
        publish_collection(settings, pipeline.catalog, date(2026, 11, 30))
        shown = [*texts_of(settings.report_folder), *pages_of(settings, pipeline), ("log", caplog.text)]
        environment = dict(settings.environment)
        for arguments in (
            ("batches", "--limit", "100"),
            ("batches", "--json", "--limit", "100"),
            ("problems", "list", "--all", "--limit", "100"),
            ("problems", "list", "--all", "--json", "--limit", "1000"),
            ("as-of", f"{clock.today()}", "--csv"),
            ("clearance", "list"),
            ("clearance", "list", "--json", "--limit", "1000"),
        ):
            done = zhengku(environment, *arguments)
            assert done.returncode == 0, done.stderr
            shown.append((" ".join(arguments), done.stdout + done.stderr))
    numbers, names = secrets_of(settings)
    assert len(numbers) > 100
    assert len(names) > 5
    for place, text in shown:
        assert not {number for number in numbers if number in text}, place
        # Correct examples for a department have names that are made up.
        if not place.startswith("problem?"):
            assert not {name for name in names if name in text}, place
    everything = "".join(text for _, text in shown)
    # What would not be shown at all would prove nothing.
    for masked in (*REASONS.values(), "199****0017_420***********0014.txt"):
        assert masked in everything, masked

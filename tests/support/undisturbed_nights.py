"""The nights of a city under fire, loaded once more into a store of their own, in this process and without a kill."""

from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path

import psycopg
from tests.support.night_comparison import differences, newest_batch

from local_stack.postgres import EmbeddedPostgres
from simulator.model import Night
from zhengku.accounts import ACCOUNTS, make_accounts
from zhengku.catalog import load_catalog
from zhengku.database import store_connection, upgrade
from zhengku.pipeline.pipeline import Pipeline
from zhengku.review import problems
from zhengku.review.returns import Returns
from zhengku.settings import Settings, project_home


class UndisturbedNights:
    """A second license store on `server`, with the feeds by department."""

    def __init__(self, server: EmbeddedPostgres, folder: Path, feeds: Mapping[str, Collection[str]]) -> None:
        self._server = server
        self._folder = folder
        self._feeds = feeds

    @property
    def url(self) -> str:
        """The store's address for its owner."""
        return self._server.url("undisturbed")

    def start(self, environment: Mapping[str, str]) -> None:
        """Make the store; `environment` says where the departments' systems are."""
        make_store(self._server, "undisturbed")
        self._environment = environment

    @property
    def settings(self) -> Settings:
        """Those of an installation with this store; the server's port changes when it is started again."""
        ours = {
            "ZHENGKU_DATABASE_URL": self._server.url("undisturbed", "zhengku_pipeline"),
            "ZHENGKU_LANDING_URL": str(self._folder / "landing"),
            "ZHENGKU_REPORT_DIR": str(self._folder / "reports"),
        }
        return Settings(home=project_home(), environment={**self._environment, **ours})

    def pass_night(self, night: Night) -> list[str]:
        """Load what the departments published; return what is not as the truth says."""
        before, run_id = newest_batch(self.url), f"night-{night.number}"
        pipeline = Pipeline(self.settings)
        for department, feeds in self._feeds.items():
            pipeline.collect_feeds(department, list(feeds), run_id)
            pipeline.load_run(department, run_id)
        return [f"undisturbed: {line}" for line in differences(self.url, night, before)]


def make_store(server: EmbeddedPostgres, database: str) -> None:
    """Make a license store with its accounts."""
    server.create_database(database)
    upgrade(server.url(database))
    with store_connection(server.url(database)) as connection:
        make_accounts(connection, {account: server.password(account) for account in ACCOUNTS})


def decide_about_problems(settings: Settings, owner_url: str, reason: str, now: datetime) -> None:
    """Waive some open problem records for good, return some, and write off some that were corrected.

    In two stores with the same problem records, it decides the same.
    """
    with psycopg.connect(owner_url.replace("+psycopg", "")) as connection:
        found = connection.execute(
            "select status, department, problem_id from quarantine.problem_row where status in ('open', 'corrected')"
            " order by department, feed, fingerprint, problem_id"
        ).fetchall()
    is_open = [(department, problem_id) for status, department, problem_id in found if status == "open"]
    corrected = [problem_id for status, _, problem_id in found if status == "corrected"]
    with store_connection(settings.database_url) as connection:
        waived = [problem_id for _, problem_id in is_open[::5]]
        problems.waive(connection, waived, "kill-test-waiver", reason, None, now.date())
        problems.close(connection, corrected[::3], "kill-test-closer", reason)
    returned: dict[str, list[int]] = {}
    for department, problem_id in is_open[1::5]:
        returned.setdefault(department, []).append(problem_id)
    returns = Returns(settings, load_catalog(settings.catalog_folder))
    for department, problem_ids in returned.items():
        returns.make(department, "kill-test-returner", now, problem_ids, reason=reason)

"""An installation whose department sends the whole register each time, or only what is new."""

import json
import shutil
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.installation import Installation

from zhengku.catalog import load_catalog
from zhengku.clock import CITY_TIME_ZONE
from zhengku.review.returns import Returns
from zhengku.settings import Settings

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=CITY_TIME_ZONE)
TODAY = NOW.date()


class ReviewedInstallation(Installation):
    """An installation with what the review needs of it."""

    def returns(self) -> Returns:
        return Returns(self.settings, load_catalog(self.settings.catalog_folder))

    def lives(self) -> list[tuple[Any, ...]]:
        """State, solution and number of the try of every problem record, in their order."""
        return self.query("select status, solution, attempts from quarantine.problem_row order by problem_id")

    def problem_ids(self, status: str = "open") -> list[int]:
        found = self.query("select problem_id from quarantine.problem_row where status = %s order by 1", status)
        return [row[0] for row in found]

    def events(self) -> list[tuple[Any, ...]]:
        return self.query("select problem_id, event, done_by from quarantine.problem_event order by event_id")

    def change_rule(self, rule_id: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Give the installation suites of its own, in one of which `change` has changed a rule."""
        home = self.drop.parents[1] / "home"
        if self.settings.home != home:
            home.mkdir()
            for name in ("sql", "include"):
                (home / name).symlink_to(self.settings.home / name)
            shutil.copytree(self.settings.home / "expectations", home / "expectations")
            self.settings = Settings(home=home, environment=self.settings.environment)
        for path in (home / "expectations").glob("*.json"):
            suite = json.loads(path.read_text(encoding="utf-8"))
            for rule in suite["expectations"]:
                if rule["meta"]["rule_id"] == rule_id:
                    change(rule)
                    path.write_text(json.dumps(suite, ensure_ascii=False), encoding="utf-8")
                    return
        raise AssertionError(f"no rule {rule_id}")


@pytest.fixture
def reviewed(installation: Installation) -> ReviewedInstallation:
    """An installation whose department sends only what is new."""
    return ReviewedInstallation(installation.settings, installation.drop)


@pytest.fixture
def register(installation: Installation, tmp_path: Path) -> ReviewedInstallation:
    """An installation whose department sends the whole register each time."""
    folder = tmp_path / "catalog"
    shutil.copytree(installation.settings.catalog_folder, folder)
    path = folder / "departments" / "market_supervision.yaml"
    text = path.read_text(encoding="utf-8")
    whole = text.replace("deliveries: increments", "deliveries: snapshots")
    assert whole != text
    path.write_text(whole, encoding="utf-8")
    environment = {**installation.settings.environment, "ZHENGKU_CATALOG_DIR": str(folder)}
    return ReviewedInstallation(Settings(home=installation.settings.home, environment=environment), installation.drop)


def moment(day: date, hour: int = 10) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=CITY_TIME_ZONE)

"""An installation with what tests of the review ask of it."""

import json
import shutil
from collections.abc import Callable
from datetime import datetime
from typing import Any

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

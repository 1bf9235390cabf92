"""The settings of the daily clearance, from `clearance.yaml` of the catalogue."""

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from zhengku.catalog.problem import Problem, did_you_mean, shown
from zhengku.catalog.structure import by_line, read_settings
from zhengku.catalog.yaml_file import Location, YamlFile, read_yaml
from zhengku.clock import CITY_TIME_ZONE
from zhengku.configuration_model import WholeNumber, wrong
from zhengku.errors import CatalogError

CLEARANCE_FILE = "clearance.yaml"

SOURCE_DATASETS = ("service_case", "evaluation")
"""The data sets from which the lists are made."""

DUE_DAYS = 7
"""How many days before today missing lists are still published for: an outage of a week is caught up on."""

ListKind = Literal["working", "final"]
KINDS: tuple[ListKind, ...] = ("working", "final")
"""The two lists of a day, in the order of their cut-offs."""


def _clock(value: object) -> object:
    # Without this check pydantic accepts seconds, fractions and zones as well.
    if not isinstance(value, str) or not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise wrong(f"expected a time from 00:00 to 23:59, got {shown(value)}", 'Write it like "16:30".')
    return time.fromisoformat(value)


def _feed_name(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*/[a-z][a-z0-9_]*", value):
        raise wrong(
            f"expected <department>/<feed>, got {shown(value)}", "Write it like service_evaluation/evaluations."
        )
    return value


Clock = Annotated[time, BeforeValidator(_clock, json_schema_input_type=str)]


class ClearanceConfig(BaseModel):
    """The settings of the daily clearance; times of day and days are in Asia/Shanghai."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    working_cutoff: Clock = Field(description="Time of day of the working list's cut-off.")
    working_latest: Clock = Field(description="Time of day at which the working list is published in any case.")
    final_latest: Clock = Field(
        description="Time of the next day at which the final list is published in any case; its cut-off is 24:00."
    )
    deadline_working_days: WholeNumber = Field(
        ge=1, le=60, description="Working days after finishing at which the system would rate by default (1 to 60)."
    )
    archive_after_working_days: WholeNumber = Field(
        ge=1,
        le=250,
        description="Working days after finishing after which an unrated service leaves the list (1 to 250).",
    )
    correction_days: WholeNumber = Field(
        ge=1, le=31, description="Days back for which a final list gets another version (1 to 31)."
    )
    suspicious_seconds: WholeNumber = Field(
        ge=1, le=3600, description="Seconds after finishing within which a rating is suspicious (1 to 3600)."
    )
    burst_ratings: WholeNumber = Field(
        ge=2, le=1000, description="Ratings of one device or window that are a burst (2 to 1000)."
    )
    burst_minutes: WholeNumber = Field(ge=1, le=1440, description="Minutes within which they are one (1 to 1440).")
    callback_working_days: WholeNumber = Field(
        ge=1, le=60, description="Working days after a bad review until the call-back is due (1 to 60)."
    )
    rectification_working_days: WholeNumber = Field(
        ge=1, le=250, description="Working days after a bad review until the rectification is due (1 to 250)."
    )
    reveals_per_hour: WholeNumber = Field(
        ge=1, le=1000, description="Telephone numbers that a person may see within an hour (1 to 1000)."
    )
    sources: tuple[Annotated[str, AfterValidator(_feed_name)], ...] = Field(
        min_length=1, description="Feeds, as <department>/<feed>, without which a list is not up to date."
    )

    @field_validator("working_latest")
    @classmethod
    def _after_cutoff(cls, value: time, info: ValidationInfo) -> time:
        cutoff = info.data.get("working_cutoff")
        if cutoff is not None and value <= cutoff:
            raise wrong(f"{value:%H:%M} is not later than working_cutoff {cutoff:%H:%M}", "Write a later time.")
        return value

    @field_validator("final_latest")
    @classmethod
    def _before_next_cutoff(cls, value: time, info: ValidationInfo) -> time:
        cutoff = info.data.get("working_cutoff")
        if cutoff is not None and value >= cutoff:
            message = f"{value:%H:%M} is not earlier than working_cutoff {cutoff:%H:%M}"
            raise wrong(message, "Write an earlier time: the final list comes before the next day's working list.")
        return value

    @field_validator("archive_after_working_days")
    @classmethod
    def _after_deadline(cls, value: int, info: ValidationInfo) -> int:
        deadline = info.data.get("deadline_working_days")
        if deadline is not None and value <= deadline:
            message = f"{value} is not more than deadline_working_days {deadline}"
            raise wrong(message, "Write more: a service would leave the list before its deadline.")
        return value

    @field_validator("rectification_working_days")
    @classmethod
    def _not_before_callback(cls, value: int, info: ValidationInfo) -> int:
        callback = info.data.get("callback_working_days")
        if callback is not None and value < callback:
            message = f"{value} is less than callback_working_days {callback}"
            raise wrong(message, "Write as many or more: a bad review is called back before it is rectified.")
        return value

    @property
    def longest_term_working_days(self) -> int:
        """Return the longest of the terms, in working days."""
        return max(self.deadline_working_days, self.callback_working_days, self.rectification_working_days)

    def cutoff(self, day: date, kind: ListKind) -> datetime:
        """Return the cut-off of a list (Asia/Shanghai): of a final list 24:00, as 00:00 of the next day."""
        if kind == "working":
            return datetime.combine(day, self.working_cutoff, CITY_TIME_ZONE)
        return datetime.combine(day + timedelta(days=1), time(), CITY_TIME_ZONE)

    def latest(self, day: date, kind: ListKind) -> datetime:
        """Return the time (Asia/Shanghai) at which a list is published even if its sources are not up to date."""
        if kind == "working":
            return datetime.combine(day, self.working_latest, CITY_TIME_ZONE)
        return datetime.combine(day + timedelta(days=1), self.final_latest, CITY_TIME_ZONE)

    def due(self, now: datetime) -> list[tuple[date, ListKind]]:
        """Return the lists of today and of the seven days before whose cut-off is at or before `now`, oldest first.

        Raises `ValueError` when `now` has no zone.
        """
        if now.tzinfo is None:
            raise ValueError(f"expected a time with a zone, got {now} without one")
        today = now.astimezone(CITY_TIME_ZONE).date()
        days = [today - timedelta(days=back) for back in range(DUE_DAYS, -1, -1)]
        return [(day, kind) for day in days for kind in KINDS if self.cutoff(day, kind) <= now]


def load_clearance(folder: Path) -> ClearanceConfig:
    """Load the settings from a catalogue folder; raises `CatalogError` (file, line, fix) for a mistake.

    The sources must be feeds of the catalogue; other mistakes in their departments' files are ignored.
    """
    source = read_yaml(folder / CLEARANCE_FILE)
    config, problems = _read(source)
    departments = {name.partition("/")[0] for _, name in source.items("sources")}
    files = {name: folder / "departments" / f"{name}.yaml" for name in sorted(departments)}
    problems += _unknown_sources(source, {name: read_yaml(path) for name, path in files.items() if path.is_file()})
    if config is None or problems:
        raise CatalogError(str(problems[0]))
    return config


def check_clearance(folder: Path, departments: Mapping[str, YamlFile]) -> list[Problem]:
    """Return the mistakes in `clearance.yaml`; `departments` are the departments' files by id.

    Sources are not checked when no feed delivers cases or evaluations: then there are no lists.
    """
    source = read_yaml(folder / CLEARANCE_FILE)
    config, problems = _read(source)
    delivered = [
        (f"{department}/{feed}", file, ("feeds", feed))
        for department, file in departments.items()
        for feed in file.mapping("feeds")
        if file.text("feeds", feed, "dataset") in SOURCE_DATASETS
    ]
    if not delivered:
        return problems
    problems += _unknown_sources(source, departments)
    for name, file, location in delivered:
        # When the settings cannot be read, every feed would seem to be missing in the sources.
        if config is not None and name not in config.sources:
            message = f"feed {location[-1]!r} is no source of {CLEARANCE_FILE}, so no list says when it was not read"
            fix = f"Add {name} to sources there."
            problems.append(Problem(file.path, file.line(location), message, fix, "warning"))
    return problems


def _read(source: YamlFile) -> tuple[ClearanceConfig | None, list[Problem]]:
    config, problems = read_settings(source, ClearanceConfig)
    seen: set[str] = set()
    for location, name in source.items("sources"):
        if name in seen:
            problems.append(_problem(source, location, f"sources names {shown(name)} twice", "Remove one."))
        seen.add(name)
    return config, by_line(problems)


def _unknown_sources(source: YamlFile, departments: Mapping[str, YamlFile]) -> list[Problem]:
    problems = []
    for location, name in source.items("sources"):
        department, separator, feed = name.partition("/")
        file = departments.get(department)
        if not separator:
            continue
        if file is None:
            message = f"source {shown(name)}: no departments/{department}.yaml in the catalogue"
            problems.append(_problem(source, location, message, did_you_mean(department, departments)))
        elif feed not in file.mapping("feeds"):
            message = f"source {shown(name)}: department {department!r} has no feed {shown(feed)}"
            problems.append(_problem(source, location, message, did_you_mean(feed, file.mapping("feeds"))))
        elif (dataset := file.text("feeds", feed, "dataset")) not in SOURCE_DATASETS:
            message = f"source {shown(name)} delivers {shown(dataset)} and neither {' nor '.join(SOURCE_DATASETS)}"
            problems.append(_problem(source, location, message, "Name feeds that a list is made of."))
    return problems


def _problem(source: YamlFile, location: Location, message: str, fix: str) -> Problem:
    return Problem(source.path, source.line(location), message, fix)

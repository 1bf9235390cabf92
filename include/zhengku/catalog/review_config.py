"""The settings of the validation review, from `review.yaml` of the catalogue."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from zhengku.catalog.clearance_config import Clock
from zhengku.catalog.problem import Problem
from zhengku.catalog.structure import read_settings
from zhengku.catalog.yaml_file import read_yaml
from zhengku.configuration_model import WholeNumber, wrong
from zhengku.errors import CatalogError

REVIEW_FILE = "review.yaml"

Share = Annotated[float, Field(strict=True, gt=0, lt=1)]


class ReviewConfig(BaseModel):
    """The settings of the review; times of day and days are in Asia/Shanghai."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    report_at: Clock = Field(description="Time of day at which the report of the night is published.")
    held_batches_at: Clock = Field(
        description="Time of day at which Airflow asks for decisions about the held batches."
    )

    return_within_working_days: WholeNumber = Field(
        ge=1, le=60, description="Working days within which an open problem is to be returned (1 to 60)."
    )
    correct_within_working_days: WholeNumber = Field(
        ge=1, le=250, description="Working days that a department has for a returned problem (1 to 250)."
    )
    remind_before_working_days: WholeNumber = Field(
        ge=0, le=60, description="Working days before its term at which a returned problem is due soon (0 to 60)."
    )
    write_off_after_working_days: WholeNumber = Field(
        ge=0, le=60, description="Working days after which a corrected problem is written off by itself (0 to 60)."
    )
    small_share: Share = Field(
        description="Share of its usual rows below which a feed's delivery is unusually small (between 0 and 1)."
    )
    small_from_rows: WholeNumber = Field(
        ge=1, le=1_000_000, description="Usual rows below which this is not checked (1 to 1000000)."
    )
    silent_after_working_days: WholeNumber = Field(
        ge=1, le=60, description="Working days without a loaded batch after which a feed is silent (1 to 60)."
    )
    never_fired_days: WholeNumber = Field(
        ge=7, le=730, description="Days without a failing row after which a rule is listed as never firing (7 to 730)."
    )
    ledger_stale_working_days: WholeNumber = Field(
        ge=1,
        le=60,
        description="Working days without a loaded batch after which the problem ledger gets an entry (1 to 60).",
    )
    ledger_problem_share: Share = Field(
        description="Share of problem records in a department's rows of seven nights that makes an entry of the ledger."
    )
    ledger_from_rows: WholeNumber = Field(
        ge=1, le=10_000_000, description="Rows of seven nights below which this is not checked (1 to 10000000)."
    )
    reconcile_at: Clock = Field(description="Time of day at which sources are compared with the store.")
    reconcile_weekday: WholeNumber = Field(
        ge=0, le=6, description="Day of the week of the comparison, 0 is Sunday (0 to 6)."
    )
    reconcile_days: WholeNumber = Field(
        ge=1, le=3660, description="Days that are compared, the last is today (1 to 3660)."
    )

    stock_at: Clock = Field(description="Time of day at which the stock is counted.")
    stock_weekday: WholeNumber = Field(ge=0, le=6, description="Day of the week of the count, 0 is Sunday (0 to 6).")
    expiring_days: WholeNumber = Field(
        ge=1, le=1830, description="Days ahead within which a certificate is about to expire (1 to 1830)."
    )
    expired_days: WholeNumber = Field(
        ge=1, le=3660, description="Days back within which an expired certificate is listed (1 to 3660)."
    )

    @field_validator("remind_before_working_days")
    @classmethod
    def _within_the_term(cls, value: int, info: ValidationInfo) -> int:
        term = info.data.get("correct_within_working_days")
        if term is not None and value >= term:
            raise wrong(
                f"{value} is not less than correct_within_working_days {term}",
                "Write less: a problem would be due soon before it is returned.",
            )
        return value


def load_review(folder: Path) -> ReviewConfig:
    """Load the settings from a catalogue folder; raises `CatalogError` (file, line, fix) for a mistake."""
    config, problems = read_settings(read_yaml(folder / REVIEW_FILE), ReviewConfig)
    if config is None or problems:
        raise CatalogError(str(problems[0]))
    return config


def check_review(folder: Path) -> list[Problem]:
    """Return the mistakes in `review.yaml`."""
    return read_settings(read_yaml(folder / REVIEW_FILE), ReviewConfig)[1]

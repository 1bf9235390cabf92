"""The settings of the retention, from `retention.yaml` of the catalogue."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from zhengku.catalog.clearance_config import Clock
from zhengku.catalog.problem import Problem
from zhengku.catalog.structure import read_settings
from zhengku.catalog.yaml_file import read_yaml
from zhengku.configuration_model import WholeNumber, wrong
from zhengku.errors import CatalogError

RETENTION_FILE = "retention.yaml"

LONGEST = 36_500
"""Days: a hundred years, for an installation that removes nothing of a kind."""

SIX_MONTHS = 184
"""Days of the longest six months: logs are retained at least so long (网络安全法, article 21)."""


class RetentionConfig(BaseModel):
    """How many days each kind is retained; times of day and days of the week are in Asia/Shanghai."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    retention_at: Clock = Field(description="Time of day at which what is too old is removed.")
    airflow_weekday: WholeNumber = Field(
        ge=0, le=6, description="Day of the week on which Airflow's own tables are cleaned, 0 is Sunday (0 to 6)."
    )
    backup_days: WholeNumber = Field(
        ge=1, le=3660, description="Days back to which the database can be restored (1 to 3660)."
    )
    landed_days: WholeNumber = Field(ge=30, le=LONGEST, description="Days for landed deliveries (30 to 36500).")
    report_days: WholeNumber = Field(
        ge=90, le=LONGEST, description="Days for workbooks, lists and reports (90 to 36500)."
    )
    return_days: WholeNumber = Field(ge=30, le=LONGEST, description="Days for files of returns (30 to 36500).")
    task_log_days: WholeNumber = Field(
        ge=SIX_MONTHS, le=LONGEST, description="Days for logs of tasks (184, six months, to 36500)."
    )
    airflow_days: WholeNumber = Field(
        ge=SIX_MONTHS, le=LONGEST, description="Days for Airflow's own tables (184, six months, to 36500)."
    )
    rule_result_days: WholeNumber = Field(
        ge=731, le=LONGEST, description="Days for the numbers of rows that failed each rule (731 to 36500)."
    )
    warned_row_days: WholeNumber = Field(
        ge=30, le=LONGEST, description="Days for rows with a warning and shapes of columns (30 to 36500)."
    )

    @field_validator("landed_days")
    @classmethod
    def _as_long_as_backups(cls, value: int, info: ValidationInfo) -> int:
        backup = info.data.get("backup_days")
        if backup is not None and value < backup:
            raise wrong(
                f"{value} is less than backup_days {backup}",
                "Write the same or more: a database that is restored to an older moment asks for these files again.",
            )
        return value


def load_retention(folder: Path) -> RetentionConfig:
    """Load the settings from a catalogue folder; raises `CatalogError` (file, line, fix) for a mistake."""
    config, problems = read_settings(read_yaml(folder / RETENTION_FILE), RetentionConfig)
    if config is None or problems:
        raise CatalogError(str(problems[0]))
    return config


def check_retention(folder: Path) -> list[Problem]:
    """Return the mistakes in `retention.yaml`."""
    return read_settings(read_yaml(folder / RETENTION_FILE), RetentionConfig)[1]

"""The settings of the notices, from `notices.yaml` of the catalogue."""

from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationInfo, field_validator

from zhengku.catalog.problem import Problem
from zhengku.catalog.structure import read_settings
from zhengku.catalog.yaml_file import read_yaml
from zhengku.configuration_model import WholeNumber, wrong
from zhengku.errors import CatalogError

NOTICES_FILE = "notices.yaml"

Share = Annotated[float, Field(strict=True, gt=0, lt=1)]
Name = Annotated[str, Field(min_length=1, max_length=60)]
DagName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class KnownExpiry(BaseModel):
    """A key or certificate with its last day, in Asia/Shanghai."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = Field(description="Its name, as people are told it.")
    last_day: date = Field(description="The last day on which it is valid.")


class NoticesConfig(BaseModel):
    """The settings of the notices; days are in Asia/Shanghai."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quiet_minutes: WholeNumber = Field(
        ge=0,
        le=240,
        description="Minutes without an active or due run after which a problem is told (0 to 240).",
    )
    longest_wait_minutes: WholeNumber = Field(
        ge=1, le=1440, description="Minutes after which an ordinary problem is told in any case (1 to 1440)."
    )
    settle_minutes: WholeNumber = Field(
        ge=0, le=240, description="Minutes after which what is over counts as over (0 to 240)."
    )
    late_after_minutes: WholeNumber = Field(
        ge=1, le=240, description="Minutes after its hour at which a list or report is late (1 to 240)."
    )
    overdue_minutes: WholeNumber = Field(
        ge=15, le=1440, description="Minutes after its hour at which a DAG without a run is told of (15 to 1440)."
    )
    rejected_days: WholeNumber = Field(ge=1, le=60, description="Days for which a rejected batch is told of (1 to 60).")
    disk_free_share: Share = Field(description="Share of free space below which a disk is told of (between 0 and 1).")
    disk_urgent_share: Share = Field(description="Share of free space below which it is urgent (between 0 and 1).")
    expiry_days: WholeNumber = Field(
        ge=1, le=365, description="Days before its last day at which a certificate or key is told of (1 to 365)."
    )
    secret_days: WholeNumber = Field(
        ge=0, le=3660, description="Days after which an unchanged password is told of (0 to 3660, 0: never)."
    )
    watch_backups: StrictBool = Field(
        description="Whether the archive and the backups of docs/runbooks/restore.md are expected (true or false)."
    )
    may_be_paused: tuple[DagName, ...] = Field(description="DAGs that are paused on purpose.")
    known_expiries: tuple[KnownExpiry, ...] = Field(description="Keys whose last day no program can read.")

    @field_validator("disk_urgent_share")
    @classmethod
    def _below_the_first_limit(cls, value: float, info: ValidationInfo) -> float:
        limit = info.data.get("disk_free_share")
        if limit is not None and value > limit:
            raise wrong(f"{value:g} is more than disk_free_share {limit:g}", "Write the same or less.")
        return value


def load_notices(folder: Path) -> NoticesConfig:
    """Load the settings from a catalogue folder; raises `CatalogError` (file, line, fix) for a mistake."""
    config, problems = read_settings(read_yaml(folder / NOTICES_FILE), NoticesConfig)
    if config is None or problems:
        raise CatalogError(str(problems[0]))
    return config


def check_notices(folder: Path) -> list[Problem]:
    """Return the mistakes in `notices.yaml`."""
    return read_settings(read_yaml(folder / NOTICES_FILE), NoticesConfig)[1]

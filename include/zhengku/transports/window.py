"""What one run collects of a feed: new files, what changed since the watermark, or the whole register."""

from datetime import date
from typing import Literal

from pydantic import Field

from zhengku.configuration_model import ColumnName, Model, WholeNumber


class NewFiles(Model):
    """Each run collects the files that have no batch yet."""

    kind: Literal["new_files"] = "new_files"


class Watermark(Model):
    """Each run collects what changed since the newest row that was loaded, and a little before it."""

    kind: Literal["watermark"]
    column: ColumnName = Field(
        description="Delivered column with the time of a row's last change, by the department's clock (Asia/Shanghai)."
    )
    overlap_minutes: WholeNumber = Field(
        default=60,
        ge=0,
        le=527_040,
        description="How far before the watermark a run begins: rows committed late and clocks that differ.",
    )
    start: date = Field(
        default=date(1900, 1, 1),
        description="Where the very first run begins: stock that is still valid may not have changed for decades.",
    )


class Whole(Model):
    """Each run collects the whole register; deliveries must be snapshots."""

    kind: Literal["whole"]

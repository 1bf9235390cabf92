"""What one run collects of a feed: new files, what changed since the watermark, or the whole register."""

from datetime import date
from typing import Literal

from pydantic import Field

from zhengku.configuration_model import ColumnName, Model, WholeNumber


class NewFiles(Model):
    """Each run collects the files that have no batch yet."""

    kind: Literal["new_files"] = "new_files"

    @property
    def extent_zh(self) -> str:
        """What one run collects, in Chinese."""
        return "新送达的文件"


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

    @property
    def extent_zh(self) -> str:
        """What one run collects, in Chinese."""
        return f"上次水位（{self.column}）以来变动的记录，并回看{self.overlap_minutes}分钟"


class Whole(Model):
    """Each run collects the whole register; deliveries must be snapshots."""

    kind: Literal["whole"]

    @property
    def extent_zh(self) -> str:
        """What one run collects, in Chinese."""
        return "全部登记"

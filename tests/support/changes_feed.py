"""A feed whose rows say what happened to them, and when."""

from pathlib import Path
from typing import Any

from tests.support.changed_department import change_department
from tests.support.installation import HEADER

COLUMNS = "操作,更新时间"


def row(make_row, number: int, operation: str, at: str, **values: str) -> str:
    return f"{make_row(number, **values)},{operation},2024-05-0{at}"


def report_changes(installation: Any, tmp_path: Path) -> Any:
    """Let the rows of the installation's feed say what happened to them; `deliver_operations` loads rows as a batch."""

    def change(text: str) -> str:
        text = text.replace("    version: delivery ", "    version: source_updated_at ")
        text = text.replace("    fields:\n", "    operation: {column: 操作}\n    fields:\n", 1)
        text = text.replace(
            "      district: {column: 地区}",
            "      district: {column: 地区}\n      source_updated_at: {column: 更新时间}",
        )
        return text.replace("      - source_updated_at\n", "")

    change_department(installation, tmp_path, change)
    minutes = iter(range(900, 0, -10))

    def deliver(*rows: str):
        name = f"{next(minutes)}.csv"
        content = "\n".join([f"{HEADER},{COLUMNS}", *rows]) + "\n"
        installation.deliver(name, content, minutes_ago=int(name[:-4]))
        return installation.run_one()

    installation.deliver_operations = deliver
    return installation

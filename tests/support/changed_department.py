"""An installation whose department is described otherwise than the shipped catalogue says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zhengku.settings import Settings


def change_department(installation: Any, tmp_path: Path, change: Callable[[str], str]) -> None:
    """Give the installation a catalogue of its own in `tmp_path`, its department's file rewritten by `change`."""
    folder = tmp_path / "catalog"
    shutil.copytree(installation.settings.catalog_folder, folder)
    path = folder / "departments" / "market_supervision.yaml"
    before = path.read_text(encoding="utf-8")
    # A replacement that finds nothing would test the shipped feed.
    assert change(before) != before
    path.write_text(change(before), encoding="utf-8")
    environment = {**installation.settings.environment, "ZHENGKU_CATALOG_DIR": str(folder)}
    installation.settings = Settings(home=installation.settings.home, environment=environment)

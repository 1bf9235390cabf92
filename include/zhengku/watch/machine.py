"""What one machine tells: free space of the folders that zhengku writes to, and the age of passwords in files."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from zhengku.catalog.notices_config import NoticesConfig
from zhengku.clock import CITY_TIME_ZONE
from zhengku.settings import Settings
from zhengku.watch.finding import Finding

_GIGABYTE = 1024**3


def find_on_machine(
    settings: Settings, config: NoticesConfig, machine: str, now: datetime, more_folders: Iterable[Path] = ()
) -> list[Finding]:
    """Return disks that are nearly full and passwords that are old, on the machine of this name.

    `more_folders` are looked at beside the landing area, where it is a folder, and the folders of reports and returns.
    """
    folders = [settings.report_folder, settings.return_folder, *more_folders]
    if "://" not in settings.landing_url:
        folders.insert(0, Path(settings.landing_url))
    return [*_disks(folders, config, machine), *_secrets(settings.environment, config, now)]


def _disks(folders: Iterable[Path], config: NoticesConfig, machine: str) -> Iterator[Finding]:
    seen: set[int] = set()
    for folder in folders:
        place = _existing(folder)
        device = place.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        usage = shutil.disk_usage(place)
        share = usage.free / usage.total
        if share < config.disk_free_share:
            is_urgent = share < config.disk_urgent_share
            yield Finding(
                "disk",
                f"{machine}:{folder}",
                f"{machine} 的 {folder} 所在磁盘仅余 {share:.0%}（{usage.free / _GIGABYTE:,.1f} GB）",
                urgency="urgent" if is_urgent else None,
            )


def _existing(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that exists: nothing was written yet."""
    return next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())


def _secrets(environment: Mapping[str, str], config: NoticesConfig, now: datetime) -> Iterator[Finding]:
    if not config.secret_days:
        return
    for variable, path in sorted(environment.items()):
        file = Path(path)
        if not variable.startswith("ZHENGKU_") or not variable.endswith("_FILE") or not path or not file.is_file():
            continue
        changed = datetime.fromtimestamp(file.stat().st_mtime, CITY_TIME_ZONE)
        if (now - changed).days >= config.secret_days:
            name = variable.removeprefix("ZHENGKU_").removesuffix("_FILE")
            yield Finding("secret_old", name, f"{name} 自 {changed:%Y-%m-%d} 起未更换", state=f"{changed:%Y-%m-%d}")

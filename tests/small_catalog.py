"""A catalogue of some feeds only, for tests that run them in a real Airflow."""

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

import yaml

from zhengku.settings import project_home

# The day comes again in 2028: no run but those of the test.
NEVER = "0 0 29 2 *"


class _Quoting(yaml.SafeDumper):
    """Quotes all text: what it would leave plain, such as 099, is a number to others."""


_Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def write_small_catalog(folder: Path, feeds: Mapping[str, Collection[str]], **changed: object) -> dict[str, str]:
    """Write the shipped catalogue with `feeds` by department alone, and return the departments' names.

    They are as they are shipped, but for the schedule and what is `changed` in each department.
    """
    shipped = project_home() / "include" / "catalog"
    shutil.copytree(shipped, folder, ignore=shutil.ignore_patterns("departments"))
    (folder / "departments").mkdir()
    names = {}
    for department, kept in feeds.items():
        sheet = yaml.safe_load((shipped / "departments" / f"{department}.yaml").read_text("utf-8"))
        sheet["feeds"] = {name: feed for name, feed in sheet["feeds"].items() if name in kept}
        sheet.update(schedule=NEVER, **changed)
        text = yaml.dump(sheet, Dumper=_Quoting, allow_unicode=True, sort_keys=False)
        (folder / "departments" / f"{department}.yaml").write_text(text, encoding="utf-8")
        names[department] = sheet["name"]
    return names

"""The part of the build that pyproject.toml cannot say: a wheel carries the folders that a checkout has at its top."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CARRIED = ("sql", "expectations", "include/catalog", "docs/runbooks")


class BuildWithFolders(build_py):
    """Copies the folders of `CARRIED` into the package, where `zhengku.settings` looks for them first."""

    def run(self) -> None:
        """Build the packages; an editable one stays in the checkout and finds the folders there."""
        super().run()
        if self.editable_mode:
            return
        carried = Path(self.build_lib) / "zhengku" / "carried"
        # What an earlier build left behind may be gone from the checkout.
        shutil.rmtree(carried, ignore_errors=True)
        for folder in CARRIED:
            shutil.copytree(folder, carried / folder, ignore=shutil.ignore_patterns("__pycache__"))


setup(cmdclass={"build_py": BuildWithFolders})

"""One installation of zhengku: the settings, catalogue and landing area that every step of the pipeline uses."""

import hashlib
from collections.abc import Callable
from functools import cached_property

from zhengku import __version__
from zhengku.catalog import Catalog, Feed, load_catalog
from zhengku.catalog.reference import TABLES
from zhengku.landed.landing import LandingArea
from zhengku.readers.row_rules import ROW_RULES
from zhengku.settings import Settings
from zhengku.validate.suites import BATCH_SUITE, load_suites, reasons

Observer = Callable[[str, str, int], None]
"""Called with the progress of a step: the step, the name of the delivery, how many more bytes or rows are done."""


def ignore_progress(step: str, source_name: str, amount: int) -> None:
    """Ignore the progress of a step."""


class Installation:
    """One installation: `settings` and what they lead to; `observe` is called with the progress of each step."""

    def __init__(self, settings: Settings, observe: Observer = ignore_progress) -> None:
        self.settings = settings
        self.observe = observe

    @cached_property
    def catalog(self) -> Catalog:
        """The catalogue of this installation."""
        return load_catalog(self.settings.catalog_folder)

    @cached_property
    def landing(self) -> LandingArea:
        """The landing area of this installation."""
        return LandingArea(self.settings.landing_url)

    def reasons(self, department: str) -> dict[str, str]:
        """Return the Chinese reason of every rule that checks a department's rows, by rule id."""
        feeds = self.catalog.department(department).feeds.values()
        names = [name for feed in feeds for name in feed.suites]
        return {**ROW_RULES, **reasons(load_suites(self.settings.suite_folder, [*names, BATCH_SUITE]))}

    def config_digest(self, feed: Feed) -> str:
        """Return the SHA-256 of what decides how a file is processed: feed, catalogue's tables, suites, release."""
        digest = hashlib.sha256(f"{__version__}\n{feed.config_digest}\n".encode())
        tables = [self.settings.catalog_folder / name for name in TABLES]
        suites = sorted(self.settings.suite_folder.glob("*.json"))
        for path in (*tables, *suites):
            digest.update(path.read_bytes())
        return digest.hexdigest()

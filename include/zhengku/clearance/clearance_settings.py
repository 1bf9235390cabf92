"""The settings of the daily clearance of one installation."""

from datetime import date
from functools import cached_property

from zhengku.catalog import Catalog, load_catalog
from zhengku.catalog.clearance_config import ClearanceConfig, load_clearance
from zhengku.catalog.working_days import WorkingCalendar
from zhengku.settings import Settings


class ClearanceSettings:
    """The settings of the daily clearance of one installation: its configuration, catalogue and calendars.

    Those not given are read from its catalogue folder when first used; a given `calendar` is used for all days.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog | None = None,
        config: ClearanceConfig | None = None,
        calendar: WorkingCalendar | None = None,
    ) -> None:
        self.settings = settings
        self._catalog = catalog
        self._config = config
        self._calendar = calendar

    @cached_property
    def catalog(self) -> Catalog:
        """The catalogue of this installation."""
        return self._catalog or load_catalog(self.settings.catalog_folder)

    @cached_property
    def config(self) -> ClearanceConfig:
        """The numbers of the daily clearance."""
        return self._config or load_clearance(self.settings.catalog_folder)

    def calendar(self, day: date) -> WorkingCalendar:
        """Return the calendar with which a list of `day` counts working days."""
        return self._calendar or WorkingCalendar.load(self.settings.catalog_folder, day)

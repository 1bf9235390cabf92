"""Writing versions of lists: what a list is judged against, its entry and counts, corrections of earlier lists."""

import logging
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from psycopg.types.json import Jsonb

from zhengku.clearance.clearance_settings import ClearanceSettings
from zhengku.clearance.lists import Connection, ListRecord, ListVersion, StaleSource, list_record
from zhengku.clearance.transaction import make_table, one_row
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement
from zhengku.errors import CatalogError

log = logging.getLogger(__name__)

LIST_STATES: Final = ("unrated", "default_rated", "new", "carried_over", "reopened")
"""The counts of a list by section and state."""

_LEFT = ("cleared", "withdrawn", "archived")


class ListWriter:
    """Writes versions of lists for one installation."""

    def __init__(self, settings: ClearanceSettings) -> None:
        self._settings = settings

    def correct(self, connection: Connection, lists: Sequence[ListRecord], now: datetime) -> list[ListVersion]:
        """Give each list that the candidates' facts contradict one more version; return these."""
        listed = {"lists": [kept.list_id for kept in lists]}
        make_table(connection, "difference", statement("clearance/corrections.differences"), listed)
        found = connection.execute(statement("clearance/corrections.differing_lists")).fetchall()
        differing = {row[0] for row in found}
        versions = [self._next_version(connection, kept, now) for kept in lists if kept.list_id in differing]
        connection.execute(statement("clearance/corrections.touch_differences"))
        return versions

    def _next_version(self, connection: Connection, kept: ListRecord, now: datetime) -> ListVersion:
        against = self.against(connection, kept.day)
        values = {
            **vars(kept),
            **against,
            "corrected_list": kept.list_id,
            "corrections": [*kept.corrections, against["list_id"]],
            "version": kept.version + 1,
            "published_at": now,
            "is_trunk": False,
        }
        self.enter(connection, values)
        moved = one_row(connection, statement("clearance/corrections.correct_list"), values)
        states = {name: getattr(kept, name) + moved[name] for name in LIST_STATES}
        return self.complete(connection, {**values, **states})

    @staticmethod
    def position(connection: Connection, day: date, newest_before: int = 0) -> dict[str, Any]:
        """Return the number that the next list gets, and which lists it follows."""
        return one_row(
            connection, statement("clearance/trunk.trunk_position"), {"day": day, "newest_before": newest_before}
        )

    def against(self, connection: Connection, day: date, newest_before: int = 0) -> dict[str, Any]:
        """Return what a list of `day` is judged against, as parameters: yesterday's list; and the number it gets.

        All lists of a day are judged against the same; `newest_before` counts for the first of them.
        """
        position = self.position(connection, day, newest_before)
        yesterday = list_record(connection, "clearance/trunk.yesterday_list", {"day": day, **position})
        return {
            "list_id": position["next_list"],
            "last_before": position["last_before"],
            "last_shown": position["last_shown"],
            "yesterday_list": yesterday and yesterday.list_id,
            "yesterday_base": yesterday and yesterday.base_list,
            "yesterday_corrections": yesterday.corrections if yesterday else [],
            "yesterday_day": yesterday and yesterday.day,
        }

    def enter(self, connection: Connection, values: Mapping[str, Any]) -> None:
        """Enter a list, without its counts, with the sources that are behind its cut-off."""
        stale = [
            {
                "name": source.name,
                "title": source.title,
                "read_at": None if source.read_at is None else source.read_at.isoformat(),
            }
            for source in self.stale_sources(connection, values["cutoff_at"])
        ]
        connection.execute(statement("clearance/count_list.enter_list"), {**values, "stale": Jsonb(stale)})

    @staticmethod
    def complete(connection: Connection, values: Mapping[str, Any]) -> ListVersion:
        """Enter the counts of a list: `values` has those by state, who left is counted here."""
        left = dict.fromkeys(_LEFT, 0)
        if values["yesterday_list"] is not None:
            left = one_row(connection, statement("clearance/count_list.count_left"), values)
        kept = list_record(connection, "clearance/count_list.count_list", {**values, **left})
        assert kept is not None
        log.info("%s list of %s, version %d: %s", kept.kind, kept.day, kept.version, kept.published.counts)
        return kept.published

    def stale_sources(self, connection: Connection, cutoff_at: datetime) -> list[StaleSource]:
        """Return the sources that were not read at or after a cut-off, in the order of the configuration."""
        names = [source.partition("/") for source in self._settings.config.sources]
        found = connection.execute(
            statement("clearance/services.sources_read"),
            {"departments": [name[0] for name in names], "feeds": [name[2] for name in names]},
        ).fetchall()
        read = {f"{department}/{feed}": read_at for department, feed, read_at in found}
        return [
            StaleSource(name, self._title(name), read[name] and read[name].astimezone(CITY_TIME_ZONE))
            for name in self._settings.config.sources
            if read[name] is None or read[name] < cutoff_at
        ]

    def _title(self, source: str) -> str:
        department, _, feed = source.partition("/")
        try:
            return self._settings.catalog.feed(department, feed).title
        except CatalogError:
            # A department's broken file keeps no list from coming out.
            return source

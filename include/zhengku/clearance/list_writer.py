"""Writing versions of lists: the lists that one is compared with, its record and counts, corrections of lists."""

import logging
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from psycopg.types.json import Jsonb

from zhengku import ledger
from zhengku.clearance.clearance_settings import ClearanceSettings
from zhengku.clearance.list_versions import ListRecord, ListVersion, StaleSource, list_record, list_scope
from zhengku.clearance.transaction import make_table, one_row
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement
from zhengku.errors import CatalogError
from zhengku.ledger import Connection

log = logging.getLogger(__name__)

LIST_STATES: Final = ("unrated", "default_rated", "new", "carried_over", "reopened")
"""The columns of `clearance.list` that count rows by section and state."""

_LEFT = ("cleared", "withdrawn", "archived")


class ListWriter:
    """Writes versions of lists for one installation."""

    def __init__(self, settings: ClearanceSettings) -> None:
        self._settings = settings

    def correct(self, connection: Connection, lists: Sequence[ListRecord], now: datetime) -> list[ListVersion]:
        """Publish one more version of each list that differs from the facts of the candidates; return these versions.

        The candidates are the services in the temporary table `candidate`.
        """
        listed = {"lists": [record.list_id for record in lists]}
        make_table(connection, "difference", statement("clearance/corrections.differences"), listed)
        found = connection.execute(statement("clearance/corrections.differing_lists")).fetchall()
        differing = {row[0] for row in found}
        versions = [self._next_version(connection, record, now) for record in lists if record.list_id in differing]
        connection.execute(statement("clearance/corrections.touch_differences"))
        return versions

    def correct_changed(
        self, connection: Connection, finals: Sequence[ListRecord], now: datetime, changed: int
    ) -> None:
        """Correct final lists by the services that changed since the last comparison.

        The services that batches of this transaction changed (`changed`: how many) are recorded as touched, so that the
        next trunk list compares them too.
        """
        if changed:
            connection.execute(statement("clearance/corrections.touch_services"))
        make_table(connection, "candidate", statement("clearance/candidates.compare_candidates"), {})
        self.correct(connection, finals, now)

    def _next_version(self, connection: Connection, record: ListRecord, now: datetime) -> ListVersion:
        against = self.against(connection, record.day)
        values = {
            **vars(record),
            **against,
            "corrected_list": record.list_id,
            "corrections": [*record.corrections, against["list_id"]],
            "version": ledger.next_version(connection, "list", list_scope(record.day, record.kind), record.version),
            "published_at": now,
            "is_trunk": False,
        }
        self.enter(connection, values)
        moved = one_row(connection, statement("clearance/corrections.correct_list"), values)
        states = {name: getattr(record, name) + moved[name] for name in LIST_STATES}
        return self.complete(connection, {**values, **states})

    @staticmethod
    def position(connection: Connection, day: date, newest_before: int = 0) -> dict[str, Any]:
        """Return the number that the next list gets, and the numbers of the lists that it follows."""
        return one_row(
            connection, statement("clearance/trunk.trunk_position"), {"day": day, "newest_before": newest_before}
        )

    def against(self, connection: Connection, day: date, newest_before: int = 0) -> dict[str, Any]:
        """Return the list of yesterday that a list of `day` is compared with, and the number it gets, as parameters.

        All lists of a day are compared with the same one; `newest_before` is used for the first of them.
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
        """Write the record of a list, without its counts, with the sources that were not read since its cut-off."""
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
        """Write the counts of a list: those by section and state in `values`, and those of services that left."""
        left = dict.fromkeys(_LEFT, 0)
        if values["yesterday_list"] is not None:
            left = one_row(connection, statement("clearance/count_list.count_left"), values)
        record = list_record(connection, "clearance/count_list.count_list", {**values, **left})
        assert record is not None
        log.info("%s list of %s, version %d: %s", record.kind, record.day, record.version, record.list_version.counts)
        return record.list_version

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
            # A department's broken file must not prevent the publishing of a list.
            return source

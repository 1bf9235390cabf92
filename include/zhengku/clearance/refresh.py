"""The state of each service, updated from loaded batches of cases and evaluations, once for each batch."""

import logging
from datetime import datetime
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from zhengku import clock
from zhengku.catalog.working_days import WorkingCalendar
from zhengku.clearance.clearance_settings import ClearanceSettings
from zhengku.clearance.transaction import make_table
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement
from zhengku.ledger import Connection

log = logging.getLogger(__name__)


class ServiceState:
    """The state of the services of one installation (`clearance.service`)."""

    def __init__(self, settings: ClearanceSettings) -> None:
        self._settings = settings

    def refresh(self, connection: Connection, now: datetime | None = None) -> int:
        """Update the state from loaded batches that were not processed yet; return how many services changed.

        Runs in the caller's transaction, which holds a lock on it. Services that no batch touched are not read.
        """
        changed = self.take_batches(connection, now or clock.now())
        if changed:
            connection.execute(statement("clearance/corrections.touch_services"))
        return changed

    def take_batches(self, connection: Connection, now: datetime) -> int:
        """Do the same, but do not record the touched services: they are in the temporary table `changed`."""
        connection.execute("select pg_advisory_xact_lock(hashtextextended('zhengku.clearance', 0))")
        # Thousands of keys among millions are read by the index, which is in memory or on a fast disk.
        connection.execute("set local random_page_cost = 1.1")
        calendar_id, is_other_basis = self._store_basis(connection, now)
        found = connection.execute(statement("clearance/services.has_services")).fetchone()
        is_first = found is not None and not found[0]
        values: dict[str, Any] = {
            "batches": [
                row[0] for row in connection.execute(statement("clearance/services.batches_to_apply")).fetchall()
            ],
            "calendar_id": calendar_id,
            "rectification_working_days": self._settings.config.rectification_working_days,
        }
        changed = 0
        if values["batches"]:
            scope = sql.SQL("true")
            if not is_first:
                make_table(connection, "touched_key", statement("clearance/services.touched_keys"), values)
                scope = sql.SQL("c.record_key in (select t.record_key from touched_key as t)")
            make_table(connection, "refreshed", statement("clearance/services.read_services").format(scope=scope), {})
            connection.execute(statement("clearance/services.add_places"))
            connection.execute(statement("clearance/services.add_items"))
            make_table(connection, "changed", statement("clearance/services.changed_services"), {})
            changed = connection.execute(statement("clearance/services.write_services")).rowcount
            connection.execute(statement("clearance/services.record_applied"), values)
            log.info("%d batches of cases and evaluations: %d services changed", len(values["batches"]), changed)
        if is_first or is_other_basis:
            connection.execute(statement("clearance/rates.touch_all_days"), values)
        elif values["batches"]:
            connection.execute(statement("clearance/rates.touch_days"), values)
        return changed

    def _store_basis(self, connection: Connection, now: datetime) -> tuple[int, bool]:
        """Store the calendar and the settings; return the calendar's number, and whether any of them changed."""
        calendar_id = store_calendar(connection, self._settings.calendar(now.astimezone(CITY_TIME_ZONE).date()))
        numbers = self._settings.config.model_dump(mode="json", exclude={"sources"})
        values = {"calendar_id": calendar_id, "numbers": Jsonb(numbers)}
        return calendar_id, connection.execute(statement("clearance/basis.keep_basis"), values).fetchone() is not None


def store_calendar(connection: Connection, calendar: WorkingCalendar) -> int:
    """Store the days of a calendar, unless they are stored; return its number."""
    row = connection.execute(statement("clearance/basis.calendar_by_digest"), {"digest": calendar.digest}).fetchone()
    if row is None:
        row = connection.execute(statement("clearance/basis.keep_calendar"), {"digest": calendar.digest}).fetchone()
        assert row is not None
        connection.execute(
            statement("clearance/basis.keep_calendar_days"),
            {
                "calendar_id": row[0],
                "days": [day.day for day in calendar.days],
                "is_working": [day.is_working for day in calendar.days],
                "working_days": [day.working_days for day in calendar.days],
                "is_assumed": [day.is_assumed for day in calendar.days],
            },
        )
    return int(row[0])

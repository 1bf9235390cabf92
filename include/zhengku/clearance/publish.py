"""Publishing the lists of daily clearance (日清清单): the state of each service, corrections, lists, rates.

One publishing runs at a time, each list in a transaction of its own: a step that crashes leaves no change and can be
repeated. Moments carry their zone; days are those of Asia/Shanghai.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import cached_property

from zhengku.catalog.clearance_config import ListKind
from zhengku.catalog.working_days import WorkingCalendar
from zhengku.clearance.clearance_settings import ClearanceSettings
from zhengku.clearance.first_version import FirstVersion, NewList
from zhengku.clearance.list_versions import ListRecord, ListVersion, list_record, list_records, published_version
from zhengku.clearance.list_writer import ListWriter
from zhengku.clearance.rates import refresh_rates
from zhengku.clearance.refresh import ServiceState
from zhengku.clearance.transaction import make_table
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement, store_connection
from zhengku.errors import ConfigurationError
from zhengku.ledger import Connection

log = logging.getLogger(__name__)


class DailyClearance(ClearanceSettings):
    """The daily clearance of one installation: its lists, their rates, and the state of its services."""

    @cached_property
    def _services(self) -> ServiceState:
        return ServiceState(self)

    @cached_property
    def _writer(self) -> ListWriter:
        return ListWriter(self)

    def refresh(self, connection: Connection, now: datetime | None = None) -> int:
        """Update the state of services from loaded batches; return how many changed (see `ServiceState.refresh`)."""
        return self._services.refresh(connection, now)

    def refresh_rates(self, now: datetime | None = None) -> int:
        """Recount the rates of the days that loaded batches touched; return how many days."""
        return refresh_rates(self, now)

    def publish_due(self, now: datetime, only_if_fresh: bool) -> list[ListVersion]:
        """Publish every list whose cut-off is at or before `now` and that has no version yet, oldest first.

        With `only_if_fresh` a list waits until all sources were read at or after its cut-off. Raises what `publish`
        raises; the lists published before the error remain published.
        """
        published: list[ListVersion] = []
        for day, kind in self.config.due(now):
            with store_connection(self.settings.database_url) as connection:
                is_due = published_version(connection, day, kind) is None and not (
                    only_if_fresh and self._writer.stale_sources(connection, self.config.cutoff(day, kind))
                )
            if is_due:
                published.append(self.publish(day, kind, now))
        return published

    def check_day(self, day: date, kind: ListKind, now: datetime) -> None:
        """Raise `ConfigurationError` where a list cannot be published: before its cut-off, or before the calendar."""
        if day < WorkingCalendar.first_day:
            raise ConfigurationError(
                f"The {kind} list of {day} cannot be published: expected a day from {WorkingCalendar.first_day} on, "
                "with which the calendar of working days begins. Name a later day."
            )
        today = now.astimezone(CITY_TIME_ZONE).date()
        if day > today:
            # Checked before the cut-off is computed: the last possible date has no following midnight.
            raise ConfigurationError(
                f"The {kind} list of {day} cannot be published before its cut-off: that day is to come. "
                f"Name a day up to {today}."
            )
        cutoff_at = self.config.cutoff(day, kind)
        if now < cutoff_at:
            raise ConfigurationError(
                f"The {kind} list of {day} cannot be published before its cut-off at {cutoff_at:%Y-%m-%d %H:%M}. "
                "Publish it then, or an earlier list."
            )

    def publish(self, day: date, kind: ListKind, now: datetime) -> ListVersion:
        """Publish a list with the data that is loaded; return it.

        Before a final list, earlier final lists are corrected; before a working list they are not: so each gets one
        correction a night. A list that exists already is returned as it is, or in a new version where the data has
        changed, and earlier final lists are corrected too. `now`, with a zone, is the time of publishing. Raises what
        `check_day` and `store_connection` raise.
        """
        self.check_day(day, kind, now)
        with self._lock(now) as (connection, changed):
            # A list is compared with those published before it, not with the corrections that are made with it.
            newest_before = self._writer.position(connection, day)["next_list"] - 1
            newest = list_record(connection, "clearance/lists.newest_list", {})
            finals = self._final_lists(connection, max(day, newest.day) if newest else day)
            if published_version(connection, day, kind) is None:
                new = NewList(day, kind, now, newest_before, changed, finals)
                return FirstVersion(self, self._writer, connection).publish(new)
            self._writer.correct_changed(connection, finals, now, changed)
            existing = list_record(
                connection, "clearance/lists.list_by_version", {"day": day, "kind": kind, "version": None}
            )
            assert existing is not None
            connection.execute(statement("clearance/corrections.record_compared"))
            if (day, kind) not in {(final.day, final.kind) for final in finals}:
                # Too old for the nightly corrections: which services changed since its last comparison is not recorded.
                values = {**existing.members, **existing.limits}
                make_table(connection, "candidate", statement("clearance/candidates.list_candidates"), values)
                corrected = self._writer.correct(connection, [existing], now)
                return corrected[0] if corrected else existing.list_version
            return existing.list_version

    @contextmanager
    def _lock(self, now: datetime) -> Iterator[tuple[Connection, int]]:
        """Open the store for a transaction while no other publishing runs, with the state of services up to date.

        Yields also how many services changed; they have to be recorded as touched unless a trunk list processes them.
        """
        with store_connection(self.settings.database_url) as connection:
            yield connection, self._services.take_batches(connection, now)

    def _final_lists(self, connection: Connection, reference: date) -> list[ListRecord]:
        """Return the final lists that corrections may still change, oldest first; `reference`: the newest day."""
        first_day = date.fromordinal(reference.toordinal() - self.config.correction_days)
        return list_records(connection, "clearance/lists.final_lists", {"first_day": first_day, "last_day": reference})

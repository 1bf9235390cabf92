"""Files of a drop that no feed takes: recorded and logged, so that the feed or the file is corrected."""

import logging
from collections.abc import Iterable

from zhengku import ledger
from zhengku.catalog import Feed
from zhengku.database import store_connection
from zhengku.errors import CatalogError, ZhengkuError
from zhengku.installation import Installation
from zhengku.landed.address import without_login
from zhengku.masking import mask_text
from zhengku.transports.registry import connector_of
from zhengku.transports.transport import Transport

log = logging.getLogger(__name__)


class UntakenFiles:
    """Finds the files that no feed takes, for one installation."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._settings = installation.settings
        self._reported: set[tuple[str, str]] = set()
        """Runs and connections whose untaken files are reported already."""

    def report(self, feed: Feed, address: str, run_id: str) -> None:
        """Record and log the files of a feed's connection that no feed takes, once in a run for each connection.

        A drop that cannot be read does not stop the collection here: collecting a feed from it reports the error.
        """
        connection_id = feed.transport.connection
        if (run_id, connection_id) in self._reported:
            return
        self._reported.add((run_id, connection_id))
        connector = connector_of(feed)
        try:
            # The remaining files may be another department's; reading all departments' files takes a second or two.
            departments = ([feed.department], self._installation.catalog.department_ids)
            files = connector.untaken_files(address, map(self._transports, departments))
        except (OSError, ZhengkuError) as error:
            log.info(
                "%s is not searched for files that no feed takes: %s.",
                without_login(address),
                (error.strerror if isinstance(error, OSError) else None) or type(error).__name__,
            )
            return
        with store_connection(self._settings.database_url) as connection:
            new = ledger.record_untaken(connection, feed.department, run_id, connection_id, files)
        for file in new:
            log.warning(
                "No feed takes %s in %s (%s). Change the feed's pattern or folder, or ask the department for the file "
                "as agreed.",
                mask_text(file.name),
                without_login(address),
                file.reason,
            )

    def _transports(self, department_ids: Iterable[str]) -> list[tuple[str, Transport]]:
        """Return the transports of departments' feeds, each with its address, where this installation has one."""
        found: list[tuple[str, Transport]] = []
        for department_id in department_ids:
            try:
                feeds = self._installation.catalog.department(department_id).feeds.values()
            except CatalogError as error:
                log.debug("%s is left out of the search for untaken files: %s", department_id, error)
                continue
            for feed in feeds:
                address = self._settings.environment.get(f"ZHENGKU_CONN_{feed.transport.connection.upper()}")
                if address:
                    found.append((address, feed.transport))
        return found

"""Where a batch's rows are stored: the table of their data set, with its history, by the names that statements use."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from psycopg import sql

from zhengku.catalog import Feed
from zhengku.database import statement
from zhengku.ledger import Batch

OF_CERTIFICATES: dict[str, sql.Composable] = {"valid_without_end": sql.SQL("c.valid_without_end")}
"""Columns that only certificates have in addition to their fields, from a written row `c`; the last in the store."""

_RECEPTION = ("received_hash", "warning_set")
"""How a version was received: no part of the version, and not stored in the history."""

NEW_VALUES: dict[str, sql.Composable] = {
    "extension": sql.SQL("c.extension"),
    "district_delivered": sql.SQL("c.district_delivered"),
    "version_at": sql.SQL("c.version_at"),
    "version_no": sql.SQL("1"),
    "row_hash": sql.SQL("c.row_hash"),
    "department": sql.Placeholder("department"),
    "feed": sql.Placeholder("feed"),
    "batch_id": sql.Placeholder("batch_id"),
    "row_no": sql.SQL("c.row_no"),
    "loaded_at": sql.SQL("now()"),
    "removed_at": sql.SQL("case when c.removes then c.version_at end"),
    "removal": sql.SQL("case when c.removes then 'deleted' end"),
    "received_hash": sql.SQL("c.received_hash"),
    "warning_set": sql.SQL("c.warning_set"),
}
"""Columns of a record that is new in the store, in addition to its key and fields, from a written row `c`."""


@dataclass(frozen=True)
class StoreTable:
    """The table of a data set, and of certificates the part of one license type; `fields` are those of the data set."""

    dataset: str
    license_type: str | None
    fields: tuple[str, ...]

    @classmethod
    def of(cls, batch: Batch, fields: Iterable[str]) -> "StoreTable":
        """Return the table that a batch is loaded into."""
        return cls(batch.dataset, batch.license_type, tuple(fields))

    @classmethod
    def of_feed(cls, feed: Feed, fields: Iterable[str]) -> "StoreTable":
        """Return the table that a feed's rows are in."""
        return cls(feed.dataset, feed.license_type, tuple(fields))

    @property
    def names(self) -> dict[str, sql.Composable]:
        """Return the SQL for the names in braces in the statements of `sql/load`."""
        store = sql.Identifier("store", self.dataset)
        of_certificates = OF_CERTIFICATES if self.dataset == "certificate" else {}
        scope = ["license_type"] if self.license_type else []
        # In the order of the store's columns: the table of a type's first rows is attached as a partition.
        values_of_new = {
            **{name: sql.Placeholder(name) for name in scope},
            "record_key": sql.SQL("c.record_key"),
            **{name: sql.SQL("c.{}").format(sql.Identifier(name)) for name in self.fields},
            **NEW_VALUES,
            **of_certificates,
        }
        fields = [sql.Identifier(name) for name in (*self.fields, *of_certificates)]
        in_history = [sql.Identifier(name) for name in values_of_new if name not in _RECEPTION]
        to_history = {
            "store": store,
            "history": sql.Identifier("store", f"{self.dataset}_history"),
            "scope": sql.SQL("s.license_type = %(license_type)s" if self.license_type else "true"),
            "kept": _listed(in_history),
            "kept_of_store": _listed([sql.SQL("s.{}").format(name) for name in in_history]),
        }
        return {
            **to_history,
            "kept_versions": statement("load/merge.kept_versions").format(**to_history),
            "target": sql.Identifier("certificate_of", self.license_type) if self.license_type else store,
            "set_fields": _listed([sql.SQL("{0} = c.{0}").format(field) for field in fields]),
            "set_of_certificates": sql.Composed(
                [sql.SQL(", {0} = c.{0}").format(sql.Identifier(name)) for name in of_certificates]
            ),
            "columns": _listed([sql.Identifier(name) for name in values_of_new]),
            "values_of_new": _listed(list(values_of_new.values())),
        }


def _listed(parts: Sequence[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)

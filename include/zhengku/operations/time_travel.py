"""Time travel: the versions that the store had at a moment, and those valid at a moment by the departments' own times.

The functions are `sql/functions/as_of.sql`; docs/decisions/0026 says what they can and cannot return.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row

from zhengku.catalog import Catalog
from zhengku.catalog.record_masks import field_mask, holder_kind, mask_key
from zhengku.ledger import Connection
from zhengku.masking import mask_text


def versions_as_of(
    connection: Connection,
    catalog: Catalog,
    dataset: str,
    known_at: datetime,
    *,
    valid_at: datetime | None = None,
    license_type: str | None = None,
    record_key: str | None = None,
) -> Iterator[dict[str, Any]]:
    """Read the versions of a data set that were in the store at `known_at`, by key, masked.

    `record_key` may differ in brackets, dashes, blanks, width and, unless the type's codes are case-sensitive, in case.
    With `valid_at`, only the versions that were valid then by the departments' own times. Without it, records that were
    deleted or had disappeared are included, with their mark.
    """
    with connection.cursor(name="as_of", row_factory=dict_row) as cursor:
        cursor.execute(
            sql.SQL("select * from {source} where {where} order by record_key").format(
                source=_source(dataset, valid_at), where=_where(license_type, record_key)
            ),
            _values(known_at, valid_at, license_type, record_key),
        )
        fields = catalog.standard_fields(dataset)
        masks = {name: field_mask(field.personal) for name, field in fields.items()}
        for row in cursor:
            # Extension fields are the departments' own: not all of them are classified by the personal data they have.
            row.pop("extension")
            key = mask_key(row["record_key"], row["department"], row["feed"], catalog)
            if "holder" in fields:
                kind = holder_kind(catalog, row["license_type"], row["holder_code_type"])
                masks["holder"] = field_mask(fields["holder"].personal, kind)
            yield {
                name: mask_text(masks.get(name, str)(value)) if isinstance(value, str) else value
                for name, value in row.items()
            } | {"record_key": key}


def count_as_of(
    connection: Connection,
    dataset: str,
    known_at: datetime,
    *,
    valid_at: datetime | None = None,
    license_type: str | None = None,
    record_key: str | None = None,
) -> tuple[int, int]:
    """Count what `versions_as_of` would return: records that are not removed, and records marked as removed."""
    row = connection.execute(
        sql.SQL(
            "select count(*) filter (where removal is null), count(*) filter (where removal is not null)"
            " from {source} where {where}"
        ).format(source=_source(dataset, valid_at), where=_where(license_type, record_key)),
        _values(known_at, valid_at, license_type, record_key),
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def _source(dataset: str, valid_at: datetime | None) -> sql.Composed:
    if valid_at is None:
        return sql.SQL("{}(%(known_at)s)").format(sql.Identifier("store", f"{dataset}_as_of"))
    return sql.SQL("{}(%(valid_at)s, %(known_at)s)").format(sql.Identifier("store", f"{dataset}_valid_at"))


def _where(license_type: str | None, record_key: str | None) -> sql.Composed:
    # Only requested conditions are written: then only the type's partition or the key's index is read.
    parts = [sql.SQL("true")]
    if license_type is not None:
        parts.append(sql.SQL("license_type = %(license_type)s"))
    if record_key is not None:
        # The key may be written with other brackets, dashes or width. Records whose key was not changed to the form in
        # which codes are compared are found by the key as it was.
        parts.append(
            sql.SQL("record_key in (%(record_key)s, clean.key(%(record_key)s), clean.key_as_written(%(record_key)s))")
        )
    return sql.SQL(" and ").join(parts)


def _values(
    known_at: datetime, valid_at: datetime | None, license_type: str | None, record_key: str | None
) -> dict[str, Any]:
    return {"known_at": known_at, "valid_at": valid_at, "license_type": license_type, "record_key": record_key}

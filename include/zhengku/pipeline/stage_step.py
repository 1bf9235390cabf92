"""The step stage: reads a landed batch into its staging tables, cleans it and types it."""

import logging
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib import import_module
from threading import Thread

from psycopg.types.json import Jsonb

from zhengku import ledger
from zhengku.catalog import Feed
from zhengku.database import statement
from zhengku.errors import DeliveryRejected
from zhengku.installation import Installation
from zhengku.landed.address import without_login
from zhengku.landed.manifest import Manifest
from zhengku.ledger import Batch
from zhengku.load.recognise import Recognised, received_seed, recognise
from zhengku.masking import mask_text
from zhengku.readers.column_names import shown
from zhengku.readers.workbook import EMPTY
from zhengku.stage.source_rows import find_rows_of_problems
from zhengku.stage.staging import Staged, copy_rows, type_rows

log = logging.getLogger(__name__)

SHAPED_PAGES = 64
"""Pages of 8 KB, from the first, whose rows the ledger's column shapes are computed from: some 2,000 rows."""


def stage_batch(
    connection: ledger.Connection, batch: Batch, feed: Feed, installation: Installation, *, warm_up: bool
) -> Batch:
    """Read a landed batch into its staging tables; one whose file cannot be staged at all is closed as rejected.

    With `warm_up`, Great Expectations, which takes seconds to import, is imported while the database is busy.
    Raises `LandingUnavailable` when the landing area cannot be read now: the batch waits for it.
    """
    assert batch.landing_path is not None
    if not installation.landing.holds(batch.landing_path, batch.source_bytes):
        return _reject_lost(connection, batch, installation)

    def observe(rows: int) -> None:
        installation.observe("stage", batch.source_name, rows)

    try:
        with connection.transaction():
            staged = _copy(connection, batch, feed, installation, observe)
            if warm_up:
                Thread(target=import_module, args=("zhengku.validate.run",), daemon=True).start()
            seed = received_seed(installation.config_digest(feed))
            recognised = recognise(connection, batch, feed, installation.catalog, staged.columns, seed)
            notes = type_rows(
                connection, batch, feed, installation.catalog, staged, seed=seed, recognised=recognised.rows
            )
            staged = replace(staged, notes=(*staged.notes, *notes))
            find_rows_of_problems(connection, batch, feed, staged.columns)
            _record(connection, batch, staged, recognised)
    except DeliveryRejected as error:
        log.info("Batch %d is rejected: %s: %s", batch.batch_id, mask_text(batch.source_name), error)
        return ledger.reject(connection, batch.batch_id, error.rule, error.reason, f"{batch.source_name}: {error}")
    _log_staged(batch, staged)
    return ledger.batch_by_id(connection, batch.batch_id)


def _reject_lost(connection: ledger.Connection, batch: Batch, installation: Installation) -> Batch:
    return ledger.reject(
        connection,
        batch.batch_id,
        "file.lost",
        f"{batch.source_name} 的落地文件丢失，请重新提交",
        f"{batch.source_name}: expected {batch.source_bytes} bytes at {batch.landing_path} in the landing "
        f"area {without_login(installation.landing.url)}, and they are not there. It is collected again when it "
        "is still in the drop; otherwise ask the department to deliver it again.",
    )


def _copy(
    connection: ledger.Connection,
    batch: Batch,
    feed: Feed,
    installation: Installation,
    observe: Callable[[int], None],
) -> Staged:
    assert batch.landing_path is not None
    with installation.landing.open(batch.landing_path) as content:
        staged = copy_rows(connection, batch, feed, content, observe)
        _check_count(batch, staged)
    return staged


def _check_count(batch: Batch, staged: Staged) -> None:
    """Raise `DeliveryRejected` when the manifest of a batch says another number of rows."""
    rows = Manifest.from_json(batch.manifest).rows if batch.manifest else None
    fetched = staged.fetched
    # A system that counts lines counts sums and remarks as well.
    if rows is not None and rows not in (fetched, fetched + staged.footers):
        raise DeliveryRejected(
            "file.count",
            f"the manifest says {rows} rows, the file has {fetched}: it is incomplete or the manifest belongs to "
            "another file. Ask the department to send both again.",
            f"清单所载行数 {rows} 与文件实际行数 {fetched} 不符，文件可能不完整，请连同清单重新提交",
        )


def _record(connection: ledger.Connection, batch: Batch, staged: Staged, recognised: Recognised) -> None:
    """Record in the ledger what was staged, and the shapes of its columns."""
    connection.execute(
        statement("stage/staging.record_staged"),
        {
            "batch_id": batch.batch_id,
            "fetched": staged.fetched,
            "staged": staged.staged,
            "recognised": recognised.rows,
            "recognised_after": recognised.after,
            "blank_lines": staged.blank_lines,
            "footers": staged.footers,
            "notes": [note.text_zh for note in staged.notes],
            "columns": staged.shown_columns,
            "unknown_columns": staged.unknown_columns,
            "sheets": None if staged.sheets is None else Jsonb(list(map(asdict, staged.sheets))),
        },
    )
    connection.execute(
        statement("stage/staging.column_shapes"),
        {"batch_id": batch.batch_id, "names": staged.shown_columns, "pages_end": f"({SHAPED_PAGES},0)"},
    )


def _log_staged(batch: Batch, staged: Staged) -> None:
    """Log what was read in an unusual way, or not at all."""
    for note in staged.notes:
        log.warning("Batch %d: %s: %s.", batch.batch_id, mask_text(batch.source_name), note.text_en)
    if staged.unknown_columns:
        log.warning(
            "Batch %d: %s has columns that the feed does not know: %s. Map them or list them as ignored_columns.",
            batch.batch_id,
            mask_text(batch.source_name),
            shown(staged.unknown_columns),
        )
    for sheet in staged.sheets or ():
        if sheet.skipped is not None:
            log.log(
                logging.INFO if sheet.skipped == EMPTY else logging.WARNING,
                "Batch %d: sheet %s of %s was not read (%s); %d of its rows are not empty. Name the sheets to read in "
                "the feed's format.",
                batch.batch_id,
                shown([sheet.name]),
                mask_text(batch.source_name),
                sheet.skipped,
                sheet.rows,
            )

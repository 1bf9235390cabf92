"""What the departments' systems look like from outside, and what a correct pipeline makes of their rows.

Nothing here is read from the catalogue or from the suites: the simulator describes independently what the city's
departments run, so that a mapping or a rule that is switched off is found. Times without a zone are Asia/Shanghai.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, Literal

Value = str | int | float | datetime | None
"""A delivered value; a `datetime` (naive, Asia/Shanghai) only in a table's column of times."""


class Raw(str):
    """A text that is written to a CSV file as it is, without quotes and without doubling its quotes."""


IMPOSSIBLE_TIME: Final = datetime(9999, 12, 31, 23, 59, 59)
"""The time of a change with an impossible time: `infinity` where a table supports it, else the last one of all."""

Fate = Literal["inserted", "updated", "unchanged", "deleted", "superseded", "duplicate", "quarantined", "held"]
"""The outcome of a row in the collection of one night, with the names of the batch's counts."""


@dataclass(frozen=True)
class HttpPlace:
    """An interface below `/<department>/`; rows are ordered by `(changed_at, row_id)`, `…_at` are keys joined by dots.

    `whole` registers have neither `since` nor `until`. Times in parameters and rows are `%Y-%m-%d %H:%M:%S`.
    """

    path: str
    signature: Literal["hmac_sha256", "md5", "token"]
    paging: Literal["number", "cursor", "time"]
    has_until: bool = True
    whole: bool = False
    method: Literal["get", "post"] = "get"
    since_parameter: str = "since"
    until_parameter: str = "until"
    page_parameter: str = "page"
    size_parameter: str = "size"
    cursor_parameter: str = "cursor"
    first_page: int = 1
    repeats_last_page: bool = False  # for every number after it
    doubled_rows: bool = False  # the system holds one row twice, with its id
    rows_at: str = "data.rows"
    total_at: str | None = "data.total"
    next_at: str | None = None  # of the next cursor
    code_at: str = "code"
    message_at: str = "message"
    ok_code: str | int = "200"
    retry_code: str | int = "5001"  # busy: ask again
    token_code: str | int = "401"  # the token expired, inside HTTP 200
    refusal_code: str | int = "403"
    id_header: str = "x-app-id"
    time_header: str = "x-timestamp"
    signature_header: str = "x-signature"
    time_unit: Literal["seconds", "milliseconds"] = "milliseconds"
    encoding: Literal["hex", "base64"] = "hex"
    token_path: str = "token"  # POST {"appId": …, "appSecret": …} gives data.token and data.expiresIn
    token_header: str = "Authorization"  # "Bearer <token>"
    omits_empty: bool = False  # a row does not have the keys without a value


@dataclass(frozen=True)
class TablePlace:
    """A table of an exchange database, append-only unless `whole`: then it is replaced every night.

    It has an integer primary key named by the system's `row_id`. The time column is a real one unless `time_as_text`.
    """

    database: str
    table: str
    whole: bool = False
    time_as_text: bool = False


FileHabit = Literal[
    "title",
    "delimiter_line",
    "two_marks",
    "empty_columns",
    "blanks_beside_quotes",
    "text_marks",
    "utf8_lines",
    "footers",
    "end_of_text",
    "strays",
    "open_quotes",
]
"""A line above the header; `sep=,`; two byte order marks; `,,` after every line; blanks around quotes; `'0042` and
`="0042"`; some lines in UTF-8; sums and signatures below the rows; Ctrl-Z; other files next to the right one; a quote
in one row that the next one closes."""


@dataclass(frozen=True)
class FilePlace:
    """A file a night below the drop's folder: new rows, or the `whole` register.

    A spreadsheet has `titles` rows above its header; a column written `持证主体/代码` is below a merged cell. Its rows
    are divided among `sheets` sheets, each with titles and header; with a `cover`, a sheet of words is before them, and
    a hidden one after them.
    """

    folder: str
    form: Literal["csv_utf8", "csv_bom", "csv_gb18030", "xlsx"]
    over_sftp: bool = False
    whole: bool = False
    manifest: bool = True
    titles: int = 0
    sheets: int = 1
    cover: bool = False
    habits: frozenset[FileHabit] = frozenset()


@dataclass(frozen=True)
class Column:
    """One delivered column: its name in the department's words and what it holds.

    `source` is a standard field (`holder_code`), an extra one (`extension.住址`), `operation`, `row_id`, `batch`, or
    None for a column that zhengku ignores. `kind` is its type in a table; bytes are given as hexadecimal digits.
    """

    name: str
    source: str | None
    kind: Literal["text", "bit", "bytes"] = "text"


@dataclass(frozen=True)
class SourceSystem:
    """How one feed looks from outside.

    `connection` is the id by which the catalogue knows the place. `columns` are in the delivered order; over HTTP a dot
    in a name is an object inside the row. `row_id`, `time_column` and `operation_column` are names of columns.
    `overlap_minutes` is what collector and department agreed on. `license_type` is blank in another `dataset` than that
    of certificates.
    """

    department: str
    feed: str
    license_type: str
    connection: str
    place: HttpPlace | TablePlace | FilePlace
    columns: tuple[Column, ...]
    row_id: str | None = None
    time_column: str | None = None
    operation_column: str | None = None
    overlap_minutes: int = 60
    dataset: Literal["certificate", "service_case", "case_result", "evaluation"] = "certificate"

    @property
    def name(self) -> str:
        """`<department>.<feed>`, as its files on disk are called."""
        return f"{self.department}.{self.feed}"

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns in the delivered order."""
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True)
class SourceRow:
    """A row as the system has it, dirt included: every column of the system has a value, or None.

    `changed_at` is the stamp in the time column (naive, Asia/Shanghai), None where there is no such column or no value
    in it.
    `committed_night` is the first night (from 1) that can see the row: later than its stamp when it was committed late.
    `row_id` is text of digits, padded so that its order is that of the numbers.
    """

    row_id: str
    values: Mapping[str, Value]
    changed_at: datetime | None
    committed_night: int


@dataclass(frozen=True)
class RowTruth:
    """The expected outcome of one row that is read this night.

    `rules` are all critical rules that it fails, `warnings` all others.
    """

    row_id: str
    fate: Fate
    record_key: str | None
    rules: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class StoredTruth:
    """A certificate as the store must have it: canonical values, dates in ISO form, times with +08:00.

    `removed_at` is known for deletes only: a certificate that disappeared has the time of the landing.
    """

    license_type: str
    record_key: str
    fields: Mapping[str, str]
    extension: Mapping[str, str]
    removal: Literal["deleted", "disappeared"] | None = None
    removed_at: str | None = None


@dataclass(frozen=True)
class NightDelivery:
    """What one system shows, and which rows of it are read this night.

    `rows_now` is the complete table that an interface or a database shows, in its order, and the content of a file;
    `added` are the rows new since the night before. `rows` has the outcome of each row read, `stored` what the store
    has of the feed afterwards. `compared` is False where a whole register has a row without a key.
    `batch_rules` are the rules for a delivery as a whole that this one fails; one of them is critical where it is
    `held`: then all its rows wait, and store and watermark do not change.
    `corrected` are ids of rows that were no record of any certificate and are replaced by correct ones. With
    `broken_off`, an interrupted upload of the file is next to it, half of it.
    """

    system: SourceSystem
    rows_now: Sequence[SourceRow]
    added: Sequence[SourceRow]
    rows: Sequence[RowTruth]
    stored: Sequence[StoredTruth]
    watermark: datetime | None = None
    file_name: str | None = None
    compared: bool = True
    batch_rules: tuple[str, ...] = ()
    corrected: tuple[str, ...] = ()
    broken_off: bool = False

    @property
    def held(self) -> bool:
        """Whether the delivery waits for a person to decide."""
        return any(row.fate == "held" for row in self.rows)


@dataclass(frozen=True)
class Night:
    """One night of the whole city; `number` counts from 1, `day` is the day whose changes are collected."""

    number: int
    day: date
    deliveries: Sequence[NightDelivery] = field(default_factory=tuple)

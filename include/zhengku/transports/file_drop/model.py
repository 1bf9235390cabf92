"""The settings of a file drop: where its files are, and how they are written."""

import codecs
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from zhengku.configuration_model import Identifier, Model, RelativeFolder, Text, WholeNumber, wrong
from zhengku.transports.transport import Transport

# In these the byte 0x0A is always a line end, so that a file can be cut into lines before it is decoded.
LINE_SAFE_ENCODINGS = frozenset({"utf-8", "utf-8-sig", "gb18030", "gbk", "gb2312", "ascii"})


def _encoding(value: str) -> str:
    try:
        readable = codecs.lookup(value).name in LINE_SAFE_ENCODINGS
    except LookupError:
        readable = False
    if not readable:
        raise wrong(
            f"encoding {value!r} is unknown or cannot be cut at line ends",
            "Use utf-8 or gb18030 (which contains GBK and GB2312).",
        )
    return value


def _delimiter(value: str) -> str:
    usable = len(value) == 1 and value.isascii() and (value == "\t" or value.isprintable())
    if not usable or value.isalnum() or value in '"\\ ':
        raise wrong(f"delimiter {value!r} is not one ASCII punctuation mark or a tab", r'Use ",", ";", "|" or "\t".')
    return value


def _file_pattern(value: str) -> str:
    if not value.strip() or "/" in value or "\\" in value:
        raise wrong(f"pattern {value!r} is not a file name pattern", 'Write "*.csv", and the path as folder.')
    return value


class CsvFormat(Model):
    """How a CSV file is written."""

    kind: Literal["csv"] = "csv"
    encodings: tuple[Annotated[str, AfterValidator(_encoding)], ...] = Field(
        default=("utf-8", "gb18030"),
        min_length=1,
        description="Tried in this order; the first one under which the header holds all columns is taken.",
    )
    delimiter: Annotated[str, AfterValidator(_delimiter)] = Field(
        default=",", description="One ASCII punctuation mark, or a tab."
    )
    max_record_bytes: WholeNumber = Field(
        default=1_048_576, ge=1024, le=67_108_864, description="A longer record is quarantined."
    )
    max_record_lines: WholeNumber = Field(
        default=64, ge=1, le=10_000, description="Lines that one record may span by line breaks inside quotes."
    )
    max_title_rows: WholeNumber = Field(
        default=10, ge=0, le=100, description="The header is looked for below at most so many lines of titles."
    )
    # A row of PostgreSQL fits a page of 8 KB, and values of up to 23 bytes are not moved out of it: 200 columns always
    # fit, 400 only while most are empty or long.
    max_columns: WholeNumber = Field(
        default=200, ge=1, le=400, description="A header with more columns rejects the file."
    )
    allow_empty: bool = Field(default=False, description="Whether a file with a header and no row is in order.")


class XlsxFormat(Model):
    """How a spreadsheet (XLSX) is written: title rows, then a header of one or more rows with merged cells."""

    kind: Literal["xlsx"]
    sheet: Text | None = Field(default=None, description="Name of the one sheet that is read.")
    sheets: Literal["first", "all"] | Annotated[tuple[Text, ...], Field(min_length=1)] = Field(
        default="first",
        description="Which sheets are read: the first that is not hidden and has the header, all of these, or those "
        "named. What is not read is told.",
    )
    header_rows: WholeNumber = Field(
        default=1,
        ge=1,
        le=5,
        description="Rows that the header spans. Under a merged cell the names are joined: 持证主体/代码.",
    )
    max_title_rows: WholeNumber = Field(
        default=10, ge=0, le=100, description="The header is looked for below at most so many rows of titles."
    )
    max_columns: WholeNumber = Field(
        default=200, ge=1, le=400, description="A header with more columns rejects the file."
    )
    allow_empty: bool = Field(default=False, description="Whether a file with a header and no row is in order.")

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if self.sheet is not None and "sheets" in self.model_fields_set:
            raise wrong("expected either sheet or sheets, got both", "Write sheets alone.")
        return self

    @property
    def requested_sheets(self) -> Literal["first", "all"] | tuple[str, ...]:
        """Which sheets are read: `first`, `all`, or names."""
        return self.sheets if self.sheet is None else (self.sheet,)


class FileDrop(Transport):
    """Files that the department puts into a folder, on this machine or behind SFTP."""

    kind: Literal["file_drop"]
    connection: Identifier = Field(
        description="Id of the connection; its address (a folder, or sftp://…) is in the environment as "
        "ZHENGKU_CONN_<ID>, never here."
    )
    folder: RelativeFolder = Field(default="", description="Folder below the connection's address.")
    pattern: Annotated[str, AfterValidator(_file_pattern)] = Field(
        default="*.csv", description="Names of the files, as a shell pattern."
    )
    manifest: Literal["required", "optional", "none"] = Field(
        default="optional", description="Whether a manifest with count and digest lies beside each file."
    )
    settle_seconds: WholeNumber = Field(
        default=5, ge=0, le=3600, description="A file changed less than this many seconds ago may still be written."
    )
    format: Annotated[CsvFormat | XlsxFormat, Field(discriminator="kind")] = CsvFormat()

    @property
    def delivers_files(self) -> bool:
        """A drop delivers files."""
        return True

    @property
    def is_spreadsheet(self) -> bool:
        """Whether the files are spreadsheets."""
        return self.format.kind == "xlsx"

    @property
    def origin_zh(self) -> str:
        """Where the rows come from, in Chinese."""
        return f"文件投递目录（{self.format.kind.upper()}{'，须附清单' if self.manifest == 'required' else ''}）"

    @property
    def reading_zh(self) -> str:
        """How they are read, in Chinese."""
        return "原样落地投递文件，附有清单的核对行数与摘要；同一文件再次送达会被认出。"

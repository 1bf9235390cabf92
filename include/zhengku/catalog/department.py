"""The file of one department as models: what it delivers, how, when, and how its words map to ours."""

import codecs
import hashlib
import json
import re
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from zhengku.catalog.cron import cron_mistake

IDENTIFIER_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"
OWNER_PATTERN = r"^[a-z][a-z0-9_-]{0,62}$"

# In these the byte 0x0A is always a line end, so that a file can be cut into lines before it is decoded.
LINE_SAFE_ENCODINGS = frozenset({"utf-8", "utf-8-sig", "gb18030", "gbk", "gb2312", "ascii"})

# RFC 9110: a token.
HEADER_PATTERN = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"

Identifier = Annotated[str, Field(pattern=IDENTIFIER_PATTERN)]
Header = Annotated[str, Field(pattern=HEADER_PATTERN)]
Text = Annotated[str, Field(min_length=1)]
# Strict, because `slots: true` would be one slot.
WholeNumber = Annotated[int, Field(strict=True)]


def _wrong(message: str, mend: str) -> PydanticCustomError:
    return PydanticCustomError("catalog", "{message}", {"message": message, "mend": mend})


def _cron(value: str) -> str:
    mistake = cron_mistake(value)
    if mistake:
        raise _wrong(
            f"schedule {value!r} is no cron line: {mistake}", 'Write minute hour day month weekday: "0 1 * * *".'
        )
    return value


def _column(value: str) -> str:
    if not value.strip() or value != value.strip():
        raise _wrong(
            f"column {value!r} is blank or has blanks around it",
            "Write the name as in the header; the reader strips it.",
        )
    return value


def _encoding(value: str) -> str:
    try:
        readable = codecs.lookup(value).name in LINE_SAFE_ENCODINGS
    except LookupError:
        readable = False
    if not readable:
        raise _wrong(
            f"encoding {value!r} is unknown or cannot be cut at line ends",
            "Use utf-8 or gb18030 (which contains GBK and GB2312).",
        )
    return value


def _delimiter(value: str) -> str:
    usable = len(value) == 1 and value.isascii() and (value == "\t" or value.isprintable())
    if not usable or value.isalnum() or value in '"\\ ':
        raise _wrong(f"delimiter {value!r} is not one ASCII punctuation mark or a tab", r'Use ",", ";", "|" or "\t".')
    return value


def _folder(value: str) -> str:
    parts = value.split("/")
    if value.startswith("/") or "\\" in value or ".." in parts or re.match(r"^[A-Za-z]:", value):
        raise _wrong(
            f"folder {value!r} is not below the connection's address", "Write a relative path with / and without .. ."
        )
    return value


def _file_pattern(value: str) -> str:
    if not value.strip() or "/" in value or "\\" in value:
        raise _wrong(f"pattern {value!r} is not a file name pattern", 'Write "*.csv", and the path as folder.')
    return value


class Model(BaseModel):
    """What all parts of the file share: unknown keys are mistakes, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


class DateForm(StrEnum):
    """Forms of a date in text; a time behind the date is always allowed, with a zone or in words (下午3时), too."""

    ISO = "iso"  # 2019-01-01
    SLASH = "slash"  # 2019/1/1
    COMPACT = "compact"  # 20190101
    CHINESE = "chinese"  # 2019年1月1日, 2019 年 1 月 1 号
    CHINESE_NUMERALS = "chinese_numerals"  # 二〇一九年一月一日
    SPREADSHEET_SERIAL = "spreadsheet_serial"  # 43466
    EPOCH_SECONDS = "epoch_seconds"  # 1546272000
    EPOCH_MILLISECONDS = "epoch_milliseconds"  # 1546272000000


EPOCH_FORMS = (DateForm.EPOCH_SECONDS, DateForm.EPOCH_MILLISECONDS)
"""Forms that hold a moment, not a day."""

# Numbers are left out: digits in a date column may as well be a slip, so a feed has to say that it sends them.
DEFAULT_DATE_FORMS = (DateForm.ISO, DateForm.SLASH, DateForm.COMPACT, DateForm.CHINESE, DateForm.CHINESE_NUMERALS)


class _Source(Model):
    """Where a value comes from: a delivered column, or one text for all rows."""

    column: Annotated[str, AfterValidator(_column)] | None = Field(
        default=None, description="Name of the delivered column, as in the header."
    )
    constant: Text | None = Field(
        default=None, description="One value for all rows, in quotes when it is made of digits."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.column is None) == (self.constant is None):
            came = "neither" if self.column is None else "both"
            raise _wrong(f"expected either column or constant, got {came}", 'Write {column: …} or {constant: "…"}.')
        return self


_ONE_SOURCE: JsonDict = {"oneOf": [{"required": ["column"]}, {"required": ["constant"]}]}


class FieldMapping(_Source):
    """Where a standard field comes from."""

    model_config = ConfigDict(json_schema_extra=_ONE_SOURCE)

    date_forms: tuple[DateForm, ...] = Field(
        default=DEFAULT_DATE_FORMS,
        min_length=1,
        description="Forms in which the department writes this date; a time behind it is always allowed.",
    )
    date_only: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="The department sends days alone for this time: a value without a time of day, or at 00:00, counts "
        "at the end of its day, 23:59:59.",
    )
    codes: dict[Text, Text] | None = Field(
        default=None,
        min_length=1,
        description="The department's code → ours, for a field of kind code. A code not listed fails the row's check.",
    )
    remove_prefix: Text | None = Field(
        default=None,
        description="What one system puts before the values that another has without it, as a province's code; for a "
        "field of kind code or text. A value without it is taken as it is.",
    )


class ExtensionMapping(_Source):
    """Where an extra field of the license type comes from; it is kept as cleaned text under its Chinese name."""

    model_config = ConfigDict(json_schema_extra=_ONE_SOURCE)

    personal: Literal["no", "name", "identity", "people"] = Field(
        default="no",
        description="Masked outside the store like a person's name, an identity number, or both together in one text.",
    )


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
            raise _wrong("expected either sheet or sheets, got both", "Write sheets alone.")
        return self

    @property
    def asked_sheets(self) -> Literal["first", "all"] | tuple[str, ...]:
        """Which sheets are read: `first`, `all`, or names."""
        return self.sheets if self.sheet is None else (self.sheet,)


class FileDrop(Model):
    """Files that the department puts into a folder, on this machine or behind SFTP."""

    kind: Literal["file_drop"]
    connection: Identifier = Field(
        description="Id of the connection; its address (a folder, or sftp://…) is in the environment as "
        "ZHENGKU_CONN_<ID>, never here."
    )
    folder: Annotated[str, AfterValidator(_folder)] = Field(
        default="", description="Folder below the connection's address."
    )
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
    def origin_zh(self) -> str:
        """Where the rows come from, in Chinese."""
        return f"文件投递目录（{self.format.kind.upper()}{'，须附清单' if self.manifest == 'required' else ''}）"

    @property
    def reading_zh(self) -> str:
        """How they are read, in Chinese."""
        return "原样落地投递文件，附有清单的核对行数与摘要；同一文件再次送达会被认出。"


class HmacSignature(Model):
    """HMAC-SHA256, keyed with the connection's secret, over its id followed by the time."""

    kind: Literal["hmac_sha256"]
    id_header: Header = Field(default="x-app-id", description="Header that carries the id.")
    time_header: Header = Field(default="x-timestamp", description="Header that carries the time.")
    signature_header: Header = Field(default="x-signature", description="Header that carries the signature.")
    time_unit: Literal["seconds", "milliseconds"] = Field(default="milliseconds", description="Unit of the time.")
    encoding: Literal["hex", "base64"] = Field(default="hex", description="How the signature is written.")


class Md5Signature(Model):
    """MD5 over the connection's id (the key), its secret and the time, as older gateways want."""

    kind: Literal["md5"]
    id_header: Header = Field(default="appkey", description="Header that carries the key.")
    time_header: Header = Field(default="rtime", description="Header that carries the time.")
    signature_header: Header = Field(default="sign", description="Header that carries the signature.")
    time_unit: Literal["seconds", "milliseconds"] = Field(default="milliseconds", description="Unit of the time.")


class TokenSignature(Model):
    """A token, got for the connection's id and secret, that expires."""

    kind: Literal["token"]
    path: Annotated[str, AfterValidator(_folder)] = Field(description="Where the token is got, below the address.")
    id_parameter: Text = Field(default="appId", description="Key of the id in the request's JSON body.")
    secret_parameter: Text = Field(default="appSecret", description="Key of the secret in the request's JSON body.")
    token: Text = Field(default="data.token", description="Place of the token in the answer, keys joined by dots.")
    expires_in: Text | None = Field(
        default="data.expiresIn", description="Place of its life in seconds; left out, it is used until it is refused."
    )
    header: Header = Field(default="Authorization", description="Header that carries the token.")
    prefix: str = Field(default="Bearer ", description="What stands before the token in the header.")


class NoSignature(Model):
    """Nothing is signed."""

    kind: Literal["none"]


class NumberPaging(Model):
    """Pages by number and size."""

    kind: Literal["number"]
    page_parameter: Text = Field(default="page", description="Parameter with the page's number.")
    size_parameter: Text = Field(default="size", description="Parameter with the page's size.")
    size: WholeNumber = Field(default=500, ge=1, le=100_000, description="Rows of a page.")
    first: WholeNumber = Field(default=1, ge=0, le=1, description="Number of the first page.")


class CursorPaging(Model):
    """Pages by a cursor that each answer names for the next one."""

    kind: Literal["cursor"]
    cursor_parameter: Text = Field(default="cursor", description="Parameter with the cursor; the first page has none.")
    cursor: Text = Field(description="Place of the next cursor in the answer; blank or missing after the last page.")
    size_parameter: Text = Field(default="size", description="Parameter with the page's size.")
    size: WholeNumber = Field(default=500, ge=1, le=100_000, description="Rows of a page.")


class TimePaging(Model):
    """Pages by time: each asks for rows changed since the last one's newest row; needs a watermark window."""

    kind: Literal["time"]
    size_parameter: Text = Field(default="size", description="Parameter with the page's size.")
    size: WholeNumber = Field(default=500, ge=1, le=100_000, description="Rows of a page.")
    largest_size: WholeNumber = Field(
        default=10_000, ge=1, le=100_000, description="Asked for where more rows than `size` bear one time."
    )


class ResponseShape(Model):
    """Where things stand in an answer; places are keys joined by dots."""

    rows: Text = Field(default="data.rows", description="The list of rows.")
    rows_also: tuple[Literal["nothing", "one_row", "json_text"], ...] = Field(
        default=(),
        description="What else may stand there: nothing (null, an empty text or object, or no key, there or on the "
        "way, where there are no rows), one_row (a single row as an object), json_text (the list, or what lies on the "
        "way to it, as a text of JSON).",
    )
    total: Text | None = Field(
        default=None, description="Number of rows of the whole window; compared with what came, where it is named."
    )
    code: Text | None = Field(default=None, description="Business code: an error may come inside HTTP 200.")
    message: Text | None = Field(default=None, description="Business message.")
    ok_codes: tuple[Text, ...] = Field(default=("0", "200"), min_length=1, description="Business codes of success.")
    retry_codes: tuple[Text, ...] = Field(default=(), description="Business codes that may pass: asked again later.")
    token_codes: tuple[Text, ...] = Field(default=(), description="Business codes that say that the token expired.")
    omits_empty: bool = Field(
        default=False,
        description="Whether a row leaves out the keys that have no value. Otherwise a mapped key that is in no row is "
        "contract drift, and rejects the delivery.",
    )


class HttpApi(Model):
    """An HTTP interface of the department or of the sharing platform; rows come as JSON objects, page by page."""

    kind: Literal["http"]
    connection: Identifier = Field(
        description="Id of the connection; its address (https://id:secret@host/base) is in the environment as "
        "ZHENGKU_CONN_<ID>, never here."
    )
    path: Annotated[str, AfterValidator(_folder)] = Field(description="Path below the connection's address.")
    method: Literal["get", "post"] = Field(
        default="get", description="get sends parameters in the query, post in a JSON body."
    )
    parameters: dict[Text, Text] = Field(default_factory=dict, description="Parameters that are always the same.")
    signature: Annotated[HmacSignature | Md5Signature | TokenSignature | NoSignature, Field(discriminator="kind")] = (
        Field(description="How a request proves who sends it.")
    )
    paging: Annotated[NumberPaging | CursorPaging | TimePaging, Field(discriminator="kind")] = Field(
        description="How the rows are divided into pages."
    )
    response: ResponseShape = ResponseShape()
    since_parameter: Text | None = Field(
        default=None, description="Parameter for the begin of the window (inclusive); needed by a watermark window."
    )
    until_parameter: Text | None = Field(
        default=None, description="Parameter for its end (inclusive): with it, pages do not shift for new rows."
    )
    time_format: Text = Field(
        default="%Y-%m-%d %H:%M:%S", description="How the interface writes times (Asia/Shanghai), in strftime's terms."
    )
    row_id: tuple[Annotated[str, AfterValidator(_column)], ...] = Field(
        default=(),
        description="Columns that tell a row of the source from every other: pages that shifted are seen by them.",
    )
    requests_per_minute: WholeNumber = Field(
        default=600, ge=1, le=100_000, description="Limit of the department; the slots of its pool share it."
    )
    attempts: WholeNumber = Field(
        default=5, ge=1, le=20, description="Tries of one request, and of one window whose pages shifted."
    )
    connect_timeout_seconds: WholeNumber = Field(default=10, ge=1, le=300, description="To reach the server.")
    read_timeout_seconds: WholeNumber = Field(default=60, ge=1, le=3600, description="Without a byte of the answer.")
    whole_timeout_seconds: WholeNumber = Field(default=300, ge=1, le=7200, description="For one answer as a whole.")

    @property
    def origin_zh(self) -> str:
        """Where the rows come from, in Chinese."""
        return "接口"

    @property
    def reading_zh(self) -> str:
        """How they are read, in Chinese."""
        return "按页取回接口数据并原样落地，逐页核对总数与记录号；限流、超时与“200里的业务错误”自动重试。"


class ExchangeDatabase(Model):
    """A table of an exchange database (前置库), read by SQLAlchemy."""

    kind: Literal["exchange_database"]
    connection: Identifier = Field(
        description="Id of the connection; its address (as SQLAlchemy takes it) is in the environment as "
        "ZHENGKU_CONN_<ID>, never here."
    )
    table: Annotated[str, Field(pattern=r"^\w+(\.\w+)?$")] = Field(
        description="Table or view, with its schema if need be."
    )
    row_id: tuple[Annotated[str, AfterValidator(_column)], ...] = Field(
        min_length=1, description="Columns that tell a row of the table from every other; the reading goes by them."
    )
    page_rows: WholeNumber = Field(default=10_000, ge=100, le=1_000_000, description="Rows of one query.")
    return_table: Annotated[str, Field(pattern=r"^\w+(\.\w+)?$")] | None = Field(
        default=None,
        description="Table of the same database that returned problem records are written to, besides the files; "
        "docs/exchange-databases.md has its columns.",
    )
    time_format: Text = Field(
        default="%Y-%m-%d %H:%M:%S",
        description="How the window's column writes times (Asia/Shanghai) where it is text, in strftime's terms.",
    )

    @property
    def origin_zh(self) -> str:
        """Where the rows come from, in Chinese."""
        return "前置库"

    @property
    def reading_zh(self) -> str:
        """How they are read, in Chinese."""
        return "只读读取前置库各表并原样落地。"


Transport = Annotated[HttpApi | ExchangeDatabase | FileDrop, Field(discriminator="kind")]


class NewFiles(Model):
    """Each run collects the files that have no batch yet."""

    kind: Literal["new_files"] = "new_files"

    @property
    def extent_zh(self) -> str:
        """What one run collects, in Chinese."""
        return "新送达的文件"


class Watermark(Model):
    """Each run collects what changed since the newest row that was loaded, and a little before it."""

    kind: Literal["watermark"]
    column: Annotated[str, AfterValidator(_column)] = Field(
        description="Delivered column with the time of a row's last change, by the department's clock (Asia/Shanghai)."
    )
    overlap_minutes: WholeNumber = Field(
        default=60,
        ge=0,
        le=527_040,
        description="How far before the watermark a run begins: rows committed late and clocks that differ.",
    )
    start: date = Field(
        default=date(1900, 1, 1),
        description="Where the very first run begins: stock that is still valid may not have changed for decades.",
    )

    @property
    def extent_zh(self) -> str:
        """What one run collects, in Chinese."""
        return f"上次水位（{self.column}）以来变动的记录，并回看{self.overlap_minutes}分钟"


class Whole(Model):
    """Each run collects the whole register; deliveries must be snapshots."""

    kind: Literal["whole"]

    @property
    def extent_zh(self) -> str:
        """What one run collects, in Chinese."""
        return "全部登记"


FOOTER_WORDS = (
    *("合计", "总计", "小计", "共计", "累计", "总数", "本页合计"),
    *("制表", "制表人", "制表单位", "制表日期", "制表时间", "填表", "填表人", "填表单位", "填表日期", "填表时间"),
    *("填报", "填报人", "填报单位", "填报日期", "填报时间", "报送人", "报送单位", "报送日期", "上报日期", "录入人"),
    *("审核", "审核人", "审核日期", "复核", "复核人", "审批人", "校对", "校对人", "经办人", "负责人", "单位负责人"),
    *(
        "分管领导",
        "主管领导",
        "联系人",
        "联系电话",
        "统计人",
        "统计单位",
        "统计日期",
        "统计时间",
        "截止日期",
        "截止时间",
    ),
    *("打印人", "打印日期", "打印时间", "导出人", "导出日期", "导出时间", "生成时间", "数据来源", "备注", "说明", "注"),
    *("以下空白", "以下无正文", "无正文", "完", "结束", "End", "Total", "Subtotal", "Sum"),
    *("记录数", "总记录数", "总条数", "条数", "盖章", "单位盖章", "单位"),
)
"""What the rows below a table begin with that are sums, signatures and remarks."""


class Operation(Model):
    """The column that says what happened to a row (`cd_operation`)."""

    column: Annotated[str, AfterValidator(_column)] = Field(description="Name of the delivered column.")
    codes: dict[Text, Literal["upsert", "delete"]] = Field(
        default={"I": "upsert", "U": "upsert", "D": "delete"},
        min_length=1,
        description="The department's code → upsert or delete. A code not listed fails the row's check.",
    )


class NullWords(Model):
    """What a feed's words for nothing are beside or without those of the catalogue (`null_words.csv`)."""

    add: tuple[Text, ...] = Field(default=(), description="Words that mean nothing in every field of this feed, too.")
    take_away: tuple[Text, ...] = Field(
        default=(), description="Words of the catalogue's list that are values in this feed."
    )


class Pool(Model):
    """How many tasks of the department may run at once (an Airflow pool): one for each of its systems is enough."""

    name: Identifier
    slots: WholeNumber = Field(default=1, ge=1, le=64)


class Feed(Model):
    """One stream of data of one department: certificates of one license type, or rows of another data set."""

    title: Text = Field(description="Chinese name, for people.")
    dataset: Identifier = Field(description="Data set of standard_fields.csv that the rows become part of.")
    license_type: Identifier | None = Field(
        default=None, description="Key in license_types.csv; needed for certificates."
    )
    transport: Transport = Field(description="How the rows come.")
    window: Annotated[NewFiles | Watermark | Whole, Field(discriminator="kind")] = Field(
        default=NewFiles(), description="What one run collects."
    )
    operation: Operation | None = Field(
        default=None, description="Where a row says whether it deletes; left out, every row is a record as it is."
    )
    deliveries: Literal["increments", "snapshots"] = Field(
        default="increments",
        description="Whether each delivery holds the whole register (then its size is compared with that of the last "
        "one) or only what is new.",
    )
    key: tuple[Text, ...] = Field(
        min_length=1,
        description="Standard fields that together identify a record: a certificate of this type, a case, …",
    )
    version: Literal["delivery", "source_updated_at"] = Field(
        default="delivery", description="Which of two rows of one key is newer: the later delivery, or the later time."
    )
    suites: tuple[Identifier, ...] = Field(
        default_factory=lambda data: (data.get("dataset", ""),),
        min_length=1,
        description="Names of expectations/*.json; the data set's own suite when nothing is said.",
    )
    fields: dict[Text, FieldMapping] = Field(min_length=1, description="Standard field → where it comes from.")
    extension: dict[Text, ExtensionMapping] = Field(
        default_factory=dict, description="Extra field of the license type, by Chinese name → where it comes from."
    )
    null_words: NullWords = Field(
        default=NullWords(), description="Words for nothing, beside or without those of the catalogue."
    )
    absent: tuple[Text, ...] = Field(
        default=(),
        description="Standard fields that this feed does not have; reported once per feed and not once per row.",
    )
    footer_words: tuple[Text, ...] = Field(
        default=FOOTER_WORDS,
        description="A row that begins with one of these, and whose key is no key, is a sum or a remark of the list, "
        "no record. In place of the usual words; an empty list where no row is to be taken for one.",
    )
    absent_because: dict[Text, Text] = Field(
        default_factory=dict,
        description="Absent field → why rows may do without it; needed where a critical rule wants it in every row.",
    )
    ignored_columns: tuple[Annotated[str, AfterValidator(_column)], ...] = Field(
        default=(), description="Delivered, known, not wanted. Any other column not mentioned is contract drift."
    )

    _id: str = PrivateAttr(default="")
    _department: str = PrivateAttr(default="")

    @property
    def id(self) -> str:
        """Key of the feed in the department's file."""
        return self._id

    @property
    def department(self) -> str:
        """Id of the department that delivers."""
        return self._department

    @property
    def name(self) -> str:
        """`<department>/<feed>`, as the command line takes it."""
        return f"{self._department}/{self._id}"

    @cached_property
    def mapped_columns(self) -> tuple[str, ...]:
        """Columns that decide what a row becomes: distinct, in the order of the file."""
        sources: list[_Source] = [*self.fields.values(), *self.extension.values()]
        columns = [source.column for source in sources if source.column is not None]
        if self.operation is not None:
            columns.append(self.operation.column)
        return tuple(dict.fromkeys(columns))

    @cached_property
    def required_columns(self) -> tuple[str, ...]:
        """Columns without which a delivery is rejected: distinct, in the order of the file."""
        columns = list(self.mapped_columns)
        if isinstance(self.window, Watermark):
            columns.append(self.window.column)
        if isinstance(self.transport, HttpApi | ExchangeDatabase):
            columns += self.transport.row_id
        return tuple(dict.fromkeys(columns))

    @cached_property
    def delivered_fields(self) -> dict[str, FieldMapping]:
        """Standard fields that come from a column."""
        return {name: mapping for name, mapping in self.fields.items() if mapping.column is not None}

    @cached_property
    def constants(self) -> dict[str, str]:
        """Standard fields that are the same for all rows, with their value."""
        return {name: mapping.constant for name, mapping in self.fields.items() if mapping.constant is not None}

    @cached_property
    def absent_fields(self) -> frozenset[str]:
        """Standard fields that this feed does not have."""
        return frozenset(self.absent)

    def unexpected_columns(self, delivered: tuple[str, ...]) -> tuple[str, ...]:
        """Return the delivered columns that the feed neither uses nor ignores: the contract drifted."""
        known = {*self.required_columns, *self.ignored_columns}
        return tuple(column for column in delivered if column not in known)

    @cached_property
    def config_digest(self) -> str:
        """SHA-256 (hex) of the feed with its defaults, as canonical JSON: what a batch was read with."""
        # A reason changes nothing of what a row becomes.
        said = self.model_dump(mode="json", exclude={"absent_because"})
        canonical = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


class Department(Model):
    """One department: `include/catalog/departments/<department>.yaml`."""

    model_config = ConfigDict(title="Department file of zhengku")

    department: Identifier = Field(description="Id; the same as the file's name.")
    name: Text = Field(description="Full Chinese name.")
    catalog_name: Text = Field(
        default_factory=lambda data: data.get("name", ""),
        description="Name in the column department of license_types.csv, where it differs.",
    )
    owner: Annotated[str, Field(pattern=OWNER_PATTERN)] = Field(
        description="Who is called when a run fails (the DAG's owner): a role, never a person."
    )
    schedule: Annotated[str, AfterValidator(_cron)] = Field(description="Cron line in the time zone Asia/Shanghai.")
    pool: Pool = Field(
        default_factory=lambda data: Pool(name=data.get("department", "default")),
        description="How many tasks of the department may run at once.",
    )
    retries: WholeNumber = Field(default=2, ge=0, le=10, description="How often a failed step is repeated.")
    retry_delay_seconds: WholeNumber = Field(
        default=300, ge=0, le=86_400, description="Pause before a step is repeated."
    )
    timeout_minutes: WholeNumber = Field(default=60, ge=1, le=1440, description="A step that takes longer is stopped.")
    feeds: dict[Identifier, Feed] = Field(min_length=1, description="Feed id → feed.")

    @property
    def backfill_pool(self) -> str:
        """Name of the pool of its backfill, which leaves the nightly run its own."""
        return f"{self.pool.name}_backfill"

    @property
    def systems(self) -> dict[str, list[str]]:
        """The ids of the feeds by the system that they come from, which is known by its connection."""
        systems: dict[str, list[str]] = {}
        for feed_id, feed in self.feeds.items():
            systems.setdefault(feed.transport.connection, []).append(feed_id)
        return systems

    def model_post_init(self, context: Any, /) -> None:
        """Tell every feed where it stands, so that it can be handed on alone."""
        for feed_id, feed in self.feeds.items():
            feed._id = feed_id
            feed._department = self.department

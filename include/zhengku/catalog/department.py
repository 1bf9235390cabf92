"""The file of one department as models: what it delivers, how, when, and how its words map to ours."""

import hashlib
import json
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, PrivateAttr, model_validator
from pydantic.config import JsonDict

from zhengku.catalog.cron import cron_mistake
from zhengku.configuration_model import ColumnName, Identifier, Model, Text, WholeNumber, wrong
from zhengku.transports.registry import AnyTransport
from zhengku.transports.window import NewFiles, Watermark, Whole

OWNER_PATTERN = r"^[a-z][a-z0-9_-]{0,62}$"


def _cron(value: str) -> str:
    mistake = cron_mistake(value)
    if mistake:
        raise wrong(
            f"schedule {value!r} is no cron line: {mistake}", 'Write minute hour day month weekday: "0 1 * * *".'
        )
    return value


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
"""Forms that give a point in time and not a day."""

# Without the forms that are numbers: digits in a date column may be a mistake, so a feed must name these forms.
DEFAULT_DATE_FORMS = (DateForm.ISO, DateForm.SLASH, DateForm.COMPACT, DateForm.CHINESE, DateForm.CHINESE_NUMERALS)


class _Source(Model):
    """The source of a value: a delivered column, or one constant for all rows."""

    column: ColumnName | None = Field(default=None, description="Name of the delivered column, as in the header.")
    constant: Text | None = Field(
        default=None, description="One value for all rows, in quotes when it is made of digits."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.column is None) == (self.constant is None):
            received = "neither" if self.column is None else "both"
            raise wrong(f"expected either column or constant, got {received}", 'Write {column: …} or {constant: "…"}.')
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

    personal: Literal["no", "name", "holder", "identity", "people"] = Field(
        default="no",
        description="Masked outside the store like a person's name, the name of a person or an organisation (which "
        "stays), an identity number, or names and numbers together in one text.",
    )


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
"""The first words of rows below a table that are sums, signatures and remarks."""


class Operation(Model):
    """The column that says what happened to a row (`cd_operation`)."""

    column: ColumnName = Field(description="Name of the delivered column.")
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
    transport: AnyTransport = Field(description="How the rows come.")
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
    ignored_columns: tuple[ColumnName, ...] = Field(
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
        """Columns from which a record is made: distinct, in the order of the file."""
        sources: list[_Source] = [*self.fields.values(), *self.extension.values()]
        columns = [source.column for source in sources if source.column is not None]
        if self.operation is not None:
            columns.append(self.operation.column)
        return tuple(dict.fromkeys(columns))

    @cached_property
    def required_columns(self) -> tuple[str, ...]:
        """Columns without which a delivery is rejected: distinct, the mapped ones first."""
        columns = list(self.mapped_columns)
        if isinstance(self.window, Watermark):
            columns.append(self.window.column)
        columns += self.transport.row_columns
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
        """Return the delivered columns that the feed neither uses nor ignores (contract drift)."""
        known = {*self.required_columns, *self.ignored_columns}
        return tuple(column for column in delivered if column not in known)

    @cached_property
    def config_digest(self) -> str:
        """SHA-256 (hex) of the feed with its defaults, as canonical JSON; stored with every batch."""
        # Without the reasons: they do not change how a row is processed.
        settings = self.model_dump(mode="json", exclude={"absent_because"})
        canonical = json.dumps(settings, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
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
        """Name of the pool of the backfill, which must not take slots from the nightly run."""
        return f"{self.pool.name}_backfill"

    @property
    def systems(self) -> dict[str, list[str]]:
        """System (known by its connection id) → the ids of the feeds that it delivers."""
        systems: dict[str, list[str]] = {}
        for feed_id, feed in self.feeds.items():
            systems.setdefault(feed.transport.connection, []).append(feed_id)
        return systems

    def model_post_init(self, context: Any, /) -> None:
        """Set the id and the department of every feed, so that functions need only the feed."""
        for feed_id, feed in self.feeds.items():
            feed._id = feed_id
            feed._department = self.department

"""What a rule expects, in Chinese for the department that has to fix a row, with its own columns, codes and dates.

The text is made from the type of the expectation and its arguments, so that a changed threshold changes it as well.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from zhengku import clock
from zhengku.catalog import Catalog, Feed
from zhengku.catalog.codes import CODES
from zhengku.catalog.department import DEFAULT_DATE_FORMS, DateForm
from zhengku.errors import CatalogError
from zhengku.validate.parameters import rule_parameters
from zhengku.validate.suites import EXTENSION, Rule, parameter_name

_DATE_WRITTEN: Final[Mapping[DateForm, str]] = {
    DateForm.ISO: "2020-05-01",
    DateForm.SLASH: "2020/5/1",
    DateForm.COMPACT: "20200501",
    DateForm.CHINESE: "2020年5月1日",
    DateForm.CHINESE_NUMERALS: "二〇二〇年五月一日",
    DateForm.SPREADSHEET_SERIAL: "43952",
    DateForm.EPOCH_SECONDS: "1588262400",
    DateForm.EPOCH_MILLISECONDS: "1588262400000",
}
"""One day in every form."""

_PARAMETER_WORDS: Final[Mapping[str, str]] = {
    "today": "今天",
    "license_type_name": "目录登记的证照类型名称",
    "license_type_code": "目录登记的证照类型代码",
    "validity_years": "该类证照规定的年限",
    "foreign_holder_code_types": "与证照类型不符的类别",
}
"""The words for a parameter whose value is not known without a feed, or is the present day."""

_OTHER_NAMES: Final[Mapping[str, str]] = {
    "record_key": "关键字段",
    "key_unusable": "关键字段",
    "codes_unmapped": "各代码字段",
    "error_cells": "各文字字段",
    "extension_error_cells": "各扩展字段",
    "codes_distorted": "各编号和代码字段",
    "operation_unmapped": "操作类型",
    "batch_summary": "整批数据",
    "quarantined_share": "问题数据占本批次的比例",
    "new_problem_share": "新出现的问题数据占本批次的比例",
    "share_of_previous": "本次数据量与上次之比",
    "fetched": "本批次条数",
}
"""Names of what rules check besides fields: a record, a batch, and columns of its summary."""

_PERSONS: Final[Mapping[str, tuple[str, str]]] = {
    "holder": ("鄂州市虚构有限公司", "张某某"),
    "holder_code": ("91420700XN0000012Q", "420700199001010014"),
}
"""By field: the example of a holder that is a firm, as in the suites, and of one that is a person; both made up."""

_CREDIT_CODE: Final = "应为18位统一社会信用代码，末位校验正确（GB 32100-2015）"
_IDENTITY_DIGITS: Final = {"sex": "性别（第17位单数为男、双数为女）", "birthday": "出生日期（第7至14位）"}
_UNMAPPED: Final = "_unmapped"
_UNPARSED: Final = "_unparsed"


def expected(rule: Rule, feed: Feed | None, catalog: Catalog) -> str:
    """Return in Chinese what a value must be: with the feed's own columns and codes, or in general without a feed.

    Raises `CatalogError` for a type of expectation that has no entry in `_WORDS`.
    """
    if rule.type not in _WORDS:
        raise CatalogError(
            f"Rule {rule.rule_id}: expected a type of expectation that has words for departments, got {rule.type}. "
            "Add its words to zhengku.validate.guidance."
        )
    described = _DescribedRule(rule, feed, catalog)
    # Where a rule checks several columns, the text has to name the one that it describes.
    subject = _quoted(described.name(rule.kwargs.get("field", _column_of(rule)))) if len(rule.meta.fields) > 1 else ""
    return described.condition() + subject + _WORDS[rule.type](described)


def right_example(rule: Rule, feed: Feed | None, catalog: Catalog | None = None) -> str:
    """Return a correct value; of a field whose codes the feed maps, one of the department's own codes.

    With the catalogue, the example of a holder is a firm or a person, as the feed's license type requires.
    """
    column = _column_of(rule)
    if feed is not None and catalog is not None and feed.license_type is not None and column in _PERSONS:
        holder_type = catalog.license_type(feed.license_type).holder_type
        of_firms, of_persons = _PERSONS[column]
        # A rule that checks only firms, or only persons, has its own example.
        if rule.meta.right_example == of_firms and not rule.kwargs.get("only_where"):
            return {"person": of_persons, "both": f"{of_firms}，或{of_persons}"}.get(holder_type or "", of_firms)
    if feed is None:
        return rule.meta.right_example
    if column == "operation_unmapped" and feed.operation is not None:
        return next(
            (code for code, operation in feed.operation.codes.items() if operation == "upsert"),
            next(iter(feed.operation.codes)),
        )
    if column == "codes_unmapped" and (coded := _coded_columns(feed)):
        return "，".join(f"{name}：{next(iter(feed.fields[field].codes or ()))}" for name, field in coded.items())
    mapping = feed.fields.get(column.removesuffix(_UNMAPPED).removesuffix(_UNPARSED))
    # Where a rule checks several fields, the example is a phrase that names them.
    if mapping is None or mapping.column is None or len(rule.meta.fields) > 1:
        return rule.meta.right_example
    if mapping.codes and rule.type != "expect_column_values_to_not_be_in_set":
        accepted = rule.kwargs.get("value_set", mapping.codes.values())
        return next((code for code, ours in mapping.codes.items() if ours in accepted), rule.meta.right_example)
    if DateForm.ISO not in mapping.date_forms and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", rule.meta.right_example):
        return _DATE_WRITTEN[mapping.date_forms[0]]
    return rule.meta.right_example


def wrong_columns(rule_id: str, feed: Feed, rules: Mapping[str, Rule]) -> tuple[str, ...]:
    """Return the department's own columns that a rule checks, in the rule's order.

    `rules` has the rules by id. Empty where no column is wrong: a row that could not be read (`row.…`), a batch rule,
    a rule that no longer exists, a field that the feed does not deliver.
    """
    if rule_id not in rules:
        return ()
    rule = rules[rule_id]
    columns: list[str | None] = []
    for field in rule.meta.fields:
        if field == "record_key":
            columns += _columns_of_record(rule, feed)
        else:
            columns.append(_delivered(feed, field.removeprefix(EXTENSION)))
    return tuple(dict.fromkeys(column for column in columns if column is not None))


def field_names(rule: Rule, catalog: Catalog) -> tuple[str, ...]:
    """Return the Chinese names of the fields that a rule checks, in the rule's order."""
    described = _DescribedRule(rule, None, catalog)
    fields = (_column_of(rule),) if rule.meta.fields == ("record_key",) else rule.meta.fields
    return tuple(described.name(field.removeprefix(EXTENSION)) for field in fields)


def _columns_of_record(rule: Rule, feed: Feed) -> list[str | None]:
    """Return the columns that a rule about the complete record checks."""
    column = _column_of(rule)
    if column == "codes_unmapped":
        return list(_coded_columns(feed))
    if column == "error_cells":
        return [mapping.column for field, mapping in feed.fields.items() if not mapping.codes]
    if column == "extension_error_cells":
        return [mapping.column for mapping in feed.extension.values()]
    if column == "codes_distorted":
        return [_delivered(feed, field) for field, mapping in feed.fields.items() if not mapping.codes]
    if column == "operation_unmapped":
        return [feed.operation.column] if feed.operation is not None else []
    return [_delivered(feed, field) for field in feed.key]


def _column_of(rule: Rule) -> str:
    """Return the column of the staged table that is the first argument of the rule."""
    column: str = rule.kwargs["column"]
    return column


def _delivered(feed: Feed, field: str) -> str | None:
    """Return the department's column of a standard field, or of an extension field by its Chinese name."""
    mapping = feed.fields.get(field) or feed.extension.get(field)
    return mapping.column if mapping else None


def _coded_columns(feed: Feed) -> dict[str, str]:
    """Return the department's columns whose unmapped codes are in `codes_unmapped`, with a field of each.

    Unmapped codes of the status are in a column of their own.
    """
    fields: dict[str, str] = {}
    for field, mapping in feed.fields.items():
        if mapping.codes and mapping.column is not None and field != "status":
            fields.setdefault(mapping.column, field)
    return fields


def _quoted(name: str) -> str:
    return f"“{name}”"


def _or(words: Sequence[str]) -> str:
    return "或".join(["、".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


@dataclass(frozen=True)
class _DescribedRule:
    """A rule to describe for one feed's department; `feed` is None where it is described in general."""

    rule: Rule
    feed: Feed | None
    catalog: Catalog

    @property
    def kwargs(self) -> dict[str, Any]:
        return self.rule.kwargs

    @property
    def dataset(self) -> str:
        if self.feed is not None:
            return self.feed.dataset
        suite = self.rule.rule_id.split(".", 1)[0]
        # All other suites are those of license types.
        return suite if suite in self.catalog.reference.standard_fields else "certificate"

    def kind(self, field: str) -> str:
        """Return the kind of a standard field; blank for another name."""
        standard = self.catalog.standard_fields(self.dataset).get(field)
        return standard.kind if standard else ""

    def name(self, field: str) -> str:
        """Return the department's column of a standard or extension field, else the Chinese name of the field."""
        if self.feed is not None and (column := _delivered(self.feed, field)):
            return column
        standard = self.catalog.standard_fields(self.dataset).get(field)
        return standard.name_zh if standard else _OTHER_NAMES.get(field, field)

    def value(self, given: Any) -> Any:
        """Return an argument with the license type's value for a parameter; None where that has none."""
        name = parameter_name(given)
        if name is None:
            return given
        if self.feed is None or self.feed.license_type is None:
            return None
        license_type = self.catalog.license_type(self.feed.license_type)
        return rule_parameters(license_type, clock.today(), dated=True)[name]

    def codes(self, field: str, selected: Collection[str] | None = None) -> list[str]:
        """Return the codes of a field, the department's where the feed maps them; of our codes, only the `selected`.

        A code without Chinese text is followed by its meaning in brackets.
        """
        names = CODES.get(self.dataset, {}).get(field, {})
        mapping = self.feed.fields.get(field) if self.feed is not None else None
        if mapping is not None and mapping.codes:
            return [
                code if ours not in names or re.search("[\u4e00-\u9fff]", code) else f"{code}（{names[ours]}）"
                for code, ours in mapping.codes.items()
                if selected is None or ours in selected
            ]
        return [names.get(code, code) for code in (names if selected is None else selected)]

    def condition(self) -> str:
        """Return which rows the rule checks, where it does not check all."""
        parts = [
            f"{_quoted(self.name(field))}为{self._either(field, [code])}"
            for field, code in (self.kwargs.get("only_where") or {}).items()
            if self.feed is None or field not in self.feed.constants
        ]
        if row_condition := self.kwargs.get("row_condition"):
            field, value = row_condition["column"]["name"], row_condition["parameter"]
            match row_condition["operator"]:
                case "==":
                    parts.append(f"{_quoted(self.name(field))}为{self._either(field, [value])}")
                case "IN":
                    parts.append(f"{_quoted(self.name(field))}为{self._either(field, value)}")
                case ">=":
                    parts.append(f"{self.name(field)}不少于{value}")
                case operator:
                    raise CatalogError(
                        f"Rule {self.rule.rule_id}: expected a row_condition with one of ==, IN, >=, got {operator!r}. "
                        "Add its words to zhengku.validate.guidance."
                    )
        return f"{'、'.join(parts)}时，" if parts else ""

    def _either(self, field: str, codes: Collection[str]) -> str:
        return _or([_quoted(code) for code in self.codes(field, codes) or codes])


def _day(given: Any) -> str:
    name = parameter_name(given)
    if name is not None:
        return _PARAMETER_WORDS[name]
    day = date.fromisoformat(given)
    return f"{day.year}年{day.month}月{day.day}日"


def _required(described: _DescribedRule) -> str:
    column = _column_of(described.rule)
    if column == "record_key":
        fields = described.feed.key if described.feed is not None else ()
        return f"{'、'.join(_quoted(described.name(field)) for field in fields) or '识别一条数据的各字段'}必填"
    if described.kind(column) == "end_date":
        return "必填，且为具体日期，不能填“长期”"
    return "必填"


def _null(described: _DescribedRule) -> str:
    column = _column_of(described.rule)
    if column.endswith(_UNPARSED):
        return _date_written(described, column.removesuffix(_UNPARSED))
    if column == "codes_distorted":
        return "应为完整的编号或代码，按文本导出，不能为科学计数法（如4.20703E+17）或true、false"
    if column == "operation_unmapped":
        operation = described.feed.operation if described.feed is not None else None
        return _one_of(list(operation.codes)) if operation is not None else "应为约定的操作类型代码"
    if column == "codes_unmapped":
        coded = _coded_columns(described.feed) if described.feed is not None else {}
        parts = [f"{_quoted(name)}{_one_of(described.codes(field))}" for name, field in coded.items()]
        return "；".join(parts) or "代码应在约定的代码表内"
    if column in ("error_cells", "extension_error_cells"):
        return "各字段应为实际内容，不能是电子表格的错误值（如#N/A、#REF!）或显示不全的########"
    if column == "key_unusable":
        fields = described.feed.key if described.feed is not None else ()
        named = "、".join(_quoted(described.name(field)) for field in fields) or "识别一条数据的各字段"
        return f"{named}应为真实的编号，不能填说明文字或0"
    if column.endswith(_UNMAPPED):
        return _one_of(described.codes(column.removesuffix(_UNMAPPED)))
    if described.kind(column) == "end_date":
        return "应为空，或填“长期”"
    return "应为空"


def _date_written(described: _DescribedRule, field: str) -> str:
    mapping = described.feed.fields.get(field) if described.feed is not None else None
    forms = mapping.date_forms if mapping is not None else DEFAULT_DATE_FORMS
    # Dates in Chinese numerals are read, but departments should not write them.
    recommended = [form for form in forms if form != DateForm.CHINESE_NUMERALS] or forms
    text = f"应为真实存在的日期，写作{_or([_DATE_WRITTEN[form] for form in recommended])}"
    if described.kind(field) == "timestamp":
        text += "，后面可写时间，如08:30:00"
    if described.kind(field) == "end_date":
        text += "；没有截止日期的填“长期”"
    return text


def _one_of(listed: Collection[str]) -> str:
    return f"应为以下之一：{'、'.join(listed)}" if len(listed) != 1 else f"应为{_quoted(next(iter(listed)))}"


def _in_set(described: _DescribedRule) -> str:
    given = described.kwargs["value_set"]
    values = [described.value(one) for one in given]
    unknown = [
        _PARAMETER_WORDS[name] for one in given if described.value(one) is None and (name := parameter_name(one))
    ]
    if unknown:
        return f"应与{'、'.join(unknown)}一致"
    column = _column_of(described.rule)
    return _one_of(described.codes(column, values) or described.codes(column))


def _not_in_set(described: _DescribedRule) -> str:
    given = described.kwargs["value_set"]
    forbidden = described.value(given)
    if forbidden is None:
        return f"不能为{_PARAMETER_WORDS[parameter_name(given) or '']}"
    return f"不能为以下之一：{'、'.join(described.codes(_column_of(described.rule), forbidden) or forbidden)}"


def _like(described: _DescribedRule) -> str:
    pattern = described.kwargs.get("pattern") or described.kwargs["regex"]
    like = f"形如{_quoted(right_example(described.rule, described.feed, described.catalog))}"
    if re.fullmatch("[\u4e00-\u9fff|]+", pattern):
        return f"应含{_or([_quoted(word) for word in pattern.split('|')])}字样，{like}"
    return f"应{like}"


def _unlike(described: _DescribedRule) -> str:
    like = f"应形如{_quoted(right_example(described.rule, described.feed, described.catalog))}"
    return f"{like}，不能形如{_quoted(described.rule.meta.example)}"


def _length(described: _DescribedRule) -> str:
    return f"应为{described.kwargs['least']}至{described.kwargs['greatest']}个字符"


def _same(described: _DescribedRule) -> str:
    return f"应与{_quoted(described.name(described.kwargs['other_column']))}一致"


def _starting(described: _DescribedRule) -> str:
    return f"应以{_quoted(described.name(described.kwargs['other_column']))}的内容开头"


def _not_before(described: _DescribedRule) -> str:
    return f"应不早于{_quoted(described.name(described.kwargs['other_column']))}"


def _not_long_after(described: _DescribedRule) -> str:
    given = described.kwargs.get("years", 0)
    years, days = described.value(given), described.kwargs.get("days", 0)
    span = [_PARAMETER_WORDS[parameter_name(given) or ""]] if years is None else [f"{years}年"] if years else []
    span += [f"{days}天"] if days else []
    return f"应不晚于{_quoted(described.name(described.kwargs['other_column']))}之后{'又'.join(span)}"


def _days(described: _DescribedRule) -> str:
    bounds = []
    if (earliest := described.kwargs.get("earliest")) is not None:
        bounds.append(f"不早于{_day(earliest)}")
    if (latest := described.kwargs.get("latest")) is not None:
        bounds.append(f"不晚于{_day(latest)}")
    return f"应{'、'.join(bounds)}"


def _times(described: _DescribedRule) -> str:
    latest, days = _day(described.kwargs["latest"]), described.kwargs.get("days_later", 0)
    if days == 0:
        return f"应不晚于{latest}"
    return f"应不晚于{'明天' if (latest, days) == (_PARAMETER_WORDS['today'], 1) else f'{latest}之后{days}天'}"


def _between(described: _DescribedRule) -> str:
    column = _column_of(described.rule)
    least, greatest = described.kwargs.get("min_value"), described.kwargs.get("max_value")
    bounds = ([f"不低于{least:.0%}"] if least is not None else []) + (
        [f"不超过{greatest:.0%}"] if greatest is not None else []
    )
    return f"{described.name(column)}应{'、'.join(bounds)}"


def _by_size(described: _DescribedRule) -> str:
    size = described.name(described.kwargs["size_column"])
    bounds = [
        f"{size}达到{least}时" + (f"不超过{bound:.0%}" if bound < 1 else "不再限制")
        for least, bound in described.kwargs["greatest"].items()
    ]
    return f"{described.name(_column_of(described.rule))}：{'，'.join(bounds)}"


def _district(described: _DescribedRule) -> str:
    names = [district.name for district in described.catalog.districts.values()]
    return f"应为本市区划的名称或代码：{'、'.join(names)}"


_WORDS: Final[Mapping[str, Callable[[_DescribedRule], str]]] = {
    "expect_column_values_to_not_be_null": _required,
    "expect_column_values_to_be_delivered": _required,
    "expect_extension_field_to_be_present": lambda _: "必填",
    "expect_column_values_to_be_null": _null,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_not_be_in_set": _not_in_set,
    "expect_column_values_to_be_between": _between,
    "expect_column_values_at_most_by_size": _by_size,
    "expect_column_values_to_match_regex": _like,
    "expect_column_values_to_match_pattern_where": _like,
    "expect_extension_field_to_match_pattern": _like,
    "expect_column_values_to_not_match_regex": _unlike,
    "expect_column_text_length_to_be_between": _length,
    "expect_column_values_to_be_credit_code": lambda _: _CREDIT_CODE,
    "expect_extension_field_to_be_credit_code": lambda _: _CREDIT_CODE,
    "expect_column_values_to_be_identity_number": lambda _: (
        "应为18位居民身份证号码，出生日期真实，末位校验正确（GB 11643-1999）"
    ),
    "expect_column_values_not_to_be_made_up": lambda _: "应为证件上的真实号码",
    "expect_extension_field_to_agree_with_identity_number": lambda described: (
        f"应与居民身份证号码中的{_IDENTITY_DIGITS[described.kwargs['about']]}一致（GB 11643-1999）"
    ),
    "expect_column_values_to_be_certificate_identifier": lambda _: (
        "应为以1.2.156.3005.2.开头的电子证照标识，末位校验正确（GB/T 36904-2018）"
    ),
    "expect_column_values_to_be_food_license_number": lambda described: (
        f"应为{described.kwargs['letters']}加14位数字，末位校验正确（GB/T 17710）"
    ),
    "expect_column_values_to_equal_column": _same,
    "expect_extension_field_to_equal_column": _same,
    "expect_column_values_to_start_with_column": _starting,
    "expect_column_dates_not_before_column": _not_before,
    "expect_column_dates_not_long_after_column": _not_long_after,
    "expect_column_dates_to_be_between": _days,
    "expect_column_times_not_after_day": _times,
    "expect_column_values_to_be_recognized": _district,
    "expect_column_names_to_be_readable": lambda _: "应为可读的名称，没有乱码、问号和自造字",
    "expect_column_names_to_be_undoubted": lambda _: "应为完整的名称，没有以?、*、□、○等代替的字",
    "expect_records_to_have_one_holder": lambda _: "应只属于一个持证主体，且其名称和代码前后一致",
}

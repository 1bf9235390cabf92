"""The systems of cases (办件), their results and evaluations (好差评): names, codes, and how they deliver.

Two departments with several systems each, whose codes contradict each other. Like `sources`, this is written
independently of the catalogue and not read from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from typing import Final, Literal

from simulator.model import Column, HttpPlace, SourceSystem, TablePlace
from simulator.sources import DistrictForm

DataSet = Literal["service_case", "case_result", "evaluation"]
TimeForm = Literal["iso", "slash", "compact", "chinese"]
Operation = Literal["insert", "update", "delete"]

LAST_SECOND: Final = time(23, 59, 59)
"""The time of a day that is delivered without a time."""


@dataclass(frozen=True)
class ServiceDialect:
    """How one system writes.

    `columns` maps fields to its columns, in the delivered order; `codes` the fields with codes to ours and its own.
    `determined_by` maps a field to the field whose column also determines it; `constants` are the same for all rows and
    in no column. `case_prefix` is before the case numbers of evaluations. Of a field in `days_only` some records have
    only the day, which means the day's last second.
    """

    columns: Mapping[str, str]
    codes: Mapping[str, Mapping[str, str | int]]
    time_form: TimeForm
    operations: Mapping[Operation, str]
    district_form: DistrictForm = "long_name"
    constants: Mapping[str, str] = field(default_factory=dict)
    determined_by: Mapping[str, str] = field(default_factory=dict)
    case_prefix: str = ""
    unwanted: tuple[str, ...] = ()
    days_only: tuple[str, ...] = ()

    @property
    def fields(self) -> frozenset[str]:
        """The fields that the store can have of the system's records."""
        return frozenset({*self.columns, *self.constants, *self.determined_by})


KEYS: Mapping[str, tuple[str, ...]] = {
    "service_case": ("case_number", "service_number"),
    "case_result": ("case_number", "result_number"),
    "evaluation": ("evaluation_number",),
}
"""Data set → the fields that identify a record."""

DIALECTS: Mapping[str, ServiceDialect] = {
    "service_cases": ServiceDialect(
        {
            "case_number": "办件编号", "service_number": "服务序号", "service_item_code": "事项编码",
            "service_item_name": "事项名称", "case_kind": "办件类型", "case_state": "办件状态",
            "is_internal": "内部办件", "case_channel": "申请渠道", "applicant": "申请人.姓名", "phone": "申请人.电话",
            "accepted_at": "受理时间", "finished_at": "办结时间", "district": "管辖属地",
            "handling_department": "承办部门", "hall": "办事大厅", "window": "办事窗口", "handler": "经办人",
            "source_updated_at": "更新时间",
        },
        {
            "case_kind": {"instant": "1", "promised": "2"},
            "case_state": {"accepted": "1", "finished": "2", "withdrawn": "3", "terminated": "4"},
            "is_internal": {"yes": "1", "no": "0"},
            "case_channel": {"window": "CK", "web": "WS", "app": "YD", "terminal": "ZZ"},
        },
        "iso", {"insert": "新增", "update": "修改", "delete": "删除"},
    ),
    # What the bureaus with systems of their own deliver: the kinds and the states have another meaning here.
    "self_built_cases": ServiceDialect(
        {
            "case_number": "BJBH", "service_number": "FWXH", "service_item_code": "SXBM", "service_item_name": "SXMC",
            "case_kind": "BJLX", "case_state": "BJZT", "applicant": "SQR", "phone": "LXDH", "accepted_at": "SLSJ",
            "finished_at": "BJSJ", "district": "GXQH", "handling_department": "CBBM", "hall": "BSDT",
            "window": "BSCK", "handler": "JBR", "source_updated_at": "cd_time",
        },
        {
            "case_kind": {"promised": "1", "instant": "2"},
            "case_state": {"finished": "1", "accepted": "2", "terminated": "3", "withdrawn": "4"},
        },
        "compact", {"insert": "I", "update": "U", "delete": "D"}, district_form="code12", unwanted=("cd_batch",),
        days_only=("finished_at",),
    ),
    # What cases produced: certificates and other documents.
    "case_results": ServiceDialect(
        {
            "case_number": "办件编号", "result_number": "结果序号", "result_type": "结果类型",
            "certificate_name": "证照名称", "certificate_number": "证照编号", "issuing_authority": "颁发机构",
            "produced_at": "出证时间", "source_updated_at": "更新时间",
        },
        {"result_type": {"certificate": "ZZ", "document": "PW"}},
        "chinese", {"insert": "新增", "update": "修改", "delete": "删除"},
    ),
    "evaluations": ServiceDialect(
        {
            "evaluation_number": "evalNo", "case_number": "projectNo", "service_number": "serviceNo",
            "level": "satisfaction", "evaluation_channel": "channel", "is_effective": "valid",
            "is_real_name": "realName", "evaluated_at": "evalTime", "reason": "reason",
            "evaluation_window": "windowNo", "called_back_at": "handling.calledBackAt",
            "rectified_at": "handling.rectifiedAt", "source_updated_at": "updateTime",
        },
        {
            "level": {"very_satisfied": 1, "satisfied": 2, "basically_satisfied": 3, "dissatisfied": 4,
                      "very_dissatisfied": 5},
            "evaluation_channel": {"window": 1, "terminal": 2, "web": 3, "app": 4, "phone": 5, "scan": 6, "system": 7},
            "is_effective": {"yes": "1", "no": "0"},
            "is_real_name": {"yes": "Y", "no": "N"},
        },
        "iso", {"insert": "upsert", "update": "upsert", "delete": "delete"},
        determined_by={"is_default": "evaluation_channel"}, case_prefix="42",
    ),
    "terminal_evaluations": ServiceDialect(
        {
            "evaluation_number": "PJBH", "case_number": "BJBH", "level": "PJDJ", "evaluation_channel": "PJQD",
            "is_default": "SFMR", "is_effective": "SFZF", "is_real_name": "SFSM", "evaluated_at": "PJSJ",
            "reason": "CPYY", "device": "SBBH", "evaluation_window": "CKBH", "called_back_at": "HFSJ",
            "rectified_at": "ZGSJ", "source_updated_at": "cd_time",
        },
        {
            "level": {"very_satisfied": "5", "satisfied": "4", "basically_satisfied": "3", "dissatisfied": "2",
                      "very_dissatisfied": "1"},
            "evaluation_channel": {"window": "1", "terminal": "2", "scan": "6", "sms": "7"},
            "is_default": {"yes": "1", "no": "0"},
            # 是否作废: 1 says that the evaluation does not count.
            "is_effective": {"yes": "0", "no": "1"},
            "is_real_name": {"yes": "1", "no": "0"},
        },
        "slash", {"insert": "I", "update": "U", "delete": "D"}, constants={"service_number": "1"},
        unwanted=("cd_batch",),
    ),
}  # fmt: skip
"""Feed → how its system writes."""


def _system(
    department: str,
    feed: str,
    dataset: DataSet,
    place: HttpPlace | TablePlace,
    operation: str,
    row_id: str,
    overlap: int,
) -> SourceSystem:
    dialect = DIALECTS[feed]
    kind = "api" if isinstance(place, HttpPlace) else "exchange"
    return SourceSystem(
        department=department,
        feed=feed,
        license_type="",
        dataset=dataset,
        connection=f"{department}_{kind}",
        place=place,
        columns=(
            Column(row_id, "row_id"),
            *(Column(column, name) for name, column in dialect.columns.items()),
            Column(operation, "operation"),
            *(Column(name, None) for name in dialect.unwanted),
        ),
        row_id=row_id,
        time_column=dialect.columns["source_updated_at"],
        operation_column=operation,
        overlap_minutes=overlap,
    )


def _acceptance(path: str) -> HttpPlace:
    return HttpPlace(
        path,
        "hmac_sha256",
        "number",
        since_parameter="beginTime",
        until_parameter="endTime",
        page_parameter="pageNo",
        size_parameter="pageSize",
    )


SERVICE_SYSTEMS: tuple[SourceSystem, ...] = (
    _system(
        "unified_acceptance",
        "service_cases",
        "service_case",
        _acceptance("openapi/cases"),
        "操作类型",
        "记录号",
        60,
    ),
    _system(
        "unified_acceptance",
        "self_built_cases",
        "service_case",
        TablePlace("unified_acceptance", "ex_self_built_case"),
        "cd_operation",
        "id",
        120,
    ),
    _system(
        "unified_acceptance",
        "case_results",
        "case_result",
        _acceptance("openapi/results"),
        "操作类型",
        "记录号",
        60,
    ),
    _system(
        "service_evaluation",
        "evaluations",
        "evaluation",
        HttpPlace(
            "hcp/evaluations",
            "token",
            "cursor",
            has_until=False,
            since_parameter="updatedSince",
            size_parameter="limit",
            rows_at="result.list",
            total_at=None,
            next_at="result.nextCursor",
            code_at="errcode",
            message_at="errmsg",
            ok_code=0,
            retry_code=45009,
            token_code=40001,
            refusal_code=40003,
            omits_empty=True,
        ),
        "action",
        "recordId",
        60,
    ),
    _system(
        "service_evaluation",
        "terminal_evaluations",
        "evaluation",
        TablePlace("service_evaluation", "ex_terminal_evaluation"),
        "cd_operation",
        "id",
        120,
    ),
)
"""Cases and evaluations have a main system each, over HTTP, and one whose rows are in an exchange database.

Results of cases are only in the main one.
"""

"""The codes of fields with a fixed list of values: our own, because the codes of departments contradict each other."""

from collections.abc import Mapping

_YES_NO = {"yes": "是", "no": "否"}

CODES: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "certificate": {
        "status": {
            "valid": "有效",
            "replaced": "已换发",
            "expired": "过期",
            "cancelled": "注销",
            "withdrawn": "撤销",
            "revoked": "吊销",
            "transferred_out": "转出",
        },
    },
    "service_case": {
        "case_kind": {"instant": "即办件", "promised": "承诺件"},
        "case_state": {"accepted": "在办", "finished": "办结", "withdrawn": "撤回", "terminated": "终止"},
        "is_internal": _YES_NO,
        "case_channel": {"window": "窗口", "web": "网上", "app": "移动端", "terminal": "自助终端"},
    },
    "case_result": {
        "result_type": {"certificate": "证照", "document": "批文及其他"},
    },
    "evaluation": {
        # GB/T 39735-2020: five levels, of which the last two make a bad review.
        "level": {
            "very_satisfied": "非常满意",
            "satisfied": "满意",
            "basically_satisfied": "基本满意",
            "dissatisfied": "不满意",
            "very_dissatisfied": "非常不满意",
        },
        "evaluation_channel": {
            "window": "窗口评价器",
            "terminal": "自助终端",
            "web": "网上",
            "app": "移动端",
            "sms": "短信",
            "phone": "电话",
            "scan": "扫码",
            "system": "系统默认",
        },
        "is_default": _YES_NO,
        "is_effective": _YES_NO,
        "is_real_name": _YES_NO,
    },
}
"""Data set → field → key in the store → Chinese name. Every feed maps its own codes to these keys (`codes`)."""

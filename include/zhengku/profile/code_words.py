"""Words that all departments use as codes with the same meaning. Numbers are not listed: their meaning differs."""

import re
from collections.abc import Mapping
from typing import Final

from zhengku.catalog import CODES

_STATUSES: Final = CODES["certificate"]["status"]
STATUS_WORDS: Final[Mapping[str, str]] = {
    **{chinese: key for key, chinese in _STATUSES.items()},
    **{key.upper(): key for key in _STATUSES},
    **dict.fromkeys(("正常", "在用", "有效期内", "存续", "在业", "NORMAL"), "valid"),
    **dict.fromkeys(("换发", "换证", "补证", "已补发", "已更换", "变更换证"), "replaced"),
    **dict.fromkeys(("已过期", "失效", "已失效", "到期"), "expired"),
    **dict.fromkeys(("已注销",), "cancelled"),
    **dict.fromkeys(("已撤销", "撤回", "撤证"), "withdrawn"),
    **dict.fromkeys(("已吊销",), "revoked"),
    **dict.fromkeys(("已转出",), "transferred_out"),
}
HOLDER_CODE_TYPES: Final = frozenset(
    # GB/T 36903-2018, as seen in deliveries.
    ("001", "099", "111", "114", "115", "118", "119", "120", "122", "411", "412", "413", "414", "511", "516", "999")
)
HOLDER_CODE_TYPE_WORDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("统一社会信用代码", "社会信用代码", "信用代码"), "001"),
    **dict.fromkeys(("居民身份证", "身份证", "公民身份号码", "居民身份证号"), "111"),
}
OPERATION_WORDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("I", "U", "A", "M", "INSERT", "UPDATE", "ADD", "新增", "修改", "更新", "变更"), "upsert"),
    **dict.fromkeys(("D", "DEL", "DELETE", "删除", "注销"), "delete"),
}

_DELETE_FLAG: Final = re.compile(
    r"(is)?del(ete)?d?(flag|mark|status|state)?|sc(bz|bs|zt)|sfsc|(是否|已)?删除(标志|标识|标记|状态)?"
)
DELETE_FLAG_PAIRS: Final = (
    ("0", "1"),
    ("N", "Y"),
    ("F", "T"),
    ("FALSE", "TRUE"),
    ("NO", "YES"),
    ("否", "是"),
    ("未删除", "已删除"),
    ("正常", "删除"),
)
"""Values of a delete flag: of a row that is not deleted, and of one that is."""
DELETE_FLAG_WORDS: Final[Mapping[str, str]] = {
    code: meant for pair in DELETE_FLAG_PAIRS for code, meant in zip(pair, ("upsert", "delete"), strict=True)
}


def is_delete_flag(name: str) -> bool:
    """Return whether a column's name is that of a delete flag."""
    return bool(_DELETE_FLAG.fullmatch(re.sub(r"[\W_]+", "", name).lower()))


KNOWN_WORDS: Final = frozenset({*STATUS_WORDS, *HOLDER_CODE_TYPE_WORDS, *OPERATION_WORDS, *DELETE_FLAG_WORDS})
"""Words that may be shown, because none of them is personal data."""

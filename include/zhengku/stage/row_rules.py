"""The rules that a physical row can fail before any suite sees it, with their reasons in Chinese."""

from typing import Final

ROW_RULES: Final[dict[str, str]] = {
    "row.ragged": "列数与表头不符",
    "row.nul": "含空字符（NUL）",
    "row.encoding": "无法按文件编码识别",
    "row.too_long": "一行过长",
    "row.quote": "引号不成对或引号后有多余文字",
    "row.control_character": "含单独的回车符",
    "row.shape": "不是由字段名和值组成的一行",
}

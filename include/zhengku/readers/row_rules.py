"""The rules that readers apply to physical rows, before any suite does, with their reasons in Chinese."""

from typing import Final

ROW_RULES: Final[dict[str, str]] = {
    "row.ragged": "列数与表头不符",
    "row.nul": "含空字符（NUL）",
    "row.encoding": "无法按文件编码识别",
    "row.too_long": "一行过长",
    "row.quote": "引号不成对或引号后有多余文字",
    "row.control_character": "含单独的回车符",
    "row.shape": "不是由字段名和值组成的一行",
    "row.formula": "单元格是公式，文件中没有计算结果",
}

ROW_EXPECTED: Final[dict[str, str]] = {
    "row.ragged": "每行的列数与表头相同；值中有分隔符的，整个值加英文双引号",
    "row.nul": "文字中没有空字符（NUL）",
    "row.encoding": "全文使用约定的编码（UTF-8 或 GB18030）",
    "row.too_long": "一行不超过约定的长度，引号成对",
    "row.quote": "引号成对；值中的引号写两次",
    "row.control_character": "换行使用 LF 或 CRLF，值中没有单独的回车符",
    "row.shape": "每行是一组字段名和值",
    "row.formula": "公式在电子表格软件中计算并保存，或粘贴为数值",
}
"""What a physical row must be, in Chinese."""

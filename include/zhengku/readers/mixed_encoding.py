"""Lines of UTF-8 in a file that is otherwise in GB 18030: two exports were joined, or a program writes as it likes.

Most such lines can be decoded as GB 18030 as well, into other characters (王某 becomes 鐜嬫煇), so that no error tells
of them. Which of two readings is taken, and why: docs/decisions/0032.
"""

import re
from collections.abc import Sequence
from typing import Final

_CHARACTER: Final = rb"(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})"

# The first two characters beyond ASCII, which is where text in GB 18030 gives itself away: of a million lines it costs
# half a second, and decoding them all would cost three times that.
_MAY_BE_UTF8: Final = re.compile(rb"[\x00-\x7f]*%b[\x00-\x7f]*(?:\Z|%b)" % (_CHARACTER, _CHARACTER)).match

# Three bytes and more in UTF-8: Chinese characters and their punctuation among them. The two-byte ones are letters of
# other scripts, and each pair of them is a Chinese character in GB 18030 (茅台).
_BEYOND_TWO_BYTES: Final = re.compile("[\u0800-\U0010ffff]").search


def utf8_lines(lines: Sequence[bytes]) -> list[int]:
    """Return the places of the lines that are to be read as UTF-8, whatever the encoding of the others."""
    if not any(map(_MAY_BE_UTF8, lines)):
        return []
    return [place for place, line in enumerate(lines) if is_utf8(line)]


def is_utf8(line: bytes) -> bool:
    """Tell whether a line is UTF-8 with Chinese characters, or others of three bytes and more."""
    if _MAY_BE_UTF8(line) is None:
        return False
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return False
    return _BEYOND_TWO_BYTES(text) is not None

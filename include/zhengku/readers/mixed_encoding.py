"""Lines of UTF-8 in a file that is otherwise in GB 18030: two exports were joined, or a program mixes encodings.

Most such lines can be decoded as GB 18030 as well, into other characters (王某 becomes 鐜嬫煇), so that no error shows
them. Which of two readings is taken, and why: docs/decisions/0032.
"""

import re
from collections.abc import Sequence
from typing import Final

_CHARACTER: Final = rb"(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})"

# Looks at the first two characters outside ASCII, where text in GB 18030 is recognised: for a million lines it takes
# half a second, and decoding them all would take three times that.
_MAY_BE_UTF8: Final = re.compile(rb"[\x00-\x7f]*%b[\x00-\x7f]*(?:\Z|%b)" % (_CHARACTER, _CHARACTER)).match

# Characters of three bytes and more in UTF-8, such as Chinese ones and their punctuation. Those of two bytes are
# letters of other scripts, whose two bytes are a Chinese character in GB 18030 (茅台).
_LONGER_THAN_TWO_BYTES: Final = re.compile("[\u0800-\U0010ffff]").search


def utf8_lines(lines: Sequence[bytes]) -> list[int]:
    """Return the places of the lines that have to be read as UTF-8, whatever the encoding of the others."""
    if not any(map(_MAY_BE_UTF8, lines)):
        return []
    return [place for place, line in enumerate(lines) if is_utf8(line)]


def is_utf8(line: bytes) -> bool:
    """Return whether a line is UTF-8 with Chinese characters, or others of three bytes and more."""
    if _MAY_BE_UTF8(line) is None:
        return False
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return False
    return _LONGER_THAN_TWO_BYTES(text) is not None

"""The manifest that a department sends with a file: how many rows it holds and its digest."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zhengku.errors import DeliveryRejected

SUFFIX = ".manifest.json"
"""`营业执照.csv` is described by `营业执照.csv.manifest.json`."""

DIGESTS = tuple(name for name in ("sha256", "sm3", "md5") if name in hashlib.algorithms_available)
"""Digests a manifest may give; SM3 (GB/T 32905) where the Python build's OpenSSL has it."""

LARGEST = 64 * 1024
"""Bytes; a manifest is a few dozen of them."""


@dataclass(frozen=True)
class Manifest:
    """What the department says about its file: `rows` without the header, `digests` as lower-case hexadecimal."""

    rows: int | None
    digests: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return the manifest for the ledger."""
        return {"rows": self.rows, **self.digests}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Manifest":
        """Return the manifest that `as_json` was called on."""
        return cls(rows=values.get("rows"), digests={name: values[name] for name in DIGESTS if name in values})


def read_manifest(name: str, content: bytes) -> Manifest:
    """Parse a manifest: a JSON object with `rows` and one or more of `DIGESTS`.

    Raises `DeliveryRejected` (`file.manifest`) when it is anything else, since a wrong manifest proves nothing.
    """
    try:
        values = json.loads(content.decode("utf-8-sig"))
        if not isinstance(values, dict):
            raise ValueError("it is not an object")
        rows = values.get("rows")
        if rows is not None and (not isinstance(rows, int) or isinstance(rows, bool) or rows < 0):
            raise ValueError("rows is not a count")
        digests = {}
        for algorithm in DIGESTS:
            if algorithm in values:
                digest = str(values[algorithm]).strip().lower()
                if len(digest) != hashlib.new(algorithm).digest_size * 2 or set(digest) - set("0123456789abcdef"):
                    raise ValueError(f"{algorithm} is not a hexadecimal digest of that kind")
                digests[algorithm] = digest
        if rows is None and not digests:
            raise ValueError("it has neither rows nor a digest")
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DeliveryRejected(
            "file.manifest",
            f"Manifest {name}: expected a JSON object with rows and one of {', '.join(DIGESTS)}; {error}. "
            "Ask the department to send it again.",
            f"清单文件 {name} 无法读取，应为含 rows 和 {'/'.join(DIGESTS)} 的 JSON，请重新生成后重发",
        ) from error
    return Manifest(rows=rows, digests=digests)

"""Files with passwords."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write a file that only this account may read; a concurrent reader gets the old content or the new."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    part.rename(path)

"""What all models of configuration files share: strict types, and mistakes that say how to fix them."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

IDENTIFIER_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"

Identifier = Annotated[str, Field(pattern=IDENTIFIER_PATTERN)]

Text = Annotated[str, Field(min_length=1)]

# Strict, because `slots: true` would be one slot.
WholeNumber = Annotated[int, Field(strict=True)]


def wrong(message: str, fix: str) -> PydanticCustomError:
    """Return the error of a mistake in a configuration file and its fix; a validator raises it."""
    return PydanticCustomError("catalog", "{message}", {"message": message, "fix": fix})


def _column(value: str) -> str:
    if not value.strip() or value != value.strip():
        raise wrong(
            f"column {value!r} is blank or has blanks around it",
            "Write the name as in the header; the reader strips it.",
        )
    return value


def _folder(value: str) -> str:
    parts = value.split("/")
    if value.startswith("/") or "\\" in value or ".." in parts or re.match(r"^[A-Za-z]:", value):
        raise wrong(
            f"folder {value!r} is not below the connection's address", "Write a relative path with / and without .. ."
        )
    return value


class Model(BaseModel):
    """What all parts of the file share: unknown keys are mistakes, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


ColumnName = Annotated[str, AfterValidator(_column)]
"""Name of a delivered column, as in the header."""

RelativeFolder = Annotated[str, AfterValidator(_folder)]
"""A folder or path below a connection's address."""

"""Masking of personal data: what may be seen outside the store without a role and a recorded reason."""

import re
from collections.abc import Mapping

from zhengku.catalog import Catalog, Feed

_IDENTITY_NUMBER = re.compile(r"(?<![0-9A-Za-z])[0-9]{14}(?:[0-9]{3}[0-9Xx]|[0-9])(?![0-9A-Za-z])")
_MOBILE_NUMBER = re.compile(r"(?<![0-9])1[3-9][0-9]{9}(?![0-9])")
_CREDIT_CODE = re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}")


def mask_identity(value: str) -> str:
    """Keep the first three and the last four characters; a credit code of an organisation is public and stays.

    The first six digits of an identity number, its date and its check digit would together leave few candidates.
    """
    if _CREDIT_CODE.fullmatch(value) and not value.isdigit() and not _IDENTITY_NUMBER.fullmatch(value):
        return value
    if len(value) <= 8:
        return "*" * len(value)
    return value[:3] + "*" * (len(value) - 7) + value[-4:]


def mask_name(value: str) -> str:
    """Keep the surname of a person; the name of an organisation (five characters or more) stays."""
    if len(value) >= 5 and "·" not in value:
        return value
    return value[:1] + "*" * (len(value) - 1)


def mask_text(value: str) -> str:
    """Mask every identity number and mobile number inside a text."""
    masked = _IDENTITY_NUMBER.sub(lambda found: mask_identity(found.group()), value)
    return _MOBILE_NUMBER.sub(lambda found: mask_identity(found.group()), masked)


def mask_payload(payload: Mapping[str, str | None], feed: Feed, catalog: Catalog) -> dict[str, str | None]:
    """Mask a delivered row, by the department's column names: by what each column is mapped to, the rest as text."""
    personal: dict[str, str] = {}
    standard = catalog.standard_fields(feed.dataset)
    for name, mapping in feed.fields.items():
        if mapping.column is not None and standard[name].personal != "no":
            personal.setdefault(mapping.column, standard[name].personal)
    for extra in feed.extension.values():
        if extra.column is not None and extra.personal != "no":
            personal.setdefault(extra.column, extra.personal)
    masks = {"identity": mask_identity, "name": mask_name}
    return {
        column: None if value is None else mask_text(masks.get(personal.get(column, ""), str)(value))
        for column, value in payload.items()
    }

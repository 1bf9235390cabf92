"""The values of the parameters that suites name, for a license type and a day."""

from datetime import date
from typing import Any

from zhengku.catalog.reference import LicenseType

ORGANIZATION_CODE_TYPES = ("001", "099")
"""Holder code types of organizations (GB/T 36903-2018)."""

PERSON_CODE_TYPES = ("111", "114", "115", "118", "119", "120", "122", "411", "412", "413", "414", "511", "516", "999")
"""Holder code types of persons (GB/T 36903-2018)."""


def rule_parameters(license_type: LicenseType | None, today: date, *, dated: bool) -> dict[str, Any]:
    """Return every parameter that a suite may name for this license type; None where the catalogue has no value.

    Other data sets than certificates have no license type, and their suites may name only the first two.

    `dated`: True where a row's own time decides which of two rows is newer. `today`: day in Asia/Shanghai.
    `license_type_name`, `license_type_code`: None for a type that collects certificates of any type. `expires` and
    `permanent`: True for a fixed validity and for none. `validity_years`: years, of a fixed validity.
    `one_holder`: True for a type whose certificates have one holder, to whom extension fields then belong.
    `foreign_holder_code_types`: the holder code types that holders of this type cannot have.
    """
    every = {"today": today, "dated": True if dated else None}
    if license_type is None:
        return every
    return {
        **every,
        "license_type_name": None if license_type.any_type else license_type.name_zh,
        "license_type_code": None if license_type.any_type else license_type.license_type_code,
        "expires": True if license_type.validity == "fixed" else None,
        "permanent": True if license_type.validity == "permanent" else None,
        "validity_years": license_type.validity_years if license_type.validity == "fixed" else None,
        "one_holder": None if license_type.multi_holder else True,
        "foreign_holder_code_types": {
            "person": list(ORGANIZATION_CODE_TYPES),
            "organization": list(PERSON_CODE_TYPES),
        }.get(license_type.holder_type or ""),
    }

"""The names of departments and license types, also of those that the catalogue does not have any more."""

from zhengku.catalog import Catalog


def department_name(catalog: Catalog, department: str) -> str:
    """Return the name of a department, else its id."""
    known = catalog.departments.get(department)
    return known.name if known else department


def type_name(catalog: Catalog, license_type: str) -> str:
    """Return the name of a license type, else its key."""
    known = catalog.license_types.get(license_type)
    return known.name_zh if known else license_type

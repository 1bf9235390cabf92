"""The catalogue: license types, districts, standard fields and departments, as checked data.

Airflow imports it whenever it parses the DAGs, so it imports neither the database nor Great Expectations.
"""

from zhengku.catalog.catalog import Catalog, load_catalog, load_department
from zhengku.catalog.codes import CODES
from zhengku.catalog.department import DateForm, Department, Feed, FieldMapping
from zhengku.catalog.problem import Problem
from zhengku.catalog.schema import department_schema

__all__ = [
    "CODES",
    "Catalog",
    "DateForm",
    "Department",
    "Feed",
    "FieldMapping",
    "Problem",
    "department_schema",
    "load_catalog",
    "load_department",
]

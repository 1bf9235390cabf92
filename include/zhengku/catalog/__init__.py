"""The catalogue: which license types, districts, standard fields and departments there are, as data that is checked.

Light on purpose: it is imported whenever DAGs are parsed, so it needs no database and no expectation library.
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

"""Which fields a feed must deliver: those that a critical rule requires in every row, or in some."""

from collections.abc import Iterable
from typing import Final

from zhengku.validate.suites import EXTENSION, Suite

_OF_FIELDS: Final = frozenset({"expect_column_values_to_not_be_null", "expect_column_values_to_be_delivered"})
_OF_EXTENSION: Final = "expect_extension_field_to_be_present"


def needed_fields(suites: Iterable[Suite], *, with_deletes: bool) -> dict[str, str]:
    """Return the fields that critical rules require, with the rule's id; `extension.<name>` for an extension field.

    Rules are skipped for a feed without their field, so no rule would report that the field is missing.
    `with_deletes` says whether the feed has rows that delete: some rules only check these.
    """
    needed: dict[str, str] = {}
    for suite in suites:
        for rule in suite.rules:
            if rule.severity != "critical" or (rule.meta.deletes == "only" and not with_deletes):
                continue
            if rule.type in _OF_FIELDS and "column" in rule.kwargs:
                needed.setdefault(rule.kwargs["column"], rule.rule_id)
            elif rule.type == _OF_EXTENSION and "field" in rule.kwargs:
                needed.setdefault(f"{EXTENSION}{rule.kwargs['field']}", rule.rule_id)
    return needed

"""The mistakes in a feed's configuration that the pipeline would refuse, found by the code of its steps."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from psycopg import sql

from zhengku import clock
from zhengku.catalog.catalog import Catalog
from zhengku.catalog.department import Department, Feed
from zhengku.catalog.problem import Problem
from zhengku.catalog.reference import Reference
from zhengku.catalog.yaml_file import YamlFile
from zhengku.errors import CatalogError, ConfigurationError
from zhengku.stage.cleaning import cleaning_query
from zhengku.transports.registry import check_transport, connector_of
from zhengku.transports.source import EARLIEST
from zhengku.validate.guidance import expected
from zhengku.validate.parameters import rule_parameters
from zhengku.validate.suites import BATCH_SUITE, Rule, Suite, load_suites

_REFUSED = "`zhengku collect` would refuse the feed."


def check_steps(
    folder: Path,
    suite_folder: Path,
    reference: Reference,
    departments: Sequence[tuple[YamlFile, Department]],
    environment: Mapping[str, str],
    *,
    builds_rules: bool,
) -> list[Problem]:
    """Check the feeds of departments whose own files are correct; return every problem once.

    With `builds_rules` each rule is built with Great Expectations, which takes seconds to import. Missing suites are
    reported by the check of the file. Only the addresses that `environment` has (`ZHENGKU_CONN_<ID>`) are checked;
    no source is connected to.
    """
    check = _StepsCheck(Catalog(folder, reference), suite_folder, builds_rules)
    if departments:
        check.batch_suite()
    for source, department in departments:
        for feed_id, feed in department.feeds.items():
            check.feed(source, feed_id, feed)
        check.addresses(source, department, environment)
    return list(dict.fromkeys(check.problems))


class _StepsCheck:
    def __init__(self, catalog: Catalog, suite_folder: Path, builds_rules: bool) -> None:
        self.catalog = catalog
        self.builds_rules = builds_rules
        self.suite_folder = suite_folder
        self.problems: list[Problem] = []
        self.built: set[tuple[str, str, str]] = set()

    def feed(self, source: YamlFile, feed_id: str, feed: Feed) -> None:
        """Check one feed: its transport, how its columns are cleaned, its suites."""
        here = ("feeds", feed_id)
        try:
            check_transport(feed)
        except ConfigurationError as error:
            self.problems.append(Problem(source.path, source.line((*here, "transport")), _message(error), _REFUSED))
        try:
            query = cleaning_query(feed, self.catalog, feed.required_columns, EARLIEST, sql.SQL("staged"))
        except (CatalogError, ConfigurationError) as error:
            self.problems.append(Problem(source.path, source.line((*here, "fields")), _message(error), _REFUSED))
            return
        try:
            suites = load_suites(self.suite_folder, feed.suites)
        except CatalogError as error:
            if all((self.suite_folder / f"{name}.json").is_file() for name in feed.suites):
                self.problems.append(self._of_suites(error))
            return
        columns = frozenset(re.findall(r'\bas "?(\w+)"?', query.as_string()))
        for suite in suites:
            for rule in suite.rules:
                self._rule(suite, rule, feed, columns)

    def batch_suite(self) -> None:
        """Check the rules of complete batches."""
        try:
            suites = load_suites(self.suite_folder, [BATCH_SUITE])
            for suite in suites:
                for rule in suite.rules:
                    self._build(suite, rule, rule_parameters(None, clock.today(), dated=True))
                    expected(rule, None, self.catalog)
        except (CatalogError, ConfigurationError) as error:
            self.problems.append(self._of_suites(error))

    def addresses(self, source: YamlFile, department: Department, environment: Mapping[str, str]) -> None:
        """Check the addresses in the environment that the department's feeds use."""
        for connection, feeds in department.systems.items():
            if not (address := environment.get(f"ZHENGKU_CONN_{connection.upper()}")):
                continue
            for feed_id in feeds:
                try:
                    connector_of(department.feeds[feed_id]).source(address, department.pool.slots).check()
                except ConfigurationError as error:
                    line = source.line(("feeds", feed_id, "transport", "connection"))
                    self.problems.append(Problem(source.path, line, _message(error), _REFUSED))
                    break

    def _rule(self, suite: Suite, rule: Rule, feed: Feed, columns: frozenset[str]) -> None:
        license_type = self.catalog.license_types.get(feed.license_type or "")
        parameters = rule_parameters(license_type, _ANY_DAY, dated=feed.version == "source_updated_at")
        built = (suite.name, rule.rule_id, repr({name: parameters.get(name) for name in sorted(rule.parameters)}))
        if built in self.built:
            return
        self.built.add(built)
        try:
            if all(parameters.get(name, "") is not None for name in rule.parameters):
                self._build(suite, rule, parameters)
            expected(rule, feed, self.catalog)
        except (CatalogError, ConfigurationError) as error:
            self.problems.append(self._of_suites(error))
            return
        named = {rule.kwargs[key] for key in _COLUMN_ARGUMENTS if isinstance(rule.kwargs.get(key), str)}
        named |= {*(rule.kwargs.get("only_where") or {}), *rule.kwargs.get("unusable_columns", ())}
        if unknown := sorted(named - columns):
            message = f"{suite.where(rule)}: {rule.type} looks at {', '.join(unknown)}, which no row of {feed.name} has"
            self.problems.append(self._of_suites(CatalogError(message)))

    def _build(self, suite: Suite, rule: Rule, parameters: Mapping[str, Any]) -> None:
        if self.builds_rules:
            from zhengku.validate.run import build

            build(suite, rule, parameters)

    def _of_suites(self, error: CatalogError | ConfigurationError) -> Problem:
        return Problem(
            self.suite_folder, None, _message(error), "`zhengku collect` would refuse every feed that uses it."
        )


_COLUMN_ARGUMENTS = ("column", "other_column", "found_column", "column_A", "column_B")
_ANY_DAY = date(2020, 1, 1)
"""The rules are only built here and not run, so that any day will do."""


def _message(error: CatalogError | ConfigurationError) -> str:
    return str(error).removesuffix(".")

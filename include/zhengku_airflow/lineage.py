"""Lineage for OpenLineage: which systems a task read, where that was landed, and which columns of the store came of it.

Airflow's provider loads the extractor, which `[openlineage] extractors` names, when a transport is set, and asks it
when a task has ended. Names and columns come from the catalogue, and which feeds a run had from the ledger: no event
has a value of a row, the name of a file, an address or a login. docs/metrics.md, "Lineage".
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any, Final

import sqlalchemy
from airflow.providers.openlineage.extractors.base import BaseExtractor, OperatorLineage
from airflow.sdk import Asset
from openlineage.client.event_v2 import Dataset, InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    column_lineage_dataset,
    documentation_dataset,
    output_statistics_output_dataset,
    schema_dataset,
)

from zhengku import ledger
from zhengku.catalog import Catalog, Feed, load_catalog
from zhengku.catalog.clearance_config import SOURCE_DATASETS
from zhengku.database import store_connection
from zhengku.landed.address import without_login
from zhengku.ledger import Batch
from zhengku.settings import Settings
from zhengku.transports.exchange_database.model import ExchangeDatabase
from zhengku.transports.file_drop.model import FileDrop
from zhengku.transports.http.model import HttpApi

_OURS: Final = "zhengku://"

_LISTS: Final = {
    "publish": ([f"store.{dataset}" for dataset in SOURCE_DATASETS], ["clearance.list"]),
    "rates": (["clearance.list", *(f"store.{dataset}" for dataset in SOURCE_DATASETS)], ["clearance.rate_count"]),
}
"""Of the DAGs of daily clearance: task → tables that it reads, and writes."""


class StepExtractor(BaseExtractor):
    """Tells what a task of ours read and wrote; the tasks are functions, and the question about a held batch."""

    @classmethod
    def get_operator_classnames(cls) -> list[str]:
        """Return the classes of our tasks."""
        return ["_PythonDecoratedOperator", "Question"]

    def _execute_extraction(self) -> OperatorLineage[Any, Any]:
        """Return nothing at a task's start: what it will read is known when it has."""
        return OperatorLineage()

    def extract_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the data sets of a task that has ended, also of one that failed."""
        settings = Settings.load()
        names = DatasetNames(settings, load_catalog(settings.catalog_folder))
        task = self.operator
        if task.dag_id in names.catalog.department_ids and task.task_id in ("collect", "load"):
            with store_connection(settings.database_url) as connection:
                batches = ledger.batches(
                    connection, department=task.dag_id, run_id=task_instance.run_id, limit=1_000_000
                )
            department = names.catalog.department(task.dag_id)
            # The instances of both tasks are the systems of the department, in their order.
            system = list(department.systems.values())[task_instance.map_index]
            of_system = [batch for batch in batches if batch.feed in system]
            if task.task_id == "load":
                return names.loaded(of_system)
            return names.collected([department.feeds[feed] for feed in system], of_system)
        if task.dag_id.startswith("daily_clearance") and task.task_id in _LISTS:
            read, written = _LISTS[task.task_id]
            return OperatorLineage([names.table(InputDataset, name) for name in read], [*map(names.written, written)])
        # Assets of ours that a task names as its result.
        tables = [
            asset.uri.removeprefix(_OURS).replace("/", ".")
            for asset in task.outlets
            if isinstance(asset, Asset) and asset.uri.startswith(_OURS)
        ]
        return OperatorLineage(outputs=[*map(names.written, tables)])


class DatasetNames:
    """The data sets of an installation, as OpenLineage names them."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self.catalog = catalog
        store = sqlalchemy.make_url(settings.database_url)
        self._store = f"postgres://{store.host or 'localhost'}:{store.port or 5432}"
        self._database = store.database
        scheme, separator, path = without_login(settings.landing_url).partition("://")
        host, _, folder = path.partition("/")
        self._landing = (f"{scheme}://{host}", folder) if separator else ("file", scheme)

    def collected(self, feeds: Collection[Feed], batches: Collection[Batch]) -> OperatorLineage[Any, Any]:
        """Return what a task that collects read, and the landed files of the feeds that delivered something."""
        delivered = {batch.feed for batch in batches if batch.landing_path is not None}
        return OperatorLineage(
            [self.source(feed) for feed in feeds],
            [self._landed(OutputDataset, feed, from_source=True) for feed in feeds if feed.id in delivered],
        )

    def loaded(self, batches: Collection[Batch]) -> OperatorLineage[Any, Any]:
        """Return the landed files of the feeds whose batches were loaded, and the tables of the store."""
        rows: dict[str, int] = defaultdict(int)
        feeds: dict[str, list[Feed]] = defaultdict(list)
        for batch in batches:
            if batch.status != "loaded":
                continue
            rows[batch.dataset] += batch.written
            feed = self.catalog.feed(batch.department, batch.feed)
            if feed not in feeds[batch.dataset]:
                feeds[batch.dataset].append(feed)
        return OperatorLineage(
            [self._landed(InputDataset, feed) for each in feeds.values() for feed in each],
            [
                self.written(f"store.{dataset}", rows[dataset], self._store_facets(dataset, each))
                for dataset, each in feeds.items()
            ],
        )

    def source(self, feed: Feed) -> InputDataset:
        """Return a table, an interface or a folder of a department's system: its kind and department, no address."""
        transport = feed.transport
        facets: dict[str, Any] = {
            "schema": self._columns(feed),
            "documentation": _words(f"{self._titles(feed)}（来源系统）"),
        }
        namespace = f"{transport.kind}://{feed.department}"
        return InputDataset(namespace, f"{transport.connection}/{_place(transport)}", facets=facets)

    def table(self, kind: type[Any], name: str, facets: dict[str, Any] | None = None) -> Any:
        """Return a table of the license store, `<schema>.<table>`."""
        return kind(self._store, f"{self._database}.{name}", facets=facets or {})

    def written(self, name: str, rows: int | None = None, facets: dict[str, Any] | None = None) -> OutputDataset:
        """Return a table of the store that was written; `rows` how many were inserted, updated or deleted."""
        table: OutputDataset = self.table(OutputDataset, name, facets)
        if rows is not None:
            statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows)
            table.outputFacets = {"outputStatistics": statistics}
        return table

    def _titles(self, feed: Feed) -> str:
        return f"{self.catalog.department_name(feed.department)}·{feed.title}"

    def _landed(self, kind: type[Any], feed: Feed, *, from_source: bool = False) -> Any:
        facets = {"schema": self._columns(feed), "documentation": _words(f"{self._titles(feed)}（落地文件）")}
        if from_source:
            source = self.source(feed)
            facets["columnLineage"] = _lineage((column, source, column, "IDENTITY") for column in feed.required_columns)
        namespace, folder = self._landing
        return kind(namespace, f"{folder}/{feed.department}/{feed.id}", facets=facets)

    def _columns(self, feed: Feed) -> schema_dataset.SchemaDatasetFacet:
        """Return the columns that a feed delivers, with the Chinese names of the fields that they become."""
        fields = self.catalog.standard_fields(feed.dataset)
        words: dict[str, list[str]] = {column: [] for column in feed.required_columns}
        for name, mapping in feed.delivered_fields.items():
            words[str(mapping.column)].append(fields[name].name_zh)
        return schema_dataset.SchemaDatasetFacet(
            [
                schema_dataset.SchemaDatasetFacetFields(column, "text", "、".join(meaning) or None)
                for column, meaning in words.items()
            ]
        )

    def _store_facets(self, dataset: str, feeds: list[Feed]) -> dict[str, Any]:
        """Return the columns of a data set, and from which columns of which landed files they come."""
        fields = [
            schema_dataset.SchemaDatasetFacetFields(field.field, field.kind, field.name_zh)
            for field in self.catalog.standard_fields(dataset).values()
        ]

        def origins() -> Iterator[tuple[str, Dataset, str, str]]:
            for feed in feeds:
                landed = self._landed(InputDataset, feed)
                for name, mapping in feed.delivered_fields.items():
                    yield name, landed, str(mapping.column), "TRANSFORMATION"

        return {"schema": schema_dataset.SchemaDatasetFacet(fields), "columnLineage": _lineage(origins())}


def _place(transport: ExchangeDatabase | FileDrop | HttpApi) -> str:
    if isinstance(transport, ExchangeDatabase):
        return transport.table
    if isinstance(transport, HttpApi):
        return transport.path
    return "/".join(filter(None, (transport.folder, transport.pattern)))


def _lineage(
    origins: Iterator[tuple[str, Dataset, str, str]],
) -> column_lineage_dataset.ColumnLineageDatasetFacet:
    """Return the facet for (column, data set that it comes from, that one's column, how it is changed)."""
    found: dict[str, list[column_lineage_dataset.InputField]] = defaultdict(list)
    for column, dataset, origin, change in origins:
        transformation = column_lineage_dataset.Transformation(type="DIRECT", subtype=change)
        found[column].append(
            column_lineage_dataset.InputField(dataset.namespace, dataset.name, origin, [transformation])
        )
    return column_lineage_dataset.ColumnLineageDatasetFacet(
        {column: column_lineage_dataset.Fields(inputs) for column, inputs in found.items()}
    )


def _words(text: str) -> documentation_dataset.DocumentationDatasetFacet:
    return documentation_dataset.DocumentationDatasetFacet(text)

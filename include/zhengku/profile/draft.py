"""Reading a feed that has no mapping yet: a draft, with all that is needed to read its source."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zhengku.catalog.catalog import DEPARTMENTS_FOLDER, department_files
from zhengku.catalog.department import Feed
from zhengku.catalog.problem import Problem, did_you_mean, looks_secret, shown
from zhengku.catalog.yaml_file import YamlFile, read_yaml
from zhengku.configuration_model import Identifier, Text
from zhengku.errors import CatalogError
from zhengku.transports.registry import AnyTransport
from zhengku.transports.window import NewFiles, Watermark, Whole

_ONLY_MAPPED = "certificate_name"
_DEFAULT_SLOTS = 1


class _DraftFeed(BaseModel):
    """The keys that a feed must have before it can be profiled; others are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    title: Text
    dataset: Identifier
    license_type: Identifier | None = None
    transport: AnyTransport
    window: Annotated[NewFiles | Watermark | Whole, Field(discriminator="kind")] = NewFiles()
    deliveries: Literal["increments", "snapshots"] = "increments"


@dataclass(frozen=True)
class Draft:
    """A feed without its mapping.

    `feed` maps only a constant, so that its source and its reader require no columns but those of the window and the
    row id. `slots` are those of the department's pool.
    """

    feed: Feed
    slots: int
    path: Path


@dataclass(frozen=True)
class ListedFeed:
    """One feed as it is in its department's file, without checks; empty text for what is missing."""

    department: str
    feed: str
    title: str
    transport: str
    window: str
    license_type: str
    is_mapped: bool


def listed_feeds(folder: Path) -> list[ListedFeed]:
    """Return the feeds in all departments' files of a catalogue folder, with drafts, in the order of the files."""
    listed = []
    for path in department_files(folder):
        source = read_yaml(path)
        for feed_id in source.mapping("feeds"):
            feed = ("feeds", feed_id)
            listed.append(
                ListedFeed(
                    department=path.stem,
                    feed=feed_id,
                    title=source.text(*feed, "title") or "",
                    transport=source.text(*feed, "transport", "kind") or "",
                    window=source.text(*feed, "window", "kind") or NewFiles().kind,
                    license_type=source.text(*feed, "license_type") or "",
                    is_mapped=bool(source.mapping(*feed, "fields")),
                )
            )
    return listed


def read_draft(folder: Path, department: str, feed_id: str) -> Draft:
    """Read title, data set, transport and window of a feed; the rest of the file may be missing or wrong.

    Raises `CatalogError` (file, line, fix).
    """
    files = {path.stem: path for path in department_files(folder)}
    if department not in files:
        raise CatalogError(f"No {DEPARTMENTS_FOLDER}/{department}.yaml. {did_you_mean(department, files)}")
    source = read_yaml(files[department])
    for problem in source.problems:
        if problem.severity == "error":
            raise CatalogError(str(problem))
    feeds = source.mapping("feeds")
    if feed_id not in feeds:
        raise CatalogError(f"No feed {feed_id!r} of department {department!r}. {did_you_mean(feed_id, feeds)}")
    _refuse_secrets(source, ("feeds", feed_id, "transport"))
    try:
        draft = _DraftFeed.model_validate(feeds[feed_id])
    except ValidationError as error:
        raise CatalogError(str(_first_problem(source, feed_id, error))) from None
    feed = Feed.model_validate(
        {
            **draft.model_dump(exclude_unset=True),
            "key": [_ONLY_MAPPED],
            "fields": {_ONLY_MAPPED: {"constant": draft.title}},
        }
    )
    feed._id, feed._department = feed_id, department
    slots = source.at("pool", "slots")
    return Draft(feed, slots if isinstance(slots, int) and slots > 0 else _DEFAULT_SLOTS, source.path)


def _refuse_secrets(source: YamlFile, location: tuple[str, ...]) -> None:
    for key, value in source.mapping(*location).items():
        if isinstance(value, str) and looks_secret(value):
            raise CatalogError(
                str(
                    Problem(
                        source.path,
                        source.line((*location, key)),
                        f"{key}: the value looks like an address or a secret",
                        "Name a connection by its id and put its address into the environment (ZHENGKU_CONN_<ID>).",
                    )
                )
            )


def _first_problem(source: YamlFile, feed_id: str, error: ValidationError) -> Problem:
    first: Any = error.errors(include_url=False)[0]
    # Pydantic puts the values of `kind` between the keys of the file.
    steps = [step for step in first["loc"] if step not in ("file_drop", "http", "exchange_database", "csv", "xlsx")]
    place = ".".join(["feeds", feed_id, *map(str, steps)])
    received = "nothing" if first["type"] == "missing" else shown(first["input"])
    return Problem(
        source.path,
        source.line(("feeds", feed_id, *steps)),
        f"{place}: {first['msg']}, got {received}",
        "A feed can be profiled once it has title, dataset, transport and window; see department.schema.json.",
    )

"""Writing the first files of a new department: its catalogue file, its DAG, and a test with made-up rows."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template

from zhengku.catalog import Catalog, load_catalog
from zhengku.catalog.catalog import DEPARTMENTS_FOLDER, department_files
from zhengku.catalog.problem import did_you_mean, looks_secret
from zhengku.catalog.reference import LicenseType
from zhengku.catalog.yaml_file import read_yaml
from zhengku.configuration_model import IDENTIFIER_PATTERN
from zhengku.errors import CatalogError, ConfigurationError
from zhengku.profile.yaml_text import scalar
from zhengku.settings import CARRIED_FOLDER, Settings
from zhengku.transports.registry import TransportKind, connector_class

ANY_TYPE: Final = "other_certificate"
"""The license type of a feed when none is given: certificates whose type is not in the catalogue."""

# Made up, with correct check characters: serials of organisations start with XN (虚拟), no district is 420799.
_ORGANISATIONS: Final = ("91420700XN0000012Q", "91420700XN0000020K")
_PERSONS: Final = ("420799199001010016", "42079919900102002X")


@dataclass(frozen=True)
class Scaffold:
    """The files that were written, in the order in which a person edits them."""

    catalog_file: Path
    dag_file: Path
    test_file: Path
    samples: tuple[Path, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        return (self.catalog_file, self.dag_file, self.test_file, *self.samples)


def new_department(
    settings: Settings, department: str, name: str, transport: TransportKind, license_types: Sequence[str] = ()
) -> Scaffold:
    """Write the files of a new department, with a feed for each license type; no file is overwritten.

    The department's file has what `zhengku feeds profile` needs; it is complete once the mappings are added. Raises
    `ConfigurationError` for an invalid id, a blank name, a file that exists already (then nothing is written), and
    without a checkout; `CatalogError` for an unknown license type.
    """
    if not re.fullmatch(IDENTIFIER_PATTERN, department):
        raise ConfigurationError(
            f"Expected an id of small letters, digits and _ like market_supervision, got {department!r:.80}."
        )
    if not name.strip() or not name.isprintable() or looks_secret(name):
        raise ConfigurationError("Expected the department's full Chinese name after --name, like 市市场监督管理局.")
    catalog = load_catalog(settings.catalog_folder)
    types = [catalog.license_type(key) for key in dict.fromkeys(license_types or (ANY_TYPE,))]
    for folder in (settings.home / "dags", settings.home / "tests"):
        if not folder.is_dir():
            raise ConfigurationError(f"No folder {folder}: run this in the checkout, or set ZHENGKU_HOME to it.")
    tests = settings.home / "tests" / DEPARTMENTS_FOLDER
    scaffold = Scaffold(
        catalog_file=catalog.folder / DEPARTMENTS_FOLDER / f"{department}.yaml",
        dag_file=settings.home / "dags" / f"{department}.py",
        test_file=tests / f"test_{department}.py",
        samples=tuple(tests / department / f"{license_type.license_type}.json" for license_type in types),
    )
    there = [str(path) for path in scaffold.files if path.exists()]
    if there:
        raise ConfigurationError(
            f"{', '.join(there)}: there already, and nothing is overwritten. Choose another id, or go on with these."
        )
    contents = {
        scaffold.catalog_file: _rendered("catalog.yaml.j2", department, name, transport, types),
        scaffold.dag_file: _rendered("dag.py.j2", department, name, transport, types),
        scaffold.test_file: _rendered("test.py.j2", department, name, transport, types),
        **{
            path: _sample(catalog, license_type, transport)
            for path, license_type in zip(scaffold.samples, types, strict=True)
        },
    }
    for path, content in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        # "x": a file that another program has written meanwhile is not overwritten either.
        with path.open("x", encoding="utf-8") as file:
            file.write(content)
    return scaffold


def new_feed(
    settings: Settings, department: str, feed_id: str, transport: TransportKind, license_type: str | None = None
) -> tuple[Path, ...]:
    """Add a draft of a feed to a department's file, and a sample for its test; return the written files.

    The feed gets a connection of its own, so its transport may differ from that of the other feeds. The rest of the
    file is not changed. `license_type` defaults to the license type with the key `feed_id`, if there is one. Raises
    `ConfigurationError` for an invalid or existing feed id and without a checkout, `CatalogError` for an unknown
    department or license type, or a file that cannot be read.
    """
    if not re.fullmatch(IDENTIFIER_PATTERN, feed_id):
        raise ConfigurationError(f"Expected a feed of small letters, digits and _ like permit, got {feed_id!r:.80}.")
    catalog = load_catalog(settings.catalog_folder)
    files = {path.stem: path for path in department_files(catalog.folder)}
    if department not in files:
        raise CatalogError(f"No {DEPARTMENTS_FOLDER}/{department}.yaml. {did_you_mean(department, files)}")
    path = files[department]
    if path.is_relative_to(CARRIED_FOLDER):
        raise ConfigurationError(
            f"{path} belongs to the installed release, and the next one replaces it: run this in the checkout, or set "
            "ZHENGKU_HOME to it."
        )
    source = read_yaml(path)
    if errors := [problem for problem in source.problems if problem.severity == "error"]:
        raise CatalogError(str(errors[0]))
    if feed_id in source.mapping("feeds"):
        line = source.line(("feeds", feed_id))
        raise ConfigurationError(f"{path}:{line}: feed {feed_id} is there already, and nothing is overwritten.")
    key = license_type or (feed_id if feed_id in catalog.license_types else ANY_TYPE)
    of_type = catalog.license_type(key)
    block = _template("feed.yaml.j2").render(feed=feed_id, department=department, transport=transport, type=of_type)
    sample = settings.home / "tests" / DEPARTMENTS_FOLDER / department / f"{feed_id}.json"
    # Departments that were not generated have no samples.
    samples = {sample: _sample(catalog, of_type, transport)} if sample.parent.is_dir() and not sample.exists() else {}
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(_with_feed(path.read_text(encoding="utf-8"), block), encoding="utf-8")
    if feed_id not in read_yaml(draft).mapping("feeds"):
        draft.unlink()
        raise CatalogError(f"{path}: expected feeds as indented lines below `feeds:`. Add the feed by hand:\n{block}")
    draft.replace(path)
    for file, content in samples.items():
        file.write_text(content, encoding="utf-8")
    return (path, *samples)


def _with_feed(text: str, block: str) -> str:
    """Return the text of a department's file with a feed after its others."""
    lines = text.splitlines(keepends=True)
    start = next((place for place, line in enumerate(lines) if re.match(r"feeds:\s*(#.*)?$", line)), len(lines))
    # The feeds end before the next key that is not indented.
    rest = range(start + 1, len(lines))
    end = next((place for place in rest if re.match(r"[^\s#]", lines[place])), len(lines))
    head, tail = "".join(lines[:end]).rstrip("\n"), "".join(lines[end:])
    return f"{head}\n\n{block}" + (f"\n{tail}" if tail else "")


def _rendered(template: str, department: str, name: str, transport: TransportKind, types: Sequence[LicenseType]) -> str:
    owners = {license_type.department for license_type in types if license_type.department}
    catalog_name = owners.pop() if len(owners) == 1 else None
    return _template(template).render(
        department=department,
        name=name.strip(),
        catalog_name=catalog_name if catalog_name != name.strip() else None,
        transport=transport,
        types=types,
    )


def _template(name: str) -> Template:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("zhengku.scaffold", "."), PackageLoader("zhengku.transports", ".")]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        # The templates make YAML and Python, not HTML; all values were checked.
        autoescape=False,
    )
    environment.filters["scalar"] = scalar
    return environment.get_template(name)


def _sample(catalog: Catalog, license_type: LicenseType, transport: TransportKind) -> str:
    """Return made-up rows with the standard's Chinese names as columns, and the rows expected in the store, as JSON."""
    is_person = license_type.holder_type == "person"
    codes = _PERSONS if is_person else _ORGANISATIONS
    holders = ("张某某", "李某某") if is_person else ("鄂州市虚构第一商贸有限公司", "鄂州市虚构第二商贸有限公司")
    names = {field: row.name_zh for field, row in catalog.standard_fields("certificate").items()}
    stored = [
        {
            "certificate_number": f"XN2024{number:06d}",
            "certificate_name": license_type.name_zh,
            "license_type_name": license_type.name_zh,
            **({"license_type_code": license_type.license_type_code} if license_type.license_type_code else {}),
            "issue_date": f"2024-03-0{number}",
            "issuing_authority": "鄂州市虚构局",
            "district": "ezhou",
            "holder": holder,
            "holder_code": code,
            "holder_code_type": "111" if is_person else "001",
            "status": "valid",
            "source_updated_at": f"2024-03-0{number}T08:00:00+08:00",
        }
        for number, (holder, code) in enumerate(zip(holders, codes, strict=True), start=1)
    ]
    delivered = [
        {
            **{names[field]: value for field, value in row.items()},
            names["district"]: "420700",
            names["status"]: "有效",
            names["source_updated_at"]: f"{row['issue_date']} 08:00:00",
        }
        for row in stored
    ]
    # Usual dirt: the second row has other spellings of the same values.
    delivered[1] |= {
        names["issue_date"]: "2024年3月2日",
        names["certificate_number"]: " ＸＮ2024000002 ",
        names["district"]: "鄂州市",
    }
    without_number = {**delivered[0], names["certificate_number"]: ""}
    rows = [*delivered, without_number]
    rows = connector_class(transport).example_rows(rows, names["source_updated_at"])
    sample = {
        "about": (
            "Made-up rows as the department delivers them, and what must be in the store: replace the names of the "
            "columns by the department's own. Never put real people's data here."
        ),
        "rows": rows,
        "store": stored,
        "quarantined": 1,
    }
    return json.dumps(sample, ensure_ascii=False, indent=2) + "\n"

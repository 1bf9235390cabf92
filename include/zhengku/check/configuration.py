"""The check of a complete catalogue: all mistakes at once, with file, line and fix."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from zhengku.catalog.catalog import DEPARTMENTS_FOLDER, department_files, raise_first
from zhengku.catalog.department import Department
from zhengku.catalog.department_file import read_department
from zhengku.catalog.problem import Problem, did_you_mean, shown
from zhengku.catalog.reference import read_reference
from zhengku.catalog.yaml_file import Location, YamlFile, read_yaml
from zhengku.errors import CatalogError


def check_catalog(
    folder: Path,
    suite_folder: Path,
    today: date | None = None,
    environment: Mapping[str, str] | None = None,
    only: str | None = None,
    *,
    builds_rules: bool = True,
) -> list[Problem]:
    """Check the shared tables, all departments' files, their suites in `suite_folder`, the settings of the daily
    clearance and of the review, and what the steps of the pipeline would refuse.

    With `today` (Asia/Shanghai) it also warns when the known working days end soon. With an `environment`, the
    addresses of sources in it are checked. With a department as `only`, it returns the problems of that department's
    file, and the errors elsewhere that stop the department. Without `builds_rules`, the rules are not built with Great
    Expectations, which takes seconds to import. Returns all problems, by file and line. Raises `CatalogError` when
    there is no such department.
    """
    files = {path.stem: path for path in department_files(folder)}
    if only is not None and only not in files:
        raise CatalogError(f"No {DEPARTMENTS_FOLDER}/{only}.yaml. {did_you_mean(only, files)}")
    # Imported here: DAGs, which Airflow parses all the time, import this module and need none of them.
    from zhengku.catalog.clearance_config import check_clearance
    from zhengku.catalog.notices_config import check_notices
    from zhengku.catalog.retention_config import check_retention
    from zhengku.catalog.review_config import check_review
    from zhengku.catalog.working_days import check_working_days
    from zhengku.check.steps import check_steps

    reference = read_reference(folder)
    problems = reference.problems + check_working_days(reference.working_day_table, today)
    suites = {path.stem for path in suite_folder.glob("*.json")}
    departments: list[tuple[YamlFile, Department]] = []
    sources: dict[str, YamlFile] = {}
    for path in department_files(folder):
        department, found = read_department(path, reference)
        problems += found
        source = sources[path.stem] = read_yaml(path)
        problems += _missing_suites(source, suites, suite_folder)
        problems += _base_suites_left_out(source, suites, set(reference.standard_fields))
        problems += _type_suites_left_out(source, suites)
        problems += _absent_though_required(source, suites, suite_folder)
        if department is not None:
            departments.append((source, department))
    problems += _pools_that_differ(departments)
    if not any(problem.severity == "error" for problem in reference.problems):
        selected = [(source, department) for source, department in departments if only in (None, department.department)]
        problems += check_steps(folder, suite_folder, reference, selected, environment or {}, builds_rules=builds_rules)
    problems += check_clearance(folder, sources) + check_review(folder)
    problems += check_notices(folder) + check_retention(folder)
    problems += _files_not_read(folder)
    if only is not None:
        others = {path for stem, path in files.items() if stem != only}
        problems = [
            problem
            for problem in problems
            if problem.file == files[only] or (problem.severity == "error" and problem.file not in others)
        ]
    return sorted(problems, key=lambda problem: (problem.file, problem.line or 0))


def check_department(folder: Path, suite_folder: Path, department: str) -> None:
    """Raise `CatalogError` when `check_catalog` finds a mistake in a department's file or in the suites.

    Mistakes elsewhere must not stop the collection of the department. The shared tables are checked when the catalogue
    is loaded. An address is checked when it is read from: a wrong one stops only its own feeds. Whether Great
    Expectations accepts a rule is checked by the validation, which stops at a wrong rule without losing a row.
    """
    problems = check_catalog(folder, suite_folder, only=department, builds_rules=False)
    own = folder / DEPARTMENTS_FOLDER / f"{department}.yaml"
    raise_first([each for each in problems if each.file == own or suite_folder in each.file.parents])


def _missing_suites(source: YamlFile, suites: set[str], suite_folder: Path) -> list[Problem]:
    named: list[tuple[Location, str]] = []
    for feed_id in source.mapping("feeds"):
        feed = ("feeds", feed_id)
        default = source.text(*feed, "dataset")
        if "suites" in source.mapping(*feed):
            named += source.items(*feed, "suites")
        elif default is not None:
            named.append(((*feed, "dataset"), default))
    return [
        Problem(
            source.path,
            source.line(location),
            f"unknown suite {shown(suite)}: no {suite_folder.name}/{suite}.json",
            did_you_mean(suite, suites),
        )
        for location, suite in named
        if suite not in suites
    ]


def _base_suites_left_out(source: YamlFile, suites: set[str], datasets: set[str]) -> list[Problem]:
    problems = []
    for feed_id in source.mapping("feeds"):
        location = ("feeds", feed_id, "suites")
        dataset = source.text("feeds", feed_id, "dataset")
        named = [suite for _, suite in source.items(*location)]
        # A name that is no suite is reported already, and may be this suite misspelt.
        if named and suites.issuperset(named) and dataset in datasets and dataset not in named:
            message = f"suites leave out {dataset!r}, the data set's own, so its rules would not be checked"
            problems.append(Problem(source.path, source.line(location), message, f"Add it: [{dataset}, …]."))
    return problems


def _type_suites_left_out(source: YamlFile, suites: set[str]) -> list[Problem]:
    problems = []
    for feed_id in source.mapping("feeds"):
        feed = ("feeds", feed_id)
        license_type = source.text(*feed, "license_type")
        named = [suite for _, suite in source.items(*feed, "suites")]
        # A name that is no suite is reported already, and may be this suite misspelt.
        if license_type in suites and suites.issuperset(named) and license_type not in named:
            message = f"suites leave out {license_type!r}, the license type's own, so its rules would not be checked"
            location: Location = (*feed, "suites") if named else (*feed, "license_type")
            problems.append(Problem(source.path, source.line(location), message, f"Add it: […, {license_type}]."))
    return problems


def _absent_though_required(source: YamlFile, suites: set[str], suite_folder: Path) -> list[Problem]:
    """Return the fields that are absent without a reason while a critical rule requires them in every row."""
    from zhengku.validate.presence import needed_fields
    from zhengku.validate.suites import load_suites

    problems = []
    for feed_id in source.mapping("feeds"):
        feed = ("feeds", feed_id)
        absent = {name: location for location, name in source.items(*feed, "absent")}
        named = [suite for _, suite in source.items(*feed, "suites")] or [source.text(*feed, "dataset") or ""]
        if not suites.issuperset(named):
            continue
        try:
            loaded = load_suites(suite_folder, named)
        except CatalogError:
            # `check_steps` reports a suite that cannot be read.
            continue
        required = needed_fields(loaded, with_deletes=bool(source.mapping(*feed, "operation")))
        reasons = source.mapping(*feed, "absent_because")
        for name, rule_id in required.items():
            if name in absent and name not in reasons:
                message = (
                    f"{name!r} is absent, but rule {rule_id} requires it in every row: the rule would not be checked, "
                    "and rows without it would be loaded"
                )
                fix = (
                    "Map it under fields (`zhengku feeds profile` proposes the column), or say why the feed may do "
                    f"without it: absent_because: {{{name}: …}}."
                )
                problems.append(Problem(source.path, source.line(absent[name]), message, fix))
    return problems


def _pools_that_differ(departments: list[tuple[YamlFile, Department]]) -> list[Problem]:
    first: dict[str, Department] = {}
    problems = []
    for source, department in departments:
        other = first.setdefault(department.pool.name, department)
        if other.pool.slots != department.pool.slots:
            name, slots = department.pool.name, department.pool.slots
            message = f"pool {name!r} has {slots} slots here and {other.pool.slots} in {other.department}.yaml"
            line = source.line(("pool", "slots"))
            problems.append(Problem(source.path, line, message, "A pool has one size: give both the same."))
    return problems


def _files_not_read(folder: Path) -> list[Problem]:
    departments = folder / DEPARTMENTS_FOLDER
    if not department_files(folder):
        return [
            Problem(departments, None, "no department's file *.yaml is here", "Add one, or set ZHENGKU_CATALOG_DIR.")
        ]
    return [
        Problem(path, None, "is not read, since its name does not end in .yaml", f"Rename it to {path.stem}.yaml.")
        for path in sorted(departments.iterdir())
        if path.suffix != ".yaml" and not path.name.startswith(".")
    ]

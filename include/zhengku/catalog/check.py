"""The check of a whole catalogue: every mistake at once, with file, line and mend."""

from datetime import date
from pathlib import Path

from zhengku.catalog.catalog import DEPARTMENTS_FOLDER, department_files
from zhengku.catalog.department import Department
from zhengku.catalog.department_file import read_department
from zhengku.catalog.problem import Problem, did_you_mean, shown
from zhengku.catalog.reference import read_reference
from zhengku.catalog.yaml_file import Location, YamlFile, read_yaml


def check_catalog(folder: Path, suite_folder: Path, today: date | None = None) -> list[Problem]:
    """Check the shared tables, all departments' files, the numbers of the daily clearance, and that the suites that
    the files name exist in `suite_folder` and hold that of the data set.

    With `today` (Asia/Shanghai) it also warns of what runs out soon. Returns all problems, by file and line; an empty
    list means that nothing is to be said.
    """
    # Not above: both read the catalogue, and DAGs, which are parsed all the time, need neither.
    from zhengku.clearance.calendar import check_working_days
    from zhengku.clearance.config import check_clearance
    from zhengku.review.config import check_review

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
        if department is not None:
            departments.append((source, department))
    problems += _pools_that_differ(departments)
    problems += check_clearance(folder, sources) + check_review(folder)
    problems += _files_not_read(folder)
    return sorted(problems, key=lambda problem: (problem.file, problem.line or 0))


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
        # A name that is no suite is told already, and may be this one misspelt.
        if named and suites.issuperset(named) and dataset in datasets and dataset not in named:
            message = f"suites leave out {dataset!r}, the data set's own, so its rules would not be asked"
            problems.append(Problem(source.path, source.line(location), message, f"Add it: [{dataset}, …]."))
    return problems


def _type_suites_left_out(source: YamlFile, suites: set[str]) -> list[Problem]:
    problems = []
    for feed_id in source.mapping("feeds"):
        feed = ("feeds", feed_id)
        license_type = source.text(*feed, "license_type")
        named = [suite for _, suite in source.items(*feed, "suites")]
        # A name that is no suite is told already, and may be this one misspelt.
        if license_type in suites and suites.issuperset(named) and license_type not in named:
            message = f"suites leave out {license_type!r}, the license type's own, so its rules would not be asked"
            location: Location = (*feed, "suites") if named else (*feed, "license_type")
            problems.append(Problem(source.path, source.line(location), message, f"Add it: […, {license_type}]."))
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

"""A feed that maps every standard field, and one certificate that is inserted, changed and deleted in it."""

import csv
from datetime import date

from ruamel.yaml import YAML

from simulator.business_licenses import credit_code
from zhengku.settings import Settings

DAYS = {"issue_date", "valid_from", "valid_to"}
EXTENSION = {"类型": "种类", "经营范围": "范围", "住所": "地点"}
# What is delivered and what the store must hold of it, for two versions of one certificate.
VERSIONS = [
    {
        "certificate_identifier": "1.2.156.3005.2.11100000000013338W032.11220000013544541J.2430599.001.F",
        "certificate_name": "虚构证一",
        "certificate_version": "001",
        # What is wanted and lacks is a warning, so that the second version can bring it.
        "license_type_code": "",
        "license_type_name": "",
        "issue_date": "2020-01-01",
        "issuing_authority": "虚构一局",
        "issuing_authority_code": credit_code(101),
        "district": "420702",
        "holder": "虚构一公司",
        "holder_code": credit_code(1),
        "holder_code_type": "001",
        "file_url": "https://files.example/1",
        "status": "10",
        "defining_authority": "虚构一部",
        "defining_authority_code": credit_code(201),
        "valid_from": "2020-01-02",
        "valid_to": "2030-01-02",
        "validity": "10年",
        "service_item_name": "虚构事项一",
        "service_item_code": "ITEM1",
        "file_digest": "AA11",
        "source_updated_at": "2024-05-01 08:00:00",
    },
    {
        "certificate_identifier": "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U",
        "certificate_name": "虚构证二",
        "certificate_version": "002",
        "license_type_code": "11100000MB0143028R001",
        "license_type_name": "营业执照",
        "issue_date": "2021-01-01",
        "issuing_authority": "虚构二局",
        "issuing_authority_code": credit_code(102),
        "district": "420704",
        "holder": "虚构二公司",
        "holder_code": credit_code(2),
        "holder_code_type": "099",
        "file_url": "https://files.example/2",
        "status": "03",
        "defining_authority": "虚构二部",
        "defining_authority_code": credit_code(202),
        "valid_from": "2021-01-02",
        "valid_to": "长期",
        "validity": "十年",
        "service_item_name": "虚构事项二",
        "service_item_code": "ITEM2",
        "file_digest": "BB22",
        "source_updated_at": "2024-05-02 08:00:00",
    },
]
STORED_OTHERWISE = {
    "district": {"420702": "liangzihu", "420704": "echeng"},
    "status": {"10": "valid", "03": "cancelled"},
}
KEY = "虚构证照编号1"
BYSTANDER = "虚构证照编号2"
TYPE = {name: VERSIONS[1][name] for name in ("license_type_code", "license_type_name")}


def map_every_field(installation, tmp_path):
    """Let the installation's one feed map every standard field."""
    folder = tmp_path / "catalog"
    (folder / "departments").mkdir(parents=True)
    for table in installation.settings.catalog_folder.glob("*.csv"):
        (folder / table.name).write_bytes(table.read_bytes())
    shipped = installation.settings.catalog_folder / "departments" / "market_supervision.yaml"
    department = YAML(typ="safe").load(shipped.read_text(encoding="utf-8"))
    feed = department["feeds"]["business_license"]
    feed["fields"] = {"certificate_number": {"column": "编号"}, **{name: {"column": name} for name in VERSIONS[0]}}
    feed["fields"]["status"]["codes"] = {"10": "valid", "03": "cancelled"}
    feed["extension"] = {name: {"column": column} for name, column in EXTENSION.items()}
    feed.update(
        version="source_updated_at", absent=[], ignored_columns=[], operation={"column": "操作"}, suites=["certificate"]
    )
    with (folder / "departments" / "market_supervision.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(department, file)
    environment = {**installation.settings.environment, "ZHENGKU_CATALOG_DIR": str(folder)}
    installation.settings = Settings(home=installation.settings.home, environment=environment)
    return installation


def deliver(whole, name: str, operation: str, values: dict[str, str], minutes_ago: int):
    row = {"操作": operation, "编号": KEY, **dict.fromkeys(VERSIONS[0], ""), **values}
    row |= {column: f"{name}{values.get('validity', '')}" for name, column in EXTENSION.items()}
    path = whole.drop / name
    with path.open("w", encoding="utf-8", newline="") as file:
        bystander = [{**row, "编号": BYSTANDER, **TYPE}.values()] if name == "1.csv" else []
        csv.writer(file).writerows([row.keys(), row.values(), *bystander])
    whole.deliver(name, path.read_bytes(), minutes_ago=minutes_ago)
    return whole.run_one()


def expected(version: int) -> dict[str, object]:
    values: dict[str, object] = {}
    for name, delivered in VERSIONS[version].items():
        stored: object = STORED_OTHERWISE.get(name, {}).get(delivered, delivered)
        if name == "valid_to" and delivered == "长期":
            stored = None
        elif name in DAYS:
            stored = date.fromisoformat(delivered).isoformat()
        if name == "source_updated_at":
            stored = f"{delivered.replace(' ', 'T')}+08:00"
        values[name] = stored or None
    values["district_delivered"] = VERSIONS[version]["district"]
    values["extension"] = {name: f"{name}{VERSIONS[version]['validity']}" for name in EXTENSION}
    return {
        **values,
        "record_key": KEY,
        "certificate_number": KEY,
        "license_type": "business_license",
        "department": "market_supervision",
        "feed": "business_license",
        "version_at": values["source_updated_at"],
        "row_no": 2,
        "valid_without_end": VERSIONS[version]["valid_to"] == "长期",
    }


def stored(whole) -> dict[str, object]:
    rows = dict(whole.query("select record_key, to_jsonb(c) from store.certificate as c"))
    # A second certificate stands by, so that a row that is joined with any other is seen.
    assert rows.keys() == {KEY, BYSTANDER}
    assert (rows[BYSTANDER]["version_no"], rows[BYSTANDER]["removal"]) == (1, None)
    assert {name: rows[BYSTANDER][name] for name in TYPE} == TYPE
    return rows[KEY]


def walk(whole) -> None:
    """Insert, update and delete one certificate, and compare every column of the store each time."""
    first = deliver(whole, "1.csv", "I", VERSIONS[0], 60)
    assert (first.inserted, first.quarantined) == (2, 0)
    row = stored(whole)
    # A column that nobody looks at here would be a hole in this test.
    assert row.keys() == {*expected(0), *BOOKKEEPING}
    assert {name: row[name] for name in expected(0)} == expected(0)
    assert (row["version_no"], row["batch_id"], row["removal"]) == (1, first.batch_id, None)
    second = deliver(whole, "2.csv", "U", VERSIONS[1], 50)
    assert second.updated == 1
    updated = stored(whole)
    assert {name: updated[name] for name in expected(1)} == expected(1)
    assert (updated["version_no"], updated["batch_id"], updated["row_hash"] != row["row_hash"]) == (
        2,
        second.batch_id,
        True,
    )
    assert updated["loaded_at"] > row["loaded_at"]
    # The same row once more is known by its hash.
    assert deliver(whole, "3.csv", "U", VERSIONS[1] | {"source_updated_at": "2024-05-02T08:00:00"}, 40).unchanged == 1
    third = deliver(whole, "4.csv", "D", {"source_updated_at": "2024-05-03 09:00:00"}, 30)
    assert third.deleted == 1
    deleted = stored(whole)
    kept = {name: value for name, value in expected(1).items() if name != "version_at"}
    assert {name: deleted[name] for name in kept} == kept
    assert (deleted["removal"], deleted["removed_at"], deleted["version_at"]) == (
        "deleted",
        "2024-05-03T09:00:00+08:00",
        "2024-05-03T09:00:00+08:00",
    )
    assert (deleted["version_no"], deleted["batch_id"]) == (3, third.batch_id)
    assert deleted["loaded_at"] > updated["loaded_at"]
    back = deliver(whole, "5.csv", "I", VERSIONS[0] | {"source_updated_at": "2024-05-04 09:00:00"}, 20)
    assert back.updated == 1
    again = stored(whole)
    assert (again["removal"], again["removed_at"], again["version_no"], again["holder"]) == (
        None,
        None,
        4,
        "虚构一公司",
    )
    history = whole.query("select version_no, removal from store.certificate_history order by 1")
    assert history == [(1, None), (2, None), (3, "deleted")]


BOOKKEEPING = {
    "version_no",
    "batch_id",
    "row_hash",
    "loaded_at",
    "removed_at",
    "removal",
    "received_hash",
    "warning_set",
}

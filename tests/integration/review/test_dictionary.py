"""The data dictionary: complete, and it tells where catalogue and database differ."""

import io
import re
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from python_calamine import CalamineWorkbook
from tests.support.installation import Installation, license_row
from tests.support.review_pages import ROOT, served

from zhengku.catalog import Catalog, load_catalog
from zhengku.database import store_connection
from zhengku.review.dictionary import DataSet, dictionary, write_dictionary
from zhengku.settings import project_home

CATALOG = project_home() / "include" / "catalog"


def read(installation: Installation, catalog: Catalog) -> dict[str, DataSet]:
    with store_connection(installation.settings.database_url) as connection:
        return {each.name: each for each in dictionary(connection, catalog, installation.settings.suite_folder)}


@pytest.fixture
def catalog() -> Catalog:
    return load_catalog(CATALOG)


def test_every_field_is_told_with_its_column_rules_and_sources(
    installation: Installation, catalog: Catalog, tmp_path: Any
) -> None:
    installation.deliver_rows("1.csv", *(license_row(number) for number in range(20)))
    installation.run()
    installation.query("analyze")
    found = read(installation, catalog)
    assert found.keys() == catalog.reference.standard_fields.keys()
    for each in found.values():
        assert each.differences == []
        assert [field.standard.field for field in each.fields] == [*catalog.standard_fields(each.name)]
        assert all(field.column is not None for field in each.fields)
        # Every column that no department delivers says what it is for.
        assert all(column.meaning for column in each.others)
        for field in each.fields:
            # Each feed either has a field, or says that it has not.
            assert len(field.sources) + field.absent == len(each.feeds), field.standard
    certificate = found["certificate"]
    assert certificate.title == "市电子证照库：每证当前版本"
    store, history = certificate.tables
    assert (store.estimated, store.partitions > 0, history.name) == (20, True, "certificate_history")
    assert any(index.is_unique and "record_key" in index.definition for index in store.indexes)
    holder = next(field for field in certificate.fields if field.standard.field == "holder")
    assert holder.column is not None
    assert holder.column.type == "text"
    assert "certificate.holder.present" in {each.rule.rule_id for each in holder.rules}
    assert ("市市场监督管理局", "企业名称") in {(each.department_name, each.value) for each in holder.sources}

    write_dictionary(tmp_path / "a.xlsx", [*found.values()])
    book = CalamineWorkbook.from_path(str(tmp_path / "a.xlsx"))
    assert book.sheet_names == ["封面", "字段", "来源列", "其他列"]
    rows = book.get_sheet_by_name("字段").to_python()
    assert len(rows) == 1 + sum(len(each.fields) for each in found.values())
    assert ["certificate", "holder", "持证主体"] in [row[1:4] for row in rows]


def test_differences_between_catalogue_and_database_are_told(installation: Installation, catalog: Catalog) -> None:
    installation.query("alter table store.case_result drop column result_type")
    installation.query("alter table store.case_result alter column produced_at type text")
    installation.query("alter table store.case_result_history add column forgotten integer")
    catalog.reference.standard_fields["unmade"] = {"a": catalog.standard_fields("case_result")["result_type"]}
    found = read(installation, catalog)
    assert [re.sub("[：，。].*", "", sentence) for sentence in found["unmade"].differences] == [
        "目录有数据集 unmade",
        "目录有数据集 unmade",
    ]
    assert found["case_result"].differences == [
        "目录有字段 result_type（结果类型），数据库的表 store.case_result 没有这一列："
        "请补写迁移并执行 zhengku db upgrade。",
        "字段 produced_at（出证时间）的类别为时间，应存为 timestamp with time zone，表 store.case_result 中为 text。",
        "数据库的表 store.case_result_history 有列 forgotten，目录没有这一字段，数据库中也没有说明：请在 "
        "standard_fields.csv 中补登，或为该列写说明。",
    ]
    assert found["certificate"].differences == []


def test_page_shows_it_to_everybody_with_a_role(installation: Installation) -> None:
    environment = {**installation.settings.environment, "ZHENGKU_CATALOG_DIR": str(CATALOG)}
    client = TestClient(served(replace(installation.settings, environment=environment)))
    page = client.get(f"{ROOT}/dictionary", headers={"who": "wang"}).text
    assert "目录与数据库一致。" in page
    assert 'id="certificate.holder"' in page
    assert "certificate.holder.present" in page
    assert "未统计过行数" in page
    token = re.search(r'name="token" value="([^"]+)"', page)
    assert token
    form = {"data": {"token": token[1]}, "headers": {"who": "wang", "Sec-Fetch-Site": "same-origin"}}
    file = client.post(f"{ROOT}/dictionary/file", **form)
    assert CalamineWorkbook.from_filelike(io.BytesIO(file.content)).sheet_names[0] == "封面"
    assert client.get(f"{ROOT}/dictionary/file", headers={"who": "wang"}).status_code == 405
    installation.query("alter table store.evaluation drop column reason")
    page = client.get(f"{ROOT}/dictionary", headers={"who": "wang"}).text
    assert "目录与数据库不一致" in page
    assert "没有这一列" in page

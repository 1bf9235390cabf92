"""A store made from a dump: its server's timeline says nothing, so who restored it says it; numbers go on."""

from dataclasses import replace

import pytest
from tests.support.installation import OWNER_URL, license_row
from tests.support.review_installation import NOW, ReviewedInstallation

from zhengku import clock
from zhengku.errors import ConfigurationError
from zhengku.operations.restore.finish import finish_restore


def test_store_from_a_dump_goes_on_beyond_what_files_tell(reviewed: ReviewedInstallation) -> None:
    reviewed.deliver_rows("a.csv", *(license_row(n) for n in range(9)), license_row(9, 注册日期="不详"))
    reviewed.run_one()
    owner = {"ZHENGKU_OWNER_DATABASE_URL": reviewed.settings.environment[OWNER_URL]}
    settings = replace(reviewed.settings, environment={**reviewed.settings.environment, **owner})
    # A return of which only the file is left.
    file = settings.return_folder / "market_supervision" / "004711" / "问题数据退回_第4711号_business_license.csv"
    file.parent.mkdir(parents=True)
    file.touch()
    now = clock.now()
    with pytest.raises(ConfigurationError, match="nothing was restored here"):
        finish_restore(settings, now, None, "zhang", "虚构事由")
    finished = finish_restore(settings, now, None, "zhang", "虚构事由", from_dump=True)
    assert list(finished.numbers["quarantine.problem_return"]) == [4711, 5712]
    assert list(finished.repeated) == []
    assert (finished.landing.files, finished.landing.unknown, dict(finished.landing.missing)) == (1, (), {})
    assert finish_restore(settings, now, None, "zhang", "虚构事由", from_dump=True).restore_id == finished.restore_id
    assert reviewed.returns().make("market_supervision", "zhang", NOW).return_id == 5712
    reviewed.deliver_rows("b.csv", license_row(20), minutes_ago=50)
    assert reviewed.run_one().batch_id > 1_000_000

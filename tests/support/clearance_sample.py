"""Made-up cases and evaluations of some weeks, with the lists published night by night: something to show on pages."""

import random
from datetime import date, datetime, time, timedelta

from tests.support.clearance_facts import CASES, EVALUATIONS, Case, Evaluation, Store

from zhengku.clearance.list_versions import ListVersion
from zhengku.clock import CITY_TIME_ZONE

PLACES = (
    ("echeng", "鄂州市公安局", "鄂城区政务服务中心", ("居住证申领", "身份证补领", "户口迁移")),
    ("echeng", "市人力资源和社会保障局", "鄂城区政务服务中心", ("社会保险参保登记", "失业登记")),
    ("echeng", "市市场监督管理局", "凤凰街道便民服务中心", ("个体工商户设立登记", "食品经营许可")),
    ("huarong", "市不动产登记中心", "华容区政务服务中心", ("不动产转移登记", "抵押权注销登记")),
    ("liangzihu", "市医疗保障局", "梁子湖区政务服务中心", ("异地就医备案", "生育津贴申领")),
    ("gedian", "市市场监督管理局", "葛店开发区政务服务中心", ("企业设立登记", "企业变更登记")),
    ("ezhou", "市公积金中心", "市民之家", ("住房公积金提取", "个人账户转移")),
    (None, "市交通运输局", None, ("道路运输从业资格证换发",)),
)
_SURNAMES = "张王李赵陈杨黄周吴徐孙胡朱高林何郭马罗"


def fill(store: Store, first_day: date, days: int, a_day: int, seed: int = 1) -> ListVersion:
    """Let days pass with so many cases each, and publish both lists of every day; return the last."""
    chance = random.Random(seed)
    last: ListVersion | None = None
    number = 0
    late: list[Evaluation] = []
    for on in (first_day + timedelta(days=passed) for passed in range(days)):
        cases: list[Case] = []
        evaluations, late = late, []
        for _ in range(a_day if on.weekday() < 5 else a_day // 8):
            number += 1
            district, department, hall, items = chance.choice(PLACES)
            item = chance.choice(items)
            finished = datetime.combine(on, time(8, 30), CITY_TIME_ZONE) + timedelta(minutes=chance.randrange(550))
            case = Case(
                f"420700{on:%Y%m%d}{number:06d}",
                finished,
                service_item_code=f"1142070001{abs(hash_of(item)) % 10**21:021d}",
                service_item_name=item,
                applicant=chance.choice(_SURNAMES) + "某某"[: chance.randrange(1, 3)],
                phone=f"139{chance.randrange(10**8):08d}",
                district=district,
                handling_department=department,
                hall=hall,
                window=f"{chance.randrange(1, 19)}号窗口",
                handler=chance.choice(_SURNAMES) + "某",
            )
            cases.append(case)
            fate = chance.random()
            if fate < 0.62:
                made = finished + timedelta(minutes=chance.randrange(1, 40))
                bad = chance.random() < 0.012
                evaluations.append(
                    Evaluation(
                        f"E{number:08d}",
                        case.case_number,
                        made,
                        level="dissatisfied"
                        if bad
                        else chance.choice(("very_satisfied", "very_satisfied", "satisfied")),
                        reason="窗口等候时间过长，电话13900000000" if bad else None,
                        device=f"PJQ-{chance.randrange(1, 40):03d}",
                        called_back_at=made + timedelta(hours=5) if bad and chance.random() < 0.6 else None,
                    )
                )
            elif fate < 0.80:
                late.append(
                    Evaluation(f"E{number:08d}", case.case_number, finished + timedelta(hours=chance.randrange(15, 30)))
                )
            elif fate < 0.86:
                evaluations.append(
                    Evaluation(
                        f"D{number:08d}",
                        case.case_number,
                        finished + timedelta(minutes=1),
                        level="satisfied",
                        evaluation_channel="system",
                        is_default="yes",
                    )
                )
        store.load(*cases, *evaluations, read_at=datetime.combine(on, time(16, 40), CITY_TIME_ZONE))
        for kind in ("working", "final"):
            moment = store.config.latest(on, kind)
            store.batch(CASES, moment)
            if on < first_day + timedelta(days=days - 1) or kind == "working":
                store.batch(EVALUATIONS, moment)
            last = store.clearance.publish(on, kind, moment)
    store.clearance.refresh_rates()
    assert last is not None
    return last


def hash_of(text: str) -> int:
    """Return a number for a text, the same in every process."""
    return sum(ord(mark) * 31**position for position, mark in enumerate(text))

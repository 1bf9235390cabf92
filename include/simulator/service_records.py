"""Cases (办件), their results and evaluations (评价) before they are written: complete, and canonical in every value.

People are 某某, halls and companies are 虚构, telephone numbers count up from 1990000 0001: none belongs to anybody.
Times are naive and of Asia/Shanghai.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Final, Literal

from simulator.certificates import DISTRICTS
from simulator.service_sources import DIALECTS, KEYS, ServiceDialect
from simulator.truth import as_time

CaseFeed = Literal["service_cases", "self_built_cases"]
EvaluationFeed = Literal["evaluations", "terminal_evaluations"]
Yes = Literal["yes", "no"]
State = Literal["accepted", "finished", "withdrawn", "terminated"]
Level = Literal["very_satisfied", "satisfied", "basically_satisfied", "dissatisfied", "very_dissatisfied"]

_LEVELS: Final[tuple[Level, ...]] = (
    "very_satisfied",
    "satisfied",
    "basically_satisfied",
    "dissatisfied",
    "very_dissatisfied",
)
BAD: Final = ("dissatisfied", "very_dissatisfied")
NOWHERE: Final = ""
"""The district of a case without a district."""

HIDDEN_NAME: Final = "虚**"
LOST_NAME: Final = "鄂州市?局"
"""Names that are not complete: masked by the sender, or damaged on the way."""

OUTSIDE: Final = "湖北省虚构市"
"""A district outside the city: the store has what was written, and no key."""

_SURNAMES: Final = "张王李赵陈杨黄周吴徐孙胡朱高林何郭马罗梁"
_TRADES: Final = ("商贸", "建材", "餐饮管理", "信息技术", "农业发展", "物流", "渔业", "装饰工程")
REASONS: Final[Mapping[str, str]] = {
    "等候时间过长（虚构）": "等候时间过长（虚构）",
    "一次未告知清楚，请回电199 0000 0017（虚构）": "一次未告知清楚,请回电199******0017(虚构)",
    "窗口无人（虚构）": "窗口无人（虚构）",
    "要求补交身份证420704 19900101 0014，前后不一（虚构）": "要求补交身份证420*************0014,前后不一(虚构)",
    "护照E00000017多次退回，座机0711-2000017无人接听（虚构）": "护照E******17多次退回,座机071*****0017无人接听(虚构)",
    "3次查无办件，编号420700202401010000001（虚构）": "3次查无办件，编号420700202401010000001（虚构）",
}
"""Reasons of bad reviews, and what a list may show of them: people write numbers of their own."""

_WINDOWS: Final = 6
_ODD_CASE: Final = 17
_NAMELESS_EVALUATION: Final = 13
_ODD_RESULT: Final = 11
"""One of so many cases is odd; one of so many evaluations does not say whether it has a name."""
_LACKING_RESULT: Final = 5
"""One of so many results has the number of a certificate that does not exist."""

_ODDITIES: Final[tuple[Mapping[str, object], ...]] = (
    {"service_item_code": None},
    {"service_item_name": None},
    {"applicant": None},
    {"phone": "19900000"},
    {"case_kind": None},
    {"handling_department": None},
    {"hall": None},
    {"handler": None},
    {"district": NOWHERE},
    {"accepted_at": None},
    {"accepted_at": timedelta(minutes=20)},
    {"applicant": HIDDEN_NAME},
    {"handling_department": LOST_NAME},
)
"""What cases lack, or have in a wrong form; a time is so much after the case finished."""

_HANDLED: Final[Mapping[CaseFeed, tuple[tuple[str, tuple[str, ...]], ...]]] = {
    "service_cases": (
        ("鄂州市公安局", ("居住证申领", "户口登记项目变更")),
        ("鄂州市人力资源和社会保障局", ("社会保障卡申领", "就业登记")),
        ("鄂州市市场监督管理局", ("食品经营许可", "个体工商户设立登记")),
        ("鄂州市医疗保障局", ("医保关系转移接续",)),
    ),
    "self_built_cases": (
        ("鄂州市自然资源和规划局", ("不动产转移登记", "不动产抵押登记")),
        ("鄂州市住房和城乡建设局", ("建筑工程施工许可证核发",)),
        ("鄂州住房公积金中心", ("住房公积金提取", "住房公积金贷款")),
    ),
}
"""System → who handles its cases, and their service items."""

PRODUCED: Final[Mapping[str, str]] = {
    "居住证申领": "居住证",
    "社会保障卡申领": "社会保障卡",
    "食品经营许可": "食品经营许可证",
    "个体工商户设立登记": "营业执照",
    "不动产转移登记": "不动产权证书",
    "不动产抵押登记": "不动产登记证明",
    "建筑工程施工许可证核发": "建筑工程施工许可证",
}
"""Service item → the certificate that its cases produce; others end with a document of another kind."""

HALLS: Final[Mapping[str, str]] = {
    district: f"{forms['short_name']}虚构政务服务大厅" for district, forms in DISTRICTS.items()
}


@dataclass(frozen=True)
class ServiceCase:
    """One service of a case, which an evaluation is about.

    `district` is a key of ours, `NOWHERE`, or None for a place outside the city. `is_internal` is None where the system
    does not say it.
    """

    feed: CaseFeed
    case_number: str
    service_number: str
    service_item_code: str | None
    service_item_name: str | None
    case_kind: Literal["instant", "promised"] | None
    case_state: State
    is_internal: Yes | None
    case_channel: Literal["window", "web", "app", "terminal"]
    applicant: str | None
    phone: str | None
    accepted_at: datetime | None
    finished_at: datetime | None
    district: str | None
    handling_department: str | None
    hall: str | None
    window: str
    handler: str | None

    dataset: Literal["service_case"] = "service_case"

    @property
    def key(self) -> str:
        """The record's key in the store."""
        return f"{self.case_number}|{self.service_number}"


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of one service."""

    feed: EvaluationFeed
    evaluation_number: str
    case_number: str
    service_number: str
    level: Level
    evaluation_channel: Literal["window", "terminal", "web", "app", "sms", "phone", "scan", "system"]
    is_default: Yes
    is_effective: Yes
    is_real_name: Yes | None
    evaluated_at: datetime
    reason: str | None = None
    device: str | None = None
    evaluation_window: str | None = None
    called_back_at: datetime | None = None
    rectified_at: datetime | None = None

    dataset: Literal["evaluation"] = "evaluation"

    @property
    def key(self) -> str:
        """The record's key in the store."""
        return self.evaluation_number

    @property
    def service_key(self) -> str:
        """The key of the service that it is about."""
        return f"{self.case_number}|{self.service_number}"


@dataclass(frozen=True)
class CaseResult:
    """What a case produced: a certificate, or another document, which has neither name nor number here."""

    case_number: str
    result_number: str
    result_type: Literal["certificate", "document"]
    certificate_name: str | None
    certificate_number: str | None
    issuing_authority: str | None
    produced_at: datetime

    feed: Literal["case_results"] = "case_results"
    dataset: Literal["case_result"] = "case_result"

    @property
    def key(self) -> str:
        """The record's key in the store."""
        return f"{self.case_number}|{self.result_number}"


Record = ServiceCase | CaseResult | Evaluation


def dialect_of(record: Record) -> ServiceDialect:
    """Return how the system of the record writes."""
    return DIALECTS[record.feed]


def district_form(record: Record) -> str | None:
    """Return how the system writes the record's district; None for a record without one."""
    if not isinstance(record, ServiceCase) or record.district == NOWHERE:
        return None
    if record.district is None:
        return OUTSIDE
    return DISTRICTS[record.district][dialect_of(record).district_form]


def stored_fields(record: Record, changed_at: datetime, only: frozenset[str] | None = None) -> dict[str, str]:
    """Return what the store has of a record with this time of change: field → canonical text.

    `only` are the fields that a delete contains.
    """
    dialect = dialect_of(record)
    included = dialect.fields if only is None else only | dialect.constants.keys()
    fields = {}
    for name in sorted(included):
        value = changed_at if name == "source_updated_at" else getattr(record, name)
        if value is not None and value != NOWHERE:
            fields[name] = as_time(value) if isinstance(value, datetime) else str(value)
    return fields


def fields_of_a_delete(record: Record) -> frozenset[str]:
    """Return the fields that every delete contains: the record's key and the time."""
    return frozenset({*KEYS[record.dataset], "source_updated_at"})


class Halls:
    """The service halls: they accept cases and receive evaluations, each with its own number."""

    def __init__(self, chance: Random, issued: Mapping[str, Sequence[str]]) -> None:
        self.chance = chance
        self._issued = {name: iter(numbers) for name, numbers in issued.items()}
        self.cases = 0
        self.evaluations = 0
        self.results = 0

    def case(self, finished_at: datetime, feed: CaseFeed | None = None) -> ServiceCase:
        """Return a finished case, of another applicant than all before it; some are odd."""
        chance = self.chance
        self.cases += 1
        serial = self.cases
        feed = feed or ("service_cases" if chance.random() < 0.7 else "self_built_cases")
        department, items = chance.choice(_HANDLED[feed])
        item = chance.randrange(len(items))
        district = chance.choice(sorted(DISTRICTS))
        window = 1 + chance.randrange(_WINDOWS)
        instant = chance.random() < 0.5
        taken = timedelta(minutes=5 + chance.randrange(50))
        if not instant:
            taken += timedelta(days=1 + chance.randrange(5))
        place = [name for known in _HANDLED.values() for name, _ in known].index(department)
        case = ServiceCase(
            feed=feed,
            case_number=case_number(feed, finished_at.date(), serial),
            service_number="1",
            service_item_code=f"11420700XN{place:02d}{item}4420111007{place:02d}{item}0",
            service_item_name=items[item],
            case_kind="instant" if instant else "promised",
            case_state="finished",
            # Only one in a few systems says it at all.
            is_internal="no" if serial % 5 else None,
            case_channel=chance.choice(("window", "window", "web", "app", "terminal")),
            applicant=self._applicant(serial),
            phone=phone(serial) if serial % 23 else None,
            accepted_at=finished_at - taken,
            finished_at=finished_at,
            district=district,
            handling_department=department,
            hall=HALLS[district],
            window=f"综合窗口{window:02d}号",
            handler=handler(serial),
        )
        number, is_plain = divmod(serial, _ODD_CASE)
        if is_plain:
            return case
        odd = {
            name: finished_at + value if isinstance(value, timedelta) else value
            for name, value in _ODDITIES[number % len(_ODDITIES)].items()
        }
        return replace(case, **odd)  # type: ignore[arg-type]

    def evaluation(self, case: ServiceCase, at: datetime, feed: EvaluationFeed | None = None) -> Evaluation:
        """Return an evaluation of a case by the public, seldom a bad one.

        A terminal has no second services, so these are evaluated elsewhere.
        """
        chance = self.chance
        self.evaluations += 1
        serial = self.evaluations
        if feed is None:
            by_terminal = case.service_number == "1" and chance.random() < 0.4
            feed = "terminal_evaluations" if by_terminal else "evaluations"
        own_codes = sorted(set(DIALECTS[feed].codes["evaluation_channel"]) - {"system"})
        channel = chance.choice(own_codes)
        [level] = chance.choices(_LEVELS, (70, 20, 6, 2, 2))
        hall = 1 + sorted(HALLS.values()).index(case.hall) if case.hall else 0
        place = f"H{hall:02d}W{case.window[4:6]}"
        at_hall = feed == "terminal_evaluations" and channel != "sms"
        is_real_name: Yes = "yes" if chance.random() < 0.6 else "no"
        return Evaluation(
            feed=feed,
            evaluation_number=f"{'ZD' if feed == 'terminal_evaluations' else 'PJ'}{at:%Y%m%d}{serial:07d}",
            case_number=case.case_number,
            service_number=case.service_number,
            level=level,
            evaluation_channel=channel,  # type: ignore[arg-type]
            is_default="no",
            is_effective="yes",
            is_real_name=is_real_name if serial % _NAMELESS_EVALUATION else None,
            evaluated_at=at,
            reason=reason(serial) if level in BAD else None,
            device=f"{place}D1" if at_hall else None,
            evaluation_window=place if at_hall or channel == "window" else None,
        )

    def default(self, case: ServiceCase, at: datetime) -> Evaluation:
        """Return the default evaluation that the system makes where nobody rated."""
        self.evaluations += 1
        return Evaluation(
            feed="evaluations",
            evaluation_number=f"PJ{at:%Y%m%d}{self.evaluations:07d}",
            case_number=case.case_number,
            service_number=case.service_number,
            level="satisfied",
            evaluation_channel="system",
            is_default="yes",
            is_effective="yes",
            is_real_name="no",
            evaluated_at=at,
        )

    def result(self, case: ServiceCase) -> CaseResult:
        """Return what a finished case produced; sometimes the issuing authority is not complete.

        A certificate has the next number that was issued under its name; every few of them, and those after the last
        number, have one of their own, of a certificate that does not exist.
        """
        assert case.finished_at is not None
        self.results += 1
        name = PRODUCED.get(case.service_item_name or "")
        number = f"XN{case.finished_at:%Y}{self.results:08d}" if name else None
        if name in self._issued and self.results % _LACKING_RESULT:
            number = next(self._issued[name], number)
        return CaseResult(
            case_number=case.case_number,
            result_number="1",
            result_type="certificate" if name else "document",
            certificate_name=name,
            certificate_number=number,
            issuing_authority=self._authority(case),
            produced_at=case.finished_at,
        )

    def _authority(self, case: ServiceCase) -> str | None:
        number, is_stated = divmod(self.results, _ODD_RESULT)
        if is_stated:
            return case.handling_department
        return None if number % 2 else LOST_NAME

    def _applicant(self, serial: int) -> str:
        if self.chance.random() < 0.8:
            return f"{self.chance.choice(_SURNAMES)}某某"
        return f"鄂州市虚构{self.chance.choice(_TRADES)}有限公司第{serial:06d}号"


def case_number(feed: CaseFeed, day: date, serial: int) -> str:
    """Return a case number. Those of the platform start with the province's code themselves."""
    return f"420700{day:%Y%m%d}{serial:07d}" if feed == "service_cases" else f"XN{day:%Y}{serial:09d}"


def phone(serial: int) -> str:
    """Return the `serial`-th made-up telephone number, in the form of a mobile number."""
    return f"1990000{serial % 10_000:04d}"


def handler(serial: int) -> str:
    """Return who handles a case."""
    return f"{_SURNAMES[serial % len(_SURNAMES)]}某"


def reason(serial: int) -> str | None:
    """Return the `serial`-th made-up reason of a bad review; some give none."""
    return list(REASONS)[serial % len(REASONS)] if serial % 5 else None

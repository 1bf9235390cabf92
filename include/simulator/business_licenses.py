"""The business-license register (营业执照登记簿) of a market supervision bureau, made up, as CSV files in a file drop.

`write_file_drop` decides the fate of every row first and then makes the dirt for it; the `Truth` that it returns is
what a correct pipeline must produce. `write_register` makes a large clean register for benchmarks.
"""

import csv
import io
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Literal

COLUMNS = (
    "企业名称",
    "统一社会信用代码",
    "注册日期",
    "企业类型",
    "法人代表",
    "注册资金",
    "经营范围",
    "所在省份",
    "地区",
    "注册地址",
)
"""Columns of the register, named and ordered as the department does."""

FIRST_DAY = date(2019, 1, 1)
"""Certificates are collected since this day; made-up registrations start with it."""

Fate = Literal["inserted", "updated", "unchanged", "duplicate", "quarantined"]

# GB 32100-2015: 31 characters (no I, O, S, V, Z), weights are powers of 3.
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_VALUE = {character: value for value, character in enumerate(_ALPHABET)}
_WEIGHTS = tuple(pow(3, power, 31) for power in range(17))
# GB 11714-1997, the organisation code inside it: letters count from 10, modulus 11.
_ORGANISATION_VALUE = {character: int(character, 36) for character in _ALPHABET}
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
# Registering authority "market supervision", kind "enterprise", division Ezhou; XN (虚拟) starts every made-up serial.
_CODE_START = "91420700" + "XN"

_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}

_STEMS = tuple(stem + branch for stem in "甲乙丙丁戊己庚辛壬癸" for branch in "子丑寅卯辰巳午未申酉戌亥")
_TRADES = ("商贸", "建材", "餐饮管理", "信息技术", "农业发展", "物流", "渔业", "装饰工程")
_TYPES = ("有限责任公司", "有限责任公司(自然人独资)", "个体工商户", "股份有限公司", "分公司")
_HOLDERS = tuple(f"{surname}某某" for surname in "张王李赵陈杨黄周吴徐")
_SCOPES = (
    "虚构货物的批发、零售",
    "虚构建筑材料销售,虚构五金销售,仓储服务(不含危险品)",
    '虚构餐饮服务;食品销售,"外卖"配送。(依法须经批准的项目,经相关部门批准后方可开展经营活动)',
    "虚构软件开发,信息系统集成,技术咨询;计算机\\网络设备销售",
    "虚构水产养殖、销售\n虚构农产品初加工,销售",
)
_DISTRICTS = ("鄂州", "鄂州市", "鄂城区", "华容区", "梁子湖区", "葛店开发区", "临空经济区")
_OUTSIDE = ("武汉", "黄石", "黄冈")


def credit_code(number: int, kind: str = "91") -> str:
    """Return the `number`-th made-up unified social credit code: 18 characters, both check characters correct.

    `kind` are the registering authority and the kind of body: 91 an enterprise, 12 a public institution, and so on.
    """
    serial = ""
    for _ in range(6):
        number, digit = divmod(number, 31)
        serial = _ALPHABET[digit] + serial
    if number:
        raise ValueError("expected a number below 31**6, the serials that a made-up credit code has room for")
    organisation = _CODE_START[-2:] + serial
    remainder = sum(
        _ORGANISATION_VALUE[character] * weight
        for character, weight in zip(organisation, _ORGANISATION_WEIGHTS, strict=True)
    )
    code = kind + _CODE_START[2:] + serial + _organisation_check(remainder)
    return code + _check(sum(_VALUE[character] * weight for character, weight in zip(code, _WEIGHTS, strict=True)))


def _organisation_check(remainder: int) -> str:
    return "0123456789X0"[11 - remainder % 11]


def _check(remainder: int) -> str:
    return _ALPHABET[-remainder % 31]


@dataclass(frozen=True)
class RowTruth:
    """The expected outcome of one row of a file.

    `line` is the physical line where its record starts (the header is line 1); `rules` are the ids of all rules that
    quarantine it, `warnings` the ids of all rules that it fails and that only warn.
    """

    line: int
    fate: Fate
    rules: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileTruth:
    """The expected outcome of one file; `rejected_by` is the file rule that must reject it as a whole."""

    name: str
    encoding: str
    rows: tuple[RowTruth, ...]
    rejected_by: str | None = None

    @property
    def fetched(self) -> int:
        """Records in the file, good and bad; 0 for a file that must be rejected."""
        return len(self.rows)

    @property
    def fates(self) -> dict[str, int]:
        """How many rows meet each fate."""
        return dict(Counter(row.fate for row in self.rows))


@dataclass(frozen=True)
class Truth:
    """The expected outcome of the files of a drop when they are loaded in this order, which is that of their times."""

    files: tuple[FileTruth, ...]

    @property
    def fates(self) -> dict[str, int]:
        """How many rows of all files meet each fate."""
        return dict(Counter(row.fate for file in self.files for row in file.rows))

    def as_json(self) -> str:
        """Return the truth with the counts of each file, as JSON."""
        files = [{**asdict(file), "fetched": file.fetched, "fates": file.fates} for file in self.files]
        return json.dumps({"files": files}, ensure_ascii=False, indent=1)


@dataclass(frozen=True)
class _Company:
    name: str
    code: str
    registered: str
    kind: str
    holder: str
    capital: str
    scope: str
    province: str
    district: str
    address: str

    def fields(self) -> tuple[str, ...]:
        return tuple(str(value) for value in self.__dict__.values())


@dataclass(frozen=True)
class _Row:
    """A row before it has a line number; `corrupt` damages its encoded bytes, `tidy`: nothing else is wrong."""

    company: _Company
    fate: Fate = "inserted"
    rules: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    corrupt: Callable[[bytes], bytes] | None = None
    tidy: bool = False


@dataclass
class _Bureau:
    """Makes companies, each with its own number, and rows of them with dirt."""

    random: random.Random
    next_number: int

    def company(self) -> _Company:
        number = self.next_number
        self.next_number += 1
        choose = self.random.choice
        day = FIRST_DAY + timedelta(days=self.random.randrange(2000))
        return _Company(
            name=f"鄂州市虚构{choose(_STEMS)}{choose(_TRADES)}有限公司第{number:04d}号",
            code=credit_code(number),
            registered=day.isoformat(),
            kind=choose(_TYPES),
            holder=choose(_HOLDERS),
            capital=f"{self.random.randrange(1, 500) * 10}万元人民币",
            scope=choose(_SCOPES),
            province="湖北",
            district=choose(_DISTRICTS),
            address=f"虚构市虚构区不存在路{self.random.randrange(1, 999)}号",
        )

    def untidy(self, company: _Company) -> _Row:
        """Return the company written untidily, as departments do; cleaning gives the same certificate."""
        day = date.fromisoformat(company.registered)
        untidy, warning = self.random.choice(
            (
                ({"code": company.code.lower()}, None),
                ({"code": company.code.translate(_FULL_WIDTH)}, None),
                ({"code": f" {company.code}\t", "name": f"　{company.name} "}, None),
                ({"name": company.name.replace("虚构", "（虚构）")}, None),
                ({"registered": f"{day.year}/{day.month}/{day.day}"}, None),
                ({"registered": f"{day:%Y%m%d}"}, None),
                ({"registered": f"{day.year}年{day.month}月{day.day}日"}, None),
                ({"registered": f"{day} 00:00:00"}, None),
                ({"registered": f" {day:%Y/%m/%d} 8:30:00"}, None),
                ({"registered": f"{day}".translate(_FULL_WIDTH)}, None),
                ({"capital": "NULL"}, None),
                ({"kind": "N/A"}, "business_license.entity_type.present"),
                ({"holder": "null", "capital": " "}, "business_license.legal_representative.present"),
            )
        )
        return _Row(replace(company, **untidy), warnings=(warning,) if warning else ())

    def failing(self, number: int) -> _Row:
        """Return a row that must be quarantined, each kind in turn."""
        company = self.company()
        makers: tuple[Callable[[_Company], _Row], ...] = (
            _with_wrong_check_character,
            _without_holder,
            _with_null_word_for_code,
            _with_future_date,
            _with_impossible_date,
            _with_swapped_columns,
            _with_missing_field,
            _with_nul,
            _with_undecodable_bytes,
            _with_stray_quote,
        )
        return makers[number % len(makers)](company)


# The credit code is both certificate number and holder code.
_NO_CREDIT_CODE = ("certificate.holder_code.credit_code",)


def _with_wrong_check_character(company: _Company) -> _Row:
    wrong = _ALPHABET[(_VALUE[company.code[-1]] + 1) % 31]
    return _quarantined(replace(company, code=company.code[:-1] + wrong), *_NO_CREDIT_CODE)


def _without_holder(company: _Company) -> _Row:
    return _quarantined(replace(company, name="NULL"), "certificate.holder.present")


def _with_null_word_for_code(company: _Company) -> _Row:
    return _quarantined(
        replace(company, code="N/A"),
        "certificate.record_key.present",
        "certificate.certificate_number.present",
        "certificate.holder_code.present",
    )


def _with_future_date(company: _Company) -> _Row:
    return _quarantined(replace(company, registered="2098-07-01"), "certificate.issue_date.not_future")


def _with_impossible_date(company: _Company) -> _Row:
    return _quarantined(replace(company, registered="2021-02-30"), "certificate.issue_date.parseable")


def _with_swapped_columns(company: _Company) -> _Row:
    swapped = _quarantined(
        replace(company, name=company.code, code=company.name), "certificate.holder.not_a_code", *_NO_CREDIT_CODE
    )
    return replace(swapped, warnings=("business_license.certificate_number.market_entity",))


def _with_missing_field(company: _Company) -> _Row:
    return _quarantined(company, "row.ragged", corrupt=lambda line: line[: line.rindex(b",")])


def _with_nul(company: _Company) -> _Row:
    return _quarantined(company, "row.nul", corrupt=lambda line: line + b"\0")


def _with_undecodable_bytes(company: _Company) -> _Row:
    # 0xFF starts no character in UTF-8 and none in GB18030.
    return _quarantined(company, "row.encoding", corrupt=lambda line: b"\xff\xff" + line)


def _with_stray_quote(company: _Company) -> _Row:
    return _quarantined(company, "row.quote", corrupt=lambda line: b'"' + line)


def _quarantined(company: _Company, *rules: str, corrupt: Callable[[bytes], bytes] | None = None) -> _Row:
    # A row that is cut or torn as a line must be a single line.
    return _Row(replace(company, scope=company.scope.replace("\n", ";")), "quarantined", rules, corrupt=corrupt)


def write_file_drop(
    folder: Path,
    rows: int = 400,
    seed: int = 1,
    *,
    day: date = date(2026, 1, 5),
    with_rejected: bool = False,
    truth_folder: Path | None = None,
) -> Truth:
    """Write `<folder>/business_license/营业执照_<day>.csv`, and one for the next day, with their manifests.

    The first has `rows` rows in UTF-8, one in ten of them to be quarantined; the second has a quarter as many in
    GB18030 with CRLF, among them companies of the first, changed and unchanged. With `with_rejected` there is a third
    file without the column of the credit code. The same `rows` and `seed` give the same bytes. The files' times are in
    the past hour, a quarter of an hour between them. With `truth_folder` the truth is written there as `truth.json`.
    """
    if rows < 20:
        raise ValueError(f"expected at least 20 rows, so that every kind of dirt occurs, got {rows}")
    chance = random.Random(seed)
    bureau = _Bureau(chance, next_number=1)
    target = folder / "business_license"
    target.mkdir(parents=True, exist_ok=True)

    first = _first_delivery(bureau, rows)
    loaded = [row.company for row in first if row.tidy]
    second = _second_delivery(bureau, max(20, rows // 4), loaded)
    truths = [
        _write_csv(target / f"营业执照_{day}.csv", first, "utf-8", "\n"),
        _write_csv(target / f"营业执照_{day + timedelta(days=1)}.csv", second, "gb18030", "\r\n"),
    ]
    if with_rejected:
        lacking = tuple(column for column in COLUMNS if column != "统一社会信用代码")
        path = target / f"营业执照_{day + timedelta(days=2)}.csv"
        _write_csv(path, [_Row(bureau.company()) for _ in range(5)], "utf-8", "\n", lacking)
        truths.append(FileTruth(path.name, "utf-8", (), rejected_by="file.missing_column"))
    now = time.time()
    for place, truth in enumerate(truths):
        moment = now - 900 * (len(truths) - place)
        os.utime(target / truth.name, (moment, moment))
    truth_of_all = Truth(tuple(truths))
    if truth_folder is not None:
        truth_folder.mkdir(parents=True, exist_ok=True)
        (truth_folder / "truth.json").write_text(truth_of_all.as_json(), encoding="utf-8")
    return truth_of_all


def _first_delivery(bureau: _Bureau, rows: int) -> list[_Row]:
    chance = bureau.random
    failing, outside, repeated = rows // 10, rows // 25, rows // 25
    delivery = [bureau.failing(number) for number in range(failing)]
    for _ in range(outside):
        company = replace(bureau.company(), district=chance.choice(_OUTSIDE))
        delivery.append(_Row(company, warnings=("certificate.district.known",)))
    while len(delivery) < rows - repeated:
        company = bureau.company()
        delivery.append(bureau.untidy(company) if chance.random() < 0.4 else _Row(company, tidy=True))
    chance.shuffle(delivery)
    candidates = [row.company for row in delivery if row.tidy]
    for number, company in enumerate(chance.sample(candidates, repeated)):
        # The newest row counts, so the same certificate earlier in the file is the duplicate; every second duplicate is
        # identical to it.
        earlier = replace(company, address="虚构市虚构区旧址路1号") if number % 2 else company
        delivery.insert(_place_before(delivery, company, chance), _Row(earlier, "duplicate"))
    return delivery


def _place_before(delivery: Sequence[_Row], company: _Company, chance: random.Random) -> int:
    return chance.randrange(1 + next(place for place, row in enumerate(delivery) if row.company == company))


def _second_delivery(bureau: _Bureau, rows: int, loaded: Sequence[_Company]) -> list[_Row]:
    chance = bureau.random
    known = chance.sample(loaded, min(len(loaded), rows // 4))
    delivery = []
    for number, company in enumerate(known):
        if number % 2:
            delivery.append(_Row(replace(company, address="虚构市虚构区新址大道2号"), "updated"))
        else:
            delivery.append(_Row(replace(company, code=company.code.lower(), name=f" {company.name}"), "unchanged"))
    delivery += [bureau.failing(number) for number in range(rows // 10)]
    while len(delivery) < rows:
        delivery.append(_Row(bureau.company()))
    chance.shuffle(delivery)
    return delivery


def _write_csv(
    path: Path, rows: Sequence[_Row], encoding: str, line_end: str, columns: Sequence[str] = COLUMNS
) -> FileTruth:
    content = bytearray(_as_line(columns, encoding, line_end))
    wanted = [COLUMNS.index(column) for column in columns]
    truths = []
    line = 2
    for row in rows:
        fields = row.company.fields()
        raw = _as_line([fields[place] for place in wanted], encoding, line_end)
        if row.corrupt:
            end = line_end.encode()
            raw = row.corrupt(raw.removesuffix(end)) + end
        content += raw
        truths.append(RowTruth(line, row.fate, row.rules, row.warnings))
        line += raw.count(b"\n")
    path.write_bytes(content)
    manifest = {"rows": len(rows), "sha256": sha256(content).hexdigest()}
    path.with_name(path.name + ".manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return FileTruth(path.name, encoding, tuple(truths))


def _as_line(fields: Sequence[str], encoding: str, line_end: str) -> bytes:
    return (_as_text(fields) + line_end).encode(encoding)


def _as_text(fields: Sequence[str]) -> str:
    text = io.StringIO(newline="")
    # With CRLF the writer quotes a lone CR as well.
    csv.writer(text, lineterminator="\r\n").writerow(fields)
    return text.getvalue().removesuffix("\r\n")


def write_register(path: Path, rows: int, seed: int, template_csv: Path | None = None) -> None:
    """Write a clean register of `rows` rows in UTF-8, row by row: credit codes unique and valid, names made up.

    With `template_csv`, a register with the same columns, its kinds, capitals, scopes, districts and addresses are used
    in turn, so that the rows are as long as real ones; names, codes and holders are never taken from it.
    The same arguments give the same bytes; another `seed` gives other codes, for a register of fewer than 4 million
    rows.
    """
    chance = random.Random(seed)
    tails = [_tail(row) for row in (_template_rows(template_csv) if template_csv else _made_up_rows(chance))]
    days = [(FIRST_DAY + timedelta(days=offset)).isoformat() for offset in range(2400)]
    chance.shuffle(days)
    start = seed * 4_000_000
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(COLUMNS) + "\n")
        for batch in range(0, rows, 10_000):
            lines = []
            numbers = range(batch, min(rows, batch + 10_000))
            for number, code in zip(numbers, _credit_codes(start + batch, len(numbers)), strict=True):
                before, after = tails[number % len(tails)]
                name = f"鄂州市虚构{_STEMS[number % len(_STEMS)]}商贸有限公司第{number:07d}号"
                holder = _HOLDERS[number % len(_HOLDERS)]
                lines.append(f"{name},{code},{days[number % 2400]},{before},{holder},{after}\n")
            file.write("".join(lines))


def _credit_codes(first: int, count: int) -> Iterator[str]:
    """Yield consecutive codes as `credit_code` returns them, computed three characters at a time."""
    triples = [a + b + c for a in _ALPHABET for b in _ALPHABET for c in _ALPHABET]
    low = [(text, _organisation_sum(text, 5), _sum(text, 13)) for text in triples]
    base_organisation = _organisation_sum(_CODE_START[-2:], 0)
    base = _sum(_CODE_START, 0)
    weight = _WEIGHTS[16]
    number = first
    while number < first + count:
        high, start = divmod(number, len(triples))
        high_text = triples[high]
        front = _CODE_START + high_text
        high_organisation = base_organisation + _organisation_sum(high_text, 2)
        high_sum = base + _sum(high_text, 10)
        for text, organisation, remainder in low[start : start + first + count - number]:
            middle = _organisation_check(high_organisation + organisation)
            yield front + text + middle + _check(high_sum + remainder + _VALUE[middle] * weight)
            number += 1


def _organisation_sum(text: str, place: int) -> int:
    return sum(_ORGANISATION_VALUE[char] * _ORGANISATION_WEIGHTS[place + i] for i, char in enumerate(text))


def _sum(text: str, place: int) -> int:
    return sum(_VALUE[char] * _WEIGHTS[place + i] for i, char in enumerate(text))


def _template_rows(path: Path) -> list[tuple[str, str, str, str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [
            (row["企业类型"], row["注册资金"], row["经营范围"], row["地区"], row["注册地址"])
            for row in csv.DictReader(file)
        ]
    if not rows:
        raise ValueError(f"expected rows in the template register {path.name}, found a header only")
    return rows


def _made_up_rows(chance: random.Random) -> list[tuple[str, str, str, str, str]]:
    scopes = [scope.replace("\n", ";") * 3 for scope in _SCOPES]
    return [
        (
            chance.choice(_TYPES),
            f"{chance.randrange(1, 500) * 10}万元人民币",
            chance.choice(scopes),
            "鄂州",
            f"虚构市虚构区不存在路{chance.randrange(1, 999)}号",
        )
        for _ in range(1000)
    ]


def _tail(row: tuple[str, str, str, str, str]) -> tuple[str, str]:
    """Return the constant parts of a line, quoted as CSV: before the holder and after the holder."""
    kind, capital, scope, district, address = row
    return _as_text([kind]), _as_text([capital, scope, "湖北", district, address])

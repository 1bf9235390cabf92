"""Deliveries of made-up nights, by chance."""

import random

from tests.support.installation import license_row


def delivery(rng: random.Random, number: int) -> list[str]:
    """Rows of a made-up night: most as ever, some changed, wrong, written otherwise, twice, or left out."""
    rows = []
    for n in range(12):
        if rng.random() < 0.15:
            continue
        for _ in range(2 if rng.random() < 0.1 else 1):
            values = {}
            kind = rng.random()
            if kind < 0.12:
                values["企业名称"] = f"鄂州市虚构改名{rng.randrange(3)}有限公司"
            elif kind < 0.2:
                values["企业名称"] = ""
            elif kind < 0.3:
                values["企业类型"] = "有限责任公司　 "
            elif kind < 0.4:
                values["地区"] = "武汉"
            rows.append(license_row(n, **values))
    rng.shuffle(rows)
    return [*rows, license_row(100 + number)]

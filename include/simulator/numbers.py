"""Numbers of certificates and their holders, made up and formally valid; none belongs to anybody."""

from datetime import date, timedelta

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PLATE = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_DIVISIONS = ("420702", "420703", "420704", "420740")
_BORN = date(1955, 1, 1)
_BORN_DAYS = 18_000
_IN_KEY = str.maketrans(
    {**dict.fromkeys("〔[【［（", "("), **dict.fromkeys("〕]】］）", ")"), **dict.fromkeys("—–‐－", "-")}
)


def identity_number(number: int) -> str:
    """Return the `number`-th made-up resident identity number (GB 11643-1999): 18 characters, born 1955 to 2004."""
    rest, place = divmod(number, _BORN_DAYS)
    rest, division = divmod(rest, len(_DIVISIONS))
    # Consecutive numbers are born on days far apart; 7919 has no factor in common with the number of days.
    born = _BORN + timedelta(days=place * 7919 % _BORN_DAYS)
    digits = f"{_DIVISIONS[division]}{born:%Y%m%d}{rest % 1000:03d}"
    return digits + identity_check(digits)


def identity_check(digits: str) -> str:
    """Return the check character of the first 17 digits of an identity number (ISO 7064 MOD 11-2)."""
    total = sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=True))
    return "10X98765432"[total % 11]


def permit_number(number: int) -> str:
    """Return the `number`-th made-up travel permit of a resident of Hong Kong: H and eight digits."""
    return f"H{number % 100_000_000:08d}"


def certificate_identifier(type_code: str, issuer: str, serial: str, version: str = "001") -> str:
    """Return an identifier by GB/T 36904-2018 with its check character (ISO 7064 MOD 37,36)."""
    check = check_character(type_code + issuer + serial + version)
    return f"1.2.156.3005.2.{type_code}.{issuer}.{serial}.{version}.{check}"


def in_key(number: str) -> str:
    """Return a number as keys contain it, with one kind of brackets and of dashes for all that are written."""
    return number.translate(_IN_KEY)


def check_character(text: str) -> str:
    """Return the check character of digits and capitals by ISO 7064 MOD 37,36 (GB/T 17710)."""
    carry = 36
    for character in text:
        carry = ((carry + _LETTERS.index(character)) % 36 or 36) * 2 % 37
    return _LETTERS[(1 - carry) % 36]


def check_digit(digits: str) -> str:
    """Return the check digit of digits by ISO 7064 MOD 11,10, as food licenses have it."""
    carry = 10
    for digit in digits:
        carry = ((carry + int(digit)) % 10 or 10) * 2 % 11
    return str((1 - carry) % 10)


def plate(number: int) -> str:
    """Return the `number`-th made-up plate of Ezhou: 鄂G and five characters."""
    text = ""
    for _ in range(5):
        number, place = divmod(number, len(_PLATE))
        text = _PLATE[place] + text
    return f"鄂G{text}"

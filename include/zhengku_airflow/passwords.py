"""What a password of a login must look like. The text is Chinese: people read it on the page where they choose one."""

SHORTEST = 12
LONGEST = 128
"""Longer ones only cost the server time."""
DIFFERENT_CHARACTERS = 6
CLASSES = 3
GUESSED_FIRST = ("password", "zhengku", "airflow", "admin", "qwerty", "123456", "ezhou")


def password_weakness(password: str) -> str | None:
    """Return why a password is refused, with the rule and without the password; None when it is accepted."""
    rule = (
        f"密码须有 {SHORTEST} 至 {LONGEST} 位，含大写字母、小写字母、数字、符号中的至少 {CLASSES} 类，"
        f"至少 {DIFFERENT_CHARACTERS} 个不同字符，且不含常见词"
    )
    if not SHORTEST <= len(password) <= LONGEST:
        return f"{rule}；现在是 {len(password)} 位。"
    kinds = {_kind(character) for character in password}
    if len(kinds) < CLASSES:
        return f"{rule}；现在只有 {len(kinds)} 类。"
    if len(set(password)) < DIFFERENT_CHARACTERS:
        return f"{rule}；现在只有 {len(set(password))} 个不同字符。"
    common = next((word for word in GUESSED_FIRST if word in password.lower()), None)
    return f"{rule}；现在含有“{common}”。" if common else None


def _kind(character: str) -> str:
    if character.isdigit():
        return "digit"
    if character.isalpha():
        return "upper" if character.isupper() else "lower"
    return "sign"

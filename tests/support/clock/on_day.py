"""Run a command, and all that it starts, on another day: `python tests/support/clock/on_day.py 2028-02-29 pytest …`.

Python, the embedded PostgreSQL and processes of their own see the day; it is given to them by a small library that is
compiled here, so a C compiler is needed. A server that runs already knows its own day only, so
`ZHENGKU_TEST_DATABASE_URL` is not used.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

CITY = ZoneInfo("Asia/Shanghai")


def main(arguments: list[str]) -> None:
    """Become the command, in an environment that shows it the day."""
    try:
        day = date.fromisoformat(arguments[0])
    except (IndexError, ValueError):
        sys.exit(f"error: expected a day as 2028-02-29 and a command, got {' '.join(arguments) or 'nothing'}")
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        sys.exit("error: a run on another day needs a C compiler (cc): install gcc, or run the tests without DAY")
    source = Path(__file__).with_name("shifted_clock.c")
    library = Path(tempfile.mkdtemp(prefix="zhengku-clock-")) / "shifted_clock.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    # The account of the embedded server reads it too.
    library.parent.chmod(0o755)
    now = datetime.now(tz=CITY)
    # The same time of day: what differs is the day alone.
    wanted = datetime.combine(day, now.time(), tzinfo=CITY)
    environment = {name: value for name, value in os.environ.items() if name != "ZHENGKU_TEST_DATABASE_URL"}
    preloaded = " ".join(filter(None, (str(library), environment.get("LD_PRELOAD"))))
    environment |= {"LD_PRELOAD": preloaded, "SHIFTED_CLOCK_SECONDS": str(int(wanted.timestamp() - time.time()))}
    os.execvpe(arguments[1], arguments[1:], environment)


if __name__ == "__main__":
    main(sys.argv[1:])

"""The last days of the TLS certificates of sources and of our own address, read once a day from the servers."""

import logging
import ssl
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from urllib.parse import urlsplit

from cryptography import x509

from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement
from zhengku.ledger import Connection

log = logging.getLogger(__name__)

SECONDS = 10
"""How long a server may take to answer."""

READ_EVERY = timedelta(hours=20)
_AT_ONCE = 8


def https_addresses(environment: Mapping[str, str], others: Iterable[str] = ()) -> list[str]:
    """Return `host:port` of every source that is reached by HTTPS, and of other addresses; sorted, without logins."""
    sources = (value for name, value in environment.items() if name.startswith("ZHENGKU_CONN_"))
    found = set()
    for address in (*sources, *others):
        if not address.startswith("https://"):
            continue
        try:
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port or 443
        except ValueError:
            # The check of the configuration tells of it, with its variable.
            continue
        if host:
            found.add(f"{host}:{port}")
    return sorted(found)


def read_last_days(addresses: Iterable[str]) -> dict[str, date]:
    """Return the last day (Asia/Shanghai) of the certificate of each server that answers.

    The certificate is not verified here: also an expired one has to be read. A server that does not answer is logged:
    the DAG that collects from it says so.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        read = pool.map(lambda address: (address, _last_day(address)), addresses)
        return {address: last_day for address, last_day in read if last_day is not None}


def _last_day(address: str) -> date | None:
    host, _, port = address.rpartition(":")
    try:
        text = ssl.get_server_certificate((host, int(port)), timeout=SECONDS)
        certificate = x509.load_pem_x509_certificate(text.encode("ascii"))
    except (OSError, ValueError) as error:
        log.warning("The certificate of %s cannot be read: %s. What was read before is kept.", address, error)
        return None
    return certificate.not_valid_after_utc.astimezone(CITY_TIME_ZONE).date()


def record_last_days(connection: Connection, addresses: Iterable[str], last_days: Mapping[str, date]) -> None:
    """Record what was read, and forget the servers that are no longer configured."""
    connection.execute(statement("watch/findings.forget_expiries"), {"names": [_name(one) for one in addresses]})
    for address, last_day in last_days.items():
        connection.execute(statement("watch/findings.record_expiry"), {"name": _name(address), "last_day": last_day})


def _name(address: str) -> str:
    return f"{address} 的 TLS 证书"

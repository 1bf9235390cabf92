"""Publish a night: write it to the places of the departments' systems, and return the connections to them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from simulator.credentials import app_id, app_secret
from simulator.databases import fill
from simulator.drops import SUFFIXES, break_off, send_again, write_file
from simulator.http_service import write_state
from simulator.model import FilePlace, HttpPlace, Night, NightDelivery, SourceSystem, TablePlace
from simulator.sftp import USER

HTTP_PORT_FILE = "serve.port"
SFTP_PORT_FILE = "sftp.port"
KNOWN_HOSTS_FILE = "known_hosts"


@dataclass(frozen=True)
class Places:
    """Where the made-up systems are.

    `folder` has the state of the interfaces, the drops and, while `python -m simulator serve` runs, the ports.
    `databases` has for each department with an exchange database its address, as SQLAlchemy takes it.
    """

    folder: Path
    databases: Mapping[str, str] = field(default_factory=dict)

    @property
    def sftp_folder(self) -> Path:
        """The folder that the SFTP server shows."""
        return self.folder / "sftp"

    def drop(self, system: SourceSystem) -> Path:
        """Return the department's drop, which contains the system's own folder."""
        assert isinstance(system.place, FilePlace)
        return (self.sftp_folder if system.place.over_sftp else self.folder / "drop") / system.department

    def database(self, system: SourceSystem) -> str:
        """Return the address of the department's exchange database; raises `LookupError` when none is given."""
        url = self.databases.get(system.department)
        if url is None:
            raise LookupError(
                f"{system.name} has a table of an exchange database, and no address is given for {system.department}."
            )
        return url


def publish(night: Night, places: Places, *, sent_twice: Collection[str] = ()) -> None:
    """Show what the systems have after `night`. A night may be published again; all nights before must have been.

    The files of the systems named in `sent_twice` (`<department>.<feed>`) are sent a second time under another name.
    Raises `LookupError` for a table whose database has no address.
    """
    for delivery in night.deliveries:
        place = delivery.system.place
        if isinstance(place, HttpPlace):
            write_state(places.folder, delivery.system, delivery.rows_now)
        elif isinstance(place, TablePlace):
            fill(places.database(delivery.system), delivery.system, delivery.rows_now, delivery.added)
        else:
            _drop_file(night, delivery, places, twice=delivery.system.name in sent_twice)


def _drop_file(night: Night, delivery: NightDelivery, places: Places, *, twice: bool) -> None:
    system = delivery.system
    assert isinstance(system.place, FilePlace)
    name = delivery.file_name or f"{system.feed}_{night.day:%Y%m%d}{SUFFIXES[system.place.form]}"
    path = write_file(places.drop(system), system, delivery.rows_now, name)
    if delivery.broken_off:
        break_off(path)
    if twice:
        # A second later, since the older of the two counts.
        send_again(path, f"{path.stem}_重发{path.suffix}", finished_seconds_ago=59)


def connections(places: Places, systems: Iterable[SourceSystem], host: str = "127.0.0.1") -> dict[str, str]:
    """Return the environment that points the catalogue's connections at the made-up systems: ZHENGKU_CONN_<ID> → value.

    The values contain passwords. Raises `RuntimeError` when interfaces or SFTP are needed and the server does not run.
    """
    found: dict[str, str] = {}
    for system in systems:
        place = system.place
        if isinstance(place, HttpPlace):
            login = f"{app_id(system.department)}:{app_secret(places.folder, system.department)}"
            value = f"http://{login}@{host}:{_port(places, HTTP_PORT_FILE)}/{system.department}"
        elif isinstance(place, TablePlace):
            value = places.database(system)
        elif place.over_sftp:
            login = f"{USER}:{app_secret(places.folder, 'sftp')}"
            known_hosts = quote(str(places.folder.resolve() / KNOWN_HOSTS_FILE))
            value = (
                f"sftp://{login}@{host}:{_port(places, SFTP_PORT_FILE)}/{system.department}?known_hosts={known_hosts}"
            )
        else:
            value = str(places.drop(system).resolve())
        name = f"ZHENGKU_CONN_{system.connection.upper()}"
        if found.setdefault(name, value) != value:
            raise RuntimeError(
                f"{system.name}: its connection {system.connection} is at another place for other feeds."
            )
    return found


def _port(places: Places, name: str) -> int:
    path = places.folder / name
    try:
        return int(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        raise RuntimeError(
            f"{path} is missing, so the departments' servers do not run. "
            f"Start them: python -m simulator serve --folder {places.folder}"
        ) from None

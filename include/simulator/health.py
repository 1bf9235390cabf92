"""Whether the made-up departments answer: `python -m simulator.health`, which docker-compose.yml runs."""

import os
import socket
import sys
from pathlib import Path

from simulator.publish import HTTP_PORT_FILE, SFTP_PORT_FILE

ANSWER_SECONDS = 5.0


def main() -> None:
    """Exit with 0 when both servers of the folder SIMULATOR_FOLDER accept a connection, else with 1 and the reason."""
    for name in (HTTP_PORT_FILE, SFTP_PORT_FILE):
        try:
            port = int((Path(os.environ["SIMULATOR_FOLDER"]) / name).read_text(encoding="ascii"))
            socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS).close()
        except OSError as error:
            sys.exit(f"simulator: {name}: {error}")


if __name__ == "__main__":
    main()

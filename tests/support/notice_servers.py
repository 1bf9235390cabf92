"""A mail server and a robot of a chat on this machine, which keep what they are sent."""

import email
import email.header
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class MailServer(socketserver.ThreadingTCPServer):
    """Takes mail without login, in plain text; `taken` holds receivers and message of each."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _MailSession)
        self.taken: list[tuple[list[str], email.message.Message]] = []
        self.refuses = False

    @property
    def connection(self) -> dict[str, Any]:
        """Airflow's connection to it."""
        plain = {"disable_ssl": True, "disable_tls": True}
        return {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": self.server_address[1],
            "extra": {"from_email": "a@zhengku.example", "to": "b@zhengku.example", **plain},
        }


class _MailSession(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.say("220 mail.example")
        receivers: list[str] = []
        while line := self.rfile.readline().decode().strip():
            verb = line[:4].upper()
            if verb == "RCPT":
                receivers.append(line.split("<")[1].split(">")[0])
            if verb == "DATA":
                self.say("354 go on")
                text = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    text += part
                self.server.taken.append((receivers, email.message_from_bytes(text)))
            self.say("554 no" if self.server.refuses and verb == "MAIL" else "221 bye" if verb == "QUIT" else "250 ok")
            if verb == "QUIT":
                return

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class Robot(HTTPServer):
    """Takes messages and gives `answer`; `taken` holds address and content of each."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _RobotRequest)
        self.taken: list[tuple[str, dict]] = []
        self.status, self.answer = 200, json.dumps({"errcode": 0, "errmsg": "ok"})

    @property
    def connection(self) -> dict[str, Any]:
        """Airflow's connection to it, as a robot of 企业微信."""
        return {
            "conn_type": "http",
            "host": f"http://127.0.0.1:{self.server_port}/send",
            "password": "the-robots-key",
            "extra": {"form": "wecom"},
        }


class _RobotRequest(BaseHTTPRequestHandler):
    server: Robot

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.path, json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()
        self.wfile.write(self.server.answer.encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

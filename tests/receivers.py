"""Those who are told of alarms, for real and on loopback: a mail server and a web hook."""

from __future__ import annotations

import email
import json
import socketserver
import threading
from contextlib import contextmanager
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage


class Receiver:
    """What came, and whether more is taken."""

    def __init__(self) -> None:
        self.hooks: list[dict[str, str]] = []
        self.mails: list[EmailMessage] = []
        self.takes = True
        self.port = 0


@contextmanager
def web_hook() -> Iterator[Receiver]:
    """Take what is posted as JSON."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if receiver.takes:
                receiver.hooks.append(json.loads(body))
            self.send_response(200 if receiver.takes else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as receiver.port:
        yield receiver


@contextmanager
def mail_server() -> Iterator[Receiver]:
    """Take mail by SMTP."""
    receiver = Receiver()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 ready")
            while line := self.rfile.readline():
                command = line.split(b" ")[0].strip().upper()
                if command == b"DATA":
                    self.say("354 go on")
                    receiver.mails.append(email.message_from_bytes(self.content(), policy=default))
                self.say("221 bye" if command == b"QUIT" else "250 fine")
                if command == b"QUIT":
                    return

        def content(self) -> bytes:
            lines = iter(self.rfile.readline, b".\r\n")
            return b"".join(line.removeprefix(b".") for line in lines)

        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as receiver.port:
        yield receiver


@contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[int]:
    """Let a server answer in a thread of its own, and give its port."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()

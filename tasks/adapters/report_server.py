"""The process that shows the reports of a home to browsers on this machine: `python -m tasks.adapters.report_server FOLDER PORT`."""

from __future__ import annotations

import sys
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from typing_extensions import override

if TYPE_CHECKING:
    from io import BytesIO
    from typing import BinaryIO

LOOPBACK = "127.0.0.1"


class Reports(SimpleHTTPRequestHandler):
    """The files of a folder, for who asks for this machine.

    A browser that is told of another host at the address of this machine (DNS rebinding) would give its pages what stands here.
    """

    @override
    def send_head(self) -> BytesIO | BinaryIO | None:
        port = self.connection.getsockname()[1]
        if self.headers.get("Host") not in {f"{host}:{port}" for host in (LOOPBACK, "localhost")}:
            self.send_error(HTTPStatus.FORBIDDEN)
            return None
        return super().send_head()

    @override
    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")  # the page of a look is written anew at each one
        super().end_headers()


def serve(folder: str, port: int) -> None:
    """Serve a folder until the process is ended."""
    with ThreadingHTTPServer((LOOPBACK, port), partial(Reports, directory=folder)) as server:
        server.serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))

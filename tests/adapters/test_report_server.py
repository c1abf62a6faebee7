from __future__ import annotations

import socket
from functools import partial
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tasks.adapters.report_server import LOOPBACK, Reports
from tests.receivers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Serve a folder in which there is a page."""
    page = tmp_path / "reports" / "houses" / "monitor.html"
    page.parent.mkdir(parents=True)
    page.write_text("<title>kept</title>", encoding="utf-8")
    (tmp_path / "ledger.db").write_text("secret", encoding="utf-8")
    with serving(ThreadingHTTPServer((LOOPBACK, 0), partial(Reports, directory=str(page.parents[1])))) as port:
        yield port


def test_a_page_is_shown_as_it_is_now(port: int) -> None:
    with urlopen(f"http://localhost:{port}/houses/monitor.html", timeout=9) as answer:
        assert (answer.read(), answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (
            b"<title>kept</title>",
            "text/html",
            "no-cache",
        )


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", ""])
def test_whoever_asks_for_another_host_is_refused(port: int, host: str) -> None:
    with pytest.raises(HTTPError, match="403"):
        urlopen(Request(f"http://127.0.0.1:{port}/houses/monitor.html", headers={"Host": host.format(port=port)}), timeout=9)


@pytest.mark.parametrize("path", ["/../ledger.db", "/%2e%2e/ledger.db", "//../ledger.db"])
def test_nothing_beside_the_reports_is_shown(port: int, path: str) -> None:
    with socket.create_connection((LOOPBACK, port), timeout=9) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        assert connection.makefile("rb").readline() == b"HTTP/1.0 404 File not found\r\n"

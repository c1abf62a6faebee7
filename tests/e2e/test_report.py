"""The report of a real run, as a browser shows it: light and dark, wide and narrow, offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Desk
    from playwright.sync_api import Browser

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def report(module_desk: Desk) -> Path:
    return Path(module_desk.trained("--use-case", "wine", "--no-record")["links"]["report"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}; on Debian: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    # Chromium refuses its sandbox to root, and containers run as root.
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield started
        started.close()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_opens_without_errors_requests_or_sideways_scrolling(browser: Browser, report: Path, scheme: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    errors: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(report.as_uri(), wait_until="load")

    assert errors == []
    assert [url for url in requests if not url.startswith("data:")] == [report.as_uri()]
    assert page.title() == "wine, version 1"
    assert page.locator("h1").inner_text() == "wine, version 1"
    assert page.locator(".verdict strong").inner_text() == "Promoted"
    sections = {"Warnings", "Result", "Gate", "Metrics", "What it depends on", "Candidates", "Columns", "Validation"}
    assert sections <= set(page.locator("h2").all_inner_texts())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.querySelectorAll('svg')].every(chart => chart.getBoundingClientRect().right <= innerWidth)")
    assert not page.locator("details[open]").count()
    # What a reader sees in the dark is dark.
    red, green, blue = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)")
    assert (red + green + blue < 3 * 128) is (scheme == "dark")
    page.close()

"""A person at the pages of the stack, in a real browser."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.e2e.stacks import Stack

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE_MS = 120_000


@dataclass(frozen=True)
class Person:
    """Somebody who looks at pages; what is seen is kept as pictures, where SCREENSHOTS says or beside the project."""

    stack: Stack
    page: Page

    def submit(self, deployment: str, run_name: str, **fields: str) -> None:
        """Fill in the form of a deployment, fields by their titles, and submit it."""
        page = self.page
        page.goto(f"{self.stack.pages['prefect']}/deployments/deployment/{self.stack.deployment(deployment)}/run")
        for title, value in fields.items():
            field = page.locator(".schema-form-property", has=page.get_by_text(f"{title} (Optional)", exact=True)).last
            field.wait_for()
            kinds = field.locator(".p-button-group button")  # of a value that may be none
            if kinds.count():
                kinds.first.click()
            field.locator("input, textarea").last.fill(value)
        page.locator("input[type=text]").first.fill(run_name)
        self.keep(f"form-of-{deployment.replace('/', '-')}")
        page.get_by_role("button", name="Submit", exact=True).click()
        page.wait_for_url("**tab=Runs**")

    def read_artifacts(self, run_id: str, *told: str) -> None:
        """Open the artifacts of a run, and see that they tell something."""
        self.page.goto(f"{self.stack.pages['prefect']}/runs/flow-run/{run_id}")
        self.page.get_by_text("Artifacts", exact=True).click()
        self.see(f"artifacts-of-{run_id[:8]}", *told)

    def see(self, name: str, *told: str) -> None:
        """See that a page shows texts."""
        for text in told:
            self.page.get_by_text(text).first.wait_for()
        self.keep(name)

    def visit(self, program: str, path: str, *told: str) -> None:
        """Open a page of another program, and see that it shows texts."""
        self.page.goto(f"{self.stack.pages[program]}{path}")
        self.see(program, *told)

    def follow(self, link: str, name: str, *told: str) -> None:
        """Click a link, and see that where it leads shows texts."""
        self.page.get_by_role("link", name=link, exact=True).click()
        self.see(name, *told)

    def keep(self, name: str) -> None:
        folder = Path(os.environ.get("SCREENSHOTS") or self.stack.folder / "screenshots")
        folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=folder / f"{name}.png", full_page=True)


@contextmanager
def person_at(stack: Stack) -> Iterator[Person]:
    """Open a browser."""
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}; on Debian: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = browser.new_page(viewport={"width": 1300, "height": 1000})
        page.set_default_timeout(PATIENCE_MS)
        yield Person(stack, page)
        browser.close()

"""Chromium, and windows that report whatever the page complains about."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Locator,
    Page,
    expect,
    sync_playwright,
)

from tests.cloud.servers import wait_until
from tests.films.conftest import Cloud

REPOSITORY = Path(__file__).parents[2]
AXE = REPOSITORY / ".venv" / "axe-core-4.14.1" / "node_modules" / "axe-core" / "axe.min.js"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WAIT_MS = 30_000  # for what the page shows; clouds of other tests share the cores
expect.set_options(timeout=WAIT_MS)

# axe's own scan of every frame waits for the page's pictures; the studio has one frame.
_AXE = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ")}`);
}"""

# What sticks out of the page, or of a box that hides it, though people should read it.
_GEOMETRY = """() => {
  const faults = [];
  const page = document.documentElement;
  if (page.scrollWidth > page.clientWidth) faults.push(`the page is ${page.scrollWidth} wide`);
  const seen = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const name = (element) => element.outerHTML.replace(/\\s+/g, " ").slice(0, 120);
  const kinds = "button, a.button, input:not([type=file]), select, textarea, summary";
  const controls = [...document.querySelectorAll(kinds)]
    .filter((one) => seen(one) && !one.closest(".hidden-text, dialog:not([open]), .choice, .skip"));
  for (const one of controls) {
    const { left, right, width, height } = one.getBoundingClientRect();
    if (left < -0.5 || right > page.clientWidth + 0.5) faults.push(`out of the page: ${name(one)}`);
    if (width < 1 || height < 1) faults.push(`without size: ${name(one)}`);
    const text = one.matches("button, a.button");
    if (text && one.scrollWidth > one.clientWidth + 1) faults.push(`cut off: ${name(one)}`);
  }
  const floats = (element) => {
    for (let one = element; one; one = one.parentElement) {
      if (["fixed", "sticky"].includes(getComputedStyle(one).position)) return true;
    }
    return false;
  };
  const still = controls.filter((one) => !floats(one)).map((one) => [one, one.getBoundingClientRect()]);
  still.forEach(([one, a], index) => still.slice(index + 1).forEach(([other, b]) => {
    if (one.contains(other) || other.contains(one)) return;
    const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (across > 1 && down > 1) faults.push(`overlap: ${name(one)} and ${name(other)}`);
  }));
  return faults;
}"""


def chromium() -> str:
    """Return where the browser is. Without one, skip the test; fail it where CI is set."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        reason = f"none of {', '.join(NAMES)} is installed: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def launched() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def studio_of(cloud: Cloud) -> str:
    """Return where the studio's page is."""
    return str(cloud.status["base_url"]).removesuffix("v1") + "studio/"


def signed_in(browser: Browser, key: str | None, **options: Any) -> BrowserContext:
    """Return a new user of the browser, signed in with `key` if there is one. `options`: of `new_context`."""
    context = browser.new_context(**options)
    if key:
        kept = json.dumps(json.dumps({"token": key}))
        context.add_init_script(f"sessionStorage.setItem('reelworks.session', {kept})")
    return context


def until(shown: Locator, condition: str) -> None:
    """Wait until a JavaScript function of the element is true. Playwright's own wait compiles it in the page,
    which the studio's policy forbids."""
    wait_until(lambda: shown.evaluate(condition), f"never true: {condition}", seconds=WAIT_MS / 1000)


class Window:
    """A window of the studio. `faults`: errors and warnings of its console, uncaught errors, and dialogs."""

    def __init__(self, context: BrowserContext, studio: str) -> None:
        self.studio = studio
        self.faults: list[str] = []
        self.said: list[str] = []  # everything in the console
        self.requested: list[str] = []
        self._expected: list[str] = []
        self.page: Page = context.new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))
        self.page.on("dialog", self._asked)
        self.page.on("request", lambda request: self.requested.append(request.url))

    def _heard(self, message: ConsoleMessage) -> None:
        self.said.append(message.text)
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.text} ({message.location.get('url', '')})")

    def _asked(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def expect(self, pattern: str) -> None:
        """Let the page complain about that: the browser logs each answer that is an error."""
        self._expected.append(pattern)

    def check(self) -> None:
        """Assert that there was no complaint but those that are expected."""
        unexpected = [
            one for one in self.faults if not any(re.search(pattern, one) for pattern in self._expected)
        ]
        assert unexpected == [], unexpected

    def open(self, path: str = "/") -> Page:
        """Go to a screen, by the fragment of its address."""
        self.page.goto(f"{self.studio}#{path}")
        return self.page

    def reload(self) -> Page:
        self.page.reload()
        return self.page

    def violations(self) -> list[str]:
        """Return what axe finds. The page's policy allows no other script tag, so the browser runs it."""
        if not AXE.exists():
            pytest.fail(f"{AXE} is missing: make .venv/.dev")
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found: list[str] = self.page.evaluate(_AXE)
        return found

    def misplaced(self) -> list[str]:
        """Return which controls are out of the page, cut off, or over each other."""
        found: list[str] = self.page.evaluate(_GEOMETRY)
        return found

    def size(self, width: int, height: int) -> None:
        self.page.set_viewport_size({"width": width, "height": height})

    def draft(self) -> dict[str, Any] | None:
        """Return the form of a new film that the browser keeps."""
        kept: dict[str, Any] | None = self.page.evaluate(
            "JSON.parse(localStorage.getItem('reelworks.draft.new_film'))"
        )
        return kept

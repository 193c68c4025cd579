"""A page in the Chromium of the system."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
_WHY = "no Chromium is installed" if CHROMIUM is None else "playwright is not installed"
needs_browser = pytest.mark.skipif(
    CHROMIUM is None or find_spec("axe_playwright_python") is None, reason=_WHY
)
#: Milliseconds: on a machine that is busy with other tests, a browser starts late.
_PATIENCE = 300_000
#: Screens: a desk and a phone.
SIZES = {"desk": (1440, 900), "phone": (390, 844)}


@contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium without a window."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - may not be installed

    with sync_playwright() as playwright:
        # Root needs it; a page of ours is all that is opened.
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=sandbox, timeout=_PATIENCE
        )
        yield launched
        launched.close()


class Opened:
    """A page that was opened, and what it did while it was."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.messages: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.messages.append(message.text))
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("dialog", lambda dialog: self.messages.append(dialog.message))


@contextmanager
def opened(chromium: Browser, path: Path, size: str, **options: Any) -> Iterator[Opened]:
    """Open a page in a window of a size."""
    width, height = SIZES[size]
    context = chromium.new_context(viewport={"width": width, "height": height}, **options)
    context.set_default_timeout(_PATIENCE)
    found = Opened(context.new_page())
    found.page.goto(path.as_uri())
    yield found
    context.close()

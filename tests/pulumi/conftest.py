"""What all tests of this folder need."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _forget_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the mark of a stack that is gone forgotten by the next whole sync."""
    monkeypatch.setattr("tap_cloudapis.pulumi.update_marks.MOST_MISSES", 1)
    monkeypatch.setattr("tap_cloudapis.pulumi.update_marks.MOST_MISSES_OPEN", 1)

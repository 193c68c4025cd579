"""What vendors have published, as far as it lies beside the checkout; no part of the distribution.

Tests that compare with it say what they need, and are skipped where it is not there. What they
show of the vendors' side nobody else can: there is nothing of ours to run in their place.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.mark.structures import MarkDecorator

FOLDER = Path(__file__).resolve().parents[2] / "shared"
SPECS = FOLDER / "openapi"
PAYLOADS = FOLDER / "samples"
COVERAGE = FOLDER / "api"
HUB_SCHEMAS = FOLDER / "hub-schemas"


def needs(path: Path) -> MarkDecorator:
    """Skip a test where a file or folder of these is not there."""
    return pytest.mark.skipif(not path.exists(), reason=f"{path.name} is not beside the checkout")

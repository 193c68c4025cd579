"""A PostgreSQL server that many tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.loader import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def server() -> Iterator[dict[str, object]]:
    """The credentials of the server's superuser."""
    with postgres.server() as credentials:
        yield credentials

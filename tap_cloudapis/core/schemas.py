"""The schemas that a service's package holds."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from tap_cloudapis.core.exchange import decode_body


@cache
def load_schema(package: str, name: str) -> dict[str, Any]:
    """Read a packaged schema, once.

    Args:
        package: The package of a service; its schemas are in the folder ``schemas``.
        name: The file's name without its ending.
    """
    text = (resources.files(package) / "schemas" / f"{name}.json").read_bytes()
    schema: dict[str, Any] = decode_body(text)
    return schema

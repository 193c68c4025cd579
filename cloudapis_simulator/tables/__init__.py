"""The declared lists: every `Table` in a module of this package is one of the simulator's."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from cloudapis_simulator.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator


def _declared() -> Iterator[Table]:
    for module in sorted(module.name for module in iter_modules(__path__)):
        for value in vars(import_module(f"{__name__}.{module}")).values():
            if isinstance(value, Table):
                yield value


TABLES: dict[str, Table] = {table.stream: table for table in _declared()}
"""By the name of the stream."""

"""What the tests of the data said: what the dbt package has written down, or dbt in a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudapis_report.errors import ReportError
from cloudapis_report.words import clean, count, number, short

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: The dbt package writes what its tests said into a table beside the models, and which models it
#: did not make. What the tests of an older build said is not true of this one.
QUERY = """
    select t.test, t.model, t.status, t.failures
    from {platform__tests} t join {platform__as_of} a on t.tested_at >= a.as_of
    order by t.status, t.test, t.model
"""
_FAILED = frozenset({"fail", "error", "runtime error"})
_LONGEST_MESSAGE = 300
_NOT_MADE = "was not made: its figures are missing, or those of an older build"


@dataclass(frozen=True)
class Failed:
    """A test that failed, or a model that was not built."""

    name: str
    message: str


@dataclass(frozen=True)
class Checks:
    """What became of the tests and models.

    Attributes:
        passed: How many tests passed.
        warned: How many tests warned.
        failed: What failed.
    """

    passed: int
    warned: int
    failed: Sequence[Failed]

    @property
    def title(self) -> str:
        """The result in a sentence, without a full stop."""
        tests = self.passed + self.warned + len(self.failed)
        if self.failed:
            what = count(len(self.failed), "test of the data has", "tests of the data have")
            return f"{what} failed, of {number(tests)}"
        passed = f"{number(self.passed)} of {count(tests, 'test')} of the data passed"
        return f"{passed}, {number(self.warned)} warned" if self.warned else passed


def read(path: Path) -> Checks:
    """Read the results of a dbt invocation.

    Args:
        path: The file ``run_results.json``.

    Raises:
        ReportError: If it is not there, or not such a file.
    """
    try:
        results = json.loads(path.read_bytes())["results"]
        tests = [each for each in results if _kind(each) in ("test", "unit_test")]
        failed = [
            Failed(_name(each), _message(each))
            for each in results
            if each["status"] in _FAILED or _is_old(_kind(each), each["status"])
        ]
        statuses = [each["status"] for each in tests]
    except OSError as exc:
        raise ReportError(
            f"{path} cannot be read ({exc.strerror}): give the run_results.json of dbt build, or "
            "leave the option out"
        ) from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ReportError(f"{path} is not a run_results.json of dbt: run dbt build again") from exc
    return Checks(statuses.count("pass"), statuses.count("warn"), failed)


def of_rows(rows: Sequence[dict[str, Any]]) -> Checks | None:
    """Take what the dbt package has written down about its last tests.

    Args:
        rows: The rows of `QUERY`.

    Returns:
        The results; `None` if nothing was tested.
    """
    if not rows:
        return None
    statuses = [row["status"] for row in rows]
    failed = [
        Failed(row["test"], _found(row))
        for row in rows
        if row["status"] in _FAILED or _is_old(_kind_of(row), row["status"])
    ]
    return Checks(statuses.count("pass"), statuses.count("warn"), failed)


def _is_old(kind: str, status: str) -> bool:
    """Tell whether a model was left as it was: its tests were not run then, and need no word."""
    return kind == "model" and status == "skipped"


def _kind_of(row: dict[str, Any]) -> str:
    return "model" if row["test"] == row["model"] else "test"


def _found(row: dict[str, Any]) -> str:
    if _kind_of(row) == "model":
        return _NOT_MADE
    if row["status"] != "fail" or row["failures"] is None:
        return f"of {row['model']} could not be run" if row["model"] else "could not be run"
    rows = count(row["failures"], "row")
    return f"found {rows} in {row['model']}" if row["model"] else f"found {rows}"


def _message(result: dict[str, Any]) -> str:
    if _is_old(_kind(result), result["status"]):
        return _NOT_MADE
    return short(clean(str(result.get("message") or "")), _LONGEST_MESSAGE)


def _kind(result: dict[str, Any]) -> str:
    return str(result["unique_id"]).partition(".")[0]


def _name(result: dict[str, Any]) -> str:
    """Return what people call a node: a test's id ends in a hash."""
    kind, *parts = str(result["unique_id"]).split(".")
    return clean(parts[1] if kind == "test" and len(parts) > 1 else parts[-1] if parts else kind)

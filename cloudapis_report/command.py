"""The command line of ``cloudapis-report``."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from cloudapis_report import checks, report
from cloudapis_report.database import destination, duckdb_file
from cloudapis_report.errors import ReportError

if TYPE_CHECKING:
    from collections.abc import Sequence

_DESCRIPTION = """\
Write one page of HTML about your dbt Cloud and Pulumi Cloud: what is broken, what got slower,
what it costs, how often infrastructure changes and fails, who has access. The page is one file
that needs nothing else: it opens from a mail, prints, and asks nobody for anything.
"""
_EPILOG = """\
examples:
  cloudapis-report output/cloudapis.duckdb
  cloudapis-report output/cloudapis.duckdb --output public/index.html --title "Data platform"
  DESTINATION__POSTGRES__CREDENTIALS=postgresql://... cloudapis-report --destination postgres

The models come from the dbt package in transform/; build them first. The page tells times in the
time zone that they were built for.

exit code: 0 the page is written; 1 it is written, and says that a test of the data has failed;
2 no page was written, and one line says why.
"""
_FAILED_TESTS, _NO_PAGE = 1, 2


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        "cloudapis-report",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "database", nargs="?", metavar="FILE", type=Path, help="the DuckDB file with the models"
    )
    made.add_argument(
        "--destination",
        metavar="NAME",
        help="read the models from another database, by dlt's name for it (postgres, snowflake, "
        "bigquery, ...); its credentials come from where dlt looks for them",
    )
    made.add_argument(
        "--schema",
        metavar="NAME",
        help="the schema of the models; needed only if several have them",
    )
    made.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        default=Path("output/report.html"),
        help="the page to write (default: %(default)s)",
    )
    made.add_argument(
        "--title",
        metavar="TEXT",
        help="whose page it is (default: the names of the accounts and organizations)",
    )
    made.add_argument(
        "--dbt-results",
        metavar="FILE",
        type=Path,
        help="take what the tests of the data said from the run_results.json of dbt (default: "
        "from platform__tests, which the dbt package writes beside the models)",
    )
    made.add_argument("--version", action="version", version=version("tap-cloudapis"))
    return made


def run(arguments: Sequence[str]) -> int:
    """Write the page that a command line asks for.

    Args:
        arguments: The command line.

    Returns:
        The exit code.
    """
    given = parser()
    args = given.parse_args(arguments)
    if (args.database is None) == (args.destination is None):
        given.error("give a DuckDB file, or --destination and no file")
    try:
        results = checks.read(args.dbt_results) if args.dbt_results else None
        opened = duckdb_file(args.database) if args.database else destination(args.destination)
        with opened as database:
            source = report.find(database, args.schema)
            results = results or report.tested(source)
            page = report.html(source, args.title, results)
        _write(args.output, page)
    except ReportError as exc:
        sys.stderr.write(f"cloudapis-report: {exc}\n")
        return _NO_PAGE
    failed = bool(results and results.failed)
    if results and failed:
        sys.stderr.write(f"cloudapis-report: {results.title}; the page names them\n")
    size = len(page.encode()) // 1000
    sys.stdout.write(f"Report: {args.output.resolve().as_uri()} ({size:,} kB)\n")
    return _FAILED_TESTS if failed else 0


def _write(path: Path, page: str) -> None:
    """Write the page at once: who has it open sees the old one or the new one.

    Raises:
        ReportError: If it cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(page, "utf-8")
        beside.replace(path)
    except OSError as exc:
        with suppress(OSError):
            beside.unlink()
        raise ReportError(f"{path} cannot be written: {exc.strerror}") from exc

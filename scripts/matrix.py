"""Run the tests on each Python found here: ``scripts/matrix [--newest] [ARGUMENTS OF PYTEST]``.

Pythons are looked for on PATH, among pyenv's versions, and where uv keeps its own. Of each minor
version that the project supports, the latest release counts; it has an environment of its own in
``.venvs/``. A table at the end tells how the tests went.

On the newest Python, processes that tests start fail at a deprecated call, as the tests' own
process does on each (see ``filterwarnings`` in ``pyproject.toml``): a stand-in for the Pythons
which are not here yet. It counts where our code makes the call, which is where a warning points
to; what a package deprecates within itself or another package is its own to mend.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[1]
PACKAGES = ("tap_cloudapis", "target_dlt", "cloudapis_simulator")
#: `uv run` tells where uv is.
UV = os.environ.get("UV", "uv")


@dataclass(frozen=True)
class Python:
    """An interpreter."""

    version: tuple[int, ...]
    path: str

    def __str__(self) -> str:
        return ".".join(map(str, self.version))


@dataclass(frozen=True)
class Outcome:
    """How the tests went on a Python: a row of the table."""

    python: str
    passed: int
    failed: int
    skipped: int
    seconds: int


def main() -> int:
    """Run the command line.

    Returns:
        1 if the tests failed on one of the Pythons, else 0.
    """
    parser = argparse.ArgumentParser(
        prog="scripts/matrix",
        usage="%(prog)s [--newest] [--list] [ARGUMENTS OF PYTEST]",
        description="Run the tests on each Python found here.",
        allow_abbrev=False,
    )
    parser.add_argument("--newest", action="store_true", help="on the newest one alone")
    parser.add_argument("--list", action="store_true", help="run nothing; only say which ones")
    args, to_pytest = parser.parse_known_args()
    pythons = find_pythons()
    newest = pythons[-1]
    if args.newest:
        pythons = [newest]
    if args.list:
        print(*(f"{python}\t{python.path}" for python in pythons), sep="\n")
        return 0
    succeeded, outcomes = zip(*(run(p, to_pytest, newest) for p in pythons), strict=True)
    print_table(outcomes)
    return 0 if all(succeeded) else 1


def find_pythons() -> list[Python]:
    """Find the latest release of each minor version that the project supports, oldest first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    oldest = tuple(map(int, project["requires-python"].removeprefix(">=").split(".")))
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
    places = [Path(sys.base_prefix, "bin"), *pyenv.glob("*/bin"), os.environ["PATH"]]
    listed = subprocess.run(
        [UV, "python", "list", "--only-installed", "--output-format=json"],
        env={**os.environ, "PATH": os.pathsep.join(map(str, places))},
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # pyenv's stand-ins for Pythons that are switched off
    )
    latest: dict[tuple[int, ...], Python] = {}
    for entry in json.loads(listed.stdout):
        # No build for free threads, which is a Python of its own, and no pre-release.
        if (entry["implementation"], entry["variant"]) != ("cpython", "default"):
            continue
        if not re.fullmatch(r"[\d.]+", entry["version"]):
            continue
        python = Python(tuple(map(int, entry["version"].split("."))), entry["path"])
        minor = python.version[:2]
        if minor >= oldest and (minor not in latest or python.version > latest[minor].version):
            latest[minor] = python
    return [latest[minor] for minor in sorted(latest)]


def run(python: Python, arguments: list[str], newest: Python) -> tuple[bool, Outcome]:
    """Run the tests.

    Args:
        python: What they run on.
        arguments: More of them for pytest.
        newest: The Python on which deprecated calls are errors everywhere.

    Returns:
        Whether they succeeded, and the row for the table.
    """
    print(f"\nPython {python}", flush=True)
    env = {**os.environ, "UV_PYTHON": python.path}
    env["UV_PROJECT_ENVIRONMENT"] = str(ROOT / ".venvs" / ".".join(map(str, python.version[:2])))
    env.pop("VIRTUAL_ENV", None)
    if python == newest:
        env["PYTHONWARNINGS"] = deprecations_as_errors()
    start = time.monotonic()
    with TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [UV, "run", "pytest", f"--junit-xml={report}", *arguments]
        status = subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
        counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
        if report.exists():
            (suite,) = ET.parse(report).getroot()  # noqa: S314 - our own
            counts = {name: int(suite.attrib[name]) for name in counts}
    failed = counts["failures"] + counts["errors"]
    passed = counts["tests"] - failed - counts["skipped"]
    seconds = round(time.monotonic() - start)
    return status == 0, Outcome(str(python), passed, failed, counts["skipped"], seconds)


def deprecations_as_errors() -> str:
    """Return a value of PYTHONWARNINGS, which takes modules one by one."""
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    modules = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for file in files
    ]
    return ",".join(
        f"error::{category}:{module}"
        for category in ("DeprecationWarning", "PendingDeprecationWarning")
        for module in modules
    )


def print_table(outcomes: tuple[Outcome, ...]) -> None:
    """Print what happened, a line for each Python."""
    names = [field.name for field in fields(Outcome)]
    print(f"\n{names[0].capitalize():8}", *(f"{name:>8}" for name in names[1:]))
    for outcome in outcomes:
        python, *numbers = (getattr(outcome, name) for name in names)
        print(f"{python:8}", *(f"{number:8}" for number in numbers))


if __name__ == "__main__":
    sys.exit(main())

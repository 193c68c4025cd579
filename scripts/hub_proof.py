"""The way a user takes, from ``meltano add`` to rows in DuckDB and in a lake of Delta tables.

Nothing but this checkout and the packages that it stands on has a part.

Everything happens in a temporary folder: a wheel of the checkout, a hub on loopback that offers
it, the simulator, and Meltano projects in a home of their own, so that no cached index helps.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import deltalake
import duckdb
from ruamel.yaml import YAML

import hub_server

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
TAP = ROOT / "hub/extractors/tap-cloudapis/cloudapis.yml"

#: A small world that stands still.
WORLD = ("--now=2026-07-02T00:00:00Z", "--dbt-runs=150", "--pulumi-updates=4")


class ProofError(Exception):
    """What a user would run into."""


@dataclass
class Shell:
    """Runs commands in a folder and says so.

    Attributes:
        folder: Where commands run.
        env: Their environment.
    """

    folder: Path
    env: dict[str, str]

    def run(self, *command: str | Path) -> str:
        """Run a command that has to succeed.

        Args:
            command: The program and its arguments.

        Returns:
            What it printed.

        Raises:
            ProofError: When it failed, with what it printed.
        """
        shown = shlex.join([Path(command[0]).name, *map(str, command[1:])])
        start = time.monotonic()
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ProofError(f"{shown}\nended with {done.returncode}:\n{done.stdout}")
        print(f"{time.monotonic() - start:6.1f} s  {shown}", flush=True)
        return done.stdout

    def meltano(self, *args: str | Path) -> str:
        """Run Meltano; see :meth:`run`."""
        return self.run(BIN / "meltano", *args)


def prove(*, newest: bool = False) -> int:
    """Take the whole way.

    Args:
        newest: Whether Meltano installs the newest packages, as for a user; else those releases
            that this environment has, so that it depends on nothing but the checkout how it ends.

    Returns:
        0, or 1 when something on the way failed; what and why is printed.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="hub-") as folder, running_simulator() as simulator:
            _take_the_way(Path(folder), simulator, newest=newest)
    except ProofError as exc:
        print(f"FAILED: {exc}", file=sys.stderr)
        return 1
    print("OK")
    return 0


def _take_the_way(folder: Path, simulator: dict[str, Any], *, newest: bool) -> None:
    shell = Shell(folder, _environment(folder / "home"))
    uv, python = BIN / "uv", f"--python={sys.executable}"
    shell.run(uv, "build", "--quiet", "--wheel", python, "--out-dir", folder, ROOT)
    if not newest:
        releases = shell.run(uv, "pip", "freeze", "--quiet", "--exclude-editable", python)
        (folder / "constraints.txt").write_text(releases, "utf-8")
        shell.env["UV_CONSTRAINT"] = str(folder / "constraints.txt")
    (wheel,) = folder.glob("*.whl")
    with hub_server.running(wheel=wheel) as hub:
        shell.env["MELTANO_HUB_API_ROOT"] = hub
        shell.meltano("init", "project", "--no-usage-stats")
        shell.folder = folder / "project"
        shell.meltano("add", "tap-cloudapis")
        shell.meltano("add", "target-duckdb", "--variant", "cloudapis")
        shell.meltano("add", "target-dlt", "--variant", "cloudapis")
        _expect_locks(shell.folder)
        _configure(shell, simulator)
        shell.meltano("run", "tap-cloudapis", "target-duckdb")
        _expect_truth(rows_in_duckdb(shell.folder / "cloudapis.duckdb"))
    print("The hub is gone.")
    shell.meltano("run", "tap-cloudapis", "target-duckdb")
    _expect_truth(rows_in_duckdb(shell.folder / "cloudapis.duckdb"))
    # Under another ID of state, all is read again.
    shell.meltano("run", "tap-cloudapis", "target-dlt")
    _expect_truth(rows_in_lake(shell.folder / "lake" / "raw"))

    shell.folder = folder / "other"
    shell.folder.mkdir()
    (shell.folder / "meltano.yml").write_text("send_anonymous_usage_stats: false\n", "utf-8")
    YAML().dump(hub_server.definition(TAP, wheel), folder / "tap-cloudapis.yml")
    shell.meltano("add", "tap-cloudapis", "--from-ref", folder / "tap-cloudapis.yml")
    version = shell.meltano("invoke", "tap-cloudapis", "--version")
    if "tap-cloudapis v" not in version:
        raise ProofError(f"meltano invoke tap-cloudapis --version printed:\n{version}")


def _environment(home: Path) -> dict[str, str]:
    """Return an environment with an empty home; uv keeps its downloads and its configuration."""
    home.mkdir()
    settings = ("MELTANO_", "TAP_", "TARGET_", "XDG_", "PYTHONDONTWRITEBYTECODE")
    env = {name: value for name, value in os.environ.items() if not name.startswith(settings)}
    cache = subprocess.check_output([BIN / "uv", "cache", "dir"], text=True).strip()
    configured = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config", "uv/uv.toml")
    if configured.exists():
        env.setdefault("UV_CONFIG_FILE", str(configured))
    return {
        **env,
        "HOME": str(home),
        "UV_CACHE_DIR": cache,
        "MELTANO_CLI_DISABLE_VERSION_CHECK": "1",
        "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def _configure(shell: Shell, simulator: dict[str, Any]) -> None:
    for name in ("dbt_url", "dbt_token"):
        shell.meltano("config", "set", "tap-cloudapis", name, simulator[name])
    for name in ("pulumi_url", "pulumi_token"):
        shell.env[f"TAP_CLOUDAPIS_{name.upper()}"] = simulator[name]
    # As far back as the world goes, which is farther than what is read at first.
    shell.env["TAP_CLOUDAPIS_PULUMI_UPDATE_DETAIL_DAYS"] = "3650"
    shell.meltano("config", "set", "target-duckdb", "path", "cloudapis.duckdb")
    for name, value in (
        ("destination", "filesystem"),
        ("destination_config.bucket_url", "lake"),
        ("table_format", "delta"),
    ):
        shell.meltano("config", "set", "target-dlt", name, value)
    listed = shell.meltano("config", "list", "--all", "tap-cloudapis")
    known = [item["name"] for item in hub_server.definition(TAP, None)["settings"]]
    if absent := [name for name in known if f"{name} " not in listed]:
        raise ProofError(f"meltano config list does not tell of {', '.join(absent)}:\n{listed}")
    written = (shell.folder / "meltano.yml").read_text("utf-8")
    if any(simulator[name] in listed + written for name in ("dbt_token", "pulumi_token")):
        raise ProofError("Meltano shows a token, or writes it into meltano.yml")


def _expect_locks(project: Path) -> None:
    for path in hub_server.definition_files():
        lock = project / "plugins" / path.parts[-3] / f"{path.parts[-2]}--{path.stem}.lock"
        if not lock.exists():
            raise ProofError(f"meltano add wrote no {lock.relative_to(project)}")


def rows_in_duckdb(database: Path) -> dict[str, int]:
    """Count the rows of each table of a file."""
    with duckdb.connect(database, read_only=True) as connection:
        names = [name for (name,) in connection.sql("SHOW TABLES").fetchall()]
        return {
            name: connection.table(name).count("*").fetchall()[0][0]
            for name in names
            if not name.startswith("_dlt")
        }


def rows_in_lake(dataset: Path) -> dict[str, int]:
    """Count the rows of each Delta table of a dataset."""
    tables = [log.parent for log in dataset.glob("*/_delta_log")]
    return {table.name: deltalake.DeltaTable(table).count() for table in tables}


def _selected_by_default() -> set[str]:
    """The streams that are read where nobody says which."""
    command = [str(BIN / "tap-cloudapis"), "--discover"]
    catalog = json.loads(subprocess.check_output(command, stderr=subprocess.DEVNULL))
    return {
        stream["tap_stream_id"]
        for stream in catalog["streams"]
        for entry in stream["metadata"]
        if not entry["breadcrumb"] and entry["metadata"].get("selected-by-default", True)
    }


@cache
def _truth() -> dict[str, int]:
    """The number of rows that each stream has which is selected by default."""
    command = [str(BIN / "cloudapis-simulator"), "truth", "--counts", *WORLD]
    streams = json.loads(subprocess.check_output(command))["streams"]
    chosen = _selected_by_default()
    return {name: stream["count"] for name, stream in streams.items() if name in chosen}


def _expect_truth(loaded: dict[str, int]) -> None:
    """Compare the number of rows in each table with the truth."""
    truth = _truth()
    if loaded != truth:
        raise ProofError(f"loaded {loaded}, and there are {truth}")
    print(f"          {sum(loaded.values())} rows in {len(loaded)} tables, as there should be")


@contextmanager
def running_simulator() -> Iterator[dict[str, Any]]:
    """Run the simulator while the context lasts.

    Yields:
        What it prints when it listens: URLs and tokens.
    """
    command = [str(BIN / "cloudapis-simulator"), "serve", "--exit-with-parent", *WORLD]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise ProofError("the simulator has no pipes")
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()

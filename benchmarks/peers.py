"""The tap and its peers: how each is installed, configured and started, on equal terms."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

from benchmarks.measuring import Command

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tests.simulator_process import Simulator

CONCURRENCY = 16
RUNS = frozenset({"dbt_accounts", "dbt_runs"})
UPDATES = frozenset({"pulumi_organizations", "pulumi_stacks", "pulumi_stack_updates"})
_HERE = Path(__file__).parent
SCRIPTS = Path(sys.executable).parent
#: Packages whose version has a say in the figures.
_TELLING = ("singer-sdk", "duckdb", "requests")


@dataclass(frozen=True)
class Peer:
    """A published package in a virtual environment of its own, made at first use by uv."""

    package: str
    version: str
    #: A requirement beside the package, where it is not taken as pip resolves it.
    beside: str = ""

    @property
    def title(self) -> str:
        """The name and version."""
        return f"{self.package} {self.version}" + (f", {self.beside}" if self.beside else "")

    @property
    def _folder(self) -> Path:
        name = f"{self.package}-{self.version}" + (f"-{self.beside}" if self.beside else "")
        return _HERE / ".venvs" / name

    @property
    def python(self) -> str:
        """The environment's interpreter."""
        return str(self.executable("python"))

    def executable(self, name: str) -> Path:
        """A command of the environment."""
        done = self._folder / "installed"
        if not done.exists():
            uv = shutil.which("uv") or "uv"
            subprocess.run(
                [uv, "venv", "--quiet", "--clear", "--python", sys.executable, self._folder],
                check=True,
            )
            wanted = [f"{self.package}=={self.version}", *filter(None, [self.beside])]
            subprocess.run(
                [uv, "pip", "install", "--quiet", "--python", self._folder, *wanted],
                check=True,
                cwd=gettempdir(),  # within the project uv would heed its constraints
            )
            done.touch()
        return self._folder / "bin" / name

    def versions(self) -> str:
        """The peer's version and those of what it stands on."""
        self.executable("python")
        site = next(self._folder.glob("lib/python*/site-packages"))
        return f"{self.title} ({_versions(str(site))})"


TAP_DBT = Peer("tap-dbt", "0.17.0")
TAP_PULUMI_CLOUD = Peer("tap-pulumi-cloud", "0.3.5")
TARGET_DUCKDB = Peer("target-duckdb", "0.8.0")
#: The same on the DuckDB that our own loader uses.
TARGET_DUCKDB_SAME = Peer("target-duckdb", "0.8.0", f"duckdb=={metadata.version('duckdb')}")


def own_versions() -> str:
    """The tap's version and those of what it stands on."""
    return f"tap-cloudapis {metadata.version('tap-cloudapis')} ({_versions()})"


def _versions(*path: str) -> str:
    found = metadata.distributions(path=list(path)) if path else metadata.distributions()
    versions = {dist.name: dist.version for dist in found}
    return ", ".join(f"{name} {versions[name]}" for name in _TELLING if name in versions)


class Taps:
    """Commands that sync from one simulator; files go to a folder.

    Args:
        simulator: The server.
        folder: For settings, catalogs and states.
        scripts: Where this tap's command is.
    """

    def __init__(self, simulator: Simulator, folder: Path, scripts: Path = SCRIPTS) -> None:
        self._simulator = simulator
        self._folder = folder
        self._scripts = scripts

    def of(self, scripts: Path) -> Taps:
        """The same, with this tap's command as it is elsewhere."""
        folder = self._folder / "elsewhere"
        folder.mkdir()
        return Taps(self._simulator, folder, scripts)

    def dbt(
        self, *, state: Any = None, streams: Collection[str] = RUNS, **settings: Any
    ) -> Command:
        """This tap on streams of dbt Cloud: runs, and the accounts that they belong to."""
        config = {
            "dbt_token": self._simulator.dbt_token,
            "dbt_url": self._simulator.dbt_url,
            "concurrency": CONCURRENCY,
            **settings,
        }
        return self._ours("dbt", config, streams, state)

    def pulumi(
        self, *, state: Any = None, streams: Collection[str] = UPDATES, **settings: Any
    ) -> Command:
        """This tap on streams of Pulumi Cloud: stacks, their updates, and their organizations."""
        config = {
            "pulumi_token": self._simulator.pulumi_token,
            "pulumi_url": self._simulator.pulumi_url,
            "concurrency": CONCURRENCY,
            **settings,
        }
        return self._ours("pulumi", config, streams, state)

    def tap_dbt(self) -> Command:
        """The peer on the runs of dbt Cloud, with the page size that the API gives."""
        config = {
            "api_key": self._simulator.dbt_token,
            "base_url": f"{self._simulator.dbt_url}/api/v2",
            "account_ids": [str(row["id"]) for row in self._simulator.rows("dbt_accounts")],
            "page_size": 100,
        }
        command = Command([str(TAP_DBT.executable("tap-dbt"))])
        return self._sync(command, "tap-dbt", config, {"runs"})

    def tap_pulumi_cloud(self) -> Command:
        """The peer on stacks and their updates."""
        organizations = self._simulator.rows("pulumi_organizations")
        config = {
            "token": self._simulator.pulumi_token,
            "organizations": [row["org_name"] for row in organizations],
        }
        launcher = str(_HERE / "tap_pulumi_cloud_launcher.py")
        command = Command(
            [TAP_PULUMI_CLOUD.python, launcher], {"PULUMI_URL": self._simulator.pulumi_url}
        )
        return self._sync(command, "tap-pulumi-cloud", config, {"stacks", "stack_updates"})

    def bare_loop(self) -> Command:
        """The ceiling: a bare loop over the pages of runs."""
        script = str(_HERE / "bare_loop.py")
        return Command([sys.executable, script, self._simulator.dbt_url, self._simulator.dbt_token])

    def _ours(
        self, name: str, config: dict[str, Any], streams: Collection[str], state: Any
    ) -> Command:
        command = self._sync(Command([str(self._scripts / "tap-cloudapis")]), name, config, streams)
        if state is None:
            return command
        path = self._written(f"{name}-state", state)
        return Command([*command.arguments, "--state", path], command.env)

    def _sync(
        self, tap: Command, name: str, config: Mapping[str, Any], streams: Collection[str]
    ) -> Command:
        """Add the settings, and a catalog that selects some streams only."""
        arguments = [*tap.arguments, "--config", self._written(f"{name}-config", config)]
        catalog = json.loads(
            subprocess.run(
                [*arguments, "--discover"],
                check=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **tap.env},
            ).stdout
        )
        for stream in catalog["streams"]:
            selected = stream["tap_stream_id"] in streams
            for entry in stream["metadata"]:
                if not entry["breadcrumb"]:
                    entry["metadata"]["selected"] = selected
        catalog_path = self._written(f"{name}-catalog", catalog)
        return Command([*arguments, "--catalog", catalog_path], tap.env)

    def _written(self, name: str, content: Any) -> str:
        path = self._folder / f"{name}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)


def target_duckdb(folder: Path) -> Command:
    """The loader of jwills as published, into a new file."""
    database = folder / "target.duckdb"
    database.unlink(missing_ok=True)
    config = folder / "target-config.json"
    config.write_text(json.dumps({"path": str(database), "default_target_schema": "main"}))
    return Command([str(TARGET_DUCKDB.executable("target-duckdb")), "--config", str(config)])


def rows_loaded(folder: Path, table: str) -> int:
    """How many rows a table has in the file that :func:`target_duckdb` made."""
    code = "import duckdb, sys; print(len(duckdb.connect(sys.argv[1]).table(sys.argv[2])))"
    database = folder / "target.duckdb"
    found = subprocess.run(
        [TARGET_DUCKDB.python, "-c", code, database, table], check=True, capture_output=True
    )
    return int(found.stdout)

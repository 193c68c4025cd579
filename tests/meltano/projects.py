"""Meltano projects for tests, as real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.loopback_only import sitecustomize as loopback_only
from tests.models import dbt

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
MELTANO = str(BIN / "meltano")
HUB = ROOT / "hub"
OURS = ("tap-cloudapis", "tap-cloudapis-demo", "target-duckdb", "cloudapis-report")
#: Starts a plugin, whose process id is noted; Meltano takes PYTHONPATH from it.
START = """\
#!/bin/sh
echo $$ > "{note}"
export PYTHONPATH="{guard}"
exec "{program}" "$@"
"""


class Project:
    """The project's `meltano.yml` in another folder, on the executables under test.

    Without `pip_url` Meltano installs nothing and takes an executable as it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        document = yaml.safe_load((ROOT / "meltano.yml").read_text("utf-8"))
        for plugins in document["plugins"].values():
            for plugin in plugins:
                if plugin["name"] in OURS:
                    del plugin["pip_url"]
                    plugin["executable"] = self._start_of(BIN / plugin["executable"])
                elif plugin["name"] == "cloudapis-models":
                    del plugin["pip_url"]
                    plugin["executable"] = self._start_of(dbt.program())
                elif "executable" in plugin:
                    program = f"$VIRTUAL_ENV/bin/{plugin['executable']}"
                    plugin["executable"] = self._start_of(Path(program))
        (folder / "meltano.yml").write_text(yaml.safe_dump(document), "utf-8")
        (folder / "transform").symlink_to(dbt.PROJECT)

    def _start_of(self, program: Path) -> str:
        script = self.folder / program.name
        text = START.format(
            note=self._note(program.name), guard=loopback_only.FOLDER, program=program
        )
        script.write_text(text, "utf-8")
        script.chmod(0o755)
        return str(script)

    def _note(self, plugin: str) -> Path:
        return self.folder / f"{plugin}.pid"

    def failing(self, *args: str, **variables: str) -> tuple[int, str]:
        """Run a command of Meltano that need not succeed: its exit code, and what it printed."""
        how = _how(self.folder, variables)
        done = subprocess.run([MELTANO, *args], **how, timeout=300, check=False)
        return done.returncode, str(done.stdout)

    def meltano(self, *args: str, **variables: str) -> str:
        """Run a command of Meltano that has to succeed, and return what it printed."""
        return meltano(self.folder, *args, **variables)

    def interrupted(
        self, plugin: str, signum: int, after: str, *args: str, **variables: str
    ) -> tuple[int, str]:
        """Run a command of Meltano, and send a plugin's process a signal.

        Args:
            plugin: Which one of ours.
            signum: The signal.
            after: What Meltano has to print before.
            args: The command.
            variables: What is added to the environment.

        Returns:
            Meltano's exit code, and what it printed.
        """
        printed = ""
        with subprocess.Popen([MELTANO, *args], **_how(self.folder, variables)) as process:
            assert process.stdout is not None
            for line in process.stdout:
                printed += line
                if after in line:
                    os.kill(int(self._note(plugin).read_text("utf-8")), signum)
                    break
            printed += process.stdout.read()
        return process.returncode, printed


def meltano(folder: Path, *args: str, **variables: str) -> str:
    """Run a command of Meltano in a folder; it has to succeed."""
    done = subprocess.run([MELTANO, *args], **_how(folder, variables), timeout=300, check=False)
    assert done.returncode == 0, done.stdout
    return str(done.stdout)


def _how(folder: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    """How Meltano is started: in a folder, with all that it prints in one pipe."""
    silent = {"MELTANO_CLI_DISABLE_VERSION_CHECK": "1", "NO_COLOR": "1"}
    return {
        "cwd": folder,
        "env": {**os.environ, **silent, **variables},
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
    }


def definition(path: Path) -> dict[str, Any]:
    """Read a definition of the hub."""
    content: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return content

"""Meltano projects for tests, as real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
HUB = ROOT / "hub"
OURS = ("tap-cloudapis", "tap-cloudapis-demo", "target-duckdb")


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
                    plugin["executable"] = str(BIN / plugin["executable"])
        (folder / "meltano.yml").write_text(yaml.safe_dump(document), "utf-8")

    def meltano(self, *args: str, **variables: str) -> str:
        """Run a command of Meltano that has to succeed, and return what it printed."""
        return meltano(self.folder, *args, **variables)


def meltano(folder: Path, *args: str, **variables: str) -> str:
    """Run a command of Meltano in a folder; it has to succeed.

    No setting of the caller's environment takes part, but those of its network do.
    """
    outside = ("MELTANO_", "TAP_", "TARGET_", "CLOUDAPIS_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(outside)}
    done = subprocess.run(
        [BIN / "meltano", *args],
        cwd=folder,
        env={**env, "MELTANO_CLI_DISABLE_VERSION_CHECK": "1", "NO_COLOR": "1", **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def definition(path: Path) -> dict[str, Any]:
    """Read a definition of the hub."""
    content: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return content

"""Another commit of this repository, in an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]


class NoCommitError(Exception):
    """There is no such commit, or not here."""


@dataclass(frozen=True)
class Commit:
    """A commit, installed as a checkout of it would be.

    Attributes:
        name: Its short hash.
        subject: The first line of its message.
        folder: Its files, with its environment.
    """

    name: str
    subject: str
    folder: Path

    @property
    def scripts(self) -> Path:
        """The folder of its commands."""
        return self.folder / ".venv" / "bin"

    def other_releases(self) -> str:
        """Say which packages its environment has in another release than this one."""
        site = next(self.folder.glob(".venv/lib/python*/site-packages"))
        here = {each.name: each.version for each in metadata.distributions()}
        there = {each.name: each.version for each in metadata.distributions(path=[str(site)])}
        return ", ".join(
            f"{name} {there[name]} for {here[name]}"
            for name in sorted(here.keys() & there.keys())
            if here[name] != there[name]
        )


def described() -> str:
    """The commit of this checkout, and whether files have changed since."""
    return _git("describe", "--always", "--exclude=*", "--dirty=, changed").decode().strip()


def installed(revision: str) -> Commit:
    """Install a commit by its own constraints, unless that was done before.

    Args:
        revision: A hash, a branch or the like, as Git knows it.

    Raises:
        NoCommitError: When Git does not know it.
    """
    told = _git("log", "-1", "--format=%H %h %s", "--end-of-options", revision, "--").decode()
    full, name, subject = told.strip().split(" ", 2)
    folder = ROOT / "benchmarks" / ".venvs" / f"commit-{full[:12]}"
    done = folder / "installed"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        subprocess.run(["tar", "-x", "-C", folder], input=_git("archive", full), check=True)
        # As here, with all groups: what could be imported is the same.
        environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(folder / ".venv")}
        environment.pop("VIRTUAL_ENV", None)
        uv = shutil.which("uv") or "uv"
        command = [uv, "sync", "--quiet", "--python", sys.executable]
        subprocess.run(command, cwd=folder, env=environment, check=True)
        done.touch()
    return Commit(name, subject, folder)


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise NoCommitError(done.stderr.decode(errors="replace").strip())
    return done.stdout

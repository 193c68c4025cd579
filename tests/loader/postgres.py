"""A PostgreSQL server of the tests' own, on loopback, in a temporary folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = "loader"
PASSWORD = "not:a@secret/of%anyone"  # noqa: S105


def binaries() -> Path | None:
    """Find the server's programs: on the path, or where Debian keeps them."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    usable = [folder for folder in folders if (folder / "initdb").exists()]
    return usable[0] if usable else None


needs_postgres = pytest.mark.skipif(
    binaries() is None, reason="no PostgreSQL server is installed here"
)


@contextmanager
def server() -> Iterator[dict[str, object]]:
    """Run a server; answer the credentials of its superuser.

    The server refuses to run as root: then it runs as `nobody`.
    """
    folder = Path(mkdtemp(prefix="loader-postgres-"))
    data, password_file = folder / "data", folder / "password"
    password_file.write_text(PASSWORD)
    as_user: list[str] = []
    if os.geteuid() == 0:
        as_user = ["runuser", "-u", "nobody", "--"]
        shutil.chown(folder, "nobody")
        shutil.chown(password_file, "nobody")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    bin_folder = binaries()
    assert bin_folder is not None

    def run(program: str, *args: str) -> None:
        subprocess.run(
            [*as_user, str(bin_folder / program), "-D", str(data), *args],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )

    try:
        run(
            *("initdb", "--username", USER, f"--pwfile={password_file}", "--no-sync"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
        )
        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} -c fsync=off"
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield {
                "host": "127.0.0.1",
                "port": port,
                "username": USER,
                "password": PASSWORD,
                "database": "postgres",
            }
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)

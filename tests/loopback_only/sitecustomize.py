"""Refuses every host but loopback: imported by each Python that has this folder in PYTHONPATH.

The refusal looks to the program like a name that is not known, or a connection that is refused;
it is noted in the file that ``LOOPBACK_ONLY_NOTES`` names. Sockets that libraries in C open by
themselves (DuckDB, PostgreSQL's client, uvloop) pass this by: tests give them no other address.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
NOTES = "LOOPBACK_ONLY_NOTES"

#: Programs that may ask whom they want: what installs packages.
INSTALLERS = {"pip", "uv"}
#: A domain that no host can have, for tests of hosts that are not there: refused and not noted.
NOBODY = ".invalid"

_LOOKUPS = {"socket.getaddrinfo", "socket.gethostbyname"}
_REVERSE_LOOKUPS = {"socket.gethostbyaddr", "socket.getnameinfo"}
_SENDINGS = {"socket.connect", "socket.sendto", "socket.sendmsg"}


def install() -> None:
    """Refuse from now on, to the end of the process."""
    sys.addaudithook(_hook)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event in _LOOKUPS or event in _REVERSE_LOOKUPS:
        host = args[0][0] if isinstance(args[0], tuple) else args[0]
    elif event in _SENDINGS and args[0].family in {socket.AF_INET, socket.AF_INET6}:
        host = args[1][0] if args[1] else None  # a socket that is connected names nobody
    else:
        return
    name = host.decode("ascii", "replace") if isinstance(host, (bytes, bytearray)) else host
    if is_loopback(name) or is_installer(sys.argv):
        return
    if event in _LOOKUPS and _address(name):
        return  # nobody is asked for what an address already says
    if not name.endswith(NOBODY):
        _note(f"{name} ({event} of {' '.join(sys.argv)[:200]})")
    message = f"the tests ask nobody but loopback, and not {name}"
    if event in _SENDINGS:
        raise ConnectionRefusedError(message)
    raise socket.gaierror(socket.EAI_NONAME, message)


def is_loopback(host: str | None) -> bool:
    """Tell whether a host's name or address is this machine's own."""
    if not host or host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    if address is None:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or address.is_unspecified or bool(mapped and mapped.is_loopback)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def is_installer(argv: list[str]) -> bool:
    """Tell from a program's arguments whether it installs packages."""
    program = Path(argv[0] if argv else "")
    name = program.parent.name if program.name == "__main__.py" else program.stem
    return name.rstrip("0123456789.") in INSTALLERS


def _note(line: str) -> None:
    if notes := os.environ.get(NOTES):
        with Path(notes).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def _import_the_next() -> None:
    """Import the module of this name that this one hides, such as that of a coverage tool."""
    path = [entry for entry in sys.path if Path(entry) != FOLDER]
    spec = PathFinder.find_spec("sitecustomize", path)
    if spec and spec.loader:
        spec.loader.exec_module(module_from_spec(spec))


if __name__ == "sitecustomize":
    install()
    _import_the_next()

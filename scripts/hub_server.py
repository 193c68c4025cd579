"""A Meltano Hub on loopback that knows the definitions in ``hub/``."""

from __future__ import annotations

import json
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Iterator

HUB = Path(__file__).parents[1] / "hub"
API = "/meltano/api/v1"

#: What the hub shows on its pages and its API leaves out.
PAGE_ONLY = {
    "definition",
    "domain_url",
    "keywords",
    "maintenance_status",
    "next_steps",
    "prereq",
    "quality",
    "settings_preamble",
    "usage",
}


def definition_files() -> list[Path]:
    """Return the definitions: ``hub/TYPE/PLUGIN/VARIANT.yml``."""
    return sorted(HUB.glob("*/*/*.yml"))


def plugin_names() -> list[str]:
    """Return the names of the plugins that have a definition."""
    return [path.parent.name for path in definition_files()]


def definition(path: Path, wheel: Path | None) -> dict[str, Any]:
    """Read a definition.

    Args:
        path: Its file.
        wheel: If given, what is installed in place of the released package.
    """
    plugin: dict[str, Any] = YAML(typ="safe").load(path)
    if wheel:
        # Without the usual spaces around @, where Meltano would split it.
        plugin["pip_url"] += f"@{wheel.resolve().as_uri()}"
    return plugin


def answers(root: str, wheel: Path | None) -> dict[str, Any]:
    """Return all that the hub's API answers, by path.

    Args:
        root: The API's base URL.
        wheel: If given, what is installed in place of the released package.
    """
    found: dict[str, Any] = {}
    for path in definition_files():
        plugin = definition(path, wheel)
        name, variant, kind = plugin["name"], plugin["variant"], path.parts[-3]
        ref = f"/plugins/{kind}/{name}--{variant}"
        found[API + ref] = {key: plugin[key] for key in plugin if key not in PAGE_ONLY}
        index = found.setdefault(f"{API}/plugins/{kind}/index", {})
        entry = index.setdefault(name, {"default_variant": variant, "variants": {}})
        entry["logo_url"] = plugin.get("logo_url")
        entry["variants"][variant] = {"ref": root + ref}
    return found


@contextmanager
def running(port: int = 0, wheel: Path | None = None) -> Iterator[str]:
    """Serve the definitions while the context lasts.

    Args:
        port: Where on 127.0.0.1; 0 for a free port.
        wheel: If given, what is installed in place of the released package.

    Yields:
        The value for ``MELTANO_HUB_API_ROOT``.
    """
    server = _Server(("127.0.0.1", port), _Handler)
    root = f"http://127.0.0.1:{server.server_port}{API}"
    server.answers = answers(root, wheel)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield root
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    answers: dict[str, Any]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        answer = self.server.answers.get(self.path)
        body = json.dumps(answer or {"error": "not found"}).encode()
        self.send_response(HTTPStatus.OK if answer else HTTPStatus.NOT_FOUND)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep quiet: Meltano logs what it fetches."""

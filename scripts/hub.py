"""The plugins as Meltano and Meltano Hub know them, from what ``--about`` says.

``hub.py generate`` (or no command) writes capabilities, settings, supported Pythons and what is
selected by default into the definitions in ``hub/`` and into ``meltano.yml``, the tables of
settings into the README, and those of streams into ``docs/streams.md``; all else in these files is
written by hand and stays. ``--check`` only tells whether they are up to date. ``hub.py serve``
serves the definitions as Meltano Hub would, and ``hub.py prove`` takes the way a user takes, from
``meltano add`` on; with ``--newest``, on the newest packages.
"""

from __future__ import annotations

import argparse
import difflib
import io
import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

import hub_proof
import hub_server
import stream_tables

ROOT = Path(__file__).parents[1]
PROJECT = ROOT / "meltano.yml"
README = ROOT / "README.md"

#: The SDK's own settings, told in the words of someone who wants to use them.
BUILT_IN = {
    "stream_maps": (
        "Rename, filter, compute, hash or remove streams and their properties on the way out. "
        "See https://sdk.meltano.com/en/latest/stream_maps.html."
    ),
    "stream_map_config": "Values that the expressions in stream_maps can use, as `config`.",
    "faker_config": (
        "Seed and locale of `fake` in the expressions of stream_maps. Needs the package faker "
        "in the plugin's environment."
    ),
    "flattening_enabled": (
        "Turn nested objects into properties of their own. Needs flattening_max_depth."
    ),
    "flattening_max_depth": "How many levels of nested objects to flatten.",
    "flattening_max_key_length": (
        "Longest name of a flattened property; names of the outer levels are shortened to fit."
    ),
    "flattening_separator": "What joins the names of the levels. Default: two underscores.",
}


def main() -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    commands = ("generate", "serve", "prove")
    parser.add_argument("command", nargs="?", choices=commands, default="generate")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if outdated")
    parser.add_argument("--port", type=int, default=0, help="of serve (default: a free one)")
    parser.add_argument("--wheel", type=Path, help="what serve lets Meltano install")
    parser.add_argument("--newest", action="store_true", help="prove: not with the releases here")
    args = parser.parse_args()
    if args.command == "serve":
        return serve(args.port, args.wheel)
    if args.command == "prove":
        return hub_proof.prove(newest=args.newest)
    return generate(check=args.check)


def generate(*, check: bool) -> int:
    """Bring all files up to date, or only look.

    Args:
        check: Whether to leave the files as they are.

    Returns:
        1 if a file was looked at and found outdated, else 0.
    """
    outdated = 0
    abouts = {name: about(name) for name in hub_server.plugin_names()}
    abouts["tap-cloudapis"]["select"] = stream_tables.selection()
    renew = {README: with_settings_tables, stream_tables.DOCUMENT: stream_tables.with_tables}
    for path in [*hub_server.definition_files(), PROJECT, *renew]:
        old = path.read_text("utf-8")
        new = renew[path](old) if path in renew else updated(old, abouts)
        if new == old:
            continue
        outdated = 1
        if check:
            name = str(path.relative_to(ROOT))
            lines = difflib.unified_diff(
                old.splitlines(), new.splitlines(), name, "as the code says", lineterm="", n=1
            )
            print(*lines, sep="\n")
        else:
            path.write_text(new, "utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    if check and outdated:
        print("Run scripts/hub.py to bring the files up to date.", file=sys.stderr)
    return outdated if check else 0


def about(plugin: str) -> dict[str, Any]:
    """Ask the executable of a plugin for its ``--about`` document."""
    command = [str(Path(sys.executable).parent / plugin), "--about", "--format=json"]
    answer: dict[str, Any] = json.loads(subprocess.check_output(command))
    return answer


def with_settings_tables(text: str) -> str:
    """Return a document with the table of settings of each plugin it names, as ``--about`` has it.

    Args:
        text: Markdown; ``<!-- settings of PLUGIN -->`` begins a table, a like comment with
            ``end`` before ``of`` ends it.
    """

    def table(match: re.Match[str]) -> str:
        command = [str(Path(sys.executable).parent / match[2]), "--about", "--format=markdown"]
        told = subprocess.check_output(command, text=True)
        rows = "\n".join(line for line in told.splitlines() if line.startswith("|"))
        return f"{match[1]}\n\n{rows}\n\n{match[3]}"

    return re.sub(
        r"(<!-- settings of (\S+) -->).*?(<!-- settings end of \2 -->)",
        table,
        text,
        flags=re.DOTALL,
    )


def updated(text: str, abouts: dict[str, dict[str, Any]]) -> str:
    """Return a definition, or a ``meltano.yml``, with what the plugins say about themselves.

    Args:
        text: The file's YAML. Its comments, order and style are kept.
        abouts: The ``--about`` document of each plugin, by name; that of a tap with ``select``.
    """
    yaml = YAML()
    # No line is wrapped, as Meltano wraps none: it writes its file anew with every change.
    yaml.width = sys.maxsize
    document = yaml.load(text)
    plugins = [document]
    if "plugins" in document:
        plugins = [plugin for kind in document["plugins"].values() for plugin in kind]
    for plugin in plugins:
        if plugin["name"] in abouts:
            _update(plugin, abouts[plugin["name"]])
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def _update(plugin: dict[str, Any], about: dict[str, Any]) -> None:
    facts = {
        "description": about["description"],
        "supported_python_versions": about["supported_python_versions"],
        "capabilities": sorted(about["capabilities"]),
        "settings": [
            setting(name, schema) for name, schema in about["settings"]["properties"].items()
        ],
    }
    if "select" in about:
        facts["select"] = about["select"]
    for key in facts.keys() & plugin.keys():
        if plugin[key] != facts[key]:
            plugin[key] = facts[key]


def setting(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Translate one property of a plugin's JSON schema into a setting of Meltano.

    Args:
        name: The property's name.
        schema: Its schema, as ``--about`` prints it.

    Returns:
        The setting, as the hub's ``base_setting`` schema describes it, in Meltano's order.
    """
    definition: dict[str, Any] = {"name": name, "kind": kind(schema)}
    if "default" in schema:
        definition["value"] = schema["default"]
    definition["label"] = schema["title"]
    definition["description"] = BUILT_IN.get(name, schema["description"])
    if "enum" in schema:
        definition["options"] = [
            {"label": value.capitalize(), "value": value} for value in schema["enum"]
        ]
    if schema.get("secret"):
        definition["sensitive"] = True
    return definition


def kind(schema: dict[str, Any]) -> str:
    """Return Meltano's kind of a setting."""
    if "enum" in schema:
        return "options"
    if schema.get("format") == "date-time":
        return "date_iso8601"
    (json_type,) = set(schema["type"]) - {"null"}
    return str(json_type)


def serve(port: int, wheel: Path | None) -> int:
    """Serve the definitions on loopback until interrupted.

    Args:
        port: Where; 0 for a free port.
        wheel: What the definitions let Meltano install, in place of the released package.
    """
    with hub_server.running(port, wheel) as root:
        print(f"export MELTANO_HUB_API_ROOT={root}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())

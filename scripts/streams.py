"""A page for each stream in ``docs/streams/``, from the catalog and from what streams declare.

``streams.py`` writes the pages, and removes those of streams that are no more; ``--check`` only
tells whether they are up to date.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import stream_tables
from tap_cloudapis.tap import TapCloudAPIs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_cloudapis.core.stream import CloudStream

FOLDER = Path(__file__).parents[1] / "docs/streams"


def main() -> int:
    """Run the command line and return the exit code: 1 if a page was found outdated."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if outdated")
    check = parser.parse_args().check
    pages = {f"{name}.md": text for name, text in all_pages().items()}
    there = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.md")}
    outdated = sorted(n for n in pages.keys() | there.keys() if pages.get(n) != there.get(n))
    for name in outdated:
        if check:
            print(f"docs/streams/{name} is outdated; run scripts/streams.py", file=sys.stderr)
        elif name in pages:
            FOLDER.mkdir(exist_ok=True)
            (FOLDER / name).write_text(pages[name], "utf-8")
            print(f"wrote docs/streams/{name}")
        else:
            (FOLDER / name).unlink()
            print(f"removed docs/streams/{name}")
    return int(check and bool(outdated))


def all_pages() -> dict[str, str]:
    """The page of each stream in the catalog, by the stream's name."""
    tap = TapCloudAPIs(config={})
    return {
        entry["stream"]: page(tap.streams[entry["stream"]], entry)
        for entry in tap.catalog_dict["streams"]
    }


def page(stream: Any, entry: Mapping[str, Any]) -> str:
    """The page of a stream.

    Args:
        stream: The stream.
        entry: What the catalog has of it.
    """
    sections = [
        f"# {stream.name}",
        _words(stream),
        "\n".join(_facts(stream)),
        "## Columns",
        "\n".join(_columns(entry)),
    ]
    if entry["references"]:
        sections += ["## References", "\n".join(_references(entry["references"]))]
    sections.append("Made from the catalog by `scripts/streams.py`.")
    return "\n\n".join(sections) + "\n"


def _words(stream: CloudStream) -> str:
    """What the stream says of itself, in plain Markdown."""
    text = (type(stream).__doc__ or "").replace("``", "`").split("\n\n")[0]
    return " ".join(text.split())


def _facts(stream: CloudStream) -> Iterator[str]:
    names, row = stream_tables.COLUMNS, stream_tables.row_of(stream, pages="")
    yield "| | |"
    yield "| :-- | :-- |"
    for name, value in list(zip(names, row, strict=True))[1:]:
        yield f"| {name} | {value or 'none'} |"


def _columns(entry: Mapping[str, Any]) -> Iterator[str]:
    left_out = {
        meta["breadcrumb"][1]
        for meta in entry["metadata"]
        if meta["breadcrumb"][:1] == ["properties"]
        if meta["metadata"].get("selected-by-default") is False
    }
    yield "| Column | Type | What it is |"
    yield "| :-- | :-- | :-- |"
    for name, definition in entry["schema"]["properties"].items():
        text = definition["description"].replace("|", "\\|")
        more = " Not selected by default." if name in left_out else ""
        yield f"| `{name}` | {type_of(definition)} | {text}{more} |"


def type_of(definition: Mapping[str, Any]) -> str:
    """The type of a column in a word or two."""
    if definition.get("format") == "date-time":
        return "timestamp"
    types = [definition["type"]] if isinstance(definition["type"], str) else definition["type"]
    told = " or ".join(kind for kind in types if kind != "null")
    return f"array of {type_of(definition['items'])}" if told == "array" else told


def _references(references: list[dict[str, Any]]) -> Iterator[str]:
    yield (
        "Where the row may be missing, because it was deleted, is older than what is kept, or is "
        "of another account, the reference is weak."
    )
    yield ""
    yield "| Columns | Refer to | Weak |"
    yield "| :-- | :-- | :-- |"
    for reference in references:
        stream = reference["stream"]
        to = ", ".join(f"`{name}`" for name in reference["to"])
        own = ", ".join(f"`{name}`" for name in reference["columns"])
        yield f"| {own} | [`{stream}`]({stream}.md) {to} | {'yes' if reference['weak'] else ''} |"


if __name__ == "__main__":
    sys.exit(main())

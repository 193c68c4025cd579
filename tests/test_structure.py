"""How the packages hang together: who may import whom, and how long a file may get.

Imports are read from the text of the modules, those for types and those inside functions among
them.
"""

from __future__ import annotations

import ast
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tap_cloudapis
from tap_cloudapis.tap import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROOT = Path(tap_cloudapis.__file__).parent.parent
PACKAGES = ("tap_cloudapis", "target_dlt", "cloudapis_simulator", "cloudapis_report")
#: The packages within which no module may lead back to itself.
WITHOUT_CIRCLES = PACKAGES

#: The modules of the tap above its services: none of them may be known below.
ABOVE = tuple(
    f"tap_cloudapis.{name}"
    for name in (
        "tap",
        "settings",
        "command_line",
        "cli",
        "check",
        "check_table",
        "demo",
        "environment",
    )
)
#: The folders of the tap that make a service.
FOLDERS = tuple(
    f"tap_cloudapis.{path.parent.name}"
    for path in sorted((ROOT / "tap_cloudapis").glob("*/__init__.py"))
    if "Service(" in path.read_text("utf-8")
)

#: Who must not import whom, as patterns of modules; a module may always import its own package.
FORBIDDEN: list[tuple[str, tuple[str, ...]]] = [
    ("tap_cloudapis.core*", (*ABOVE, *(f"{folder}*" for folder in FOLDERS))),
    *(
        (f"{folder}*", (*ABOVE, *(f"{other}*" for other in FOLDERS if other != folder)))
        for folder in FOLDERS
    ),
    *(
        (f"{package}*", tuple(f"{other}*" for other in PACKAGES if other != package))
        for package in PACKAGES
    ),
    # Of a service, the tap knows the object alone.
    *((module, tuple(f"{folder}.*" for folder in FOLDERS)) for module in ABOVE),
]

#: The tap needs neither dlt nor pyarrow: of it, nothing knows the dlt source.
FORBIDDEN += [
    (module, ("tap_cloudapis.dlt*",))
    for module in ("tap_cloudapis.core*", *ABOVE, *(f"{folder}*" for folder in FOLDERS))
]

#: The rooms of the loader, and what stands above all of them.
LOADER_TOP = tuple(f"target_dlt.{name}" for name in ("load", "target", "settings", "cli"))
_ROOMS = ("messages", "rows", "shaping", "engines", "dlt_internals")
MESSAGES, ROWS, SHAPING, ENGINES, DLT = (f"target_dlt.{room}*" for room in _ROOMS)
FORBIDDEN += [
    (MESSAGES, (ROWS, SHAPING, ENGINES, DLT, *LOADER_TOP)),
    (ROWS, (SHAPING, ENGINES, DLT, *LOADER_TOP)),
    (DLT, (ROWS, SHAPING, ENGINES, *LOADER_TOP)),
    (SHAPING, (ENGINES, *LOADER_TOP)),
    (ENGINES, (SHAPING, *LOADER_TOP)),
    # What all rooms share is in none of them, and knows none.
    *((f"target_dlt.{name}", ("target_dlt.*.*",)) for name in ("decoding", "errors", "names")),
]

MOST_LINES = 400
MOST_LINES_OF_A_CLASS = 250

Imports = dict[str, set[str]]


# The walk


def modules_of(package: Path) -> dict[str, Path]:
    """The modules of a package by name; a package has the name of its folder."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(modules: Mapping[str, Path]) -> Imports:
    """Which of the modules each of them imports; a package is not imported by its submodule."""
    return {
        module: set(_imported(module, path, modules)) - {module} for module, path in modules.items()
    }


def _imported(module: str, path: Path, modules: Mapping[str, Path]) -> Iterator[str]:
    for name in _named(module, path):
        # ``package.submodule`` or, for want of that, a name within ``package``.
        for candidate in (name, name.rpartition(".")[0]):
            if candidate in modules:
                yield candidate
                break


def _named(module: str, path: Path) -> Iterator[str]:
    """Every name that a module imports, with the module it comes from."""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def circle(imports: Imports) -> list[str]:
    """A way along the imports that comes back to where it began; empty where there is none."""
    done: set[str] = set()

    def follow(way: list[str]) -> list[str]:
        for target in sorted(imports[way[-1]]):
            if target in way:
                return [*way[way.index(target) :], target]
            if target not in done and (found := follow([*way, target])):
                return found
        done.add(way[-1])
        return []

    for module in sorted(imports):
        if module not in done and (found := follow([module])):
            return found
    return []


def breaches(imports: Imports, forbidden: Iterable[tuple[str, Iterable[str]]]) -> list[str]:
    """The imports that a rule forbids, each as ``who -> whom``."""
    return sorted(
        {
            f"{module} -> {target}"
            for pattern, targets in forbidden
            for module in imports
            if fnmatchcase(module, pattern)
            for target in imports[module]
            if any(fnmatchcase(target, each) for each in targets)
        }
    )


def names_taken(path: Path, package: str) -> set[str]:
    """The names that a module imports from a package, or from anywhere in it."""
    found = _named("", path)
    return {
        name.removeprefix(f"{package}.") for name in found if f"{name}.".startswith(f"{package}.")
    }


def too_long(paths: Iterable[Path], most: int, most_of_a_class: int) -> list[str]:
    """The files and the classes with more lines than they may have."""
    found = []
    for path in paths:
        text = path.read_text("utf-8")
        if (lines := len(text.splitlines())) > most:
            found.append(f"{path.name}: {lines}")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > most_of_a_class:
                    found.append(f"{path.name}, {node.name}: {lines}")
    return found


# The rules


@pytest.fixture(scope="module")
def modules() -> dict[str, Path]:
    return {name: path for each in PACKAGES for name, path in modules_of(ROOT / each).items()}


@pytest.fixture(scope="module")
def imports(modules: dict[str, Path]) -> Imports:
    return imports_of(modules)


def test_the_walk_sees_the_house(imports: Imports) -> None:
    assert len(imports) > 80
    assert FOLDERS == ("tap_cloudapis.dbt", "tap_cloudapis.pulumi")
    assert set(ABOVE) <= imports.keys()
    # For types; in a function; of a package; through a package to its submodule.
    assert "tap_cloudapis.core.connection" in imports["tap_cloudapis.core.ports"]
    assert "tap_cloudapis.core.checkable" in imports["tap_cloudapis.core.stream"]
    assert set(FOLDERS) <= imports["tap_cloudapis.tap"]
    assert "tap_cloudapis.core" not in imports["tap_cloudapis.tap"]


@pytest.mark.parametrize("package", WITHOUT_CIRCLES)
def test_no_import_leads_back_to_where_it_began(package: str, modules: dict[str, Path]) -> None:
    own = {name: path for name, path in modules.items() if name.split(".")[0] == package}
    assert circle(imports_of(own)) == []


def test_nobody_imports_whom_they_must_not_know(imports: Imports) -> None:
    assert breaches(imports, FORBIDDEN) == []


def test_of_a_service_the_tap_knows_the_object_alone(modules: dict[str, Path]) -> None:
    assert len(SERVICES) == len(FOLDERS)
    objects = {folder: __import__(folder, fromlist=["_"]) for folder in FOLDERS}
    for folder, package in objects.items():
        (name,) = names_taken(modules["tap_cloudapis.tap"], folder)
        assert getattr(package, name) in SERVICES


def test_files_and_classes_fit_a_readers_head(modules: dict[str, Path]) -> None:
    assert not too_long(modules.values(), MOST_LINES, MOST_LINES)
    own = [path for name, path in modules.items() if name.startswith("tap_cloudapis")]
    assert not too_long(own, MOST_LINES, MOST_LINES_OF_A_CLASS)


# The walk itself, on small trees


def tree(folder: Path, files: Mapping[str, str]) -> Imports:
    """Write a package ``house`` and read its imports."""
    for name, text in {"__init__.py": "", **files}.items():
        path = folder / "house" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return imports_of(modules_of(folder / "house"))


@pytest.mark.parametrize(
    "text",
    [
        "import house.b",
        "import house.b as b",
        "from house import b",
        "from house.b import name",
        "from house.b import *",
        "from . import b",
        "from .b import name",
        "import os, house.b",
        "def f():\n    from house.b import name",
        "class C:\n    def f(self):\n        import house.b",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.b import name",
        "try:\n    import house.b\nexcept ImportError:\n    pass",
    ],
)
def test_an_import_is_seen_however_it_is_written(text: str, tmp_path: Path) -> None:
    files = {"a.py": text, "b.py": "from house.a import name"}
    assert tree(tmp_path, files) == {
        "house": set(),
        "house.a": {"house.b"},
        "house.b": {"house.a"},
    }
    assert circle(tree(tmp_path, files)) == ["house.a", "house.b", "house.a"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a.py": "import house.b", "b.py": "import os"}, []),
        # A diamond is no circle.
        (
            {
                "a.py": "from house import b, c",
                "b.py": "import house.d",
                "c.py": "import house.d",
                "d.py": "",
            },
            [],
        ),
        (
            {"a.py": "import house.b", "b.py": "import house.c", "c.py": "from .b import x"},
            ["house.b", "house.c", "house.b"],
        ),
        # To import a submodule is not to import what its package makes of it.
        ({"wing/__init__.py": "from house.wing.a import x", "wing/a.py": "from . import b"}, []),
        (
            {"wing/__init__.py": "from .a import x", "wing/a.py": "from house.wing import y"},
            ["house.wing", "house.wing.a", "house.wing"],
        ),
        (
            {"wing/__init__.py": "from .a import x", "wing/a.py": "from .. import wing"},
            ["house.wing", "house.wing.a", "house.wing"],
        ),
    ],
)
def test_circles(files: dict[str, str], expected: list[str], tmp_path: Path) -> None:
    if "from . import b" in files.get("wing/a.py", ""):
        files = {**files, "wing/b.py": ""}
    assert circle(tree(tmp_path, files)) == expected


@pytest.mark.parametrize(
    ("who", "text", "breach"),
    [
        ("core/a.py", "from house.core import b", None),
        ("core/a.py", "from house.red import RED", "house.core.a -> house.red"),
        ("core/a.py", "from house.red.rows import x", "house.core.a -> house.red.rows"),
        ("core/__init__.py", "import house.tap", "house.core -> house.tap"),
        ("red/rows.py", "from house.core.b import x", None),
        ("red/rows.py", "def f():\n    from house import blue", "house.red.rows -> house.blue"),
        ("red/__init__.py", "from ..tap import x", "house.red -> house.tap"),
        ("tap.py", "from house.red import RED", None),
        ("tap.py", "from house.red.rows import x", "house.tap -> house.red.rows"),
        ("tap.py", "from house.red import rows", "house.tap -> house.red.rows"),
    ],
)
def test_breaches(who: str, text: str, breach: str | None, tmp_path: Path) -> None:
    empty = [
        *("core/__init__.py", "core/b.py", "red/__init__.py", "red/rows.py"),
        *("blue/__init__.py", "tap.py"),
    ]
    imports = tree(tmp_path, {**dict.fromkeys(empty, ""), who: text})
    forbidden = [
        ("house.core*", ("house.tap", "house.red*", "house.blue*")),
        ("house.red*", ("house.tap", "house.blue*")),
        ("house.tap", ("house.red.*",)),
    ]
    assert breaches(imports, forbidden) == ([breach] if breach else [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from house.red import RED", {"RED"}),
        ("from house.red import RED, rows", {"RED", "rows"}),
        ("from house.red.rows import x", {"rows.x"}),
        ("import house.red", {"house.red"}),
        ("from house.redder import x", set()),
        ("import house", set()),
    ],
)
def test_names_that_are_taken(text: str, expected: set[str], tmp_path: Path) -> None:
    path = tmp_path / "tap.py"
    path.write_text(text)
    assert names_taken(path, "house.red") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1\n" * 10, []),
        ("a = 1\n" * 11, ["room.py: 11"]),
        ("class C:\n" + "    a = 1\n" * 4, []),
        ("class C:\n" + "    a = 1\n" * 5, ["room.py, C: 6"]),
        ("def f():\n    class D:\n" + "        a = 1\n" * 5, ["room.py, D: 6"]),
    ],
)
def test_too_long(text: str, expected: list[str], tmp_path: Path) -> None:
    path = tmp_path / "room.py"
    path.write_text(text)
    assert too_long([path], 10, 5) == expected

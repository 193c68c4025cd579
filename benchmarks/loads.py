"""Loading into DuckDB: against target-duckdb of jwills, against read_json, and the memory."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.loader import records
from benchmarks.measuring import Command, Cost, Output, measure, medians, pairwise
from benchmarks.peers import SCRIPTS, TARGET_DUCKDB, TARGET_DUCKDB_SAME
from benchmarks.report import Section

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.bench import Bench

OURS = "target-duckdb of this repository"
_LOADER = Path(__file__).parent / "loader"
#: As the console script imports, and ends.
_IMPORTS = """
import gc, os
gc.set_threshold(100_000)
import target_dlt.target, target_dlt.engines.duckdb
os._exit(0)
"""
_SQL_TYPES = {"integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "string": "VARCHAR"}


def into_duckdb(bench: Bench) -> Section:
    """Wide records, a tenth of them again, small records, and 100: CPU seconds and every cell."""
    section = Section(
        "loads",
        "Messages from a file into a new DuckDB file; CPU seconds of the whole process, imports "
        "included. A wide record has 62 fields and 2.9 kB, a small one ten fields. The tenth "
        "that is loaded again is 8 % changed and 2 % new records, and goes onto a copy of the "
        "first load. The peer is taken as pip resolves it, and with the DuckDB that this loader "
        "uses. After the last run, every cell is compared with the messages. `read_json` inserts "
        "bare records with given types in one statement.",
    )
    peers = {
        peer.title: peer.executable("target-duckdb").parent
        for peer in (TARGET_DUCKDB_SAME, TARGET_DUCKDB)
    }
    with TemporaryDirectory() as name:
        loads = Loads(section, bench.repeat, Path(name), {OURS: SCRIPTS, **peers})
        aims = (
            ("a sixth, 0.167", "2.3x"),
            ("two sevenths, 0.286", None),
            ("two ninths, 0.222", "4x"),
        )
        for (what, files), (aim, limit) in zip(
            loads.generate_all(bench).items(), aims, strict=True
        ):
            loads.compare(what, files, aim)
            if limit:
                loads.against_read_json(what, files[-1], limit)
        loads.few()
    return section


def load_memory(bench: Bench) -> Section:
    """Peak memory for a million wide records."""
    section = Section("load-memory", "One run, messages from a file into a new DuckDB file.")
    with TemporaryDirectory() as name:
        loads = Loads(section, 1, Path(name), {OURS: SCRIPTS})
        count = bench.size(1_000_000)
        cost = loads.run(OURS, loads.generate(count))
        size = loads.database.stat().st_size / 1e6
    result = f"{cost.peak_mb:.0f} MB at the peak (aim: 1,000 MB); the file has {size:.0f} MB"
    section.add(f"{count:,} wide", OURS, cost, None, result)
    return section


class Loads:
    """Loads of one section, into one file that is made anew for each.

    Args:
        section: Takes the results.
        repeat: How often each load runs.
        folder: For messages, settings and the file.
        ways: The folder of commands of each loader, by its name.
    """

    def __init__(
        self, section: Section, repeat: int, folder: Path, ways: Mapping[str, Path]
    ) -> None:
        self._section = section
        self._repeat = repeat
        self._folder = folder
        self._ways = ways
        self.database = folder / "loaded.duckdb"
        self._config = folder / "config.json"
        self._config.write_text(
            json.dumps({"path": str(self.database), "default_target_schema": "main"})
        )

    def generate(self, count: int, *options: str) -> Path:
        """Write messages into a file."""
        file = self._folder / f"{count}{''.join(options)}.singer"
        with file.open("wb") as out:
            script = str(_LOADER / "records.py")
            subprocess.run([sys.executable, script, str(count), *options], stdout=out, check=True)
        return file

    def generate_all(self, bench: Bench) -> dict[str, list[Path]]:
        """Write the messages of each case: the last file is measured, onto those before it."""
        count, many = bench.size(200_000), bench.size(1_000_000)
        tenth = count // 10
        wide = self.generate(count)
        again = self.generate(tenth, "--first", str(count - tenth * 8 // 10), "--seed=2")
        return {
            f"{count:,} wide": [wide],
            f"{tenth:,} wide again": [wide, again],
            f"{many:,} small": [self.generate(many, "--small")],
        }

    def run(self, who: str, file: Path, base: Path | None = None) -> Cost:
        """Load a file of messages into a new file, or onto a copy of another."""
        self.database.unlink(missing_ok=True)
        if base is not None:
            shutil.copy(base, self.database)
        command = [str(self._ways[who] / "target-duckdb"), "--config", str(self._config)]
        return measure(Command(command), stdin=file)

    def compare(self, what: str, files: Sequence[Path], aim: str) -> None:
        """Measure the load of the last file, onto what those before it made, by each loader."""
        runs, checks = self.in_turn(files)
        figures = {who: medians(costs) for who, costs in runs.items()}
        for who, cost in figures.items():
            share = f"; {OURS} takes {figures[OURS].cpu / cost.cpu:.3f} of it (aim: {aim})"
            self._add(what, who, cost, files[-1], checks[who] + ("" if who == OURS else share))

    def compare_in_pairs(self, what: str, files: Sequence[Path]) -> None:
        """Measure the same, by two loaders; each pair of loads makes a ratio."""
        runs, checks = self.in_turn(files)
        results = [pairwise(*runs.values()), ""]
        for (who, costs), result in zip(runs.items(), results, strict=True):
            told = "; ".join(filter(None, [result, checks[who]]))
            self._add(what, who, medians(costs), files[-1], told)

    def in_turn(self, files: Sequence[Path]) -> tuple[dict[str, list[Cost]], dict[str, str]]:
        """Load the last file, onto what those before it made, several times by each loader in turn.

        Returns:
            What each load of each loader cost, and what its last one did not load as it was sent.
        """
        *before, file = files
        bases: dict[str, Path | None] = dict.fromkeys(self._ways)
        for number, who in enumerate(self._ways):
            for earlier in before:
                self.run(who, earlier, bases[who])
                bases[who] = Path(shutil.copy(self.database, self._folder / f"{number}.base"))
        runs: dict[str, list[Cost]] = {who: [] for who in self._ways}
        checks = {}
        for _ in range(self._repeat):
            for who, costs in runs.items():
                costs.append(self.run(who, file, bases[who]))
                if len(costs) == self._repeat:
                    checks[who] = self._check(who, files)
        return runs, checks

    def against_read_json(self, what: str, file: Path, aim: str) -> None:
        """Measure the load of a file against the insert of its records."""
        bare = self._folder / "bare.jsonl"
        names: list[str] = []
        with file.open("rb") as lines, bare.open("wb") as out:
            for message in map(json.loads, lines):
                if message["type"] == "RECORD":
                    names = list(message["record"])
                    text = json.dumps(message["record"], ensure_ascii=False)
                    out.write(text.encode() + b"\n")
        types = json.dumps({name: _column_type(records.properties()[name]) for name in names})
        script = str(_LOADER / "read_json.py")
        limit = Command([sys.executable, script, str(self.database), str(bare), types])
        runs: dict[str, list[Cost]] = {OURS: [], "read_json": []}
        for _ in range(self._repeat):
            runs[OURS].append(self.run(OURS, file))
            self.database.unlink()
            runs["read_json"].append(measure(limit))
        own, other = medians(runs[OURS]), medians(runs["read_json"])
        result = f"{OURS} takes {own.cpu / other.cpu:.2f}x (aim: {aim})"
        self._add(what, "read_json, no checks", other, bare, result)

    def few(self) -> None:
        """Measure 100 records, beyond what importing costs."""
        file = self.generate(100)
        imports = Command([sys.executable, "-c", _IMPORTS])
        runs = [(self.run(OURS, file), measure(imports)) for _ in range(max(3, self._repeat))]
        own, other = (medians(costs) for costs in zip(*runs, strict=True))
        result = f"{own.cpu - other.cpu:.2f} s beyond the imports (aim: 1 s)"
        self._add("100 wide", OURS, own, file, result)
        self._section.add("100 wide", "its imports", other, None)

    def _add(self, what: str, who: str, cost: Cost, file: Path, result: str) -> None:
        self._section.add(what, who, cost, Output(size=file.stat().st_size), result)

    def _check(self, who: str, files: Sequence[Path]) -> str:
        """Say what differs from the messages."""
        check = [str(self._ways[who] / "python"), str(_LOADER / "check.py"), str(self.database)]
        done = subprocess.run([*check, *map(str, files)], check=True, capture_output=True)
        found = json.loads(done.stdout)
        return "; ".join(f"{each:,} {what}" for what, each in found.items() if each) or "all equal"


def _column_type(definition: Mapping[str, Any]) -> str:
    """The DuckDB type of a property of the benchmark's records."""
    if definition.get("format") == "date-time":
        return "TIMESTAMPTZ"
    types = definition["type"]
    return _SQL_TYPES.get(types if isinstance(types, str) else types[-1], "JSON")

"""What becomes of the files of BATCH messages: ours go once they are loaded, others' stay."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from target_dlt.errors import LoaderError
from target_dlt.messages.batch_files import MARKER
from tests.loader.support import (
    ENGINES,
    INTEGER,
    SCRIPT,
    STRING,
    load,
    query,
    run,
    schema,
    started,
    state,
)

if TYPE_CHECKING:
    from pathlib import Path

T = schema("t", {"id": INTEGER, "s": STRING}, ["id"])
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def batch(*files: Path | str, **more: Any) -> str:
    manifest = [file if isinstance(file, str) else f"file://{file}" for file in files]
    encoding = {"format": "jsonl", "compression": "none"}
    return json.dumps(
        {"type": "BATCH", "stream": "t", "encoding": encoding, "manifest": manifest, **more}
    )


def folder_of(path: Path, count: int, *, marked: bool = True) -> list[Path]:
    """A folder with files of one record each."""
    path.mkdir()
    if marked:
        (path / MARKER).touch()
    files = [path / f"{number}.jsonl" for number in range(count)]
    for number, file in enumerate(files):
        file.write_text(json.dumps({"id": number, "s": "ü"}) + "\n")
        os.utime(file, (AT.timestamp(), AT.timestamp()))
    return files


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("removed", "marked", "stay"),
    [
        (None, True, False),
        (None, False, True),
        ("all", True, False),
        ("all", False, False),
        ("none", True, True),
        ("none", False, True),
    ],
)
def test_which_files_stay(
    tmp_path: Path, removed: str | None, marked: bool, stay: bool, engine: str
) -> None:
    files = folder_of(tmp_path / "files", 3, marked=marked)
    config: dict[str, Any] = {"remove_batch_files": removed} if removed else {}
    messages = [T, batch(files[0]), state(1), batch(*files[1:]), state(2)]
    load(
        tmp_path / "db.duckdb",
        messages,
        engine=engine,
        default_target_schema="raw",
        batch_size_rows=1,
        **config,
    )
    assert query(tmp_path / "db.duckdb", "SELECT id, s FROM raw.t ORDER BY id") == [
        (number, "ü") for number in range(3)
    ]
    assert [file.exists() for file in files] == [stay] * 3
    # A folder of others stays, empty or not.
    assert files[0].parent.exists() == (stay or not marked)


def test_what_is_not_loaded_stays(tmp_path: Path) -> None:
    """Files of what is committed go at once, others only after their own commit."""
    path, files = tmp_path / "db.duckdb", folder_of(tmp_path / "files", 3)
    bad = files[2]
    bad.write_text('{"id": 2')
    messages = [T, batch(files[0]), state(1), batch(files[1]), batch(bad), state(2)]
    with pytest.raises(LoaderError, match=r"line 5: BATCH file .*2\.jsonl: line 1"):
        load(path, messages, batch_size_rows=1)
    assert [file.exists() for file in files] == [False, True, True]
    assert query(path, "SELECT id FROM t") == [(0,)]
    bad.write_text('{"id": 2}')
    load(path, [T, *messages[3:]], batch_size_rows=1)
    assert query(path, "SELECT id FROM t ORDER BY id") == [(0,), (1,), (2,)]
    assert not bad.parent.exists()


def test_files_are_read_and_removed_while_the_tap_goes_on(tmp_path: Path) -> None:
    path, files = tmp_path / "db.duckdb", folder_of(tmp_path / "files", 2)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"path": str(path), "batch_size_rows": 1}))
    with started(SCRIPT, config, [T, batch(files[0]), state(1)]) as (process, stdout, _):
        assert json.loads(stdout.readline()) == 1
        while files[0].exists():
            assert process.poll() is None
        assert files[1].exists()
        assert process.stdin is not None
        process.stdin.write(f"{batch(files[1])}\n{state(2)}\n")
        process.stdin.close()
        assert json.loads(stdout.readline()) == 2
        assert process.wait(timeout=60) == 0
    assert not files[0].parent.exists()


def test_a_marked_folder_keeps_what_no_message_names(tmp_path: Path) -> None:
    files = folder_of(tmp_path / "files", 2)
    load(tmp_path / "db.duckdb", [T, batch(files[0])])
    assert {*files[0].parent.iterdir()} == {files[1], files[0].parent / MARKER}


@pytest.mark.parametrize(("marked", "expected"), [(True, AT), (False, None)])
def test_the_time_of_a_marked_file_is_when_its_records_were_extracted(
    tmp_path: Path, marked: bool, expected: datetime | None
) -> None:
    path, files = tmp_path / "db.duckdb", folder_of(tmp_path / "files", 1, marked=marked)
    load(path, [T, batch(files[0], version=7)], add_record_metadata=True)
    columns = "id, _sdc_extracted_at, _sdc_table_version"
    ((key, extracted, version),) = query(path, f"SELECT {columns} FROM t")  # noqa: S608
    assert (key, version) == (0, 7)
    assert extracted is None if expected is None else abs(extracted - expected).total_seconds() < 1


def test_addresses_as_the_sdk_spells_them(tmp_path: Path) -> None:
    """It encodes those below a folder that is given as a path, and no others."""
    path, files = tmp_path / "db.duckdb", folder_of(tmp_path / "a folder & ü 100%25", 3)
    encoded = f"file://{quote(str(files[1]))}"
    load(path, [T, batch(files[0], encoded, str(files[2]))])
    assert query(path, "SELECT count(*) FROM t") == [(3,)]
    assert not files[0].parent.exists()


@pytest.mark.parametrize("content", [None, b"\x1f\x8b\x08broken", b'{"id": 1'])
def test_a_missing_or_spoiled_file_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "x.jsonl.gz"
    if content is not None:
        file.write_bytes(content)
    config = {"path": str(tmp_path / "db.duckdb")}
    done = run(messages=[T, batch(file), state(1)], config=config, folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if " INFO " not in line]
    assert f"line 2: BATCH file file://{file}: " in line
    assert "Traceback" not in done.stderr

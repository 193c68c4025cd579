"""Records in files: the same as in lines, in order with STATE, and for nobody else to read."""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from singer_sdk import BatchSink, Target
from singer_sdk.helpers._batch import SDKBatchMessage

from tap_cloudapis.core.batches import FOLDER_PREFIX, LEFT_OVER_SECONDS, MARKER
from tests.core.syncing import (
    BY_DEFAULT,
    EXECUTABLE,
    NO_TOKENS,
    Message,
    Outcome,
    Record,
    catalog_of,
    cut_after,
    every_state,
    settings,
    start_tap,
    sync,
)
from tests.simulator_process import SECRET_MARKER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.simulator_process import Simulator

STREAMS = ["dbt_accounts", "dbt_projects", "dbt_runs", "pulumi_stacks", "pulumi_stack_updates"]


def in_files(root: Path, compression: str = "none", **more: Any) -> dict[str, Any]:
    """The setting for files below a folder."""
    encoding = {"format": "jsonl", "compression": compression}
    return {"batch_config": {"encoding": encoding, "storage": {"root": f"file://{root}"}, **more}}


def unfolded(messages: Iterable[Message]) -> Iterator[Message]:
    """Messages as they would be in lines, without the times of records."""
    for message in messages:
        message.pop("time_extracted", None)
        if message["type"] != "BATCH":
            yield message
            continue
        version = {name: message[name] for name in ("version",) if name in message}
        for record in records_in(message):
            yield {"type": "RECORD", "stream": message["stream"], "record": record, **version}


def files_of(message: Message) -> list[Path]:
    return [Path(url.removeprefix("file://")) for url in message["manifest"]]


def records_in(message: Message) -> list[Record]:
    opened = gzip.open if message["encoding"]["compression"] == "gzip" else open
    records: list[Record] = []
    for path in files_of(message):
        with opened(path, "rb") as file:
            records += map(json.loads, file)
    return records


def by_state(messages: Iterable[Message]) -> Iterator[Any]:
    """The records before each message that is none, stream by stream: their order is free."""
    pending: dict[str, list[Message]] = {}
    for message in messages:
        if message["type"] == "RECORD":
            pending.setdefault(message["stream"], []).append(message)
        elif message["type"] != "SCHEMA":  # of a child it comes amid records of its parent
            yield {name: pending[name] for name in sorted(pending)}, message
            pending = {}
    assert not pending, "records behind the last STATE"


MAPS: dict[str, Any] = {
    "dbt_runs": {"__alias__": "'a/run of ours'", "status_message": "__NULL__", "x": "md5(str(id))"},
    "pulumi_stacks": {"__filter__": "'o' in stack_name"},
}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"emit_activate_version_messages": True},
        {"stream_maps": MAPS},
        {"flattening_enabled": True, "flattening_max_depth": 2},
    ],
    ids=["plain", "versions", "maps", "flat"],
)
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_files_hold_what_lines_hold_before_each_state(
    compression: str,
    more: dict[str, Any],
    tiny: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tap_cloudapis.dbt.runs._now", lambda: tiny.now)
    catalog = catalog_of(STREAMS, dbt_runs=["git_sha", "trigger"], pulumi_stacks=["url"])
    given: dict[str, Any] = {"catalog": catalog, "prepare": every_state}
    lines = sync(settings(tiny, **more), **given)
    files = sync(settings(tiny, **more, **in_files(tmp_path, compression)), **given)
    assert (lines.code, files.code) == (0, 0), files.log
    assert not any(message["type"] == "RECORD" for message in files.messages)
    found = [*by_state(_same_run(unfolded(files.messages)))]
    assert found == [*by_state(_same_run(unfolded(lines.messages)))]
    assert len(found) > 10


def _same_run(messages: Iterable[Message]) -> Iterator[Message]:
    """Leave out in which second a sync began."""
    for message in messages:
        yield {**message, "version": 1} if "version" in message else message


def test_a_state_waits_for_files_of_all_streams(tiny: Simulator, tmp_path: Path) -> None:
    """Without STATE in between, parents and children are in few files, each whole."""
    outcome = sync(settings(tiny, "pulumi", **in_files(tmp_path)), select=STREAMS)
    batches = [message for message in outcome.messages if message["type"] == "BATCH"]
    assert 2 <= len(batches) < 10
    assert outcome.messages[-1]["type"] == "STATE"
    plain = sync(settings(tiny, "pulumi"), select=STREAMS)
    found = Outcome(0, [json.dumps(m).encode() for m in unfolded(outcome.messages)])
    for stream in STREAMS:
        assert found.records(stream) == plain.records(stream)


def test_the_sdk_knows_the_messages(tiny: Simulator, tmp_path: Path) -> None:
    on = {"emit_activate_version_messages": True, **in_files(tmp_path, "gzip")}
    outcome = sync(settings(tiny, **on), select=STREAMS)
    batches = [message for message in outcome.messages if message["type"] == "BATCH"]
    for message in batches:
        said = SDKBatchMessage.from_dict(dict(message)).to_dict()
        assert said["encoding"] == {"format": "jsonl", "compression": "gzip"}
        assert ("version" in said) == (message["stream"] not in {"dbt_runs", STREAMS[-1]})


class KeepingSink(BatchSink):
    """Keeps what the SDK reads for it."""

    kept: ClassVar[list[tuple[str, Record]]] = []

    def process_batch(self, context: dict[str, Any]) -> None:
        self.kept.extend((self.stream_name, record) for record in context["records"])


class KeepingTarget(Target):
    """A target of the SDK that changes nothing of how BATCH messages are read."""

    name = "target-keeping"
    config_jsonschema: ClassVar[dict[str, Any]] = {"properties": {}}
    default_sink_class = KeepingSink


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_target_of_the_sdk_reads_them(compression: str, tiny: Simulator, tmp_path: Path) -> None:
    root = tmp_path / "a place & ü"
    outcome = sync(settings(tiny, **in_files(root, compression, batch_size=5)), select=STREAMS)
    KeepingSink.kept.clear()
    KeepingTarget(config={}).listen(io.StringIO(b"\n".join(outcome.lines).decode()))
    plain = sync(settings(tiny), select=STREAMS)
    for stream in STREAMS:
        kept = [record for name, record in KeepingSink.kept if name == stream]
        assert json.loads(json.dumps(kept, default=float)) == plain.records(stream)


def test_nobody_else_may_read_them_and_no_secret_is_in_them(
    tiny: Simulator, tmp_path: Path
) -> None:
    before = os.umask(0)
    try:
        root = tmp_path / "new"
        outcome = sync(settings(tiny, **in_files(root)))
    finally:
        os.umask(before)
    assert outcome.code == 0, outcome.log
    (folder,) = root.iterdir()
    files = [*folder.iterdir()]
    assert len(files) > 20
    assert {stat.S_IMODE(path.stat().st_mode) for path in (root, folder)} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    content = b"".join(path.read_bytes() for path in files)
    for secret in (SECRET_MARKER, tiny.dbt_token, tiny.pulumi_token):
        assert secret.encode() not in content


def test_a_file_has_so_many_records_at_the_most(tiny: Simulator, tmp_path: Path) -> None:
    outcome = sync(settings(tiny, **in_files(tmp_path, batch_size=5)), select=["dbt_runs"])
    batches = [message for message in outcome.messages if message["type"] == "BATCH"]
    assert [len(records_in(message)) for message in batches] == [5, 5, 2]


def test_a_dry_run_writes_lines(tiny: Simulator, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(settings(tiny, "dbt", **in_files(tmp_path / "files"))))
    done = subprocess.run(
        [EXECUTABLE, "--config", config, "--test=records"],
        capture_output=True,
        env=NO_TOKENS,
        check=True,
    )
    assert b'"RECORD"' in done.stdout
    assert not (tmp_path / "files").exists()


WRONG: dict[str, tuple[Any, str]] = {
    "no root": ({"encoding": {"format": "jsonl"}}, "storage.root is missing"),
    "null": ({"storage": {"root": None}}, "storage.root is missing"),
    "a bucket": ({"storage": {"root": "s3://bucket/x"}}, "must be a folder of this machine"),
    "a variable": ({"storage": {"root": "$HOME/x"}}, "holds a variable"),
    "a slash": ({"storage": {"root": "/var/x", "prefix": "../"}}, "it holds no slash"),
    "parquet": (
        {"encoding": {"format": "parquet"}, "storage": {"root": "/var/x"}},
        "batch_config.encoding.format must be one of jsonl",
    ),
    "a typing error": (
        {"storage": {"roots": "/var/x"}},
        "there is no setting batch_config.storage.roots; did you mean root?",
    ),
}


@pytest.mark.parametrize(("config", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_one_line(config: Any, words: str, tmp_path: Path) -> None:
    assert words in _refused(config, tmp_path)


def test_a_root_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    root = file / "below"
    line = _refused({"storage": {"root": str(root)}}, tmp_path)
    assert f"cannot write to {root}: Not a directory" in line


def _refused(config: Any, folder: Path) -> str:
    given = {"dbt_token": "fake", "dbt_url": "http://127.0.0.1:9", "batch_config": config}
    with start_tap(given, folder) as tap:
        output, log = tap.communicate(timeout=60)
    assert tap.returncode == 1
    assert b"RECORD" not in output
    (line,) = [line for line in log.decode().splitlines() if "ERROR" in line]
    assert b"Traceback" not in log
    return line


def test_a_full_disk_is_one_line_and_no_state_speaks_of_what_was_lost(
    tiny: Simulator, tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(settings(tiny, **in_files(tmp_path / "files"))))
    done = subprocess.run(
        [EXECUTABLE, "--config", config],
        capture_output=True,
        env=NO_TOKENS,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
    )
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.decode().splitlines() if "ERROR" in line]
    (folder,) = (tmp_path / "files").iterdir()
    assert f"cannot write a file of records to {folder}: File too large" in line
    assert b"Traceback" not in done.stderr
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    announced = {path for m in messages if m["type"] == "BATCH" for path in files_of(m)}
    assert {*folder.iterdir()} == announced | {folder / MARKER}
    assert not any(m["type"] == "STATE" for m in messages[-2:])


def test_a_signal_ends_with_all_files_announced(tiny: Simulator, tmp_path: Path) -> None:
    config = settings(tiny, "dbt", **in_files(tmp_path))
    cut = sync(config, select=["dbt_runs"], prepare=cut_after(7, "dbt_runs"))
    assert cut.code == 128 + signal.SIGTERM
    assert cut.messages[-1]["type"] == "STATE"
    read = [m["record"]["id"] for m in unfolded(cut.messages) if m["type"] == "RECORD"]
    assert len(read) == 7
    resumed = sync(config, select=["dbt_runs"], state=cut.state)
    read += [m["record"]["id"] for m in unfolded(resumed.messages) if m["type"] == "RECORD"]
    assert set(read) == {row["id"] for row in tiny.rows("dbt_runs")}


def test_what_syncs_have_left_over_is_removed_and_nothing_else(
    tiny: Simulator, tmp_path: Path
) -> None:
    long_ago = time.time() - LEFT_OVER_SECONDS - 60
    elsewhere = _folder(tmp_path / "elsewhere", "x.jsonl")
    root = tmp_path / "root"
    old = _folder(root / f"{FOLDER_PREFIX}old", MARKER, "x.jsonl")
    fresh = _folder(root / f"{FOLDER_PREFIX}fresh", MARKER, "x.jsonl")
    unmarked = _folder(root / f"{FOLDER_PREFIX}unmarked", "x.jsonl")
    foreign = _folder(root / "foreign", MARKER, "x.jsonl")
    link = root / f"{FOLDER_PREFIX}link"
    link.symlink_to(elsewhere)
    for path in (old, unmarked, foreign, elsewhere):
        os.utime(path, (long_ago, long_ago))
    outcome = sync(settings(tiny, **in_files(root)), select=BY_DEFAULT)
    assert outcome.code == 0, outcome.log
    assert not old.exists()
    assert {*root.iterdir()} > {fresh, unmarked, foreign, link}
    assert (elsewhere / "x.jsonl").exists()


def _folder(path: Path, *files: str) -> Path:
    path.mkdir(parents=True)
    for file in files:
        (path / file).touch()
    return path


def test_a_sync_without_records_leaves_no_folder(tiny: Simulator, tmp_path: Path) -> None:
    outcome = sync(settings(tiny, "dbt", **in_files(tmp_path)), select=[])
    assert outcome.code == 0, outcome.log
    assert not [*tmp_path.iterdir()]

"""The definitions for Meltano Hub: valid, up to date, and what Meltano makes of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource

from tap_cloudapis.tap import SERVICES
from tests.meltano.projects import HUB, ROOT, definition, meltano
from tests.reference import HUB_SCHEMAS, needs

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFINITIONS = sorted(HUB.glob("*/*/*.yml"))
TAP = HUB / "extractors/tap-cloudapis/cloudapis.yml"
SCRIPT = ROOT / "scripts/hub.py"
TOKENS = [f"{service.key}_token" for service in SERVICES]
SECRETS = {
    "tap-cloudapis": {*TOKENS},
    "target-dlt": {"destination_config"},
    "target-duckdb": {"token"},
}

# The JSON schemas that Meltano Hub holds its definitions and its API to.
SCHEMAS = Path(os.environ.get("HUB_SCHEMAS", HUB_SCHEMAS))
needs_schemas = needs(SCHEMAS)
each_definition = pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.parent.name)


def validator(name: str) -> Draft7Validator:
    registry: Registry[Any] = Registry(retrieve=read_schema)  # type: ignore[call-arg]
    return Draft7Validator({"$ref": (SCHEMAS / name).as_uri()}, registry=registry)


def read_schema(uri: str) -> Resource[Any]:
    # The schemas refer to each other by file, and their own ids say otherwise.
    schema = json.loads(Path(uri.removeprefix("file://")).read_text("utf-8"))
    return Resource.from_contents({**schema, "$id": uri})


@needs_schemas
@each_definition
def test_definitions_are_valid(path: Path) -> None:
    check = validator(f"plugin_definitions/{path.parts[-3]}.schema.json")
    assert list(check.iter_errors(definition(path))) == []
    assert not check.is_valid({**definition(path), "quality": "excellent"})
    assert not check.is_valid({**definition(path), "settings": [{"label": "No name"}]})


@each_definition
def test_definitions_say_where_they_are(path: Path) -> None:
    content = definition(path)
    assert [content["name"], content["variant"]] == [path.parent.name, path.stem]


def test_all_plugins_have_a_definition() -> None:
    names = [path.parent.name for path in DEFINITIONS]
    assert names == ["tap-cloudapis", "target-dlt", "target-duckdb"]


@each_definition
def test_settings_read_well(path: Path) -> None:
    settings = definition(path)["settings"]
    for setting in settings:
        assert setting["label"]
        assert setting["description"].endswith((".", "`."))
        assert ("options" in setting) == (setting["kind"] == "options")
    secrets = {item["name"] for item in settings if item.get("sensitive")}
    assert secrets == SECRETS[path.parent.name]


def test_a_token_of_either_service_is_enough() -> None:
    assert definition(TAP)["settings_group_validation"] == [[token] for token in TOKENS]


def run_script(*args: str, script: Path = SCRIPT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, script, *args], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.slow
def test_definitions_and_project_are_up_to_date() -> None:
    done = run_script("--check")
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_outdated_files_are_found_and_mended_without_touching_the_rest(tmp_path: Path) -> None:
    files = [path.relative_to(ROOT) for path in (*DEFINITIONS, ROOT / "meltano.yml")]
    scripts = [path.relative_to(ROOT) for path in (ROOT / "scripts").glob("*.py")]
    for file in [*files, *scripts, Path("README.md"), Path("docs/streams.md")]:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text((ROOT / file).read_text("utf-8"), "utf-8")
    for file in files:
        # What is written by hand stays: the script knows of our plugins alone.
        ours, *rest = (tmp_path / file).read_text("utf-8").partition("\n  utilities:")
        spoilt = ours.replace("sensitive: true", "sensitive: false")
        spoilt = spoilt.replace("value: upsert", "value: append")
        (tmp_path / file).write_text("".join([spoilt, *rest]), "utf-8")

    script = tmp_path / "scripts/hub.py"
    checked = run_script("--check", script=script)
    assert checked.returncode == 1
    assert all(str(file) in checked.stdout for file in files)
    assert run_script(script=script).returncode == 0
    for file in files:
        assert (tmp_path / file).read_text("utf-8") == (ROOT / file).read_text("utf-8")


@pytest.fixture(name="hub")
def running_hub() -> Iterator[str]:
    """The value for MELTANO_HUB_API_ROOT, of a hub that serves the definitions."""
    with subprocess.Popen(
        [sys.executable, SCRIPT, "serve"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip().partition("=")[2]
        finally:
            process.terminate()


@pytest.mark.slow
def test_meltano_adds_the_tap_from_the_hub(hub: str, tmp_path: Path) -> None:
    (tmp_path / "meltano.yml").write_text("send_anonymous_usage_stats: false\n")
    meltano(
        tmp_path,
        *("add", "--no-install", "tap-cloudapis"),
        MELTANO_HUB_API_ROOT=hub,
        XDG_CACHE_HOME=str(tmp_path / "cache"),
    )
    lock = json.loads((tmp_path / "plugins/extractors/tap-cloudapis--cloudapis.lock").read_text())
    content = definition(TAP)
    for key in ("namespace", "pip_url", "executable", "select", "settings_group_validation"):
        assert lock[key] == content[key]
    assert set(lock["capabilities"]) == set(content["capabilities"])
    names = [setting["name"] for setting in content["settings"]]
    assert [setting["name"] for setting in lock["settings"]] == names


@pytest.mark.slow
def test_meltano_lists_every_setting_and_no_token(tmp_path: Path) -> None:
    before = (ROOT / "meltano.yml").read_text("utf-8")
    project = tmp_path / "meltano.yml"
    project.write_text(before, "utf-8")
    meltano(tmp_path, "config", "set", "tap-cloudapis", "concurrency", "4")
    after = project.read_text("utf-8")
    assert after.replace("    config:\n      concurrency: 4\n", "", 1) == before

    token = "dbtc_fake-token"  # noqa: S105
    listed = meltano(
        tmp_path, "config", "list", "--all", "tap-cloudapis", TAP_CLOUDAPIS_DBT_TOKEN=token
    )
    for setting in definition(TAP)["settings"]:
        assert f"[env: TAP_CLOUDAPIS_{setting['name'].upper()}]" in listed
        assert f"\t{setting['label']}: {setting['description']}" in listed
    assert "current value: (redacted)" in listed
    assert token not in listed

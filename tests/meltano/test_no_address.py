"""Meltano without `dbt_url`: it must not make up a value that the tap takes for the user's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.meltano.projects import Project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

#: A token and no address, behind a proxy that is not there: nothing leaves.
VARIABLES = {
    "TAP_CLOUDAPIS_DBT_TOKEN": "fake-token-for-tests",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
}
PHRASES = ("dbt_url is not set", "Account settings", "cloud.getdbt.com")


@pytest.fixture(scope="module", name="project")
def project_of_ours(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder: Path = tmp_path_factory.mktemp("project")
    return Project(folder)


@pytest.mark.parametrize(
    ("command", "more"),
    [
        (("run", "tap-cloudapis", "target-duckdb"), {}),
        (("invoke", "tap-cloudapis"), {}),
        (("invoke", "tap-cloudapis"), {"TAP_CLOUDAPIS_DBT_URL": ""}),
    ],
    ids=["run", "invoke", "empty"],
)
def test_an_address_that_is_not_set_is_said_to_be(
    command: tuple[str, ...], more: dict[str, str], project: Project
) -> None:
    code, printed = project.failing(*command, **VARIABLES, **more)
    assert code != 0, printed
    warning = [line for line in printed.splitlines() if "WARNING" in line.upper()]
    for phrase in PHRASES:
        assert any(phrase in line for line in warning), printed
    told = [line for line in printed.splitlines() if "no answer from" in line]
    (error,) = (line for line in told if "trying again" not in line)
    assert all(phrase in error for phrase in PHRASES), printed
    assert "Traceback" not in printed


def test_an_address_that_is_set_is_not_doubted(project: Project) -> None:
    address = {"TAP_CLOUDAPIS_DBT_URL": "https://localhost:9"}
    code, printed = project.failing("invoke", "tap-cloudapis", **VARIABLES, **address)
    assert code != 0, printed
    assert "no answer from localhost:9" in printed
    assert not any(phrase in printed for phrase in PHRASES)

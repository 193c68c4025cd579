"""What of dbt Cloud the settings ask for: accounts, and runs by project and job."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.errors import TapError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_cloudapis.core.paging import Row


@dataclass(frozen=True)
class DbtFilters:
    """The ids in the settings; an empty set means all.

    Attributes:
        accounts: Ids of accounts.
        projects: Ids of projects, for runs.
        jobs: Ids of jobs, for runs.
    """

    accounts: frozenset[int]
    projects: frozenset[int]
    jobs: frozenset[int]

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> DbtFilters:
        """Read the ids, which may be numbers or text.

        Raises:
            TapError: When one of them is no whole number.
        """
        names = ("dbt_account_ids", "dbt_project_ids", "dbt_job_ids")
        return cls(*(_ids(settings, name) for name in names))

    @property
    def of_runs(self) -> list[RunFilter]:
        """The lists of runs that the settings ask for: one per job, else one for all."""
        jobs: list[int | None] = [*sorted(self.jobs)] or [None]
        return [RunFilter(job, self.projects) for job in jobs]


def _ids(settings: Mapping[str, Any], name: str) -> frozenset[int]:
    ids = set()
    for value in settings.get(name) or ():
        try:
            ids.add(int(value))
        except ValueError:
            msg = f"{name} holds {value!r:.60}, which is not an id: ids are whole numbers"
            raise TapError(msg) from None
    return frozenset(ids)


#: The form of a filter's name in the state.
FILTER_KEY = r"^(job=-?[0-9]+)?((^|;)projects=-?[0-9]+(,-?[0-9]+)*)?$"


@dataclass(frozen=True)
class RunFilter:
    """Which runs of an account are asked for; the API takes one job at a time.

    Attributes:
        job: A job's id; ``None`` for all jobs.
        projects: Ids of projects; empty for all.
    """

    job: int | None = None
    projects: frozenset[int] = frozenset()

    @cached_property
    def key(self) -> str:
        """The name of the filter in the state; empty for the one that every run passes."""
        parts = [f"job={self.job}"] if self.job is not None else []
        if self.projects:
            parts.append(f"projects={','.join(map(str, sorted(self.projects)))}")
        return ";".join(parts)

    @property
    def words(self) -> str:
        """What the settings name, in the words of an error message; empty for all runs."""
        parts = [f"job {self.job} of dbt_job_ids"] if self.job is not None else []
        if self.projects:
            ids = ", ".join(map(str, sorted(self.projects)))
            word = "project" if len(self.projects) == 1 else "projects"
            parts.append(f"{word} {ids} of dbt_project_ids")
        return ", ".join(parts)

    @classmethod
    def from_key(cls, key: str) -> RunFilter:
        """Read a filter's name in the state."""
        parts = dict(part.split("=", 1) for part in key.split(";") if part)
        return cls(
            job=int(parts["job"]) if "job" in parts else None,
            projects=frozenset(map(int, parts.get("projects", "").split(",")))
            if "projects" in parts
            else frozenset(),
        )

    @property
    def params(self) -> dict[str, Any]:
        """The filter as query parameters."""
        params: dict[str, Any] = {}
        if self.job is not None:
            params["job_definition_id"] = self.job
        if self.projects:
            params["project_id__in"] = sorted(self.projects)
        return params

    def covers(self, other: RunFilter) -> bool:
        """Whether every run of the other filter is one of this."""
        return (self.job is None or self.job == other.job) and (
            not self.projects or (bool(other.projects) and other.projects <= self.projects)
        )

    def matches(self, row: Row) -> bool:
        """Whether a run passes; asked again here in case a server ignores a parameter."""
        if self.job is not None and row.get("job_definition_id") != self.job:
            return False
        project = row.get("project_id")
        return not self.projects or (isinstance(project, int) and project in self.projects)

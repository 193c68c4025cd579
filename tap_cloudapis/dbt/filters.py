"""What of dbt Cloud the settings ask for: accounts, and runs by project, environment and job."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.errors import TapError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_cloudapis.core.paging import Row


#: The words of the settings for the ends of a run, and the API's numbers for them.
ENDS = {"success": 10, "error": 20, "cancelled": 30}
#: The word for all other runs, which can still change.
OPEN = "open"
RUN_STATUSES = (*ENDS, OPEN)


@dataclass(frozen=True)
class DbtFilters:
    """What the settings ask for; an empty set means all.

    Attributes:
        accounts: Ids of accounts.
        projects: Ids of projects, for runs.
        jobs: Ids of jobs, for runs.
        environments: Ids of environments, for runs.
        statuses: Statuses of runs in words. They narrow what is emitted alone.
    """

    accounts: frozenset[int]
    projects: frozenset[int]
    jobs: frozenset[int]
    environments: frozenset[int]
    statuses: frozenset[str] = frozenset()

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> DbtFilters:
        """Read the ids, which may be numbers or text.

        Raises:
            TapError: When one of them is no whole number.
        """
        names = ("dbt_account_ids", "dbt_project_ids", "dbt_job_ids", "dbt_environment_ids")
        accounts, projects, jobs, environments = (_ids(settings, name) for name in names)
        statuses = frozenset(settings.get("dbt_run_statuses") or ())
        return cls(accounts, projects, jobs, environments, statuses)

    @property
    def of_runs(self) -> list[RunFilter]:
        """The lists of runs that the settings ask for: one per job, else per environment."""
        if self.jobs:
            return [RunFilter(job, self.projects, self.environments) for job in sorted(self.jobs)]
        if self.environments:
            return [
                RunFilter(None, self.projects, frozenset({environment}))
                for environment in sorted(self.environments)
            ]
        return [RunFilter(None, self.projects)]

    def emits(self, status: Any, *, is_open: bool) -> bool:
        """Whether a run has one of the statuses that are asked for.

        Args:
            status: The API's number for its status.
            is_open: Whether it can still change.
        """
        if not self.statuses:
            return True
        if is_open:
            return OPEN in self.statuses
        return any(status == ENDS.get(name) for name in self.statuses)


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
FILTER_KEY = (
    r"^(job=-?[0-9]+)?((^|;)projects=-?[0-9]+(,-?[0-9]+)*)?"
    r"((^|;)environments=-?[0-9]+(,-?[0-9]+)*)?$"
)


@dataclass(frozen=True)
class RunFilter:
    """Which runs of an account are asked for; the API takes one job and one environment at a time.

    Attributes:
        job: A job's id; ``None`` for all jobs.
        projects: Ids of projects; empty for all.
        environments: Ids of environments; empty for all.
    """

    job: int | None = None
    projects: frozenset[int] = frozenset()
    environments: frozenset[int] = frozenset()

    @cached_property
    def key(self) -> str:
        """The name of the filter in the state; empty for the one that every run passes."""
        parts = [f"job={self.job}"] if self.job is not None else []
        for name, ids in (("projects", self.projects), ("environments", self.environments)):
            if ids:
                parts.append(f"{name}={','.join(map(str, sorted(ids)))}")
        return ";".join(parts)

    @property
    def words(self) -> str:
        """What the settings name, in the words of an error message; empty for all runs."""
        parts = [f"job {self.job} of dbt_job_ids"] if self.job is not None else []
        for word, ids in (("project", self.projects), ("environment", self.environments)):
            if ids:
                listed = ", ".join(map(str, sorted(ids)))
                plural = "" if len(ids) == 1 else "s"
                parts.append(f"{word}{plural} {listed} of dbt_{word}_ids")
        return ", ".join(parts)

    @classmethod
    def from_key(cls, key: str) -> RunFilter:
        """Read a filter's name in the state."""
        parts = dict(part.split("=", 1) for part in key.split(";") if part)
        projects, environments = (
            frozenset(map(int, parts[name].split(","))) if name in parts else frozenset()
            for name in ("projects", "environments")
        )
        return cls(int(parts["job"]) if "job" in parts else None, projects, environments)

    @property
    def params(self) -> dict[str, Any]:
        """The filter as query parameters, as far as the API has them."""
        params: dict[str, Any] = {}
        if self.job is not None:
            params["job_definition_id"] = self.job
        if self.projects:
            params["project_id__in"] = sorted(self.projects)
        if len(self.environments) == 1:
            (params["environment_id"],) = self.environments
        return params

    def covers(self, other: RunFilter) -> bool:
        """Whether every run of the other filter is one of this."""
        return (
            (self.job is None or self.job == other.job)
            and _covers(self.projects, other.projects)
            and _covers(self.environments, other.environments)
        )

    def matches(self, row: Row) -> bool:
        """Whether a run passes; asked again here in case a server ignores a parameter."""
        if self.job is not None and row.get("job_definition_id") != self.job:
            return False
        return _is_in(self.projects, row.get("project_id")) and _is_in(
            self.environments, row.get("environment_id")
        )


def _covers(ids: frozenset[int], others: frozenset[int]) -> bool:
    return not ids or (bool(others) and others <= ids)


def _is_in(ids: frozenset[int], value: Any) -> bool:
    return not ids or (isinstance(value, int) and value in ids)

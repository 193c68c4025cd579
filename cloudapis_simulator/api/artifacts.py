"""The files of a run: their list, and each as a step has left it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.api.errors import BadRequestError, NoFileError, NotFoundError
from cloudapis_simulator.api.lists import success
from cloudapis_simulator.world import artifacts
from cloudapis_simulator.world.steps import flagged_at, saved_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.datastructures import Headers

    from cloudapis_simulator.api.query import Query
    from cloudapis_simulator.world import World
    from cloudapis_simulator.world.plan import Plan
    from cloudapis_simulator.world.results import Results
    from cloudapis_simulator.world.steps import Step

_MEGABYTE = 1_000_000


class ArtifactApi:
    """Answers the routes below a run's `artifacts/`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def files(self, names: Mapping[str, str], query: Query, headers: Headers) -> Any:
        """`GET .../runs/{run}/artifacts/`: paths, whatever `step` says; `data` may be null."""
        del query, headers
        results, plan = self._saved(names)
        return success(artifacts.paths(results, plan))

    def run_results(self, names: Mapping[str, str], query: Query, headers: Headers) -> Any:
        """`GET .../artifacts/run_results.json`: the bare file."""
        del headers
        results, plan = self._run(names)
        if self._promises(plan):
            return b""
        step = _left(results.writing(self._with_files(results, plan)), query)
        large = self._world.sizes.dbt_large_mb * _MEGABYTE
        return artifacts.run_results(results, plan, step, large)

    def sources(self, names: Mapping[str, str], query: Query, headers: Headers) -> Any:
        """`GET .../artifacts/sources.json`: the bare file."""
        del headers
        results, plan = self._run(names)
        if self._promises(plan):
            return b""
        step = _left(results.looking(self._with_files(results, plan)), query)
        return artifacts.sources(results, plan, step)

    def other(self, names: Mapping[str, str], query: Query, headers: Headers) -> Any:
        """`GET .../artifacts/{file}`: of other files there is no more than the beginning."""
        del query, headers
        results, plan = self._saved(names)
        if names["file"] not in (artifacts.paths(results, plan) or ()):
            raise NoFileError
        return {"metadata": {"dbt_version": artifacts.VERSIONS[results.generation(plan)]}}

    def _saved(self, names: Mapping[str, str]) -> tuple[Results, Plan]:
        """Return the run that a path names, if its files can be had."""
        results, plan = self._run(names)
        return results, self._with_files(results, plan)

    def _run(self, names: Mapping[str, str]) -> tuple[Results, Plan]:
        """Return the run that a path names."""
        for account in self._world.accounts:
            if str(account.id) == names["account"]:
                plan = self._world.runs[account.id].find(names["run"], self._world.clock.now)
                if plan is not None:
                    return self._world.results[account.id], plan
        raise NotFoundError

    def _with_files(self, results: Results, plan: Plan) -> Plan:
        """Return the run itself, if its files can be had."""
        saved, now = saved_at(plan), self._world.clock.now
        if saved is None or saved > now or not results.runs.has_details(plan, now):
            raise NotFoundError
        return plan

    def _promises(self, plan: Plan) -> bool:
        """Whether a run tells of files that are not there yet: they are empty."""
        told, saved = flagged_at(plan), saved_at(plan)
        return told is not None and saved is not None and told <= self._world.clock.now < saved


def _left(steps: Sequence[Step], query: Query) -> Step:
    """Return the step whose file lies in the folder after the step that is asked for.

    A step that writes no file of its own leaves the one that it found; without `step` it is what
    lay there at the end.
    """
    wanted = query.integer("step")
    if wanted is not None and wanted < 1:
        raise BadRequestError("Invalid 'step' value.")
    found = [step for step in steps if wanted is None or 0 < step.number <= wanted]
    if not found:
        raise NoFileError
    return found[-1]

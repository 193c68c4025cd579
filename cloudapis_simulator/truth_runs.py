"""What is true of the runs that have ended, and of what they left: steps, results, files."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import part
from cloudapis_simulator.clock import SECOND, rfc3339
from cloudapis_simulator.world import artifacts
from cloudapis_simulator.world.steps import saved_at, step_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudapis_simulator.world import World
    from cloudapis_simulator.world.plan import Plan
    from cloudapis_simulator.world.results import Freshness, Result, Results
    from cloudapis_simulator.world.steps import Step

Row = dict[str, Any]

_KINDS = {
    "manifest.json": "manifest",
    "run_results.json": "run_results",
    "catalog.json": "catalog",
    "sources.json": "sources",
    "semantic_manifest.json": "semantic_manifest",
}


def _ended(world: World, *, files: bool) -> Iterator[tuple[Results, Plan]]:
    """Yield the runs that have ended; those whose `files` can be had."""
    now = world.clock.now
    for account in world.accounts:
        runs, results = world.runs[account.id], world.results[account.id]
        for number in runs.kept(now):
            plan = runs.plan(number)
            if plan.ended_at > now or plan.started_at is None or not runs.has_details(plan, now):
                continue
            saved = saved_at(plan)
            if not files or (saved is not None and saved <= now):
                yield results, plan


def _context(plan: Plan) -> Row:
    job = plan.job
    return {
        "account_id": job.account_id,
        "project_id": job.project.id,
        "environment_id": job.environment.id,
        "job_definition_id": job.id,
        "run_id": plan.id,
        "run_finished_at": None if plan.finished_at is None else rfc3339(plan.finished_at),
    }


def steps(world: World) -> Iterator[Row]:
    """Yield the steps of ended runs."""
    for results, plan in _ended(world, files=False):
        for step in results.steps(plan):
            if step.number:
                yield {
                    **_context(plan),
                    "index": step.number,
                    "id": step_id(plan, step),
                    "name": step.name,
                    "status": step.status,
                    "started_at": rfc3339(step.started_at),
                    "finished_at": rfc3339(step.ended_at),
                    "duration_seconds": (step.ended_at - step.started_at) // SECOND,
                    "is_dbt": step.command is not None,
                    "command": step.command.text if step.command else None,
                    "command_verb": step.command.verb if step.command else None,
                }


def _read(world: World) -> Iterator[tuple[Results, Plan, Step]]:
    """Yield the commands whose results are about nodes that were built or tested."""
    for results, plan in _ended(world, files=True):
        for step in results.writing(plan):
            if step.command is not None and step.command.is_read:
                yield results, plan, step


def _looked(world: World) -> Iterator[tuple[Results, Plan, Step]]:
    for results, plan in _ended(world, files=True):
        for step in results.looking(plan):
            yield results, plan, step


def invocations(world: World) -> Iterator[Row]:
    """Yield the commands that left results, or ages of sources."""
    for results, plan, step in _read(world):
        found = [result.status for result in results.of(plan, step)]
        choice = artifacts.selected(step)
        yield {
            **_invocation(results, plan, step, "run_results", found),
            "which": artifacts.word_of(step),
            "target": "prod",
            "threads": artifacts.threads(plan),
            "full_refresh": artifacts.fully(step),
            "select": [choice] if choice else _nothing(results, plan),
        }
    for results, plan, step in _looked(world):
        found = [age.status for age in results.ages(plan, step)]
        yield _invocation(results, plan, step, "sources", found)


def _nothing(results: Results, plan: Plan) -> list[str] | None:
    return None if results.generation(plan) in ("v1", "v2", "v3") else []


def _invocation(
    results: Results, plan: Plan, step: Step, artifact: str, statuses: list[str]
) -> Row:
    return {
        **_context(plan),
        "step": step.number,
        "artifact": artifact,
        "invocation_id": results.invocation(plan, step),
        "generated_at": rfc3339(step.ended_at),
        "dbt_version": artifacts.VERSIONS[results.generation(plan)],
        "elapsed_time": artifacts.elapsed(step),
        "command_verb": step.command.verb if step.command else None,
        "result_count": len(statuses),
        "status_counts": dict(Counter(statuses)),
    }


def results(world: World) -> Iterator[Row]:
    """Yield what became of each node in each command."""
    for every, plan, step in _read(world):
        context, generation = _context(plan), every.generation(plan)
        told = {
            **context,
            "step": step.number,
            "command_verb": step.command.verb if step.command else None,
            "is_full_refresh": artifacts.fully(step),
            "invocation_id": every.invocation(plan, step),
        }
        for result in every.of(plan, step):
            yield {**told, **_result(plan, result, generation)}


def _result(plan: Plan, result: Result, generation: str) -> Row:
    times = (result.began_at, result.compiled_at, result.compiled_at, result.ended_at)
    if generation == "fusion":
        times = (result.began_at, result.ended_at, result.began_at, result.ended_at)
    known = result.status != "skipped"
    first, second, third, fourth = (rfc3339(at) if known else None for at in times)
    said = artifacts.response(plan, result, generation)
    newer = generation in ("v5", "v6")
    return {
        "unique_id": result.node.unique_id,
        "status": result.status,
        "thread_id": f"Thread-{result.thread}",
        "execution_time": result.seconds,
        "message": result.message,
        "failures": None if generation == "v1" else result.failures,
        "compile_started_at": first,
        "compile_completed_at": second,
        "execute_started_at": third,
        "execute_completed_at": fourth,
        "adapter_response": said,
        "rows_affected": said.get("rows_affected"),
        "bytes_processed": said.get("bytes_processed"),
        "query_id": said.get("query_id", said.get("job_id")),
        "relation_name": result.node.relation if newer or generation == "fusion" else None,
        "compiled": artifacts.compiled(result) if newer else None,
        "batch_results": artifacts.batches(result) if generation == "v6" else None,
        "static_analysis_off_reason": artifacts.off_reason(result)
        if generation == "fusion"
        else None,
    }


def count_results(world: World) -> int:
    """Return how many rows `results` has, without making them."""
    return sum(len(every.nodes(plan, step)) for every, plan, step in _read(world))


def freshness(world: World) -> Iterator[Row]:
    """Yield how old sources were found to be."""
    for every, plan, step in _looked(world):
        told = {
            **_context(plan),
            "step": step.number,
            "invocation_id": every.invocation(plan, step),
            "generated_at": rfc3339(step.ended_at),
        }
        for age in every.ages(plan, step):
            yield {**told, **_age(age, timed=every.generation(plan) != "v1")}


def _age(age: Freshness, *, timed: bool) -> Row:
    told = age.loaded_at is not None
    warn, error, which = artifacts.criteria(age) if told else (None, None, None)
    timed = timed and told
    return {
        "unique_id": age.node.unique_id,
        "status": age.status,
        "error": age.error,
        "max_loaded_at": None if age.loaded_at is None else rfc3339(age.loaded_at),
        "snapshotted_at": rfc3339(age.looked_at) if told else None,
        "age_seconds": artifacts.age_seconds(age),
        "warn_after_count": (warn or {}).get("count"),
        "warn_after_period": (warn or {}).get("period"),
        "error_after_count": (error or {}).get("count"),
        "error_after_period": (error or {}).get("period"),
        "filter": which,
        "execution_time": (age.ended_at - age.looked_at) / SECOND if timed else None,
        "thread_id": f"Thread-{1 + part(age.bits, 5) % 4}" if timed else None,
        "execute_started_at": rfc3339(age.looked_at) if timed else None,
        "execute_completed_at": rfc3339(age.ended_at) if timed else None,
    }


def files(world: World) -> Iterator[Row]:
    """Yield the files of runs, but what was compiled and run."""
    for every, plan in _ended(world, files=True):
        for path in artifacts.paths(every, plan) or ():
            if path.startswith(("compiled/", "run/")):
                continue
            kind = "telemetry" if path.endswith("-otel.parquet") else _KINDS.get(path, "other")
            name = path.rpartition("/")[2]
            yield {**_context(plan), "path": path, "file_name": name, "kind": kind}

"""The files that a run leaves: in the form of each version of dbt, and of Fusion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import part, uuid
from cloudapis_simulator.clock import SECOND, zulu
from cloudapis_simulator.world.steps import cause_of
from cloudapis_simulator.world.words import SECRET_MARKER

if TYPE_CHECKING:
    from cloudapis_simulator.world.plan import Plan
    from cloudapis_simulator.world.results import Freshness, Result, Results
    from cloudapis_simulator.world.steps import Step

Row = dict[str, Any]

VERSIONS = {
    "v1": "0.19.2",
    "v2": "0.20.1",
    "v3": "0.21.1",
    "v4": "1.6.1",
    "v5": "1.7.14",
    "v6": "1.9.4",
    "fusion": "2.0.0-preview.126",
}
_BEFORE_1_7 = ("v1", "v2", "v3", "v4")
_BEFORE_1_0 = ("v1", "v2", "v3")
_LARGE_EVERY = 50
_NO_LIST_EVERY = 30


def _metadata(results: Results, plan: Plan, step: Step, schema: str) -> Row:
    job, generation = plan.job, results.generation(plan)
    cause, category = cause_of(plan)
    told = {
        "dbt_schema_version": f"https://schemas.getdbt.com/dbt/{schema}.json",
        "dbt_version": VERSIONS[generation],
        "generated_at": zulu(step.ended_at),
        "invocation_id": results.invocation(plan, step),
        "env": {
            "DBT_CLOUD_PROJECT_ID": str(job.project.id),
            "DBT_CLOUD_RUN_ID": str(plan.id),
            "DBT_CLOUD_JOB_ID": str(job.id),
            "DBT_CLOUD_RUN_REASON": cause,
            "DBT_CLOUD_RUN_REASON_CATEGORY": category,
            "DBT_ENV_CUSTOM_ENV_TEAM": "größe",
            "DBT_ENV_CUSTOM_ENV_API_TOKEN": f"{SECRET_MARKER}-{plan.id}",
        },
    }
    if generation in ("v6", "fusion"):
        told["invocation_started_at"] = zulu(step.started_at)
    return told


def selected(step: Step) -> str | None:
    """Return what the command selects, if it does."""
    words = step.command.text.split() if step.command else []
    return words[words.index("--select") + 1] if "--select" in words else None


def word_of(step: Step) -> str:
    """Return what dbt itself calls the command."""
    words = step.command.text.split() if step.command else ["run"]
    verb = step.command.verb if step.command else None
    return (verb or words[-1]).split()[-1]


def fully(step: Step) -> bool:
    """Whether the command builds everything anew."""
    return step.command is not None and "--full-refresh" in step.command.text


def threads(plan: Plan) -> int:
    """Return how many threads the command has."""
    return 4 + plan.job.number % 5


def _args(results: Results, plan: Plan, step: Step) -> Row:
    generation, choice = results.generation(plan), selected(step)
    told: Row = {
        "which": word_of(step),
        "target": "prod",
        "threads": threads(plan),
        "full_refresh": fully(step),
        "write_json": True,
        "profiles_dir": "/tmp/jobs/1/.dbt",  # noqa: S108 - a text
        "vars": {"api_token": f"{SECRET_MARKER}-vars", "day": "2026-01-01"},
        "send_anonymous_usage_stats": False,
    }
    if generation in _BEFORE_1_0:
        told["rpc_method"] = word_of(step)
        told["select"] = choice
    else:
        told["select"] = [choice] if choice else []
        told["exclude"] = []
        told["log_path"] = "/tmp/jobs/1/logs"  # noqa: S108 - a text
        told["invocation_command"] = f"dbt {word_of(step)} --vars {SECRET_MARKER}"
    if generation == "fusion":
        told["command"] = word_of(step)
    return told


def run_results(results: Results, plan: Plan, step: Step, large: int) -> Row:
    """Return `run_results.json` of a step; one in fifty has at least `large` bytes."""
    generation = results.generation(plan)
    version = "v6" if generation == "fusion" else generation
    rows = [_result(plan, result, generation) for result in results.of(plan, step)]
    if large and plan.number % _LARGE_EVERY == 0 and rows:
        code = "select 1 -- größe\n" * (large // 19 // len(rows) + 1)
        for row in rows:
            row["compiled_code"] = code
    return {
        "metadata": _metadata(results, plan, step, f"run-results/{version}"),
        "results": rows,
        "elapsed_time": elapsed(step),
        "args": _args(results, plan, step),
    }


def elapsed(step: Step) -> float:
    """Return how long a command took, in seconds."""
    return (step.ended_at - step.started_at) / SECOND


def _result(plan: Plan, result: Result, generation: str) -> Row:
    message: Any = result.message
    if generation == "v1" and message and message.isdecimal():
        message = int(message)
    row: Row = {
        "status": result.status,
        "timing": _timing(result, generation),
        "thread_id": f"Thread-{result.thread}",
        "execution_time": result.seconds,
        "adapter_response": response(plan, result, generation),
        "message": message,
        "unique_id": result.node.unique_id,
    }
    if generation != "v1":
        row["failures"] = result.failures
    if generation in _BEFORE_1_7:
        return row
    row["relation_name"] = result.node.relation
    if generation == "fusion":
        row["static_analysis_off_reason"] = off_reason(result)
        return {name: value for name, value in row.items() if value is not None}
    row["compiled"] = compiled(result)
    row["compiled_code"] = f"-- größe\nselect 1 as {result.node.kind}" if compiled(result) else None
    if generation == "v6":
        row["batch_results"] = batches(result)
    return row


def compiled(result: Result) -> bool:
    """Whether a node came as far as being compiled."""
    return result.status not in ("skipped", "reused")


def off_reason(result: Result) -> str | None:
    """Return why Fusion could not look into a node."""
    return "unsafe_introspection" if part(result.bits, 8) % 11 == 0 else None


def batches(result: Result) -> Row | None:
    """Return what became of the batches of a model that is built by time."""
    if result.status != "partial success":
        return None
    days = [f"2026-0{n}-01T00:00:00+00:00" for n in range(1, 5)]
    return {"successful": [days[:2]], "failed": [days[2:]]}


def _timing(result: Result, generation: str) -> list[Row]:
    if result.status == "skipped":
        return []
    began, compiled_at, ended = (
        zulu(at) for at in (result.began_at, result.compiled_at, result.ended_at)
    )
    if generation == "fusion":
        return [
            {"name": name, "started_at": began, "completed_at": ended}
            for name in ("compile", "execute")
        ]
    return [
        {"name": "compile", "started_at": began, "completed_at": compiled_at},
        {"name": "execute", "started_at": compiled_at, "completed_at": ended},
    ]


def response(plan: Plan, result: Result, generation: str) -> Row:
    """Return what the warehouse said; each says it in its own way."""
    rows = result.rows
    if rows is None or generation in ("fusion", "v1"):
        return {}
    adapter = plan.job.project.number % 3
    if adapter == 0:
        query = uuid(result.bits)
        return {"_message": "SUCCESS 1", "code": 200, "rows_affected": rows, "query_id": query}
    if adapter == 1:
        return {
            "_message": f"CREATE TABLE ({rows} rows)",
            "code": "CREATE TABLE",
            "rows_affected": rows,
            "bytes_processed": rows * 1_234_567_890_123,  # more than a float can tell
            "location": "EU",
            "job_id": uuid(result.bits),
            "slot_ms": part(result.bits, 9),
        }
    return {"_message": f"INSERT 0 {rows}", "code": "INSERT", "rows_affected": rows}


def sources(results: Results, plan: Plan, step: Step) -> Row:
    """Return `sources.json` of a step."""
    generation = results.generation(plan)
    version = {"v1": "v1", "v2": "v2", "v3": "v2"}.get(generation, "v3")
    return {
        "metadata": _metadata(results, plan, step, f"sources/{version}"),
        "results": [_age(age, version) for age in results.ages(plan, step)],
        "elapsed_time": elapsed(step),
    }


def criteria(age: Freshness) -> tuple[Row | None, Row | None, str | None]:
    """Return when a source is to be warned of, when it fails, and which rows count."""
    place = age.node.place
    warn: Row | None = {"count": 12, "period": "hour"}
    error: Row | None = {"count": 2, "period": "day"}
    if place == 2:  # noqa: PLR2004
        error = {"count": None, "period": None}
    elif place == 3:  # noqa: PLR2004
        error = None
    return warn, error, "loaded_at > '2026-01-01'" if place == 1 else None


def age_seconds(age: Freshness) -> float | None:
    """Return how old a source was."""
    return None if age.loaded_at is None else (age.looked_at - age.loaded_at) / SECOND


def _age(age: Freshness, version: str) -> Row:
    if age.loaded_at is None:
        return {"unique_id": age.node.unique_id, "error": age.error, "status": age.status}
    warn, error, which = criteria(age)
    row: Row = {
        "unique_id": age.node.unique_id,
        "max_loaded_at": zulu(age.loaded_at),
        "snapshotted_at": zulu(age.looked_at),
        "max_loaded_at_time_ago_in_s": age_seconds(age),
        "status": age.status,
        "criteria": {"warn_after": warn, "error_after": error, "filter": which},
        "adapter_response": {},
    }
    if version != "v1":
        began, ended = zulu(age.looked_at), zulu(age.ended_at)
        row["timing"] = [
            {"name": "compile", "started_at": began, "completed_at": began},
            {"name": "execute", "started_at": began, "completed_at": ended},
        ]
        row["thread_id"] = f"Thread-{1 + part(age.bits, 5) % 4}"
        row["execution_time"] = (age.ended_at - age.looked_at) / SECOND
    return row


def paths(results: Results, plan: Plan) -> list[str] | None:
    """Return the files of a run; None where the service does not say, though there are some."""
    if part(plan.bits, 13) % _NO_LIST_EVERY == 0:
        return None
    writing, project = results.writing(plan), results.project(plan)
    found = ["manifest.json", "partial_parse.msgpack", "semantic_manifest.json"]
    if writing:
        found.append("run_results.json")
    if results.looking(plan):
        found.append("sources.json")
    if any(step.command and step.command.verb == "docs generate" for step in writing):
        found.append("catalog.json")
    if results.generation(plan) == "fusion":
        found += [f"metadata/telemetry-{step.number}-otel.parquet" for step in writing]
    for node in project.nodes["models"]:
        name = f"{project.name}/models/{node.unique_id.rpartition('.')[2]}.sql"
        found += [f"compiled/{name}", f"run/{name}"]
    return sorted(found)

"""The steps of a run: what each did, when, and when its files can be had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cloudapis_simulator.chance import part, pick, share
from cloudapis_simulator.clock import SECOND, spaced
from cloudapis_simulator.world import commands
from cloudapis_simulator.world.humanize import ago, clock_duration
from cloudapis_simulator.world.plan import CANCELLED, ERROR, RUNNING, STATUS_NAMES, SUCCESS

if TYPE_CHECKING:
    from cloudapis_simulator.world.commands import Command
    from cloudapis_simulator.world.dbt import Job
    from cloudapis_simulator.world.plan import Plan

Row = dict[str, Any]

_HYBRID_EVERY = 12
_LATE_EVERY = 4
_PREPARING = ("Clone git repository", "Create profile from connection “größe”")


class Step(NamedTuple):
    """One step; times in microseconds.

    Attributes:
        number: Its number, from 1; 0 where a run has no steps, but results.
        name: How the service calls it.
        command: What dbt was told; None where dbt has no part in it.
        status: How it ended.
        writes: Whether it leaves results of its own.
        reach: The share of its nodes that it came to before it was cut off.
    """

    number: int
    name: str
    command: Command | None
    started_at: int
    ended_at: int
    status: int
    writes: bool
    reach: float = 1.0


def is_hybrid(job: Job) -> bool:
    """Whether the job's runs happen elsewhere: the service knows their files, and no steps."""
    return job.number % _HYBRID_EVERY == _HYBRID_EVERY - 1


def cause_of(plan: Plan) -> tuple[str, str]:
    """Return why the run was started, in words and as a category."""
    if plan.retries is not None:
        return f"Retry of run {plan.retries}", "rerun"
    return pick(plan.job.causes, plan.bits, 13)


def commands_of(plan: Plan, steps: int) -> tuple[Command, ...]:
    """Return what the run is told to do; `steps` as in `commands.of_job`."""
    if steps:
        return commands.of_job(plan.job.number, steps)
    if plan.retries is not None:
        return (commands.RETRY,)
    job = plan.job.number
    chosen = commands.of_job(job, 0)
    if cause_of(plan)[1] == "api":
        chosen = commands.overridden()
    before = (commands.FRESHNESS,) if job % 6 == 0 else ()
    after = (commands.DOCS,) if job % 4 == 0 else ()
    return (*before, *chosen, *after)


def steps_of(plan: Plan, fixed: int = 0) -> list[Step]:
    """Return what the run does in its life, as it is once it has ended.

    Args:
        plan: The run.
        fixed: How many commands each run has; 0 leaves it to its job.
    """
    if plan.started_at is None:
        return []
    bits, told = plan.bits, commands_of(plan, fixed)
    if is_hybrid(plan.job) and not fixed:
        (*_, last) = told
        return [_step(plan, 0, last, (plan.started_at, plan.ended_at), plan.outcome)]
    with_deps = (commands.DEPS,) if part(bits, 8) % 2 and not fixed else ()
    names: list[tuple[str, Command | None]] = [(name, None) for name in _PREPARING]
    names += [(f"Invoke dbt with `{one.text}`", one) for one in (*with_deps, *told)]
    last_place = len(names) - 1
    if plan.outcome != SUCCESS:
        last_place = _ends_at(plan, len(_PREPARING) + len(with_deps), names)
    preparing = min(3 * SECOND, (plan.ended_at - plan.started_at) // 8)
    begin = plan.started_at + preparing * len(_PREPARING)
    done = max(last_place + 1 - len(_PREPARING), 1)
    length = (plan.ended_at - begin) // done
    found = []
    for place, (name, command) in enumerate(names[: last_place + 1]):
        is_last = place == last_place
        if place < len(_PREPARING):
            started = plan.started_at + preparing * place
            ended = plan.ended_at if is_last else started + preparing
        else:
            started = begin + length * (place - len(_PREPARING))
            ended = plan.ended_at if is_last else started + length
        status = plan.outcome if is_last else SUCCESS
        step = _step(plan, place + 1, command, (started, ended), status)
        found.append(step._replace(name=name))
    return found


def _ends_at(plan: Plan, first: int, names: list[tuple[str, Command | None]]) -> int:
    """Return the place of the step in which a run fails or is cancelled."""
    if plan.is_flaky:
        tests = (place for place, (_, one) in enumerate(names) if one and one.verb == "test")
        return next(tests, len(names) - 1)
    if _fails_early(plan):
        return 0
    return first + part(plan.bits, 10) % (len(names) - first)


def _fails_early(plan: Plan) -> bool:
    """Whether the repository could not be cloned: there are no artifacts then."""
    return plan.outcome == ERROR and part(plan.bits, 5) % 8 == 0 and not plan.is_flaky


def _step(
    plan: Plan, number: int, command: Command | None, times: tuple[int, int], status: int
) -> Step:
    bits = plan.bits
    writes = command is not None and bool(command.does)
    reach = 1.0
    if status == ERROR and not plan.is_flaky:
        # One of five does not get past parsing.
        writes = writes and part(bits, 11) % 5 != 0
    elif status == CANCELLED:
        # Half of them are cut off before anything is written down.
        writes, reach = writes and part(bits, 11) % 2 == 0, share(bits, 7)
    return Step(number, "", command, *times, status, writes, reach)


def saves(plan: Plan) -> bool:
    """Whether the run leaves files behind: not if it never came to run dbt."""
    if plan.started_at is None or plan.ended_at - plan.started_at < 4 * SECOND:
        return False
    return not _fails_early(plan) or is_hybrid(plan.job)


def saved_at(plan: Plan) -> int | None:
    """Return when the files of a run can be had: some come a minute after its end."""
    if not saves(plan):
        return None
    return plan.ended_at + (50 * SECOND + part(plan.bits, 7) * 300 if _is_late(plan) else 0)


def flagged_at(plan: Plan) -> int | None:
    """Return when a run begins to tell that it has saved files: some do before they are there."""
    at = saved_at(plan)
    early = part(plan.bits, 8) % 3 == 0
    return at if at is None or not _is_late(plan) or not early else plan.ended_at


def _is_late(plan: Plan) -> bool:
    return part(plan.bits, 6) % _LATE_EVERY == 1


def step_rows(plan: Plan, now: int, fixed: int, *, with_debug: bool) -> list[Row]:
    """Return the steps of a run as its detail has them at `now`."""
    rows = []
    for step in steps_of(plan, fixed):
        if step.number == 0 or step.started_at > now:
            continue
        # How a step has ended that did not succeed is only known with the end of the run.
        is_over = step.ended_at <= now and (plan.ended_at <= now or step.status == SUCCESS)
        ended = step.ended_at if is_over else None
        status = RUNNING if ended is None else step.status
        took = (ended or now) - step.started_at
        log = _log(step, plan)
        rows.append(
            {
                "id": step_id(plan, step),
                "run_id": plan.id,
                "account_id": plan.job.account_id,
                "index": step.number,
                "status": status,
                "name": step.name,
                "logs": log,
                "debug_logs": f"{log}\n(debug)" if with_debug and log else None,
                "truncated_debug_logs": log,
                "log_location": "db",
                "log_path": None,
                "log_archive_type": None,
                "debug_log_path": f"logs/{plan.id}/{step.number}.log",
                "started_at": spaced(step.started_at),
                "finished_at": None if ended is None else spaced(ended),
                "created_at": spaced(step.started_at - 5_001),
                "updated_at": spaced(ended or step.started_at),
                "status_color": {RUNNING: "#4d5e69", SUCCESS: "#3c763d"}.get(status, "#a94442"),
                "status_humanized": STATUS_NAMES[status],
                "duration": clock_duration(took),
                "duration_humanized": ago(took),
                # Null in a payload of 2026: the command is in the name alone.
                "run_step_command": {"dbt_command": step.command.text}
                if step.command and plan.number % 2
                else None,
                "run_step_invocation": None,
            }
        )
    return rows


def step_id(plan: Plan, step: Step) -> int:
    """Return the id of a step."""
    return plan.id * 16 + step.number


def _log(step: Step, plan: Plan) -> str | None:
    """Return what a step has written; nothing for ever, for one in five."""
    if part(plan.bits, 9) % 5 == 0:
        return None
    lines = (
        f"{spaced(step.started_at)}: {step.name}",
        "größe\u2028 ok",
        f"status {STATUS_NAMES[step.status]}",
    )
    return "\n".join(lines)

"""What became of each node in each command of a run: known by run, step and node alone."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from cloudapis_simulator.chance import Dice, part, share, uuid
from cloudapis_simulator.clock import DAY, HOUR, SECOND
from cloudapis_simulator.world import findings
from cloudapis_simulator.world.plan import CANCELLED, ERROR
from cloudapis_simulator.world.project import Project
from cloudapis_simulator.world.steps import saves, steps_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cloudapis_simulator.settings import Sizes
    from cloudapis_simulator.world.plan import Plan
    from cloudapis_simulator.world.project import Node
    from cloudapis_simulator.world.runs import Runs
    from cloudapis_simulator.world.steps import Step

GENERATIONS = ("v6", "fusion", "v5", "v6", "v4", "v3", "v6", "v2", "v1")
"""How the files of a job's runs look, by the number of the job."""
_FAILURES = (
    'Database Error in model {name} (models/{name}.sql)\n  column "größe" does not exist',
    "Compilation Error\n  'ref' found nothing named 'weg'\u2028 in {name}",
    "Runtime Error\n  quota exceeded: try “again” later",
)
_DEVIATION = 3  # of the places of a roll, the first that nothing else uses


class Result(NamedTuple):
    """One node in one command; times in microseconds."""

    node: Node
    status: str
    began_at: int
    compiled_at: int
    ended_at: int
    seconds: float
    message: str | None
    failures: int | None
    rows: int | None
    thread: int
    bits: int


class Freshness(NamedTuple):
    """How old a source was found to be; without `loaded_at` it could not be told."""

    node: Node
    status: str
    loaded_at: int | None
    looked_at: int
    ended_at: int
    error: str | None
    bits: int


class Results:
    """The results of all runs of one account."""

    def __init__(self, runs: Runs, seed: int, sizes: Sizes) -> None:
        self.runs = runs
        self.fixed = sizes.dbt_steps
        self._seed = seed
        self._dice = Dice(seed, "results", runs.account.number)
        self._sources = Dice(seed, "sources", runs.account.number)
        self._count = sizes.dbt_nodes
        self._projects: dict[int, Project] = {}
        self.steps = lru_cache(maxsize=512)(self._steps)

    def _steps(self, plan: Plan) -> list[Step]:
        return steps_of(plan, self.fixed)

    def project(self, plan: Plan) -> Project:
        """Return the dbt project that a run is of."""
        thing = plan.job.project
        if thing.id not in self._projects:
            self._projects[thing.id] = Project(self._seed, thing, self._count)
        return self._projects[thing.id]

    def generation(self, plan: Plan) -> str:
        """Return which form the files of a run have."""
        return GENERATIONS[plan.job.number % len(GENERATIONS)]

    def writing(self, plan: Plan) -> list[Step]:
        """Return the steps that left results of nodes."""
        if not saves(plan):
            return []
        return [step for step in self.steps(plan) if step.writes]

    def looking(self, plan: Plan) -> list[Step]:
        """Return the steps that left the age of sources."""
        if not saves(plan):
            return []
        return [
            step
            for step in self.steps(plan)
            if step.command is not None
            and step.command.verb == "source freshness"
            and step.status != CANCELLED
        ]

    def invocation(self, plan: Plan, step: Step) -> str:
        """Return the id of the command's invocation."""
        return uuid(self._dice.roll(self._number(plan, step, 0)))

    def nodes(self, plan: Plan, step: Step) -> Sequence[Node]:
        """Return the nodes that a command came to."""
        if step.command is None:
            return ()
        pool = self.project(plan).nodes[step.command.does]
        if step.command.verb == "retry" and plan.retries is not None:
            pool = self._left_over(plan) or pool
        if step.status == CANCELLED:
            return pool[: int(len(pool) * step.reach)]
        return pool

    def _left_over(self, plan: Plan) -> list[Node]:
        """Return what the retried run has failed at or skipped."""
        before = self.runs.number_of(plan.retries or 0)
        if before is None:
            return []
        run = self.runs.plan(before)
        nodes = [
            result.node
            for step in self.writing(run)[-1:]
            for result in self.of(run, step)
            if result.status in ("error", "fail", "skipped")
        ]
        return [node._replace(place=place) for place, node in enumerate(nodes)]

    def of(self, plan: Plan, step: Step) -> Iterator[Result]:
        """Yield the results of a command, in the order in which its nodes began."""
        nodes, generation = self.nodes(plan, step), self.generation(plan)
        culprit = self._culprit(plan, step, nodes)
        first = self._number(plan, step, 1)
        span = max(step.ended_at - step.started_at, 1000)
        for place, node in enumerate(nodes):
            bits = self._dice.roll(first + place)
            if step.command is not None and not step.command.is_read:
                at = step.started_at
                yield Result(node, "success", at, at, at, 0.0, None, None, None, 1, bits)
                continue
            seconds = node.takes(step.started_at, share(bits, 0)) * plan.slowed
            seconds = min(seconds, span * 0.9 / SECOND)
            length = int(seconds * SECOND)
            began = step.started_at + int((span - length) * place / max(len(nodes), 1))
            skipped = culprit is not None and place > culprit and place % 2 == culprit % 2
            status, message, failures = _outcome(node, bits, generation, failed=place == culprit)
            if skipped:
                status, message, failures = "skipped", None, None
                seconds, length = 0.0, 0
            made = status in ("success", "partial success") and node.relation is not None
            yield Result(
                node,
                status,
                began,
                began + length // 10,
                began + length,
                seconds,
                message,
                failures,
                part(bits, 4) if made else None,
                1 + part(bits, 5) % 8,
                bits,
            )

    def _culprit(self, plan: Plan, step: Step, nodes: Sequence[Node]) -> int | None:
        """Return the place of the node that a run has failed at: a flaky one, if there is one."""
        if step.status != ERROR or not nodes:
            return None
        if plan.is_flaky:
            steady = self.project(plan).flaky_test
            return next((node.place for node in nodes if node.unique_id == steady), None)
        flaky = [node.place for node in nodes if node.flaky]
        places = flaky if flaky and part(plan.bits, 9) % 4 else range(len(nodes))
        return places[part(plan.bits, 12) % len(places)]

    def ages(self, plan: Plan, step: Step) -> Iterator[Freshness]:
        """Yield how old the sources were when a command looked."""
        first = self._number(plan, step, 1)
        fusion = self.generation(plan) == "fusion"
        for place, node in enumerate(self.project(plan).sources):
            bits = self._dice.roll(first + place)
            looked = step.started_at + place * 1000 + part(bits, 0)
            ended = looked + 1000 + part(bits, 1) * 10
            if place == 4 and part(bits, 2) % 6 == 0 and not fusion:  # noqa: PLR2004
                error = "Runtime Error\n  no such table “größe”" if part(bits, 3) % 2 else None
                yield Freshness(node, "runtime error", None, looked, ended, error, bits)
                continue
            loaded = self._loaded(plan, node, looked)
            age = looked - loaded
            status = "error" if age > 2 * DAY else "warn" if age > 12 * HOUR else "pass"
            yield Freshness(node, status, loaded, looked, ended, None, bits)

    def _loaded(self, plan: Plan, node: Node, now: int) -> int:
        """Return when a source was last loaded: every six hours, if its loader does not stand."""
        project = plan.job.project
        if self.runs.today:
            account, today = self.runs.account.number, self.runs.today
            now = findings.loaded(account, project.number, node.place, now, today)
        turn = now // (6 * HOUR)
        week = turn // 28
        stands = self._sources.roll(week * 1000 + project.number * 10 + node.place)
        if part(stands, 0) % 4 == 0:
            # From a day of the week on nothing comes.
            turn = min(turn, week * 28 + part(stands, 1) % 28)
        return turn * 6 * HOUR + part(node.bits, 6) % 3600 * 1000

    @staticmethod
    def _number(plan: Plan, step: Step, place: int) -> int:
        return plan.number << 32 | step.number << 24 | place


_UNUSUAL = {
    "v6": ("reused", "partial success", "no-op"),
    "fusion": ("reused", "warn", "skipped"),
}


def _outcome(
    node: Node, bits: int, generation: str, *, failed: bool
) -> tuple[str, str | None, int | None]:
    """Return status, message and number of failures of one node."""
    if node.relation is None:
        return _tested(node, bits, generation, failed=failed)
    if failed:
        name = node.unique_id.split(".")[2]
        return "error", _FAILURES[part(bits, 6) % len(_FAILURES)].format(name=name), None
    roll = part(bits, _DEVIATION) % 24
    if generation in _UNUSUAL and roll < len(_UNUSUAL[generation]):
        return _UNUSUAL[generation][roll], None, None
    if generation == "v1" and roll < 6:  # noqa: PLR2004
        return "success", None if roll < 3 else str(part(bits, 7)), None  # noqa: PLR2004
    return "success", f"SUCCESS {part(bits, 4)}", None


def _tested(
    node: Node, bits: int, generation: str, *, failed: bool
) -> tuple[str, str | None, int | None]:
    """Return status, message and number of failures of a test."""
    roll = part(bits, _DEVIATION) % 24
    if failed:
        count = 1 + part(bits, 6) % 30
        return "fail", f"Got {count} results, configured to fail if != 0", count
    if node.flaky and roll < 4:  # noqa: PLR2004
        return "warn", f"Got {roll + 1} results, configured to warn if != 0", roll + 1
    if generation == "fusion" and roll == 9:  # noqa: PLR2004
        return "reused", None, 0
    return "pass", None, 0

"""Stacks and updates of one Pulumi organization: how they are born, live and die.

What lives since the beginning has an exact number of updates in the history. After the end of
history stacks are deleted, some created again under their old name, and new ones appear.
Those that are moved or made on demand are let alone, and so are their names, old and new.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from cloudapis_simulator.chance import Dice, part, pick, uuid
from cloudapis_simulator.clock import BEGINNING, DAY, HOUR, MINUTE, SECOND
from cloudapis_simulator.world import findings, words
from cloudapis_simulator.world.timeline import Timeline

UPDATE_PACE = 5 * DAY
EVENT_PACE = 5 * DAY
_BUSY_STACKS = 5  # stacks 0 to 4: at any time one of them has an open update
_STUCK_STACK = 5
_STUCK_EVERY = 6
_PREVIEW = 60 * DAY
"""How long a new stack is there, where a world keeps its size."""
_KINDS = ("update",) * 9 + ("refresh", "refresh", "destroy", "import", "rename")


class StackName(NamedTuple):
    """The three parts of a stack's full name."""

    org: str
    project: str
    stack: str

    @classmethod
    def read(cls, text: str) -> StackName:
        """Read `org/project/stack`.

        Raises:
            ValueError: `text` has another form.
        """
        parts = text.split("/")
        if len(parts) != len(cls._fields) or not all(parts):
            raise ValueError(f"not of the form org/project/stack: {text!r}")
        return cls(*parts)

    def __str__(self) -> str:
        return "/".join(self)


class Update(NamedTuple):
    """One update; times in microseconds. `ended_at` None means never."""

    version: int
    id: str
    kind: str
    started_at: int
    under_way_at: int
    ended_at: int | None
    failed: bool
    bits: int

    def is_open(self, now: int) -> bool:
        """Whether the update has not ended at `now`."""
        return self.ended_at is None or self.ended_at > now

    def result(self, now: int) -> str:
        """Return the result as known at `now`, open ones included."""
        if self.is_open(now):
            return "in-progress" if self.under_way_at <= now else "not-started"
        return "failed" if self.failed else "succeeded"


@dataclass(eq=False)
class Stack:
    """One life of a stack: a stack created again under its old name is another one.

    `born_as` is what its updates speak of, whatever the stack is called today; `left_for` for how
    long nobody has cared for it, `more` how many resources it has beyond the usual.
    """

    project: str
    name: str
    born_as: StackName
    id: str
    number: int
    born_at: int
    dice: Dice
    updates: Timeline
    busy: bool = False
    ever_updated: bool = True
    stuck_update: int | None = None
    died_at: int | None = None
    most: int | None = None
    left_for: int = 0
    more: int = 0

    def exists(self, now: int) -> bool:
        """Whether the stack is there at `now`."""
        return self.born_at <= now and (self.died_at is None or self.died_at > now)

    def count(self, now: int) -> int:
        """Return how many updates have been started by `now`."""
        return self.updates.until(now - self.left_for) if self.ever_updated else 0

    def numbers(self, now: int) -> range:
        """Return the numbers of the updates that are there: all, or the `most` newest."""
        count = self.count(now)
        return range(max(count - self.most, 0) + 1 if self.most else 1, count + 1)

    def update(self, number: int) -> Update:
        """Return update `number` (from 1)."""
        bits = self.dice.roll(number)
        started = self.updates.at(number)
        long = self.busy or part(bits, 0) % 16 == 3  # noqa: PLR2004
        length = 26 * HOUR if long else 15 * SECOND + part(bits, 1) % 1200 * SECOND
        # One at a time: it ends before the next begins.
        _, width = self.updates.slot(number)
        length = max(min(length, width * (9 if self.busy else 2) // 10), SECOND)
        return Update(
            # Every third stack has gaps between its versions.
            version=number + (number // 6 if self.number % 3 == 1 else 0),
            id=uuid(bits),
            kind=pick(_KINDS, bits, 2),
            started_at=started,
            under_way_at=started + min(length // 4, HOUR),
            ended_at=None if self._is_stuck(number) else started + length,
            failed=part(bits, 3) % 9 == 0,
            bits=bits,
        )

    def _is_stuck(self, number: int) -> bool:
        """Whether an update never ends: one, or always one of those that are there."""
        if self.stuck_update is None or self.most is None:
            return number == self.stuck_update
        return number % min(self.most, _STUCK_EVERY) == 0

    def last_update(self, now: int) -> int | None:
        """Return the start of the newest update in microseconds, None if there is none."""
        count = self.count(now)
        return self.updates.at(count) if count else None

    def resource_count(self, now: int) -> int:
        """Return how many resources the stack holds."""
        return 3 + self.number % 40 + self.count(now) // 2 + self.more


class Stacks:
    """All stacks that one organization ever has."""

    def __init__(
        self, seed: int, org: str, count: int, updates: int, *, windowed: bool = False
    ) -> None:
        self.org = org
        self._most = max(updates, 1) if windowed else None
        self._seed = seed
        self._dice = Dice(seed, "stack events", org)
        self._events = Timeline(self._dice, 0, EVENT_PACE)
        self._played = 0
        self._lives = [self._original(number, count, updates) for number in range(count)]
        self._by_name = {(stack.project, stack.name): [stack] for stack in self._lives}
        self._original_names = list(self._by_name)
        self._let_alone: set[tuple[str, str]] = set()
        self._made = 0
        self._listed: tuple[int, list[Stack]] = (-1, [])

    def listed(self, now: int) -> list[Stack]:
        """Return the stacks that exist at `now`, by project and name."""
        at, stacks = self._listed
        if at != now:
            self._play(now)
            stacks = [stack for stack in self._lives if stack.exists(now)]
            stacks.sort(key=lambda stack: (stack.project, stack.name))
            self._listed = (now, stacks)
        return stacks

    def deleted(self, now: int) -> list[Stack]:
        """Return the stacks that were deleted by `now`, in the order of their ends."""
        self._play(now)
        ended = [one for one in self._lives if one.died_at is not None and one.died_at <= now]
        return sorted((one for one in ended if one.died_at != one.born_at), key=_end)

    def find(self, project: str, name: str, now: int) -> Stack | None:
        """Return the stack of that name that exists at `now`."""
        self._play(now)
        lives = self._by_name.get((project, name), [])
        return next((stack for stack in lives if stack.exists(now)), None)

    def make(self, project: str, name: str, updates: int, now: int) -> None:
        """Make a stack with so many updates, all ended; more come as time passes."""
        self._made += 1
        dice = Dice(self._seed, "updates", self.org, "made", self._made)
        stack = Stack(
            project=project,
            name=name,
            born_as=StackName(self.org, project, name),
            id=uuid(dice.roll(0)),
            number=3 * self._made,
            born_at=now,
            dice=dice,
            # One in each of the minutes before `now`, so that they are there at once.
            updates=Timeline(dice, updates, UPDATE_PACE, begin=now - updates * MINUTE, end=now),
        )
        self.settle(stack, project, name, now)

    def settle(self, stack: Stack, project: str, name: str, now: int) -> None:
        """From now on `stack` is here, under that name."""
        lives = self._by_name.setdefault((project, name), [])
        for other in lives:
            if other.born_at > now:
                other.died_at = other.born_at  # it would have come here
        stack.project, stack.name = project, name
        lives.append(stack)
        self._lives.append(stack)
        self._let_alone.add((project, name))
        self._listed = (-1, [])

    def leave(self, stack: Stack) -> None:
        """From now on `stack` is not here, or not under the name it has."""
        name = (stack.project, stack.name)
        self._by_name[name].remove(stack)
        self._lives.remove(stack)
        self._let_alone.add(name)
        self._listed = (-1, [])

    def _original(self, number: int, count: int, updates: int) -> Stack:
        block = number // len(words.STACKS)
        turn = block // len(words.STACK_PROJECTS)
        project = words.STACK_PROJECTS[block % len(words.STACK_PROJECTS)]
        bits = Dice(self._seed, "stack", self.org).roll(number)
        dice = Dice(self._seed, "updates", self.org, number)
        busy = number < _BUSY_STACKS
        project = f"{project}-{turn}" if turn else project
        name = words.STACKS[number % len(words.STACKS)]
        born_as = StackName(self.org, project, name)
        is_left = self._most is not None and str(born_as) == findings.FORGOTTEN.stack
        return Stack(
            project=project,
            name=name,
            born_as=born_as,
            id=uuid(bits),
            number=number,
            born_at=BEGINNING,
            left_for=findings.FORGOTTEN.days * DAY if is_left else 0,
            more=findings.FORGOTTEN.resources if is_left else 0,
            dice=dice,
            updates=Timeline(
                dice,
                updates,
                UPDATE_PACE,
                phase=0.15 + 0.2 * number if busy else None,
                # At the end of history one update is running, one is not started yet.
                closing={0: (90 * MINUTE,), 1: (10 * MINUTE,)}.get(number, ()),
            ),
            busy=busy,
            ever_updated=number % 19 != 7,  # noqa: PLR2004
            stuck_update=max(updates // 2, 1) if number == min(_STUCK_STACK, count - 1) else None,
            most=self._most,
        )

    def _born(self, project: str, name: str, number: int, at: int, purpose: str) -> None:
        if (project, name) in self._let_alone:
            return
        dice = Dice(self._seed, "updates", self.org, purpose, number)
        stack = Stack(
            project=project,
            name=name,
            born_as=StackName(self.org, project, name),
            id=uuid(dice.roll(0)),
            number=number,
            born_at=at,
            dice=dice,
            updates=Timeline(dice, 0, UPDATE_PACE, begin=at, end=at, phase=0.001),
            ever_updated=purpose == "again" or number % 4 != 0,
            died_at=at + _PREVIEW if self._most and purpose == "new" else None,
            most=self._most,
        )
        self._lives.append(stack)
        self._by_name.setdefault((project, name), []).append(stack)

    def _play(self, now: int) -> None:
        """Let happen what happens to the stacks until `now`."""
        happened = self._events.until(now)
        while self._played < happened:
            self._played += 1
            self._event(self._played)

    def _event(self, number: int) -> None:
        """Delete one of the later half of the stacks; two of three come back; one is new."""
        at = self._events.at(number)
        originals = self._original_names
        self._born("website", f"preview-{number}", len(originals) + number, at + DAY, "new")
        later_half = originals[max(len(originals) // 2, 1) :]
        if not later_half:
            return
        project, name = pick(later_half, self._dice.roll(number), 5)
        if (project, name) in self._let_alone:
            return
        victim = self._by_name[project, name][-1]
        if not victim.exists(at):
            return
        victim.died_at = at
        if number % 3 or self._most:
            self._born(project, name, number, at + 2 * DAY, "again")


def _end(stack: Stack) -> tuple[int, str]:
    return stack.died_at or 0, stack.id

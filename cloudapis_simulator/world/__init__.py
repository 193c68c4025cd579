"""The world behind both APIs: a pure function of seed, sizes and time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudapis_simulator.world.dbt import Account
from cloudapis_simulator.world.people import People
from cloudapis_simulator.world.pulumi import Organization
from cloudapis_simulator.world.results import Results
from cloudapis_simulator.world.runs import Runs
from cloudapis_simulator.world.stacks import StackName

if TYPE_CHECKING:
    from cloudapis_simulator.clock import Clock
    from cloudapis_simulator.settings import Sizes
    from cloudapis_simulator.world.stacks import Stacks

_MOST_UPDATES_MADE = 10_000


class World:
    """Everything there is. Two worlds with the same seed, sizes and clock are equal.

    Only stacks that are moved or made on demand make one different, until its process ends.
    """

    def __init__(self, seed: int, sizes: Sizes, clock: Clock) -> None:
        self.seed = seed
        self.sizes = sizes
        self.clock = clock
        self.accounts = [Account(seed, number, sizes) for number in range(sizes.dbt_accounts)]
        self.people = People(seed, sizes.dbt_accounts)
        self.runs = {
            account.id: Runs(account, seed, sizes, self.people.within(account.number), clock)
            for account in self.accounts
        }
        self.results = {number: Results(runs, seed, sizes) for number, runs in self.runs.items()}
        self.organizations = [
            Organization(seed, number, sizes) for number in range(sizes.pulumi_orgs)
        ]

    def move_stack(self, old: str, new: str) -> None:
        """Rename or transfer a stack; both names have the form `org/project/stack`.

        Raises:
            ValueError: There is no such stack, or there is one under the new name.
        """
        source, target = StackName.read(old), StackName.read(new)
        before, now = self._stacks(source.org), self.clock.now
        stack = before.find(source.project, source.stack, now)
        if stack is None:
            raise ValueError(f"there is no stack {source}")
        after = self._stacks_without(target)
        before.leave(stack)
        after.settle(stack, target.project, target.stack, now)
        self.clock.changed()

    def make_stack(self, name: str, updates: int) -> None:
        """Make a stack with so many updates, which have ended; more come as time passes.

        Raises:
            ValueError: There is a stack of that name, or it cannot have so many updates.
        """
        if not 0 <= updates <= _MOST_UPDATES_MADE:
            raise ValueError(f"updates must be 0 to {_MOST_UPDATES_MADE}")
        made = StackName.read(name)
        self._stacks_without(made).make(made.project, made.stack, updates, self.clock.now)
        self.clock.changed()

    def _stacks_without(self, name: StackName) -> Stacks:
        stacks = self._stacks(name.org)
        if stacks.find(name.project, name.stack, self.clock.now) is not None:
            raise ValueError(f"there is a stack {name}")
        return stacks

    def _stacks(self, org: str) -> Stacks:
        for organization in self.organizations:
            if organization.login == org:
                return organization.stacks
        raise ValueError(f"there is no organization {org}")

"""What is listed and what lists lie under, as the functions of a table's fields see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from cloudapis_simulator.chance import Dice, uuid
from cloudapis_simulator.world.dbt import Account
from cloudapis_simulator.world.pulumi import Organization
from cloudapis_simulator.world.stacks import Stack
from cloudapis_simulator.world.things import ACTIVE, Thing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudapis_simulator.world import World

Row = dict[str, Any]
_Subject = TypeVar("_Subject")


@dataclass(frozen=True, eq=False)
class Item:
    """One thing now: a row to be, or what rows are listed under.

    Attributes:
        world: Where it is.
        subject: The thing itself.
        above: What it is listed under; None for accounts and organizations.
    """

    world: World
    subject: Thing | Account | Organization | Stack
    above: Item | None = None

    @property
    def now(self) -> int:
        """The time, in microseconds."""
        return self.world.clock.now

    @property
    def parent(self) -> Item:
        """What it is listed under."""
        if self.above is None:
            raise LookupError("accounts and organizations are listed under nothing")
        return self.above

    @property
    def account(self) -> Account:
        """The account it is in."""
        return self._nearest(Account)

    @property
    def organization(self) -> Organization:
        """The organization it is in."""
        return self._nearest(Organization)

    @property
    def stack(self) -> Stack:
        """The stack it is of."""
        return self._nearest(Stack)

    @property
    def thing(self) -> Thing:
        """What is made for a table; accounts, organizations and stacks are not."""
        if isinstance(self.subject, Thing):
            return self.subject
        raise LookupError("accounts, organizations and stacks are made otherwise")

    @property
    def id(self) -> int:
        """Its number as an id."""
        return self.subject.id if isinstance(self.subject, Account) else self.thing.id

    @property
    def uuid(self) -> str:
        """An id in the form of a UUID."""
        return uuid(self.thing.bits)

    @property
    def number(self) -> int:
        """Its place among its kind in the account, organization or stack, from 0."""
        return self.subject.number if isinstance(self.subject, Thing) else 0

    @property
    def bits(self) -> int:
        """The roll its details come from."""
        return self.thing.bits

    @property
    def state(self) -> int:
        """1 (active) or 2 (deleted)."""
        return self.thing.state(self.now)

    @property
    def created_at(self) -> int:
        """When it was made, in microseconds."""
        return self.thing.created_at

    @property
    def updated_at(self) -> int:
        """When it was last changed, in microseconds."""
        return self.thing.updated_at(self.now)

    def named(self, name: str) -> str:
        """Return its name: another one from the moment on in which it is renamed."""
        at = self.thing.renamed_at
        return name if at is None or at > self.now else f"{name} (renamed)"

    def dice(self, kind: str) -> Dice:
        """Return the dice for all things of a kind in its account, organization or stack."""
        subject = self.subject
        if isinstance(subject, Thing):
            return self.parent.dice(kind)
        if isinstance(subject, Account):
            return Dice(self.world.seed, kind, subject.number)
        name = subject.id if isinstance(subject, Stack) else self.organization.login
        return Dice(self.world.seed, kind, name)

    def _nearest(self, kind: type[_Subject]) -> _Subject:
        if isinstance(self.subject, kind):
            return self.subject
        return self.parent._nearest(kind)  # noqa: SLF001 - its own


class Level(Protocol):
    """What lists lie under: the accounts, the rows of a table."""

    def every(self, world: World) -> Iterator[Item]:
        """Yield all of its items."""

    def find(self, world: World, names: Mapping[str, str]) -> Item | None:
        """Return the item that the parts of a path name."""

    def columns(self, item: Item) -> Row:
        """Return what rows under the item tell of it: `account_id` and the like."""


class _Accounts:
    def every(self, world: World) -> Iterator[Item]:
        return (Item(world, account) for account in world.accounts)

    def find(self, world: World, names: Mapping[str, str]) -> Item | None:
        found = (item for item in self.every(world) if str(item.id) == names["account"])
        return next(found, None)

    def columns(self, item: Item) -> Row:
        return {"account_id": item.id}


class _Organizations:
    def every(self, world: World) -> Iterator[Item]:
        return (Item(world, organization) for organization in world.organizations)

    def find(self, world: World, names: Mapping[str, str]) -> Item | None:
        every = self.every(world)
        return next((item for item in every if item.organization.login == names["org"]), None)

    def columns(self, item: Item) -> Row:
        return {"org_name": item.organization.login}


class _Stacks:
    def every(self, world: World) -> Iterator[Item]:
        for organization in world.organizations:
            for stack in organization.stacks.listed(world.clock.now):
                yield Item(world, stack, Item(world, organization))

    def find(self, world: World, names: Mapping[str, str]) -> Item | None:
        above = ORGANIZATIONS.find(world, names)
        if above is None:
            return None
        stacks = above.organization.stacks
        stack = stacks.find(names["project"], names["stack"], world.clock.now)
        return None if stack is None else Item(world, stack, above)

    def columns(self, item: Item) -> Row:
        stack = item.stack
        return {
            "org_name": item.organization.login,
            "project_name": stack.project,
            "stack_name": stack.name,
            "stack_id": stack.id,
        }


class _Jobs:
    """The jobs that are in use, in projects that are."""

    def every(self, world: World) -> Iterator[Item]:
        for account in ACCOUNTS.every(world):
            yield from self._of(account)

    def find(self, world: World, names: Mapping[str, str]) -> Item | None:
        account = ACCOUNTS.find(world, names)
        if account is None:
            return None
        project, job = names["project"], names["job"]
        found = (it for it in self._of(account) if str(it.id) == job)
        return next((it for it in found if str(it.parent.id) == project), None)

    @staticmethod
    def _of(account: Item) -> Iterator[Item]:
        now = account.now
        for job in account.account.listed_jobs(now):
            if job.state(now) == ACTIVE == job.project.state(now):
                yield Item(account.world, job, Item(account.world, job.project, account))

    def columns(self, item: Item) -> Row:
        return {
            "account_id": item.account.id,
            "project_id": item.parent.id,
            "job_definition_id": item.id,
        }


ACCOUNTS, ORGANIZATIONS, STACKS = _Accounts(), _Organizations(), _Stacks()
JOBS = _Jobs()

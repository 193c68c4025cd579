"""The world behind both APIs: a pure function of seed, sizes and time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudapis_simulator.world.dbt import Account
from cloudapis_simulator.world.pulumi import Organization
from cloudapis_simulator.world.runs import Runs

if TYPE_CHECKING:
    from cloudapis_simulator.clock import Clock
    from cloudapis_simulator.settings import Sizes


class World:
    """Everything there is. Two worlds with the same seed, sizes and clock are equal."""

    def __init__(self, seed: int, sizes: Sizes, clock: Clock) -> None:
        self.seed = seed
        self.sizes = sizes
        self.clock = clock
        self.accounts = [Account(seed, number, sizes) for number in range(sizes.dbt_accounts)]
        self.runs = {account.id: Runs(account, seed, sizes) for account in self.accounts}
        self.organizations = [
            Organization(seed, number, sizes) for number in range(sizes.pulumi_orgs)
        ]

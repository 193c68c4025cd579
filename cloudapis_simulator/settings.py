"""What a simulator is told: the sizes of its world, and how it behaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

OverCap = Literal["clamp", "reject"]


@dataclass(frozen=True)
class Sizes:
    """How much there is in the world.

    Jobs and runs are per account, stacks per organization, updates per stack. Runs and
    updates are counted at the end of history; afterwards life goes on, and the world grows.
    With `days` it is a window instead, which ends now and keeps its size: so many days have
    that many runs, and what is older is gone; of each stack the newest updates are there. Such
    a world has something to find in it (`world/findings.py`).
    Steps and files of runs that ended `dbt_detail_days` ago are gone; 0 keeps them.

    `dbt_nodes` is how many models, and tests, a dbt project has, and how many of both together
    a build is about; `dbt_steps` how many commands with results each run has, 0 leaves it to
    the jobs. The artifacts of one run in fifty have `dbt_large_mb` megabytes.
    """

    dbt_accounts: int = 2
    dbt_jobs: int = 12
    dbt_runs: int = 600
    pulumi_orgs: int = 2
    pulumi_stacks: int = 40
    pulumi_updates: int = 12
    days: int = 0
    dbt_detail_days: int = 0
    dbt_nodes: int = 9
    dbt_steps: int = 0
    dbt_large_mb: int = 0

    def __post_init__(self) -> None:
        """Refuse negative sizes."""
        for name, value in vars(self).items():
            if value < 0:
                raise ValueError(f"{name} must not be negative")


@dataclass
class Behaviour:
    """How the services answer. Every field can be changed while the simulator runs.

    Attributes:
        latency_ms: Time before every answer, in milliseconds; concurrent.
        page_cap: Most rows in a page; None leaves each list its own (100, stacks 500).
        over_cap: What a request for more gets: fewer rows, or status 400.
        rate_limit: Requests per second and service before status 429; None is unlimited.
        retry_after: The `Retry-After` of a 429, in seconds; None leaves it out.
        error_rate: Share of requests that get status 503.
        cut_rate: Share of answers whose connection is cut in the middle of the body.
        forbid: Streams that the token may not read.
        missing: Routes that an older server of Pulumi does not have, as `/api/orgs/{org}/roles`.
        slash_redirect: Whether dbt answers 308 where the trailing slash is missing.
        unlisted: Accounts of dbt that the list of accounts leaves out, by id.
        ignore_keyset: Whether dbt runs ignore `id__gt`, like an old server.
    """

    latency_ms: float = 0
    page_cap: int | None = None
    over_cap: OverCap = "clamp"
    rate_limit: float | None = None
    retry_after: int | None = None
    error_rate: float = 0
    cut_rate: float = 0
    forbid: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    unlisted: set[int] = field(default_factory=set)
    slash_redirect: bool = True
    ignore_keyset: bool = False

    def change(self, changes: dict[str, object]) -> None:
        """Set several fields at once, all or none.

        Raises:
            ValueError: A name is unknown or a value is out of range.
        """
        unknown = sorted(changes.keys() - vars(self).keys())
        if unknown:
            raise ValueError(f"unknown settings: {', '.join(unknown)}")
        after = Behaviour(**{**vars(self), **changes})
        after.check()
        vars(self).update(vars(after))

    def check(self) -> None:
        """Refuse values that make no sense.

        Raises:
            ValueError: A value is out of range.
        """
        self.forbid, self.unlisted = set(self.forbid), set(self.unlisted)
        self.missing = set(self.missing)
        if self.over_cap not in get_args(OverCap):
            raise ValueError("over_cap must be clamp or reject")
        for name in ("error_rate", "cut_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie between 0 and 1")
        for name in ("page_cap", "rate_limit"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be positive")
        if self.latency_ms < 0 or (self.retry_after or 0) < 0:
            raise ValueError("times must not be negative")

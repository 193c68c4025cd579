"""Accounts, projects, environments and jobs of the dbt world.

Shapes follow the published v2 and v3 documents, with what payloads add to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cloudapis_simulator.chance import Dice, part, pick, uuid
from cloudapis_simulator.clock import BEGINNING, DAY, HOUR, SECOND, with_t
from cloudapis_simulator.world import findings, words
from cloudapis_simulator.world.commands import of_job, texts
from cloudapis_simulator.world.humanize import ago
from cloudapis_simulator.world.things import ACTIVE, DELETED, Thing, make_thing

if TYPE_CHECKING:
    from cloudapis_simulator.settings import Sizes

Row = dict[str, Any]

_FIRST_LARGE_ID = 70_403_103_000_000
_LARGE_ID_STEP = 1_000_000_000
_MOST_PROJECTS = 40
SEATS = {"developer": 40, "read_only": 50, "it": 30, "analyst": 0, "explorer": 5}
"""So many seats an account has bought of each kind."""
_DELETED_OF_SEVEN = 3
_SYSTEM_OF_NINE = 5
_JOB_TYPES = ("scheduled", "ci", "other", "merge")
_CAUSES = {category: (text, category) for text, category in words.CAUSES}
# Where there are findings, jobs are of the kind that `words.JOBS` says, and run accordingly.
_KINDS = ("scheduled", "ci", "merge", "scheduled", "scheduled", "other", "scheduled", "scheduled")
_CAUSED = {
    "scheduled": ("scheduled",) * 8 + ("ui", "api"),
    "ci": ("ci",),
    "merge": ("merge",),
    "other": ("api", "api", "ui"),
}
_TURNS = {0: 5, 4: 5, 6: 2, 8: 5, 11: 2}
"""How many turns jobs have, by number; those with findings have more."""


@dataclass(frozen=True)
class Job(Thing):
    """A job; `purged` ones are gone from every list once deleted, though runs name them."""

    account_id: int
    project: Thing
    environment: Thing
    is_system: bool
    purged: bool
    title: str
    kind: str
    causes: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """The job's name, unique in its account."""
        return f"{self.title} #{self.number}"


class Account:
    """One dbt account, by its number from 0; odd and later ones have 14-digit ids.

    `offset` is what its ids of any kind lie above those of the first account.
    """

    def __init__(self, seed: int, number: int, sizes: Sizes) -> None:
        self.number = number
        self.seed = seed
        self.offset = _FIRST_LARGE_ID + (number - 1) * _LARGE_ID_STEP if number else 0
        self.id = self.offset + 1042
        self.name = f"{words.ACCOUNTS[number % len(words.ACCOUNTS)]} {number}"
        self._job_count = sizes.dbt_jobs
        self._steps = sizes.dbt_steps
        self._has_findings = sizes.days > 0

    def first_run_id(self) -> int:
        """Return the number below which no run id of this account lies."""
        return self.offset + 5_000_000

    def _thing(self, kind: str, number: int, first_id: int, step: int, *, deleted: bool) -> Thing:
        dice = Dice(self.seed, kind, self.number)
        return make_thing(dice, number, self.offset + first_id + step * number, deleted=deleted)

    @cached_property
    def projects(self) -> list[Thing]:
        """The projects; the third is deleted in the course of the history."""
        count = min(_MOST_PROJECTS, self._job_count // 4 + 2)
        return [self._thing("projects", n, 2100, 3, deleted=n == 2) for n in range(count)]  # noqa: PLR2004

    @cached_property
    def environments(self) -> list[tuple[Thing, Thing]]:
        """Pairs (project, environment), three to a project, in order of id."""
        return [
            (project, self._thing("environments", n, 3000, 2, deleted=n % 8 == 5))  # noqa: PLR2004
            for project in self.projects
            for n in range(3 * project.number, 3 * project.number + 3)
        ]

    @cached_property
    def jobs(self) -> list[Job]:
        """All jobs in order of id: listed, deleted, system and (last) purged ones."""
        purged = max(1, self._job_count // 12)
        return [self._job(n, purged=n >= self._job_count) for n in range(self._job_count + purged)]

    def _job(self, number: int, *, purged: bool) -> Job:
        deleted = purged or number % 7 == _DELETED_OF_SEVEN
        thing = self._thing("jobs", number, 40_000, 7, deleted=deleted)
        project = self.projects[number % len(self.projects)]
        if project.deleted_at is not None and not purged:
            # A project takes its jobs along.
            thing = Thing(thing.id, number, thing.created_at, project.deleted_at, thing.bits)
            deleted = True
        title, kind = pick(words.JOBS, thing.bits, 3), pick(_JOB_TYPES, thing.bits, 4)
        causes: tuple[tuple[str, str], ...] = words.CAUSES
        if self._has_findings:
            title = words.JOBS[number % len(words.JOBS)]
            kind = _KINDS[number % len(_KINDS)]
            causes = tuple(_CAUSES[name] for name in _CAUSED[kind])
        return Job(
            **vars(thing),
            title=title,
            kind=kind,
            causes=causes,
            account_id=self.id,
            project=project,
            environment=self.environments[3 * project.number + 1][1],
            is_system=number % 9 == _SYSTEM_OF_NINE and not deleted,
            purged=purged,
        )

    @cached_property
    def turns(self) -> list[Job]:
        """The jobs that take turns in having a run; some have several turns."""
        if not self._has_findings:
            return self.jobs
        return [job for job in self.jobs for _ in range(_TURNS.get(job.number, 1))]

    @cached_property
    def stand_ins(self) -> list[Job]:
        """The jobs that have the run when one is gone whose turn it is."""
        if not self._has_findings:
            return self.jobs[:1]
        return [job for job in self.turns if job.deleted_at is None] or self.jobs[:1]

    def listed_jobs(self, now: int) -> list[Job]:
        """Return the jobs that the API still knows at `now`, deleted and system ones included."""
        return [job for job in self.jobs if not (job.purged and job.state(now) == DELETED)]

    def row(self, now: int) -> Row:
        """Return the account as `/api/v3/accounts/` and `/api/v2/accounts/{id}/` give it."""
        bits = Dice(self.seed, "account").roll(self.number)
        created = BEGINNING - 700 * DAY + part(bits, 0)
        return {
            "docs_job_id": None,
            "freshness_job_id": None,
            "lock_reason": None,
            "lock_cause": None,
            "unlock_if_subscription_renewed": False,
            **{f"{kind}_seats": bought for kind, bought in SEATS.items()},
            "id": self.id,
            "name": self.name,
            "state": ACTIVE,
            "plan": "enterprise_2025",
            "pending_cancel": False,
            "run_slots": findings.RUSH.slots if self._has_findings else 15,
            "queue_limit": 50,
            "pod_memory_request_mebibytes": 600,
            "develop_pod_memory_request_mebibytes": 0,
            "run_duration_limit_seconds": 86_400,
            "enterprise_authentication_method": None,
            "enterprise_login_slug": None,
            "enterprise_unique_identifier": None,
            "enterprise_login_url": "https://cloud.getdbt.com/enterprise-login/None/",
            "billing_email_address": f"billing-{self.number}@example.com",
            "locked": False,
            "business_critical": bool(self.number % 2),
            "develop_file_system": True,
            "unlocked_at": None,
            "created_at": with_t(created),
            "updated_at": with_t(BEGINNING + (now - BEGINNING) // (30 * DAY) * 30 * DAY),
            "starter_repo_url": None,
            "sso_reauth": False,
            "force_sso": False,
            "git_auth_level": "team",
            "identifier": f"act_{uuid(bits).replace('-', '')[:27]}",
            "docs_job": None,
            "freshness_job": None,
            "static_subdomain": None,
            "vanity_subdomain": None,
            "trial_end_date": None,
            "run_locked_until": None,
            "copilot_locked_until": None,
            "agent_credit_locked": False,
            "account_migration_events": [],
            "groups": [],
        }

    def job_row(self, job: Job, now: int) -> Row:
        """Return a job as `/api/v2/accounts/{id}/jobs/` gives it."""
        kind = job.kind
        scheduled = kind == "scheduled" and job.state(now) == ACTIVE
        next_run = (now // HOUR + 1) * HOUR + part(job.bits, 5) % 60 * SECOND
        return {
            "execution": {"timeout_seconds": 0},
            "generate_docs": job.number % 4 == 0,
            "run_generate_sources": job.number % 6 == 0,
            "run_compare_changes": False,
            "compare_changes_flags": "--select state:modified",
            "cost_optimization_features": [],
            "id": job.id,
            "account_id": self.id,
            "project_id": job.project.id,
            "environment_id": job.environment.id,
            "name": job.name,
            "description": "" if job.number % 3 else 'Täglich: "alles"\nund noch eine Zeile',
            "dbt_version": None,
            "raw_dbt_version": None,
            "created_at": with_t(job.created_at),
            "updated_at": with_t(job.updated_at(now)),
            "execute_steps": texts(of_job(job.number, self._steps)),
            "state": job.state(now),
            "deactivated": False,
            "run_failure_count": part(job.bits, 6) % 4,
            "run_lint": False,
            "errors_on_lint_failure": False,
            "deferring_job_definition_id": None,
            "deferring_environment_id": job.environment.id if job.number % 2 else None,
            "lifecycle_webhooks": job.number % 5 == 3,  # noqa: PLR2004
            "lifecycle_webhooks_url": f"https://hooks.slack.com/services/T0/{words.SECRET_MARKER}"
            if job.number % 5 == 3  # noqa: PLR2004
            else None,
            "triggers": {
                "github_webhook": kind == "ci",
                "git_provider_webhook": False,
                "custom_branch_only": False,
                "schedule": scheduled,
                "on_merge": kind == "merge",
            },
            "settings": {"threads": 4 + job.number % 5, "target_name": "default"},
            "schedule": {
                "cron": "0 * * * *",
                "date": {"type": "days_of_week", "days": [0, 1, 2, 3, 4, 5, 6]},
                "time": {"type": "every_hour", "interval": 1},
            },
            "is_deferrable": False,
            "job_type": kind,
            "triggers_on_draft_pr": False,
            "job_completion_trigger_condition": None
            if job.number % 5
            else {
                "condition": {
                    "job_id": self.jobs[0].id,
                    "project_id": self.jobs[0].project.id,
                    "statuses": [10, 20],
                }
            },
            "generate_sources": job.number % 6 == 0,
            "cron_humanized": "Every hour, every day",
            "next_run": with_t(next_run) if scheduled else None,
            "next_run_humanized": f"{ago(next_run - now)} from now" if scheduled else None,
            "account": None,
            "project": None,
            "environment": None,
            "fusion_readiness": None,
        }

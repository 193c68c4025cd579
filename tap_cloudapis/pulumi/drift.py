"""Checks for drift, which deployments make: read of a stack whose deployments tell of one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.core.breaking import BreakingStream
from tap_cloudapis.core.carriers import CarrierStream
from tap_cloudapis.core.facts import Facts
from tap_cloudapis.core.ledger import short_hash
from tap_cloudapis.core.newest import NewestStream, earlier
from tap_cloudapis.core.paging import as_object
from tap_cloudapis.pulumi.client import PulumiStream, snake_keys
from tap_cloudapis.pulumi.deployments import OPEN, Deployments
from tap_cloudapis.pulumi.stack_streams import StackStream
from tap_cloudapis.pulumi.stacks import STACK_KEY, has_address, stacks_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.errors import RefusedError
    from tap_cloudapis.core.paging import Row

#: A stack without checks for so long is forgotten; should there be new ones, all are read again.
FORGOTTEN_AFTER = timedelta(days=180)
_NAMES = STACK_KEY[:3]
#: Stands among the open checks of a stack for those that are not read yet.
_AWAITED = ""


class DriftRuns(BreakingStream, NewestStream, PulumiStream):
    """The checks for drift of each stack, and the repairs that followed.

    The first deployment of a stack that looks for drift leads to the list of its checks, which is
    read down to the newest one that is known. A stack of which a check was open is read again.
    Where an organization's deployments cannot be read, its stacks are asked for their checks when
    they have changed, and in turn.
    """

    name = "pulumi_drift_runs"
    path = "/api/stacks/{org_name}/{project_name}/{stack_name}/drift/runs"
    primary_keys = (*STACK_KEY, "id")
    replication_key = "created"
    parent_stream_type = Deployments
    records_key = "driftRuns"
    page_size = ("pageSize", 100)
    time_field = "created"
    mark_key = "stack_id"
    scope = "stack {org_name}/{project_name}/{stack_name}"
    # The names are those of the stack, or those that an open check was emitted with.
    context_columns: ClassVar[Mapping[str, str]] = {"stack_id": "stack_id"}
    facts = Facts(
        row="a check of a stack for drift, and its repair",
        requests="one per stack that was checked since the last sync, and per further 100 checks",
        permission="the permission to read deployments of the stack (stack_deployment:read)",
        plan="Pro and above",
        switch="driftDetectionEnabled",
    )

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        # The stacks that are read in this sync, by the deployment that led to them.
        self._led_to: dict[str, str] = {}
        #: Those of which there is nothing more to read in this sync.
        self.finished: set[str] = set()
        self._names: list[str | None] = []

    def wants(self, context: Context) -> bool:
        """Whether a deployment looks for drift, and is the first one of its stack."""
        stack_id = context["stack_id"]
        if not stack_id or not str(context["pulumi_operation"]).endswith("-drift"):
            return False
        if not has_address(context):
            self.skip("has a name that cannot be put in a URL", self.place(context))
            return False
        key = str(context["deployment_id"])
        if stack_id not in self._led_to:
            self._led_to[stack_id] = key
            self._await(stack_id, [context[name] for name in _NAMES])
        return self._led_to[stack_id] == key

    def _await(self, stack_id: str, names: list[str | None]) -> None:
        """Have the checks of a stack read by another sync if this one does not come to their end.

        By then no deployment may lead to them.
        """
        newest, *still_open = self._marks.get(stack_id, [""])
        self._marks[stack_id] = [newest, {**dict(*still_open), _AWAITED: ["", *names]}]

    def _await_no_more(self, stack_id: str) -> None:
        newest, *still_open = self._marks.get(stack_id, [""])
        left = {key: at for key, at in dict(*still_open).items() if key != _AWAITED}
        self._marks[stack_id] = [newest, left] if left else [newest]

    def is_open(self, row: Row) -> bool:
        """Whether it waits or runs."""
        return row.get("status") in OPEN

    def whereabouts(self, row: Row) -> list[str | None]:
        """The names under which it is emitted."""
        return self._names_of(row)

    def _names_of(self, row: Row) -> list[str | None]:
        """The names that a check was emitted with when it was open, else those of its stack."""
        known = self._before.open.get(str(row.get("id")), [])[1:]
        return known if len(known) == len(_NAMES) else self._names

    def lists(self, context: Context | None) -> Iterator[list[Row]]:
        """The checks of a stack."""
        self._led_to.setdefault((context or {})["stack_id"], "")
        self._names = [(context or {})[name] for name in _NAMES]
        return super().lists(context)

    def to_record(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Add which updates have looked and repaired."""
        record = snake_keys(row)
        record.update(zip(_NAMES, self._names_of(row), strict=True))
        for name in ("detect_update", "remediate_update"):
            record[f"{name}_id"] = as_object(record.get(name)).get("updateId")
        return record

    def is_waited_for(self, stack_id: str) -> bool:
        """Whether a check of a stack was open when it was last read."""
        return bool(self._marks.get(stack_id, [""])[1:])

    def context_done(self, context: Context | None) -> None:
        """Set the mark."""
        super().context_done(context)
        self.finished.add((context or {})["stack_id"])

    def parent_done(self, context: Context | None) -> None:
        """Read the stacks of which a check was open, and that nothing else has led to."""
        organization = (context or {})["org_name"]
        for stack_id, (_, *still_open) in list(self._marks.items()):
            names = next(iter(still_open[0].values()))[1:] if still_open else []
            if names[:1] == [organization] and stack_id not in self._led_to:
                self._led_to[stack_id] = ""
                self._read_open(stack_id, names)
        self._release(organization, let_go=True)

    def _read_open(self, stack_id: str, names: list[str]) -> None:
        """Read a stack under the names that it has by now; those it had may be another's."""
        told = stacks_of(self).names_of(stack_id, names)
        if told is None:
            where = dict(zip(_NAMES, names, strict=True))
            self.note_of(where, "the stack is gone: a check that was open stays as it was")
            del self._marks[stack_id]
        else:
            self._sync_child(self, {**dict(zip(_NAMES, told, strict=False)), "stack_id": stack_id})

    def let_go(self, context: Context | None, exc: RefusedError) -> None:
        """Forget a stack that is gone: should it come back, it is read anew."""
        super().let_go(context, exc)
        stack_id = (context or {})["stack_id"]
        self.finished.add(stack_id)
        if exc.is_not_found:
            self._marks.pop(stack_id, None)
        else:
            self._await_no_more(stack_id)

    def sync_ended(self) -> None:
        """Forget the stacks that were not checked for long."""
        super().sync_ended()
        now = f"{self.connection.now():%Y-%m-%dT%H:%M:%S}.000000Z" if self.configured else ""
        for stack_id, mark in list(self._marks.items()):
            if now and not mark[1:] and mark[0] < earlier(now, FORGOTTEN_AFTER):
                del self._marks[stack_id]


class DriftStacks(CarrierStream, StackStream):
    """Stacks that are asked for their checks, as no deployments tell which were checked."""

    name = "pulumi_drift_stacks"
    path = DriftRuns.path
    title = "stacks to be checked for drift"
    in_slots = True
    leads_to = (DriftRuns.name,)
    facts = DriftRuns.facts

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self._given: dict[str, bool] = {}

    @property
    def _runs(self) -> DriftRuns:
        return next(child for child in self.child_streams if isinstance(child, DriftRuns))

    def _can_deployments_be_read(self, org_name: str) -> bool:
        if org_name not in self._given:
            deployments = self._runs.parent
            assert isinstance(deployments, Deployments)  # noqa: S101 - declared so
            self._given[org_name] = deployments.is_given({"org_name": org_name})
        return self._given[org_name]

    def wants(self, context: Context) -> bool:
        """Whether a stack has changed, has its turn or an open check, and nothing else tells."""
        if self._can_deployments_be_read(context["org_name"]):
            return False
        if super().wants(context) or self._runs.is_waited_for(context["stack_id"]):
            return True
        self._runs.outcomes[context["org_name"]].unchanged += 1
        return False

    def prefetch(self, context: Context) -> None:
        """Ask for the checks, of which this stream is only the way."""
        self._runs.prefetch(context)

    def forget_prefetched(self) -> None:
        """Give up what was asked for."""
        self._runs.forget_prefetched()

    def get_records(self, context: Context | None) -> Iterator[Row]:
        """Have the checks of a stack read; there is nothing else to read of it."""
        context = context or {}
        self._pass.begun.add(short_hash(context["stack_id"]))
        self._sync_child(self._runs, context)
        return iter(())

    def _context_ended(self, context: Context | None) -> None:
        if (context or {})["stack_id"] in self._runs.finished:
            self.context_done(context)

    def parent_done(self, context: Context | None) -> None:
        """Complete the pass, once all that was asked for is known to be finished."""
        if not self._can_deployments_be_read((context or {})["org_name"]):
            self._runs.parent_done(context)
        for stack_id in self._runs.finished:
            if short_hash(stack_id) in self._pass.begun:
                self._pass.finish(stack_id, self._today)
        super().parent_done(context)

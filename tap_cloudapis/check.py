"""What ``--check`` does: asks each service for a row of each stream, and adds up what was found."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from tap_cloudapis.core.amounts import NO_AMOUNT, Amount
from tap_cloudapis.core.checking import ServiceCheck
from tap_cloudapis.core.findings import CheckReport, Finding, Verdict
from tap_cloudapis.core.report import Places

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from singer_sdk.streams import Stream

    from tap_cloudapis.core.connection import Connection
    from tap_cloudapis.core.service import Service
    from tap_cloudapis.core.stream import CloudStream

#: Seconds that a request of a check may wait for rate limits to pass.
PATIENCE = 20


@dataclass
class CheckedStream:
    """A stream and what was found out of it, in all accounts or organizations.

    Attributes:
        stream: The stream.
        selected: Whether a sync would read it.
        needed: Whether a sync would ask for it, for itself or for what lies below it.
        findings: What was found out, by account or organization.
    """

    stream: CloudStream
    selected: bool
    needed: bool
    findings: list[Finding]

    @property
    def name(self) -> str:
        """The stream's name."""
        return self.stream.name

    @property
    def verdict(self) -> Verdict:
        """The worst of the verdicts; one that only lacks rows is no worse than to be readable."""
        tried = [each for each in self.findings if not each.is_empty] or self.findings
        verdicts = [each.verdict for each in tried]
        return max(verdicts, key=lambda each: each.weight, default=Verdict.NOT_TRIED)

    @property
    def is_well(self) -> bool:
        """Whether a sync would read all there is of it."""
        return bool(self.findings) and all(each.is_well for each in self.findings)

    @property
    def why(self) -> list[str]:
        """What is wrong, each once."""
        worst = [each for each in self.findings if each.verdict is self.verdict]
        return list(dict.fromkeys(str(said) for each in worst for said in each.why))

    @property
    def rows(self) -> Amount | None:
        """How many rows there are."""
        known = [each.rows for each in self.findings if each.rows is not None]
        return self.so_far(added(known)) if known else None

    def so_far(self, amount: Amount) -> Amount:
        """An amount that was added up; so many or more where something could not be read."""
        return amount if self.is_well else amount.at_least

    @property
    def ask_for(self) -> str:
        """What the token has to be allowed, and what allows it."""
        needs = self.stream.facts.permission.removeprefix("the permission to ")
        grant = self.stream.grant
        if not (grant and needs):
            return needs
        # Who has it, and who has not, stands before it.
        return f"{grant}: {needs.partition(' (')[0].partition(', which ')[0]}"


@dataclass
class CheckedService:
    """A service and what was found out of it.

    Attributes:
        service: The service.
        streams: Its streams, those that no catalog shows among them.
        url: Where it was asked.
        requests: How many requests that took.
        retries: How many of them were sent again.
        per_minute: How many requests a sync sends in a minute; ``None`` for no limit.
    """

    service: Service
    streams: list[CheckedStream]
    url: str
    requests: int
    retries: int
    per_minute: int | None

    @property
    def shown(self) -> list[CheckedStream]:
        """The streams of the catalog."""
        return [each for each in self.streams if each.stream.in_catalog]

    @property
    def is_well(self) -> bool:
        """Whether everything that is selected can be read."""
        return all(each.is_well for each in self.shown if each.selected)

    def cost(self, checked: CheckedStream, *, later: bool) -> Amount | None:
        """What a sync of one stream costs, without what leads to it; ``None`` if it is not known.

        What no catalog shows is a part of it.
        """
        costs = self._costs([checked, *self._carriers_of(checked)], later=later)
        known = any(each.verdict is Verdict.READABLE or each.is_empty for each in checked.findings)
        return checked.so_far(added(costs.values())) if known else None

    def total(self, *, later: bool) -> Amount:
        """What a sync of all that is selected costs."""
        needed = [each for each in self.streams if each.needed]
        total = added(self._costs(needed, later=later).values())
        return total if all(each.is_well for each in needed) else total.at_least

    def _carriers_of(self, checked: CheckedStream) -> list[CheckedStream]:
        parent = checked.stream.parent
        return [s for s in self.streams if s.stream is parent and not s.stream.in_catalog]

    def _costs(self, some: Iterable[CheckedStream], *, later: bool) -> Mapping[Any, Amount]:
        """Requests by what is asked for: several streams may share them."""
        found: dict[Any, Amount] = {}
        for each in some:
            for finding in each.findings:
                key = (each.stream.shared_requests or each.name, finding.owner)
                cost = finding.later if later else finding.first
                found[key] = max(found.get(key, cost), cost, key=lambda count: count.number)
        return found

    def seconds(self, cost: Amount | None) -> float | None:
        """How long so many requests take at the limit of the rate."""
        if cost is None or not self.per_minute:
            return None
        return cost.number * 60 / self.per_minute


def added(amounts: Iterable[Amount]) -> Amount:
    """The sum of amounts."""
    return sum(amounts, NO_AMOUNT)


def check_streams(
    services: Iterable[tuple[Service, Connection]],
    streams: Mapping[str, Stream],
    report: CheckReport,
    settings: Mapping[str, Any],
) -> list[CheckedService]:
    """Ask services for a row of each of their streams.

    Args:
        services: Those that have a token, with their connections.
        streams: All streams of the tap, by name, which nobody uses any more.
        report: The tap's report.
        settings: All settings of the tap.
    """
    known = [cast("CloudStream", stream) for stream in streams.values()]
    selected = {stream.name for stream in known if stream.selected}
    needed = {s.name for s in known if s.selected or s.has_selected_descendents}
    for stream in known:
        # As in a dry run of the SDK.
        stream.selected = True
        stream.ABORT_AT_RECORD_COUNT = 1
    found = []
    for service, connection in services:
        own = [stream for stream in known if type(stream) in service.streams]
        if connection.patience > PATIENCE:
            connection.patience, connection.patience_is = PATIENCE, "the patience of a check is"
        check = ServiceCheck(own, report)
        with _quiet(own):
            check.run()
        connection.stop()
        checked = [
            CheckedStream(s, s.name in selected, s.name in needed, check.findings[s.name])
            for s in own
        ]
        figures = [report[stream.name] for stream in own]
        found.append(
            CheckedService(
                service,
                checked,
                connection.url,
                sum(each.requests for each in figures),
                sum(each.retries for each in figures),
                settings.get(f"{service.key}_requests_per_minute"),
            )
        )
    return found


@contextmanager
def _quiet(streams: Sequence[CloudStream]) -> Iterator[None]:
    """Have streams log nothing: what a sync would say is told in the table."""
    before = [(stream.logger, stream.logger.disabled) for stream in streams]
    for logger, _ in before:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, disabled in before:
            logger.disabled = disabled


class Change(NamedTuple):
    """Something to change, so that everything selected can be read.

    Attributes:
        text: What a sync would say.
        streams: The streams that it is about.
        places: Their lists.
    """

    text: str
    streams: list[str]
    places: Places


def changes(checked: CheckedService) -> list[Change]:
    """What to change, each once."""
    found: dict[str, Change] = {}
    for each in checked.streams:
        if not each.needed or each.is_well:
            continue
        for finding in each.findings:
            for said in () if finding.is_well or finding.by_parent else finding.why:
                text = _with_grant(said.text, each, finding)
                change = found.setdefault(text, Change(text, [], Places()))
                change.places.add(said.where)
                if each.stream.in_catalog and each.name not in change.streams:
                    change.streams.append(each.name)
    return list(found.values())


def _with_grant(text: str, each: CheckedStream, finding: Finding) -> str:
    """A refusal with the permission sets that would have prevented it."""
    stream = each.stream
    is_meant = finding.verdict is Verdict.REFUSED and stream.permission
    if is_meant and stream.grant and stream.permission in text:
        return f"{text}; {stream.grant} has it"
    return text

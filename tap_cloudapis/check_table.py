"""The table of a check, for people and for machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tap_cloudapis.check import changes
from tap_cloudapis.core.findings import Verdict
from tap_cloudapis.core.report import first_of, numbered, placed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tap_cloudapis.check import CheckedService, CheckedStream
    from tap_cloudapis.core.amounts import Amount
    from tap_cloudapis.core.service import Service

_HEAD = ("STREAM", "SELECTED", "CAN BE READ", "ROWS", "FIRST SYNC", "NEXT SYNC", "IT NEEDS")
_UNKNOWN = "-"
#: The most streams that are named of one reason.
_NAMED = 10


def as_text(services: Sequence[CheckedService], unasked: Iterable[Service]) -> str:
    """The table, what it comes to, and what to change, in lines."""
    return "\n".join(_lines(services, unasked))


def _lines(services: Sequence[CheckedService], unasked: Iterable[Service]) -> Iterator[str]:
    for checked in services:
        yield f"{checked.service.title} at {checked.url}"
        yield ""
        yield from _aligned([_HEAD, *(_row(checked, each) for each in checked.shown)])
        yield ""
        yield from _formulas(checked)
        yield from _sums(checked)
        yield ""
    for service in unasked:
        yield f"{service.title} is not asked, as {service.key}_token is not set"
        yield ""
    to_change = [change for checked in services for change in changes(checked)]
    if not to_change:
        selected = [each for checked in services for each in checked.shown if each.selected]
        untried = sum(each.verdict is Verdict.NOT_TRIED for each in selected)
        but = f", but {numbered(untried, 'stream')} had no row to try" if untried else ""
        yield f"Everything that is selected can be read{but}"
        return
    yield "What to change, or which streams to deselect:"
    for change in to_change:
        about = first_of(change.streams, _NAMED)
        yield f"- {about}: {placed(str(change.places), change.text)}"


def _row(checked: CheckedService, each: CheckedStream) -> Sequence[str]:
    return (
        each.name,
        "yes" if each.selected else "no",
        said(each),
        _UNKNOWN if each.rows is None else str(each.rows),
        _cost(checked, checked.cost(each, later=False)),
        _cost(checked, checked.cost(each, later=True)),
        ask_for(each),
    )


def said(each: CheckedStream) -> str:
    """Whether a stream can be read, and where not, in a few words."""
    verdict = each.verdict
    if verdict is Verdict.NOT_TRIED:
        brief = (f for f in each.findings if f.verdict is verdict and (f.is_empty or f.by_parent))
        reason = next((f.why[0].text for f in brief if f.why), "see below")
        return f"{verdict}: {reason}"
    here = [f.owner for f in each.findings if f.verdict is verdict]
    others = [f for f in each.findings if not f.is_empty and f.verdict is not verdict]
    if others and here:
        return f"{verdict} ({each.stream.owner} {', '.join(map(str, here))})"
    return str(verdict)


def ask_for(each: CheckedStream) -> str:
    """The permission, and the plan that has it."""
    plan = each.stream.facts.plan
    return "; ".join(filter(None, (each.ask_for, plan and f"plan: {plan}"))) or "nothing more"


def _cost(checked: CheckedService, cost: Amount | None) -> str:
    if cost is None:
        return _UNKNOWN
    seconds = checked.seconds(cost)
    return f"{cost} in {_duration(seconds)}" if seconds and seconds >= 1 else str(cost)


def _duration(seconds: float) -> str:
    """Seconds in a unit that makes them a small number."""
    for name, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.1f} s"


def _formulas(checked: CheckedService) -> Iterator[str]:
    """What streams cost whose requests are not known exactly."""
    told = {
        each.name: each.stream.facts.requests
        for each in checked.shown
        if (cost := checked.cost(each, later=False)) is not None and not cost.is_exact
    }
    if told:
        yield "Requests that are not known exactly, by what there is:"
        yield from _aligned([(f"  {name}", text) for name, text in told.items()])
        yield ""


def _sums(checked: CheckedService) -> Iterator[str]:
    limit = checked.per_minute
    setting = f"{checked.service.key}_requests_per_minute"
    rate = f" at {limit:,} a minute ({setting})" if limit else "; no limit of the rate is known"
    for name, later in (("first", False), ("next", True)):
        cost = checked.total(later=later)
        seconds = checked.seconds(cost)
        time = "" if seconds is None else f", {_duration(seconds)}"
        asked = f"{cost.bound}{numbered(cost.number, 'request')}"
        yield f"A {name} sync of what is selected: {asked}{time}{rate}"
    again = f", with {numbered(checked.retries, 'retry', 'retries')}" if checked.retries else ""
    yield f"This check: {numbered(checked.requests, 'request')}{again}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows with their cells below each other; the last one is as long as it is."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    for *cells, last in rows:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield "  ".join((*padded, last)).rstrip()


def as_json(services: Sequence[CheckedService], unasked: Iterable[Service]) -> str:
    """The same as one JSON object."""
    told = {
        "ok": all(checked.is_well for checked in services),
        "services": [_service(checked) for checked in services],
        "not_asked": [service.key for service in unasked],
        "streams": [_stream(checked, each) for checked in services for each in checked.shown],
        "changes": [
            {"streams": change.streams, "where": change.places.names, "text": change.text}
            for checked in services
            for change in changes(checked)
        ],
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


def _service(checked: CheckedService) -> dict[str, Any]:
    return {
        "service": checked.service.key,
        "url": checked.url,
        "ok": checked.is_well,
        "requests_per_minute": checked.per_minute,
        "requests": checked.requests,
        "retries": checked.retries,
        "first_sync": _cost_data(checked, checked.total(later=False)),
        "next_sync": _cost_data(checked, checked.total(later=True)),
    }


def _stream(checked: CheckedService, each: CheckedStream) -> dict[str, Any]:
    facts = each.stream.facts
    return {
        "stream": each.name,
        "service": checked.service.key,
        "selected": each.selected,
        "ok": each.is_well,
        "verdict": each.verdict,
        "why": each.why,
        "permission": facts.permission,
        "grant": each.stream.grant,
        "plan": facts.plan,
        "rows": None if each.rows is None else each.rows.as_data(),
        "first_sync": _cost_data(checked, checked.cost(each, later=False)),
        "next_sync": _cost_data(checked, checked.cost(each, later=True)),
        "requests": facts.requests,
        "owners": [
            {
                each.stream.owner: found.owner,
                "verdict": found.verdict,
                "why": [*map(str, found.why)],
            }
            for found in each.findings
        ],
    }


def _cost_data(checked: CheckedService, cost: Amount | None) -> dict[str, Any] | None:
    if cost is None:
        return None
    return {**cost.as_data(), "seconds": checked.seconds(cost)}

"""What the refusals of a whole sync mean, where one list alone cannot tell.

A list that the token may not read is left out and said. That is no answer where nothing at all
could be read, of a service or of an account that the settings name, or where an earlier sync could
read what is refused now: then rows are missing that somebody counts on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.errors import ClosedError
from tap_cloudapis.core.stream import CloudStream
from tap_cloudapis.core.summary import NO_ROW, NOTHING_NEW

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tap_cloudapis.core.containment import Outcome
    from tap_cloudapis.core.report import SyncReport
    from tap_cloudapis.core.service import Service

#: Lists of one stream that are not there any more, before that is no exception.
MOST_GONE = 2


def judge(
    service: Service,
    streams: Sequence[CloudStream],
    report: SyncReport,
    settings: Mapping[str, Any],
) -> None:
    """Report as failures the refusals that leave nothing, or less than before.

    Args:
        service: A service with a token.
        streams: Its streams.
        report: Where to report.
        settings: All settings of the tap.
    """
    for stream in streams:
        _judge_stream(stream, report, must=settings["on_forbidden"] == "fail")
    if any(report.streams[s.name].failures for s in streams if s.name in report.streams):
        return
    lists = _by_owner(streams)
    outcomes = [outcome for some in lists.values() for outcome in some]
    if _all_refused(outcomes):
        report.fault(
            f"{service.title}: every list that was asked for was refused ({_refused(outcomes)} of "
            f"{_refused(outcomes)}); check what {service.key}_token may read"
        )
        return
    named = {_plain(owner) for owner in settings.get(service.owner_setting) or ()}
    for owner, some in lists.items():
        if _plain(owner) in named and _all_refused(some):
            report.fault(
                f"{streams[0].owner} {owner} of {service.owner_setting}: every list was refused "
                f"({_refused(some)} of {_refused(some)}); check what {service.key}_token may read"
            )


def _plain(owner: Any) -> str:
    """An id or a name, however the settings write it."""
    text = str(owner).strip().casefold()
    return str(int(text)) if text.isdecimal() else text


def _judge_stream(stream: CloudStream, report: SyncReport, *, must: bool) -> None:
    """Report the accounts or organizations of which a stream could read nothing.

    Args:
        stream: The stream.
        report: Where to report.
        must: Whether that is an error even where earlier syncs have not read it.
    """
    figures = report.streams.get(stream.name)
    if figures is None or figures.failures:
        return
    for owner, outcome in stream.outcomes.items():
        before = owner in stream.read_whole
        if not (before or must):
            continue
        # A stack can be deleted while it is read; most of them are not.
        hidden = outcome.gone > max(MOST_GONE, outcome.read)
        if hidden or (_all_refused([outcome]) and outcome.refused):
            number = outcome.refused + outcome.gone
            why = ", and they were read before" if before else ""
            report.fail(
                stream.name,
                f"{number:,} lists were refused, {outcome.read:,} were read{why}: give the token "
                "the right to read them, or deselect the stream",
                f"{stream.owner} {owner}",
            )


def _by_owner(streams: Iterable[CloudStream]) -> dict[Any, list[Outcome]]:
    """What became of what is selected, but for the lists of accounts or organizations themselves.

    The lists of a stream that is not selected are read for others alone.
    """
    found: dict[Any, list[Outcome]] = {}
    for stream in streams:
        if stream.parent is None and stream.owner_key:
            continue
        for owner, outcome in stream.outcomes.items():
            if stream.selected or outcome.refused:
                found.setdefault(owner, []).append(outcome)
    return found


def _all_refused(outcomes: Collection[Outcome]) -> bool:
    nothing_else = not any(o.read or o.failed or o.unchanged for o in outcomes)
    gone = sum(outcome.gone for outcome in outcomes)
    return nothing_else and (any(outcome.refused for outcome in outcomes) or gone > MOST_GONE)


def _refused(outcomes: Collection[Outcome]) -> int:
    return sum(outcome.refused + outcome.gone for outcome in outcomes)


def remember(streams: Iterable[CloudStream]) -> None:
    """Note in the state of which accounts or organizations each stream was read whole.

    A refusal there is a failure from then on. A stream that is not wanted any more forgets.
    """
    for stream in streams:
        whole = {
            owner
            for owner, outcome in stream.outcomes.items()
            if owner is not None
            and outcome.read
            and not (outcome.refused or outcome.gone or outcome.failed)
        }
        if not (stream.selected or stream.has_selected_descendents):
            stream.stream_state.pop("read_whole", None)
        elif whole - set(stream.read_whole):
            stream.stream_state["read_whole"] = sorted({*stream.read_whole, *whole}, key=str)


def why_unread(stream: CloudStream, report: SyncReport) -> str:
    """Why a stream was not read, or not to its end.

    Args:
        stream: The stream.
        report: What the sync did.
    """
    connection = stream.connection
    if connection.unusable is not None:
        told = str(connection.unusable)
        is_closed = isinstance(connection.unusable, ClosedError)
        return told.partition("; ")[0] if is_closed else told
    if stream.report.cut_off:
        return "; ".join(connection.closed.values())
    if any(outcome.unchanged for outcome in stream.outcomes.values()):
        return NOTHING_NEW
    return _why_nothing_came(stream, report)


def _why_nothing_came(stream: CloudStream, report: SyncReport) -> str:
    """What of the streams above kept a stream from being read."""
    parent = stream.parent
    if not isinstance(parent, CloudStream):
        return "the sync was ended before"
    above = report.streams.get(parent.name)
    if above is None or not above.begun:
        return why_unread(parent, report)
    told = parent.name if parent.in_catalog else parent.title
    if above.failures or above.skipped:
        return f"{told} {'failed' if above.failures else 'was skipped'}"
    return f"{told} {NO_ROW}"

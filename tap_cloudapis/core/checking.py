"""A check: one service is asked for a row of each stream, once per account or organization.

The streams ask as in a sync, by their own lists, and what is wrong is said in a sync's words. A
stream that hangs on rows of another is tried on one row that leads to it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from tap_cloudapis.core.amounts import NO_AMOUNT, Amount
from tap_cloudapis.core.carriers import CarrierStream
from tap_cloudapis.core.costs import Sample, cost_of, lists_below
from tap_cloudapis.core.findings import CheckReport, Finding, Said, Verdict, verdict_on
from tap_cloudapis.core.owners import OwnerStream
from tap_cloudapis.core.stream import CloudStream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk.helpers.types import Context

    from tap_cloudapis.core.children import FamilyStream
    from tap_cloudapis.core.paging import PageLimit, Row


class Task(NamedTuple):
    """A stream to be tried in an account or organization.

    Attributes:
        stream: The stream.
        owner: The account or organization.
        contexts: Rows that lead to it, of those that were looked at.
        lists: How many lead to it in all, as far as that is known.
    """

    stream: CloudStream
    owner: Any
    contexts: Sequence[Context]
    lists: Amount


class ServiceCheck:
    """The check of one service.

    Args:
        streams: Its streams, all of which are selected, and in a dry run.
        report: Where the streams say what is wrong.

    Attributes:
        findings: What was found out, by stream.
    """

    def __init__(self, streams: Sequence[CloudStream], report: CheckReport) -> None:
        self._streams = streams
        self._report = report
        self.findings: dict[str, list[Finding]] = {stream.name: [] for stream in streams}
        #: By stream and owner, rows that lead to a stream by another way than its parent.
        self._ways: dict[tuple[str, Any], Task] = {}
        #: By stream, how many rows a sync asks for in a page.
        self._sizes: dict[str, int] = {}

    def run(self) -> None:
        """Try all streams."""
        for stream in self._streams:
            limit: PageLimit | None = getattr(stream, "limit", None)
            if limit is not None:
                self._sizes[stream.name] = limit.value
                if stream.tells_total and not stream.children:
                    limit.value = 1
        level = [t for s in self._streams if s.parent is None for t in self._try_owners(s)]
        self._try_levels(level)
        left = [task for key, task in self._ways.items() if not self._is_known(*key)]
        for task in left:
            found = self.findings[task.stream.name]
            found[:] = [each for each in found if each.owner != task.owner]
        self._try_levels(left)

    def _try_levels(self, level: list[Task]) -> None:
        """Try streams, then those below them; what is on one level is asked for side by side."""
        while level:
            for stream, _, contexts, _ in level:
                for context in contexts[:1]:
                    if not stream.why_not_asked(context):
                        stream.prefetch(stream.to_try(contexts)[0])
            level = [below for task in level for below in self._try(task)]

    def _is_known(self, name: str, owner: Any) -> bool:
        return any(
            each.owner == owner and each.verdict is not Verdict.NOT_TRIED
            for each in self.findings[name]
        )

    # Owners

    def _try_owners(self, stream: CloudStream) -> Iterator[Task]:
        """Read the list of accounts or organizations, which is short."""
        finding = Finding(None)
        records: list[Row] = []
        try:
            records.extend(stream.all_records(None))
        except OSError:
            raise
        except Exception as exc:  # noqa: BLE001 - told, and the other streams go on
            finding.verdict = verdict_on(stream, exc, None)
            stream.ended_by(exc, None, 0)
        told, failed = self._report.take(stream.name)
        if told and finding.verdict is Verdict.READABLE:
            finding.verdict = Verdict.FAILED if failed else Verdict.REFUSED
        finding.why = told
        contexts = stream.contexts_below(records, None)
        if isinstance(stream, OwnerStream):
            contexts += stream.without_row
        if contexts:
            finding.rows = Amount(len(records))
        asked = stream.report.requests - stream.report.retries
        finding.lists, finding.first, finding.later = Amount(1), Amount(asked), Amount(asked)
        self.findings[stream.name].append(finding)
        if not contexts and finding.verdict is Verdict.READABLE:
            for child in filter(_is_of_kind, stream.children):
                self._tell_empty(child, None, stream, has_rows=False)
        elif not contexts:
            self._skip_below(stream, finding)
        for context in contexts:
            yield from self._tasks_below(stream, stream.owner_of(context), [context], Amount(1))

    # Streams

    def _try(self, task: Task) -> list[Task]:
        """Try a stream, and give what lies below it."""
        stream, owner, contexts, lists = task
        finding = Finding(owner, lists=lists)
        self.findings[stream.name].append(finding)
        sample = Sample(self._sizes.get(stream.name))
        records: list[Row] = []
        context: Context | None = None
        for context in stream.to_try(contexts):
            if why := stream.why_not_asked(context):
                finding.verdict, finding.why = Verdict.NOT_TRIED, [Said(why)]
                break
            sample = Sample(self._sizes.get(stream.name))
            records = self._try_one(stream, context, finding, sample)
            if finding.verdict is not Verdict.READABLE or stream.was_tried(context):
                break
        else:
            finding.verdict, finding.is_empty = Verdict.NOT_TRIED, True
            finding.why = [Said(f"no {stream.row_name} in what was looked at")]
        cost_of(stream, finding, sample, context, len(records))
        if finding.verdict is not Verdict.READABLE:
            self._skip_below(stream, finding)
            return []
        below = stream.contexts_below(records, context)
        assert finding.rows is not None  # noqa: S101 - it was read
        return list(self._tasks_below(stream, owner, below, finding.rows))

    def _try_one(
        self, stream: CloudStream, context: Context, finding: Finding, sample: Sample
    ) -> list[Row]:
        """Ask for a row of a context."""
        records: list[Row] = []
        verdict = Verdict.READABLE
        stream.page_seen = sample.see
        try:
            records = stream.first_records(context)
        except OSError:
            raise
        except Exception as exc:  # noqa: BLE001 - told, and the other streams go on
            verdict = verdict_on(stream, exc, context)
            stream.ended_by(exc, context, 0)
        finally:
            stream.page_seen = None
        stream.sync_ended()
        told, failed = self._report.take(stream.name)
        if failed and verdict is Verdict.READABLE:
            verdict = Verdict.FAILED
        # A refusal of which a sync says nothing is one of what is not set, or of what is gone.
        finding.verdict = verdict if told else Verdict.READABLE
        finding.why = told if finding.verdict is not Verdict.READABLE else []
        return records

    def _tasks_below(
        self, stream: CloudStream, owner: Any, contexts: Sequence[Context], rows: Amount
    ) -> Iterator[Task]:
        """The streams below, each with the rows that lead to it; others are told of at once."""
        for child in filter(_is_of_kind, stream.children):
            if child.takes_parts:
                is_whole = rows == Amount(len(contexts)) and not stream.requests_beyond(1)
                self._take_parts(child, owner, contexts, is_whole=is_whole)
                continue
            if child.leads_to:
                # A mere way from rows of this stream to what has another parent.
                for other in filter(_is_of_kind, child.children if contexts else ()):
                    lists = lists_below(other, rows, len(contexts), len(contexts))
                    self._ways[other.name, owner] = Task(other, owner, contexts, lists)
                continue
            wanted = [context for context in contexts if child.wants(context)]
            if wanted:
                lists = lists_below(child, rows, len(contexts), len(wanted))
                yield Task(child, owner, wanted, lists)
            else:
                self._tell_empty(child, owner, stream, has_rows=bool(contexts))
        self._report.take(stream.name)

    def _take_parts(
        self, child: CloudStream, owner: Any, contexts: Sequence[Context], *, is_whole: bool
    ) -> None:
        """What comes in rows of its parent can be read if they can."""
        if not contexts:
            self._tell_empty(child, owner, child.parent, has_rows=False)
            return
        number = sum(child.handed(context) for context in contexts)
        child.forget_prefetched()
        found = Finding(owner, rows=Amount(number) if is_whole else Amount(number).at_least)
        self.findings[child.name].append(found)
        for part in _all_below(child):
            self.findings[part.name].append(Finding(owner))

    def _tell_empty(self, child: CloudStream, owner: Any, parent: Any, *, has_rows: bool) -> None:
        """Say of a stream that no row leads to it, and of those below that they are not tried."""
        why = f"no {parent.row_name}{' that leads to any' if has_rows else ''}"
        for stream in (child, *_all_below(child)):
            found = Finding(owner, Verdict.NOT_TRIED, [Said(why)], is_empty=True)
            self.findings[stream.name].append(found)

    def _skip_below(self, stream: CloudStream, finding: Finding) -> None:
        """Say of the streams below that they are not tried, and why.

        What is a part of the stream's rows, or of what no catalog shows, shares its lot.
        """
        for child in filter(_is_of_kind, () if stream.leads_to else stream.children):
            found = replace(finding, rows=None, first=NO_AMOUNT, later=NO_AMOUNT)
            shares = child.takes_parts or isinstance(stream, CarrierStream)
            if not shares and finding.verdict is not Verdict.NOT_TRIED:
                found.verdict, found.by_parent = Verdict.NOT_TRIED, True
                found.why = [Said(f"{stream.name} {finding.verdict.of_parent}")]
            self.findings[child.name].append(found)
            self._skip_below(child, found)


def _is_of_kind(stream: FamilyStream) -> TypeGuard[CloudStream]:
    return isinstance(stream, CloudStream)


def _all_below(stream: CloudStream) -> Iterator[CloudStream]:
    for child in filter(_is_of_kind, () if stream.leads_to else stream.children):
        yield child
        yield from _all_below(child)

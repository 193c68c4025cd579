"""The summary at the end of a sync: a line per stream, the total, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cloudapis.core.report import StreamReport, all_placed

if TYPE_CHECKING:
    import logging
    from collections.abc import Collection, Mapping

    from tap_cloudapis.core.report import SyncReport

#: How the reason ends why a stream was not read that had nothing to read.
NO_ROW = "has no row"
#: The reason why a stream was not read all of whose lists are as they were.
NOTHING_NEW = "nothing new"
#: The most errors that are repeated below the summary.
REPEATED = 20


def log_summary(
    logger: logging.Logger,
    report: SyncReport,
    streams: Collection[str],
    reasons: Mapping[str, str],
) -> None:
    """Log a line per stream, one with the total, and below them what is missing.

    Args:
        logger: Where to log.
        report: What the sync did.
        streams: Streams that should have been read; those that were not are named, too.
        reasons: Why a stream was not read, or not to its end.
    """
    unread = {name: _unread(report[name], reasons.get(name, "")) for name in streams}
    width = max(map(len, report.streams), default=0)
    for name, figures in report.streams.items():
        notes = [*_notes(figures), *filter(None, [unread.get(name)])]
        logger.info("%s", _line(name.ljust(width), figures, notes))
    names = [*streams] or [*report.streams]
    failed = [name for name in names if report[name].failed]
    missing = {
        name: text
        for name in names
        if name not in failed and (text := _missing(report[name], unread.get(name, "")))
    }
    notes = []
    if report.failed:
        notes.append(f"FAILED: {len(failed)} of {len(names)} streams" if failed else "FAILED")
    if missing:
        notes.append(f"INCOMPLETE: {len(missing)} of {len(names)} streams")
    notes += filter(None, [report.ended])
    logger.info("%s", _line("total".ljust(width), _total(report), notes))
    if missing:
        told = "; ".join(f"{name}: {text}" for name, text in missing.items())
        logger.warning("INCOMPLETE: %d of %d streams (%s)", len(missing), len(names), told)
    _repeat_errors(logger, report)


def _missing(figures: StreamReport, unread: str) -> str:
    """What a stream lacks that has not failed: what was skipped, or all there was to read."""
    is_lost = unread.startswith("not read: ") and not unread.endswith(NO_ROW)
    return ", ".join(all_placed(figures.skipped)) or (unread if is_lost else "")


def _unread(figures: StreamReport, reason: str) -> str:
    """Say of a stream that it was not read, or not to its end, and why; "" where it was."""
    why = f": {reason}" if reason else ""
    told = figures.skipped or figures.failures
    if not (figures.begun or told) and reason == NOTHING_NEW:
        return reason
    if not (figures.begun or told) or (figures.cut_off and not figures.requests):
        return f"not read{why}"
    return f"not read to its end{why}" if figures.cut_off and not figures.failures else ""


def _notes(figures: StreamReport) -> list[str]:
    notes = ["FAILED: see the error below"] if figures.failures else []
    if figures.left_out:
        notes.append(f"FAILED: {figures.left_out:,} records left out")
    notes += [f"skipped: {text}" for text in all_placed(figures.skipped)]
    return notes + all_placed(figures.notes)


def _line(name: str, figures: StreamReport, notes: Collection[str]) -> str:
    return (
        f"{name} {figures.rows:>9,} {_named(figures.rows, 'row')} "
        f"{figures.requests:>7,} {_named(figures.requests, 'request')} "
        f"{figures.retries:>4} {_named(figures.retries, 'retry', 'retries')} "
        f"{figures.seconds:>8.1f} s" + "".join(f"  [{note}]" for note in notes)
    )


def _named(number: int, one: str, more: str = "") -> str:
    """The word for so many things, as wide for one as for more of them."""
    more = more or f"{one}s"
    return (one if number == 1 else more).ljust(len(more))


def _total(report: SyncReport) -> StreamReport:
    total = StreamReport()
    for figures in report.streams.values():
        total.rows += figures.rows
        total.requests += figures.requests
        total.retries += figures.retries
        total.seconds += figures.seconds
    return total


def errors_of(report: SyncReport) -> list[str]:
    """What went wrong in a sync, each in one line."""
    errors = [
        f"{name}: {text}"
        for name, figures in report.streams.items()
        for text in all_placed(figures.failures)
    ]
    errors += [
        f"{name}: {figures.left_out:,} records left out"
        for name, figures in report.streams.items()
        if figures.left_out
    ]
    return errors + report.faults


def _repeat_errors(logger: logging.Logger, report: SyncReport) -> None:
    """Repeat what went wrong, so that nobody has to look for it above the summary."""
    errors = errors_of(report)
    for text in errors[:REPEATED]:
        logger.error("%s", text)
    if len(errors) > REPEATED:
        logger.error("and %d more, see above", len(errors) - REPEATED)

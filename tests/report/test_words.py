"""Numbers, times and names in sentences."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from cloudapis_report import words


def plain(text: str) -> str:
    return text.replace(words.NBSP, " ")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3_600, "1 h"),
        (3_659, "1 h"),
        (3_660, "1 h 1 min"),
        (187_200, "2 d 4 h"),
        (86_400 * 150, "150 d"),
        (86_400 * 1_500, "1,500 d"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    assert plain(words.duration(seconds)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.00001, "0.1 %"),
        (0.99999, "99.9 %"),
        (0.5, "50.0 %"),
        (0.0617, "6.2 %"),
    ],
)
def test_nothing_and_all_are_said_of_nothing_and_all_only(value: float, expected: str) -> None:
    assert plain(words.percent(value)) == expected


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(1.8, "+80 %"), (0.88, "\u221212 %"), (1.0, "\u00b10 %"), (3.41, "\u00d73.4")],
)
def test_changes(ratio: float, expected: str) -> None:
    assert plain(words.change(ratio)) == expected


def test_counts() -> None:
    assert words.count(0, "run") == "no run"
    assert words.count(1, "run") == "1 run"
    assert words.count(1_204, "run") == "1,204 runs"
    assert words.count(2, "job takes", "jobs take") == "2 jobs take"


def test_lists() -> None:
    assert words.listed(["a"]) == "a"
    assert words.listed(["a", "b"]) == "a and b"
    assert words.listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 others"


def test_times() -> None:
    assert plain(words.day(date(2026, 8, 3))) == "3 Aug 2026"
    assert plain(words.time(0)) == "1 Jan 1970, 00:00"
    assert plain(words.time(1_785_542_400, ZoneInfo("Asia/Kolkata"))) == "1 Aug 2026, 05:30"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nightly build", "Nightly build"),
        ("größer 日本 ✓", "größer 日本 ✓"),
        ("two\nlines\tand\u2028more", "two lines and more"),
        ("bell\x07 null\x00", "bell\ufffd null\ufffd"),
        ("turned \u202e round", "turned \ufffd round"),
        ("half a pair \ud800", "half a pair \ufffd"),
    ],
)
def test_what_cannot_be_seen_is_made_visible(text: str, expected: str) -> None:
    assert words.clean(text) == expected


def test_what_is_cut_says_so() -> None:
    assert words.short("abcdef", 6) == "abcdef"
    assert words.short("abcdefg", 6) == "abcde\u2026"

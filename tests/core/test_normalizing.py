"""Timestamps and durations: every form the services use, and whatever else comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_cloudapis.core.normalizing import to_seconds, to_timestamp
from tests.core.test_shapes import shaped

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

FORMS = [
    ("2024-05-27 10:42:16.179903+00:00", "2024-05-27T10:42:16.179903Z"),
    ("2024-05-27T10:42:16.179903+00:00", "2024-05-27T10:42:16.179903Z"),
    ("2022-05-05 06:51:10+00:00", "2022-05-05T06:51:10.000000Z"),
    ("2024-05-27T10:42:16Z", "2024-05-27T10:42:16.000000Z"),
    ("2024-05-27T10:42:16.123456789Z", "2024-05-27T10:42:16.123456Z"),
    ("2024-05-27 10:42:16.5", "2024-05-27T10:42:16.500000Z"),
    ("2024-05-27 10:42:16", "2024-05-27T10:42:16.000000Z"),
    ("2024-05-27T12:42:16.25+02:00", "2024-05-27T10:42:16.250000Z"),
    ("2024-05-27T05:12:16.25-0530", "2024-05-27T10:42:16.250000Z"),
    ("2024-05-27", "2024-05-27T00:00:00.000000Z"),
    ("1716806536179903", "2024-05-27T10:42:16.179903Z"),
    (1716806536, "2024-05-27T10:42:16.000000Z"),
    (1716806536179, "2024-05-27T10:42:16.179000Z"),
    (1716806536179903, "2024-05-27T10:42:16.179903Z"),
    ("0001-01-01T00:00:00Z", None),
    ("0001-01-01 00:00:00.000000+00:00", None),
    ("", None),
    ("  ", None),
    (0, None),
    ("0", None),
    (None, None),
    ("next Tuesday", "next Tuesday"),
    ("\u00b2", "\u00b2"),
    ("2024-13-45T00:00:00Z", "2024-13-45T00:00:00Z"),
    ({"at": 1}, {"at": 1}),
]


@pytest.mark.parametrize(("form", "expected"), FORMS)
def test_every_form_of_a_timestamp(form: Any, expected: Any) -> None:
    assert to_timestamp(form) == expected


moments = st.datetimes(
    datetime(1902, 1, 1),  # noqa: DTZ001 - hypothesis wants bounds without a zone
    datetime(4500, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from(
        [UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-11))]
    ),
)


@given(moments, st.sampled_from(" T"))
def test_any_moment_survives_in_any_zone(moment: datetime, separator: str) -> None:
    expected = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert to_timestamp(moment.isoformat(separator)) == expected
    assert to_timestamp(to_timestamp(expected)) == expected


@given(st.integers(1, 95_000_000_000))
def test_whole_seconds_since_1970(seconds: int) -> None:
    moment = EPOCH + timedelta(seconds=seconds)
    assert to_timestamp(seconds) == moment.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    if seconds >= 10**8:  # fewer digits may be a year, or a day
        assert to_timestamp(str(seconds)) == to_timestamp(seconds)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("20240527", "2024-05-27T00:00:00.000000Z"),
        ("20240527104216", "2024-05-27T10:42:16.000000Z"),
        ("20240527T104216Z", "2024-05-27T10:42:16.000000Z"),
        ("2024", "2024"),
        ("20241399", "20241399"),
        ("2024-05-27T10:00+25:00", "2024-05-27T10:00+25:00"),
        ("2024-05-27T10:00+05:99", "2024-05-27T10:00+05:99"),
        (253402300799, "9999-12-31T23:59:59.000000Z"),
        ("9" * 5000, "9" * 5000),
        ("0", None),
    ],
    ids=lambda value: f"{value!r:.30}",
)
def test_what_looks_like_another_time(given: Any, expected: Any) -> None:
    assert to_timestamp(given) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "text",
    [
        "abcdefghijklmnopqrstuvwxyz+00:00",
        "10000-01-20 10:20:30.12345+00:00",
        "2024-13-20 10:20:30.123456+00:00",
        "2024-02-30 10:20:30.123456+00:00",
        "2024-02-20 25:20:30.123456+00:00",
        "2024-W21-1T10:42:16.179903+00:00",
        "9999-12-31T23:59:59-12:00",
        "2024-02-30T10:20:30.123456Z",
        "\N{ARABIC-INDIC DIGIT TWO}024-02-20 10:20:30.123456+00:00",
    ],
)
def test_what_is_no_timestamp_stays_byte_for_byte(text: str) -> None:
    schema = {"properties": {"at": {"type": ["string", "null"], "format": "date-time"}}}
    assert shaped(schema, {"at": text}) == {"at": text} == {"at": to_timestamp(text)}


@pytest.mark.parametrize("number", [10**400, -(10**400), Decimal("1e999999999")])
def test_a_number_beyond_all_time_stays(number: Any) -> None:
    assert to_timestamp(number) == number


@given(json_values)
def test_nothing_that_json_holds_breaks_a_timestamp(value: Any) -> None:
    once = to_timestamp(value)
    assert to_timestamp(once) == once or once != once  # noqa: PLR0124 - NaN


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("00:00:00", 0),
        ("01:02:03", 3723),
        ("24:00:36", 86436),
        ("101:00:00", 363600),
        ("1 day, 2:03:04", 93784),
        ("2 days, 02:03:04", 180184),
        ("2 days 02:03:04", 180184),
        ("2 02:03:04.5", 180184),
        (" 00:00:07.250 ", 7),
        ("00:00:07,999999", 7),
        # A negative one, as Python and Django write it, and as others do; cut off towards zero.
        ("-1 day, 23:59:59", -1),
        ("-1 day, 23:59:58.5", -1),
        ("-1 23:59:59", -1),
        ("-00:01:01.5", -61),
        ("-1 days -00:00:01", -86401),
        (61, 61),
        (-61, -61),
        (Decimal("61.9"), 61),
        ("61", 61),
        ("61.9", 61),
        ("", None),
        (None, None),
        (True, None),
        ("1:2", None),
        ("00:61:00", None),
        ("00:00:60", None),
        ("1 week", None),
        ("PT1H", None),
        (Decimal("1e999999999"), None),
        (10**400, None),
        ([61], None),
        ({"seconds": 61}, None),
        ("\N{ARABIC-INDIC DIGIT TWO}:00:00", None),
    ],
)
def test_durations(value: Any, seconds: int | None) -> None:
    assert to_seconds(value) == seconds


@given(st.integers(0, 10**7))
def test_any_duration(total: int) -> None:
    minutes, seconds = divmod(total, 60)
    text = f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
    assert to_seconds(text) == total


@given(json_values)
def test_nothing_that_json_holds_breaks_a_duration(value: Any) -> None:
    seconds = to_seconds(value)
    assert seconds is None or (isinstance(value, (str, int)) and type(seconds) is int)

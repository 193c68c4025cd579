"""Timestamps, durations and secrets: every form the services use, and whatever else comes."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_cloudapis.core.normalizing import (
    Scrubber,
    compile_timestamps,
    looks_secret,
    to_seconds,
    to_timestamp,
)

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
    assert to_timestamp(str(seconds)) == to_timestamp(seconds)


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
    normalize = compile_timestamps(schema)
    assert normalize is not None
    record = {"at": text}
    normalize(record)
    assert record == {"at": text} == {"at": to_timestamp(text)}


@pytest.mark.parametrize("number", [10**400, -(10**400), Decimal("1e999999999")])
def test_a_number_beyond_all_time_stays(number: Any) -> None:
    assert to_timestamp(number) == number


@given(json_values)
def test_nothing_that_json_holds_breaks_a_timestamp(value: Any) -> None:
    once = to_timestamp(value)
    assert to_timestamp(once) == once or once != once  # noqa: PLR0124 - NaN


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("00:00:00", 0),
        ("01:02:03", 3723),
        ("24:00:36", 86436),
        ("101:00:00", 363600),
        ("1 day, 2:03:04", 93784),
        ("2 days, 02:03:04", 180184),
        ("00:00:07.250", 7),
        ("", None),
        (None, None),
        (61, None),
        ("1:2", None),
        ("-00:00:01", None),
    ],
)
def test_durations(text: Any, seconds: int | None) -> None:
    assert to_seconds(text) == seconds


@given(st.integers(0, 10**7))
def test_any_duration(total: int) -> None:
    minutes, seconds = divmod(total, 60)
    text = f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
    assert to_seconds(text) == total


@given(json_values)
def test_nothing_that_json_holds_breaks_a_duration(value: Any) -> None:
    assert to_seconds(value) is None or isinstance(value, str)


def test_nested_timestamps_are_declared_by_the_schema() -> None:
    time = {"type": ["string", "null"], "format": "date-time"}
    schema = {
        "properties": {
            "at": time,
            "inside": {"properties": {"at": time, "name": {}}},
            "many": {"items": {"properties": {"at": time}}},
        }
    }
    normalize = compile_timestamps(schema)
    assert normalize is not None
    record = {
        "at": 1,
        "inside": {"at": 1, "name": 1},
        "many": [{"at": 1}, None, 7],
        "other": {"at": 1},
    }
    normalize(record)
    second = "1970-01-01T00:00:01.000000Z"
    assert record == {
        "at": second,
        "inside": {"at": second, "name": 1},
        "many": [{"at": second}, None, 7],
        "other": {"at": 1},
    }
    assert compile_timestamps({"properties": {"name": {}}}) is None


SECRET_NAMES = [
    "token",
    "token_string",
    "hmac_secret",
    "password",
    "private_key",
    "privateKey",
    "client_secret",
    "oauth_client_secret",
    "access_token",
    "accessToken",
    "refresh_token",
    "secret",
    "api_key",
    "apiKey",
    "ciphertext",
    "secretCiphertext",
    "encryptedKey",
    "encryptionSalt",
    "acceptInviteUrl",
    "credentials",
    "passphrase",
    "Authorization",
    "DB_PASSWORD",
]
HARMLESS_NAMES = [
    "credentials_id",
    "tokenID",
    "tokenName",
    "apitoken_last_used",
    "token_count",
    "secret_type",
    "credential_ids",
    "name",
    "key",
    "keyboard",
    "github_token_retrieval_failure",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_names_of_secrets(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_names_about_secrets(name: str) -> None:
    assert not looks_secret(name)


names = st.sampled_from(SECRET_NAMES + HARMLESS_NAMES) | st.text(max_size=5)
leaves = st.text(max_size=3) | st.integers() | st.booleans() | st.none()
objects = st.recursive(
    st.dictionaries(names, leaves, max_size=5),
    lambda inner: st.dictionaries(names, inner | st.lists(inner | leaves, max_size=3), max_size=5),
    max_leaves=12,
)


def _without_secrets(value: Any) -> Any:
    """What should be left, said in another way than the scrubber does it."""
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without_secrets(inner)
        for name, inner in value.items()
        if not looks_secret(name) or inner is None or isinstance(inner, bool)
    }


@given(objects)
def test_secrets_go_at_any_depth_and_all_else_stays(record: dict[str, Any]) -> None:
    expected = _without_secrets(copy.deepcopy(record))
    Scrubber({"properties": {}}).scrub(record)
    assert record == expected


def test_declared_names_were_reviewed_and_stay() -> None:
    schema: dict[str, Any] = {"properties": {"token": {"properties": {"secret": {}}}}}
    record = {"token": {"secret": "reviewed", "password": "gone"}, "api_key": "gone"}
    Scrubber(schema).scrub(record)
    assert record == {"token": {"secret": "reviewed"}}


def test_a_secret_is_found_behind_any_number_of_harmless_names() -> None:
    scrubber = Scrubber({"properties": {}})
    for number in range(25_000):
        scrubber.scrub({f"tag{number}": "x"})
    record = {"tag1": "x", "late": "x", "inner": [[{"password": "gone", "late": 1}]]}
    scrubber.scrub(record)
    assert record == {"tag1": "x", "late": "x", "inner": [[{"late": 1}]]}


def test_stand_ins_and_fields_left_alone() -> None:
    scrubber = Scrubber(
        {"properties": {}},
        replace=lambda value: "[hidden]" if "sig" in value else None,
        untouched=frozenset({"config"}),
    )
    record = {"config": {"password": "theirs"}, "deep": [{"outputs": {"sig": 1, "x": "gone"}}]}
    scrubber.scrub(record)
    assert json.dumps(record) == (
        '{"config": {"password": "theirs"}, "deep": [{"outputs": "[hidden]"}]}'
    )

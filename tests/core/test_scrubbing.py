"""Secrets that are known by the name of their field, and names and values that only look so."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_cloudapis.core.scrubbing import EnteringScrubber, Scrubber, is_secret, looks_secret

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
    "api-key",
    "api.key",
    "api key",
    "API-KEY",
    "x-api-key",
    "private-key",
    "access-key",
    "ssh-key",
    "signing-key",
    "signing.key",
    "encryption-key",
    "key-material",
    "accept-invite-url",
    "db_pwd",
    "pwd",
    "dbPwd",
    "ciphertext",
    "secretCiphertext",
    "encryptedKey",
    "encryptionSalt",
    "acceptInviteUrl",
    "credentials",
    "passphrase",
    "Authorization",
    "DB_PASSWORD",
    "connection_string",
    "dsn",
    "SENTRY_DSN",
    "account_key",
    "AccountKey",
    "master_key",
    "masterKey",
    "shared_key",
    "license_key",
    "DB_PASS",
    "dbPass",
    "DBPass",
    "smtpPass",
    "pass",
    "pass_phrase",
    "passPhrase",
    "pass_word",
    "pass-word",
    "sas_url",
    "cookie",
    "Cookies",
    "session_token",
    "jwt",
    "otp",
    "TOTP",
    "recovery_codes",
    "cipher_text",
    "cipherText",
    "encrypted_value",
    "encryptedValue",
    "webhook_url",
    "webhookUrl",
    "invite_url",
    "signed_url",
    "kubeconfig",
    "ACCESS_TOKEN",
    "APIKey",
    "tokens",
]
HARMLESS_NAMES = [
    "credentials_id",
    "tokenID",
    "tokenName",
    "apitoken_last_used",
    "token_count",
    "token.name",
    "token-count",
    "api-key-id",
    "api.key.id",
    "API_KEY_NAME",
    "api key type",
    "secret_type",
    "credential_ids",
    "name",
    "key",
    "keyboard",
    "github_token_retrieval_failure",
    "TOKEN_ID",
    "TokenID",
    "tokenIDs",
    "max_tokens",
    "maxOutputTokens",
    "tokens_per_minute",
    "tokenizer",
    "tokenized",
    "secretary",
    "passwordless",
    "authorization_url",
    "token_url",
    "secret_scope",
    "password_last_changed",
    "last_token_rotation",
    "secrets_manager_arn",
    "api_key_source",
    "[secret]",
    "x [secret]",
    "passed",
    "pass_rate",
    "compass",
    "cookie_policy",
    "laptop",
    "url",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_names_of_secrets(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_names_about_secrets(name: str) -> None:
    assert not looks_secret(name)


@pytest.mark.parametrize("value", [None, True, "true", "False", "set", "unset", "", "3600", 90, 0])
def test_values_that_cannot_be_a_secret(value: Any) -> None:
    assert not is_secret("show-secrets", value)


@pytest.mark.parametrize("value", ["1234567", 10**6, "-1", "yes!", "settled", 1.5, {}, []])
def test_values_that_can(value: Any) -> None:
    assert is_secret("show-secrets", value)


@pytest.mark.parametrize("name", ["db_password", "PASSPHRASE", "pwd"])
def test_what_people_make_up_can_be_a_short_number(name: str) -> None:
    assert is_secret(name, "123456")
    assert is_secret(name, 1234)
    assert not is_secret(name, "set")


def test_a_short_number_can_be_read_off_a_device_and_a_dsn_is_a_text() -> None:
    assert is_secret("otp", "123456")
    assert is_secret("dsn", "https://x")
    assert not any(is_secret("dsn", value) for value in ({"a": 1}, [1], 1.5, 12345678.5))


@pytest.mark.parametrize("field", ["name", "key"])
def test_a_name_decides_about_the_value_beside_it(field: str) -> None:
    kept = [{field: "REGION", "value": "x"}, {field: "API_TOKEN", "value": None}, {field: 1}]
    record = {"env": [{field: "DB_PASSWORD", "value": "x", "id": 1}, *kept]}
    Scrubber().scrub(record)
    assert record == {"env": [{field: "DB_PASSWORD", "id": 1}, *kept]}


names = st.sampled_from([*SECRET_NAMES, *HARMLESS_NAMES, "value"]) | st.text(max_size=5)
leaves = (
    st.text(max_size=3)
    | st.sampled_from(["DB_PASSWORD", "secret!"])
    | st.integers()
    | st.booleans()
    | st.none()
)
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
    called = [value.get(field) for field in ("name", "key")]
    return {
        name: _without_secrets(inner)
        for name, inner in value.items()
        if not is_secret(name, inner)
        and not (
            name == "value" and any(is_secret(it, inner) for it in called if isinstance(it, str))
        )
    }


@given(objects)
def test_secrets_go_at_any_depth_and_all_else_stays(record: dict[str, Any]) -> None:
    expected = _without_secrets(copy.deepcopy(record))
    assert Scrubber().scrub(record) == expected


def test_a_secret_is_found_behind_any_number_of_harmless_names() -> None:
    scrubber = Scrubber()
    for number in range(25_000):
        scrubber.scrub({f"tag{number}": "x"})
    record = {"tag1": "x", "late": "x", "inner": [[{"password": "gone", "late": 1}]]}
    scrubber.scrub(record)
    assert record == {"tag1": "x", "late": "x", "inner": [[{"late": 1}]]}


def test_an_object_that_is_replaced_is_not_looked_into() -> None:
    scrubber = Scrubber(lambda value: "[hidden]" if "sig" in value else None)
    assert scrubber.scrub({"a": [{"sig": 1}, [{"sig": 1}]]}) == {"a": ["[hidden]", ["[hidden]"]]}


HIDDEN = "hunter2-hunter2"


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (
            {"changes": {"password": {"old": HIDDEN, "new": HIDDEN}}, "id": 5},
            {"changes": {"password": {}}, "id": 5},
        ),
        (
            {"name": "MY_PASSWORD", "old_value": HIDDEN, "new_value": [HIDDEN]},
            {"name": "MY_PASSWORD"},
        ),
        (
            {"field_name": "password", "old": HIDDEN, "new": {"x": HIDDEN}},
            {"field_name": "password"},
        ),
        ({"service_token": {"key": HIDDEN, "note": HIDDEN}}, {"service_token": {}}),
        ({"details": json.dumps({"token": HIDDEN, "id": 5})}, {"details": '{"id":5}'}),
        ([json.dumps([{"deep": {"private_key": HIDDEN}}])], ['[{"deep":{}}]']),
        (f"-----BEGIN RSA PRIVATE KEY-----\n{HIDDEN}", None),
    ],
)
def test_what_people_write_as_text_and_entries_of_changes(value: Any, left: Any) -> None:
    assert EnteringScrubber().scrub(value) == left


def test_texts_without_a_secret_stay_as_they_are() -> None:
    texts = {"a": '{ "id": 5,\n "n": 1.50 }', "b": "[not json", "c": "x", "d": "[1, 2]", "e": "{}"}
    assert EnteringScrubber().scrub(dict(texts)) == texts
    told = {"service_token": {"id": 5, "name": "CI", "state": 1, "created_at": "2026-01-01"}}
    assert EnteringScrubber().scrub(json.loads(json.dumps(told))) == told

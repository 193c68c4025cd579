"""Secrets that are known by the name of their field, in what no schema describes."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from tap_cloudapis.core.redaction import STAND_IN

if TYPE_CHECKING:
    from collections.abc import Callable

# Words that make a name look like it holds a secret, however they are joined (api_key, api-key,
# api.key, apiKey), and what shows that it only holds something about one
# (repository_credentials_id, apitoken-last-used, tokenName).
_SECRET_NAME = re.compile(
    r"token(?!i[sz])|secret(?!ar(?:y|ies|ial))|passw(?!ordless)|pass_?phrase|pass_word|pwd|hmac"
    r"|credential|cipher_?text|authorization|encrypted_?value|kube_?config|connection_?string"
    r"|(?:private|api|access|signing|ssh|account|master|shared|license|encrypted|encryption)_?key"
    r"|encrypt(?:ed|ion)_?salt|key_?material|recovery_?codes?"
    r"|(?:invite|webhook|signed|sas)_?url|(?:^|_)(?:pass|pat|bearer|cookies?|jwt|t?otp|dsn)$"
)
_ABOUT_A_SECRET = re.compile(
    r"_(?:ids?|at|count|name|type|used|failure|enabled|expires|changed|rotation|scope|source|arn)$"
    r"|(?:token|authorization)_url$|^(?:max|min|num|total)_(?:\w+_)?tokens$|tokens_per_\w+$"
)
#: Names of texts that tell which secret it is, or of what it is, and not the secret itself.
_TELLS_WHICH = re.compile(
    r"(?:^|_)(?:ids?|uu?id|name|title|description|type|kind|state|status|scopes?|roles?|set|at|on|by"
    r"|used|expires|owner|client|app|email|account|project|environment|user|service|source|adapter|version)$"
)
#: How entries name a field, and the members of such an entry that hold its values.
_NAMES = ("name", "key", "field", "field_name", "attribute", "property", "setting")
_VALUES = frozenset(
    {
        *("value", "values", "old", "new", "before", "after", "from", "to", "previous", "current"),
        *("old_value", "new_value", "previous_value", "current_value", "from_value", "to_value"),
    }
)
_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode
_IS_A_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY")
_MAY_BE_JSON = re.compile(r"\s*[\[{]")
#: Where a word begins behind another, as in apiKey, DBPass and api.key; not in IDs.
_NEXT_WORD = re.compile(r"[\W_]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
#: Names of secrets that people make up, or read, and that may be short numbers.
_MADE_UP = re.compile(r"passw|pass_?phrase|pass_word|pwd|(?:^|_)t?otp$")
#: Names of secrets that are texts, and of other things that are none.
_TEXT = re.compile(r"(?:^|_)dsn$")
#: Values that tell about a secret: whether there is one, whether one is shown, for how long.
_ABOUT = frozenset({"", "true", "false", "set", "unset"})
_SMALL_NUMBER = re.compile(r"\d{1,6}", re.ASCII)
#: The types of values that hold no others.
SCALAR_TYPES = frozenset({str, int, Decimal, bool, type(None)})
#: How many names are remembered as harmless; the keys of users' own maps are without number.
_REMEMBERED_NAMES = 20_000


@lru_cache(maxsize=_REMEMBERED_NAMES)
def looks_secret(name: str) -> bool:
    """Whether a field of this name is likely to hold a secret."""
    words = _words(name)
    return bool(_SECRET_NAME.search(words)) and not _ABOUT_A_SECRET.search(words)


def _words(name: str) -> str:
    """The words of a name, joined in one way: apiKey is api_key, and API-KEY, too."""
    # What stands in for a token makes no name one of a secret.
    return _NEXT_WORD.sub("_", name.replace(STAND_IN, "")).lower()


def is_secret(name: str, value: Any) -> bool:
    """Whether a value is likely to be a secret, by its name and by what it can be."""
    if value is None or isinstance(value, bool) or not looks_secret(name):
        return False
    words = _words(name)
    if isinstance(value, (dict, list)):
        return not _TEXT.search(words)
    text = str(value) if isinstance(value, int) and abs(value) < 10**6 else value
    if not isinstance(text, str):
        return not _TEXT.search(words)
    if text.lower() in _ABOUT:
        return False
    return _SMALL_NUMBER.fullmatch(text) is None or bool(_MADE_UP.search(words))


class Scrubber:
    """Removes fields whose name looks like a secret, at any depth, and values named beside them.

    Args:
        replace: Asked for every object; whatever it gives but ``None`` stands in for the object.
    """

    def __init__(self, replace: Callable[[dict[str, Any]], Any] | None = None) -> None:
        self._replace = replace
        self._harmless: set[str] = set()

    def scrub(self, value: Any) -> Any:
        """Remove secrets from an object or a list, in place.

        Returns:
            The value, or what stands in for it.
        """
        if isinstance(value, dict):
            if self._replace is not None and (stand_in := self._replace(value)) is not None:
                return stand_in
            self._scrub_fields(value)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                if inner and isinstance(inner, (dict, list)):
                    value[index] = self.scrub(inner)
        return value

    def _scrub_fields(self, record: dict[str, Any]) -> None:
        if not self._harmless.issuperset(record):
            self._remove_secrets(record)
        if "value" in record:
            _remove_named_value(record)
        if not SCALAR_TYPES.issuperset(map(type, record.values())):
            for name, value in record.items():
                if value and isinstance(value, (dict, list)):
                    record[name] = self.scrub(value)

    def _remove_secrets(self, record: dict[str, Any]) -> None:
        for name in record.keys() - self._harmless:
            if is_secret(name, record[name]):
                del record[name]
            elif len(self._harmless) < _REMEMBERED_NAMES and not looks_secret(name):
                self._harmless.add(name)


class ReadingScrubber(Scrubber):
    """Removes the same, and what people write as text: JSON with secrets in it, and keys."""

    def scrub(self, value: Any) -> Any:
        """Remove secrets from any value, in place where it is an object or a list.

        Returns:
            The value, or what is left of it.
        """
        if isinstance(value, str):
            return self._read(value)
        if isinstance(value, list):
            value[:] = [self._read(each) if isinstance(each, str) else each for each in value]
        return super().scrub(value)

    def _scrub_fields(self, record: dict[str, Any]) -> None:
        super()._scrub_fields(record)
        for name, value in record.items():
            if isinstance(value, str):
                record[name] = self._read(value)

    def _read(self, text: str) -> str | None:
        """A text without its secrets; ``None`` where it is one."""
        if _IS_A_KEY.search(text):
            return None
        if not _MAY_BE_JSON.match(text):
            return text
        try:
            found = _decode(text)
            before = _encode(found)
            after = _encode(self.scrub(found))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return text
        return text if after == before else after.decode()


class EnteringScrubber(ReadingScrubber):
    """Enters an object under the name of a secret besides: it may tell which one it is.

    Texts in it stay only where their own names say so. In entries like ``{"field": "password",
    "old": "x", "new": "y"}`` the values go.
    """

    def _scrub_fields(self, record: dict[str, Any]) -> None:
        if any(isinstance(told := record.get(name), str) and looks_secret(told) for name in _NAMES):
            for name in _VALUES & record.keys():
                del record[name]
        super()._scrub_fields(record)

    def _remove_secrets(self, record: dict[str, Any]) -> None:
        entered = {
            name: _about(record[name])
            for name in record.keys() - self._harmless
            if isinstance(record[name], (dict, list)) and looks_secret(name)
        }
        # In their places, so that the order of the names stays.
        record.update(dict.fromkeys(entered))
        super()._remove_secrets(record)
        record.update(entered)


def _about(value: Any) -> Any:
    """What of an object or a list under the name of a secret only tells about it."""
    if isinstance(value, list):
        return [_about(each) for each in value if isinstance(each, (dict, list))]
    return {
        name: _about(inner) if isinstance(inner, (dict, list)) else inner
        for name, inner in value.items()
        if not isinstance(inner, str) or _TELLS_WHICH.search(_words(name))
    }


def _remove_named_value(entry: dict[str, Any]) -> None:
    """Remove the value of an entry like ``{"name": "DB_PASSWORD", "value": "x"}``."""
    for field in ("name", "key"):
        name = entry.get(field)
        if isinstance(name, str) and is_secret(name, entry["value"]):
            del entry["value"]
            return

"""Secrets that are known by the name of their field, in what no schema describes."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# Words that make a name look like it holds a secret, however they are joined (api_key, api-key,
# api.key, apiKey), and endings that show that it only holds something about one
# (repository_credentials_id, apitoken-last-used, tokenName).
_SECRET_NAME = re.compile(
    # What stands in for a token, [secret], makes no name one of a secret.
    r"token|secret(?!\])|passw|passphrase|pwd|hmac|credential|ciphertext|authorization"
    r"|(?:private|api|access|signing|ssh)[\W_]*key"
    r"|encrypt(?:ed|ion)[\W_]*(?:key|salt)|key[\W_]*material|accept[\W_]*invite[\W_]*url",
    re.IGNORECASE,
)
_ABOUT_A_SECRET = re.compile(
    r"(?:[\W_](?i:ids?|at|count|name|type|used|failure|enabled|expires)"
    r"|(?<=[a-z])(?:ids?|IDs?|Ids?|at|At|count|Count|name|Name|type|Type|used|Used"
    r"|failure|enabled|Enabled|expires|Expires))$"
)
#: Names of secrets that people make up, and that may be short numbers.
_MADE_UP = re.compile(r"passw|passphrase|pwd", re.IGNORECASE)
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
    return bool(_SECRET_NAME.search(name)) and not _ABOUT_A_SECRET.search(name)


def is_secret(name: str, value: Any) -> bool:
    """Whether a value is likely to be a secret, by its name and by what it can be."""
    if value is None or isinstance(value, bool) or not looks_secret(name):
        return False
    if isinstance(value, (dict, list)):
        return True
    text = str(value) if isinstance(value, int) and abs(value) < 10**6 else value
    if not isinstance(text, str):
        return True
    if text.lower() in _ABOUT:
        return False
    return _SMALL_NUMBER.fullmatch(text) is None or bool(_MADE_UP.search(name))


class Scrubber:
    """Removes fields whose name looks like a secret, at any depth.

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

"""What a service is: everything that the tap has to know of dbt Cloud, or of Pulumi Cloud."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_cloudapis.core.connection import Connection
from tap_cloudapis.core.sending import Bounds
from tap_cloudapis.core.urls import normalize_url

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from singer_sdk import typing as th

    from tap_cloudapis.core.stream import CloudStream

    Settings = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service, as one object; the folder of the service makes it.

    Attributes:
        key: The prefix of its settings and streams, such as ``dbt``. Its token is the setting
            ``KEY_token``, its address ``KEY_url``.
        title: Its name, as users know it.
        settings: Its settings.
        default_url: The address that is asked where none is set.
        url_hint: What to say of the address in errors where it is that default; empty where the
            default is what nearly everybody needs.
        api_path: The path of the API below the address.
        headers: Gives the headers of every request for a token.
        streams: Its streams.
        owner_setting: The setting that names accounts or organizations; empty for none.
        narrowing: Filters among its settings, and the streams whose rows each of them narrows.
        check: Called with all settings before a sync; raises ``TapError`` for one that has no
            sense.
    """

    key: str
    title: str
    settings: tuple[th.Property[Any], ...]
    default_url: str
    headers: Callable[[str], dict[str, str]]
    streams: tuple[type[CloudStream], ...]
    url_hint: str = ""
    api_path: str = ""
    owner_setting: str = ""
    narrowing: Mapping[str, Collection[str]] = field(default_factory=dict)
    check: Callable[[Settings], object] = dict

    def token(self, settings: Settings) -> str:
        """The token in the settings; empty where there is none."""
        return str(settings.get(f"{self.key}_token") or "").strip()

    def chosen_url(self, settings: Settings) -> str:
        """The address in the settings; empty where there is none."""
        return str(settings.get(f"{self.key}_url") or "").strip()

    def narrows(self, stream: str, settings: Settings) -> bool:
        """Whether a filter in the settings leaves out some of a stream's rows."""
        return any(
            settings.get(name) and stream in streams for name, streams in self.narrowing.items()
        )

    def connect(
        self, settings: Settings, before_wait: Callable[[], None], log: Callable[[str], None]
    ) -> Connection:
        """Make the connection.

        Args:
            settings: All settings of the tap.
            before_wait: Called before the main thread waits for an answer.
            log: Logs a line about waiting.

        Raises:
            TapError: When the address is not usable.
        """
        chosen = self.chosen_url(settings)
        setting = f"{self.key}_url"
        return Connection(
            service=self.title,
            url=normalize_url(chosen or self.default_url, setting) + self.api_path,
            url_setting=setting,
            url_hint="" if chosen else self.url_hint,
            headers=self.headers(self.token(settings)),
            concurrency=settings["concurrency"],
            bounds=Bounds.from_settings(settings),
            requests_per_minute=settings.get(f"{self.key}_requests_per_minute"),
            patience=settings["rate_limit_patience_seconds"],
            before_wait=before_wait,
            log=log,
        )

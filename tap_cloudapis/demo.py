"""``tap-cloudapis-demo``: the tap on the built-in simulator, for trying it without an account.

The simulator runs as a process of its own for the length of a sync, and never for discovery.
It ends when its standard input closes, so nothing is left behind even if this one is killed.
Settings that tell what to read are ignored, as they are about one's own accounts.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from tap_cloudapis.command_line import run_command
from tap_cloudapis.core.errors import TapError
from tap_cloudapis.tap import SERVICES, TapCloudAPIs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Options of ``cloudapis-simulator serve``, to choose another world than the usual one.
OPTIONS_VARIABLE = "CLOUDAPIS_SIMULATOR_OPTIONS"

#: A window of 200 days that ends now, with fewer than 4,000 runs: it is as large in a year.
WORLD = ("--days", "200", "--dbt-runs", "1900", "--dbt-detail-days", "60")
#: What a budget of requests would hold up is nobody's but the demo's.
_REQUESTS_PER_MINUTE = 1_000_000
#: All of it is read, however long ago it began.
_WHOLE = {"pulumi_update_detail_days": 36_500}

_NO_SYNC = {"--discover", "--about", "--help", "--version", "--test=schema"}


class TapCloudAPIsDemo(TapCloudAPIs):
    """The tap for dbt Cloud and Pulumi Cloud, on a simulator of both: no account needed."""

    name = "tap-cloudapis-demo"
    package_name = "tap-cloudapis"

    #: What the simulator printed when it was ready; empty when there is none.
    simulator: ClassVar[Mapping[str, Any]] = {}

    def __init__(
        self, *args: Any, config: Any = None, parse_env_config: bool = False, **kwargs: Any
    ) -> None:
        given = {**(config or {}), **(self._env_var_config if parse_env_config else {})}
        kept = {name: value for name, value in given.items() if not _tells_what_to_read(name)}
        simulated: dict[str, Any] = {}
        if self.simulator:
            names = [f"{service.key}_{name}" for service in SERVICES for name in ("url", "token")]
            simulated = {name: self.simulator[name] for name in names} | _WHOLE
            budgets = (f"{service.key}_requests_per_minute" for service in SERVICES)
            known = TapCloudAPIs.config_jsonschema["properties"]
            simulated |= {name: _REQUESTS_PER_MINUTE for name in budgets if name in known}
            ignored = sorted(name for name in given.keys() - kept if _is_set(name, given[name]))
            if ignored:
                self.logger.info(
                    "The demo reads all of its simulator, and ignores %s", ", ".join(ignored)
                )
        super().__init__(*args, config={**kept, **simulated}, **kwargs)

    def run(self) -> int:
        """Sync, and say of which world."""
        if self.simulator:
            self.logger.info(
                "Simulating seed %s at %s; what is true there: "
                "uv run cloudapis-simulator truth %s --seed %s --now %s --stream dbt_jobs",
                *(self.simulator[name] for name in ("seed", "now", "world", "seed", "now")),
            )
        return super().run()


def _tells_what_to_read(setting: str) -> bool:
    """Whether a setting is about a service or the time from which to read."""
    prefixes = tuple(f"{service.key}_" for service in SERVICES)
    return setting.startswith(prefixes) or setting == "start_date"


def _is_set(setting: str, value: Any) -> bool:
    """Whether a value says more than the default, which Meltano hands over as well."""
    known = TapCloudAPIs.config_jsonschema["properties"]
    return bool(value) and value != known.get(setting, {}).get("default")


@contextmanager
def running_simulator(options: list[str]) -> Iterator[dict[str, Any]]:
    """Run the simulator while the context lasts.

    Args:
        options: For ``cloudapis-simulator serve``.

    Yields:
        The JSON object it prints when it listens: base URLs, tokens, seed and time.

    Raises:
        TapError: When it does not start.
    """
    command = [sys.executable, "-m", "cloudapis_simulator", "serve", "--exit-with-parent"]
    with subprocess.Popen(  # noqa: S603 - our own module and the user's own options
        [*command, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A Ctrl-C is for the tap, which still has the last requests to finish.
        start_new_session=True,
    ) as process:
        assert process.stdin and process.stdout and process.stderr  # noqa: PT018, S101
        line = process.stdout.readline()
        try:
            if not line:
                raise TapError(_why_not_started(process.stderr.read()))
            yield json.loads(line)
        finally:
            process.stdin.close()
            process.stdout.close()
            process.stderr.close()


def _why_not_started(stderr: str) -> str:
    if "No module named" in stderr:
        return "the demo needs the simulator: pip install 'tap-cloudapis[demo]'"
    reason = (stderr.strip().splitlines() or ["no reason given"])[-1]
    return f"the simulator did not start: {reason}"


def main() -> None:
    """The console script."""
    # A proxy of the environment cannot reach this machine's own loopback.
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1")))
    if _NO_SYNC & set(sys.argv[1:]):
        run_command(TapCloudAPIsDemo)
    logger = logging.getLogger(TapCloudAPIsDemo.name)
    try:
        options = os.environ.get(OPTIONS_VARIABLE)
        world = WORLD if options is None else shlex.split(options)
        with running_simulator(list(world)) as simulator:
            TapCloudAPIsDemo.simulator = {**simulator, "world": shlex.join(world)}
            run_command(TapCloudAPIsDemo)
    except TapError as exc:
        logger.error("%s", exc)  # noqa: TRY400 - a line for a user, no traceback
        sys.exit(1)


if __name__ == "__main__":
    main()

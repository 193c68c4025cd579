"""The command `cloudapis-simulator`: `serve` both APIs, or tell the `truth` about a world."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from dataclasses import fields
from typing import TYPE_CHECKING

from cloudapis_simulator.clock import Clock, parse_time, rfc3339
from cloudapis_simulator.settings import Behaviour, Sizes
from cloudapis_simulator.truth import STREAMS, tell
from cloudapis_simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

_MEGABYTE = 1 << 20
_SIZE_HELP = {
    "dbt_accounts": "accounts of dbt Cloud",
    "dbt_jobs": "jobs per account",
    "dbt_runs": "runs per account at the end of history, or in the window of --days",
    "pulumi_orgs": "organizations of Pulumi Cloud",
    "pulumi_stacks": "stacks per organization at the end of history",
    "pulumi_updates": "updates per stack at the end of history",
    "days": "days that the world reaches back from its time, with these sizes; 0: to 2026-01-01",
    "dbt_detail_days": "days after which steps and files of runs are gone, 0 for never",
    "dbt_nodes": "models, and tests, of a dbt project; also what a build is about",
    "dbt_steps": "commands with results in each run, 0 for what its job says",
    "dbt_large_mb": "megabytes of the artifacts of one run in fifty, 0 for their own size",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; a mistake in the arguments is one line on stderr and status 2."""
    # Ctrl-C ends it without a traceback, whatever it is at.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        world = _world(args)
        if args.command == "truth":
            _print_truth(world, args)
            return
        behaviour = _behaviour(args)
    except ValueError as error:
        parser.error(str(error))
    _serve(world, behaviour, args)


def _world(args: argparse.Namespace) -> World:
    sizes = Sizes(**{name: getattr(args, name) for name in _SIZE_HELP})
    now = parse_time(args.now or rfc3339(time.time_ns() // 1000))
    return World(args.seed, sizes, Clock(now))


def _behaviour(args: argparse.Namespace) -> Behaviour:
    behaviour = Behaviour(**{field.name: getattr(args, field.name) for field in fields(Behaviour)})
    behaviour.check()
    return behaviour


def _print_truth(world: World, args: argparse.Namespace) -> None:
    told = tell(world, args.stream or (), with_rows=not args.counts, details=args.details)
    json.dump(told, sys.stdout, ensure_ascii=False)
    sys.stdout.write("\n")


def _serve(world: World, behaviour: Behaviour, args: argparse.Namespace) -> None:
    try:
        from cloudapis_simulator import server  # noqa: PLC0415 - needs the extra
    except ImportError as error:
        sys.exit(f"cloudapis-simulator: {error.name} is missing: pip install 'tap-cloudapis[demo]'")
    try:
        sock = server.listen(args.port)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        sys.exit(f"cloudapis-simulator: cannot listen on port {args.port}: {reason}")
    server.serve(
        world,
        behaviour,
        sock,
        cache_bytes=args.cache_mb * _MEGABYTE,
        exit_with_parent=args.exit_with_parent,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cloudapis-simulator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    world = argparse.ArgumentParser(add_help=False)
    world.add_argument("--seed", type=int, default=1, help="which world (default: 1)")
    world.add_argument("--now", metavar="TIME", help="its time, ISO 8601 (default: the moment)")
    for name, what in _SIZE_HELP.items():
        default = getattr(Sizes, name)
        option = f"--{name.replace('_', '-')}"
        text = f"{what} (default: {default})"
        world.add_argument(option, type=int, default=default, metavar="N", help=text)
    _add_serve(commands.add_parser("serve", parents=[world], help="serve both APIs on loopback"))
    truth = commands.add_parser("truth", parents=[world], help="print what is true of the world")
    truth.add_argument("--stream", action="append", choices=STREAMS, help="only this stream")
    truth.add_argument("--counts", action="store_true", help="leave out the rows")
    truth.add_argument("--details", action="store_true", help="with what only details tell")
    return parser


def _add_serve(serve: argparse.ArgumentParser) -> None:
    add = serve.add_argument
    add("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    add("--latency-ms", type=float, default=0, metavar="N", help="time before every answer")
    add("--page-cap", type=int, metavar="N", help="most rows in a page, of every list")
    add("--over-cap", choices=("clamp", "reject"), default="clamp", help="answer to more than that")
    add("--rate-limit", type=float, metavar="N", help="requests per second before status 429")
    add("--retry-after", type=int, metavar="S", help="Retry-After of status 429")
    add("--error-rate", type=float, default=0, metavar="P", help="share of requests with 503")
    add("--cut-rate", type=float, default=0, metavar="P", help="share of answers cut in half")
    add("--forbid", action="append", default=[], choices=STREAMS, help="what the token may not")
    missing = "route that an older server of Pulumi lacks, such as /api/orgs/{org}/auditlogs/v2"
    add("--missing", action="append", default=[], metavar="ROUTE", help=missing)
    unlisted = "account of dbt that the list leaves out"
    add("--unlisted", action="append", type=int, default=[], metavar="ID", help=unlisted)
    add(
        "--no-slash-redirect",
        dest="slash_redirect",
        action="store_false",
        help="dbt answers without the trailing slash, too",
    )
    add("--ignore-keyset", action="store_true", help="dbt runs ignore id__gt")
    add("--cache-mb", type=int, default=384, metavar="N", help="memory for encoded answers")
    add("--exit-with-parent", action="store_true", help="end when stdin ends")


if __name__ == "__main__":
    main()

"""Commands of dbt: which one a step of a run has run, and what it leaves behind.

The service tells the command in the name of the step. Commands are the users' own text and may
hold secrets: no message and no line of the log ever quotes one.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: How the name of a step begins that runs dbt; the command ends at the last backtick.
DBT_STEP = "Invoke dbt with `"

FRESHNESS = "source freshness"
DOCS = "docs generate"
#: What stands in the setting for a command whose verb is not known here.
UNKNOWN = "unknown"
#: Commands that leave results of nodes that were built, tested or loaded.
BUILDING = ("build", "run", "test", "seed", "snapshot", "retry", "clone", "run-operation")
#: Commands that leave one result of no time for every node of the project.
COMPILING = (DOCS, "compile", "list", "show", "parse")
#: What `dbt_run_results_commands` can name.
READABLE = (*BUILDING, UNKNOWN, *COMPILING)

_VERBS = frozenset({*BUILDING, *COMPILING, "ls", "deps", "debug", "clean", "init", "lint"})
#: Verbs of two words: by the first one, what the second one may be, and what it is called now.
_PAIRS: Mapping[str, Mapping[str, str]] = {
    "docs": {"generate": DOCS, "serve": "docs serve"},
    "source": {"freshness": FRESHNESS, "snapshot-freshness": FRESHNESS},
}
_SAME = {"ls": "list"}
#: Options before the verb behind which a value stands as a word of its own.
_WITH_VALUE = frozenset(
    {
        "--event-buffer-size",
        "--log-file-max-bytes",
        "--log-format",
        "--log-format-file",
        "--log-level",
        "--log-level-file",
        "--log-path",
        "--printer-width",
        "--profile",
        "--profiles-dir",
        "--project-dir",
        "--record-timing-info",
        "--state",
        "--defer-state",
        "--target",
        "--target-path",
        "--threads",
        "--vars",
        "--warn-error-options",
        "-r",
        "-t",
    }
)


def command_of(step_name: Any) -> str | None:
    """The command in the name of a step; ``None`` where the step does not run dbt."""
    if not isinstance(step_name, str) or not step_name.startswith(DBT_STEP):
        return None
    behind = step_name[len(DBT_STEP) :]
    return behind.rpartition("`")[0] if "`" in behind else behind


def verb_of(command: str) -> str | None:
    """What a command has dbt do: its verb, in today's words; ``None`` for one not known here."""
    words = iter(_words(command)[1:])
    first = ""
    for word in words:
        if word.startswith("-"):
            if word in _WITH_VALUE:
                next(words, None)
        elif (verb := _PAIRS.get(first, {}).get(word) or _single(word)) is not None:
            return verb
        else:
            first = word
    return None


def _single(word: str) -> str | None:
    return _SAME.get(word, word) if word in _VERBS else None


def _words(command: str) -> list[str]:
    """The words of a command as a shell has them; an odd quotation mark is one of its letters."""
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def verb_of_args(args: Mapping[str, Any]) -> str | None:
    """The verb that a file of results tells itself, for runs without steps.

    The server of old versions has run all commands as others; it tells those in `rpc_method`.
    """
    told = args.get("rpc_method")
    if not isinstance(told, str) or "." not in told:
        told = args.get("which")
    if not isinstance(told, str):
        return None
    word = told.replace("_", "-").rpartition(".")[2]
    for pair in _PAIRS.values():
        if word in pair:
            return pair[word]
    return _single(word)

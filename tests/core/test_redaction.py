"""No token in the log, whoever repeats it; and no text of a server that forges a line."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from singer_sdk.logging import ConsoleFormatter, StructuredFormatter

from tap_cloudapis.core import redaction
from tap_cloudapis.core.redaction import keep_secret, printable, redact
from tests.core.syncing import Outcome, command, own_signals, sync
from tests.core.toys import TOKEN, Shop, ToyStream, shape, toy_tap
from tests.scripted_server import Reply, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_cloudapis.core.paging import Row

#: With characters that URLs, JSON and Python each write in ways of their own.
ODD = "dbtu_a+b/c=d&e%f\\g\"h'i~"
PLAIN = "dbtu_0123456789abcdefghij"
TOKENS = [PLAIN, ODD]
SERVICES = ["dbt", "pulumi"]


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget behind a test what was secret in it, and have the log whole."""
    monkeypatch.setattr("tap_cloudapis.core.connection.FIRST_WAIT", 0.001)
    secrets = set(redaction._secrets)
    forget()
    yield
    forget()
    if secrets:
        keep_secret(secrets)


@pytest.fixture
def printed() -> Iterator[io.StringIO]:
    """All that is logged, by whichever logger, as it is printed."""
    stream = io.StringIO(newline="")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s | %(name)s | %(message)s"))
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


def forget() -> None:
    redaction._secrets.clear()
    redaction._pattern = None
    redaction._in_bodies = ()
    redaction._body_pattern = None


def forms(token: str) -> list[str]:
    return [token, quote(token, safe=""), json.dumps(token)[1:-1], repr(token)[1:-1]]


def config_of(service: str, token: str, server: ScriptedServer) -> dict[str, Any]:
    more = {"pulumi_organizations": ["acme"]} if service == "pulumi" else {}
    return {f"{service}_token": token, f"{service}_url": server.url, **more}


def assert_kept(outcome: Outcome, token: str, printed: io.StringIO) -> None:
    """The token is nowhere: not in the records of the log, and not in what was printed."""
    text = "\n".join([*outcome.log, printed.getvalue()])
    for form in forms(token):
        assert form not in text
    # Nor the greatest part of it, where a text was cut.
    assert token[:12] not in text


def echoes(token: str) -> dict[str, Any]:
    """Bodies of errors that repeat the token."""
    return {
        "text": f"the token {token} is unknown".encode(),
        "quoted": f"see /login?token={quote(token, safe='')}".encode(),
        "json": {"message": f"bad token {token}", "status": {"user_message": f"bad {token}"}},
        "data": {"message": [token], "status": {}, "data": {"reason": {"token": token}}},
        "cut": {"message": "x" * 185 + token, "status": {"user_message": "x" * 185 + token}},
        "cut text": b"x" * 185 + token.encode(),
    }


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("status", [400, 401, 403, 502])
@pytest.mark.parametrize("body", sorted(echoes(PLAIN)))
def test_a_server_that_repeats_the_token(
    body: str, status: int, token: str, service: str, printed: io.StringIO
) -> None:
    reply = Reply(echoes(token)[body], status=status)
    with ScriptedServer(lambda _path, _query: reply) as server:
        outcome = sync({**config_of(service, token, server), "on_forbidden": "fail"})
    assert outcome.code == 1
    assert outcome.logged("ERROR")
    assert_kept(outcome, token, printed)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("token", TOKENS)
def test_a_redirect_that_repeats_the_token(token: str, service: str, printed: io.StringIO) -> None:
    where = f"http://127.0.0.1:9/?token={quote(token, safe='')}"
    reply = Reply(b"", status=302, headers={"Location": where})
    with ScriptedServer(lambda _path, _query: reply) as server:
        outcome = sync(config_of(service, token, server))
    assert outcome.code == 1
    assert_kept(outcome, token, printed)


def raised(text: str) -> ValueError:
    """An exception with a traceback."""
    try:
        int(text)
    except ValueError as exc:
        return exc
    raise AssertionError


class Boxes(ToyStream):
    name = "toy_boxes"
    path = "/boxes"
    schema = shape("id", label="string")


def crash(text: str) -> Shop:
    """A shop whose boxes end in an exception that nobody has foreseen."""

    class Crashing(Boxes):
        def to_record(self, *_: Any) -> Row | None:
            raise ZeroDivisionError(text)

    return Shop(toy_tap(Crashing), {"/boxes": [{"id": 1}]})


@pytest.mark.parametrize("text", [*forms(TOKEN), f"a\n{TOKEN}\nb", f"[{TOKEN!r}]"])
def test_an_exception_nobody_has_foreseen(text: str, printed: io.StringIO) -> None:
    shop = crash(text)
    with shop.server:
        outcome = shop.sync()
    assert outcome.code == 1
    assert outcome.logged("ERROR", "toy_boxes", "unexpected", "[secret]")
    assert_kept(outcome, TOKEN, printed)


@pytest.mark.parametrize("formatter", [ConsoleFormatter(), StructuredFormatter()])
def test_other_loggers_and_other_formatters(formatter: logging.Formatter) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    shop = crash(f"with {TOKEN}")
    shop.answers["/boxes"] = Reply([{"id": 1}], headers={"X-Echo": TOKEN})
    try:
        with shop.server:
            shop.sync()
            logging.getLogger("urllib3.connectionpool").debug("header %s", {"a": TOKEN})
            logging.getLogger("elsewhere").warning("no arguments, " + TOKEN)  # noqa: G003
            logging.getLogger("elsewhere").error("it failed", exc_info=raised(TOKEN))
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
    text = stream.getvalue()
    assert text.count("[secret]") >= 4
    assert "ZeroDivisionError" in text
    assert TOKEN not in text


@pytest.mark.parametrize("hook", ["sys", "threading"])
def test_an_exception_nobody_catches(hook: str, capsys: pytest.CaptureFixture[str]) -> None:
    # The SDK sets a hook of its own, which logs; here is ours.
    logging.setLogRecordFactory(logging.LogRecord)
    keep_secret([TOKEN])
    error = raised(TOKEN)
    if hook == "sys":
        sys.excepthook(type(error), error, error.__traceback__)
    else:
        arguments = (type(error), error, error.__traceback__, None)
        threading.excepthook(threading.ExceptHookArgs(arguments))
    text = capsys.readouterr().err
    assert "ValueError: " in text
    assert "[secret]" in text
    assert TOKEN not in text


def test_arguments_that_do_not_fit_hold_no_token() -> None:
    keep_secret([TOKEN])
    record = logging.getLogRecordFactory()("x", 10, "f", 1, "%d of %s", (TOKEN,), None)
    assert TOKEN not in str(record.__dict__)


ODD_TEXTS = st.text(min_size=6, max_size=30).filter(lambda text: len(text.strip()) >= 6)


@hypothesis_settings(deadline=None)
@given(ODD_TEXTS)
@example("a b c d e")
@example('"quoted\\"')
@example("Bearer")
@example("%41%42%43")
def test_no_text_that_is_a_token_is_ever_shown(token: str) -> None:
    forget()
    with own_signals():
        outcome = _refused_or_read(token)
    shown = [line for line in outcome.log if token.strip() in line]
    assert not shown or token.strip().lower() in BENIGN, shown


#: What is in the sentences of the tap itself, and would be no secret.
BENIGN = {"bearer", "[secret]"}


def _refused_or_read(token: str) -> Outcome:
    from tap_cloudapis.core.errors import TapError  # noqa: PLC0415

    try:
        return sync({"dbt_token": token, "dbt_url": "http://user@127.0.0.1:9"})
    except TapError as exc:
        return Outcome(1, [], [redact(str(exc))])


FORGED = "ok\n2026-01-01 00:00:00,000 | ERROR    | tap-cloudapis | forged"
WILD = [FORGED, FORGED.replace("\n", "\r"), "\x1b[2J\x1b[31mred", "\u202edesrever", "a\x85b\u2028c"]


@pytest.mark.parametrize("name", WILD, ids=ascii)
def test_names_of_a_server_forge_no_line(name: str, printed: io.StringIO) -> None:
    class Things(Boxes):
        name = "toy_things"
        path = "/boxes/{name}/things"
        scope = "box {name}"
        parent_stream_type = Boxes

    class Named(Boxes):
        def child_context(self, record: Row, context: Any) -> dict[str, Any]:
            return {**context, "name": record["label"]}

    Things.parent_stream_type = Named
    row = {"id": 1, "label": name}
    shop = Shop(toy_tap(Named, Things), {"/boxes": [row, {"id": name}, {**row, "label": "b"}]})
    with shop.server:
        outcome = shop.sync()
    assert_lines(outcome, printed)


@pytest.mark.parametrize("text", WILD, ids=ascii)
@pytest.mark.parametrize("status", [400, 403, 500, 200])
@pytest.mark.parametrize("service", SERVICES)
def test_words_of_a_server_forge_no_line(
    service: str, status: int, text: str, printed: io.StringIO
) -> None:
    body = {"message": text, "status": {"is_success": False, "user_message": text}, text: text}
    with ScriptedServer(lambda _path, _query: Reply(body, status=status)) as server:
        outcome = sync(config_of(service, PLAIN, server))
    assert service == "pulumi" or outcome.logged("ERROR")
    assert_lines(outcome, printed)


@pytest.mark.parametrize("text", WILD, ids=ascii)
def test_a_traceback_moves_no_cursor(text: str, printed: io.StringIO) -> None:
    shop = crash(text)
    with shop.server:
        shop.sync()
    text = printed.getvalue()
    assert "Traceback" in text
    assert all(line.isprintable() for line in text.split("\n")), text


def assert_lines(outcome: Outcome, printed: io.StringIO) -> None:
    """Every record of the log is one printable line."""
    assert outcome.log
    assert all(line.isprintable() for line in outcome.log), outcome.log
    lines = printed.getvalue().rstrip("\n").split("\n")
    assert len(lines) == len(outcome.log)
    assert all(line.isprintable() for line in lines), lines


@given(st.text())
def test_printable_text_stays_and_other_text_becomes_it(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert (shown == text) == text.isprintable()


def test_a_config_file_of_another_form_does_not_show_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(f'{{"dbt_token": "{PLAIN}"')
    outcome = command("--config", path)
    assert outcome.code == 1
    assert PLAIN not in "\n".join(outcome.log)

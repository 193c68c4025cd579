"""Names of things that people have called alike."""

from __future__ import annotations

from cloudapis_report.naming import labelled


def labels(*rows: tuple[str | None, str | None, str | None]) -> list[str]:
    fields = ("job", "project", "account")
    given = [dict(zip(fields, row, strict=True)) for row in rows]
    return [row["label"] for row in labelled(given, lambda row: row["job"], *fields[1:])]


def test_a_name_that_one_thing_has_is_its_label() -> None:
    assert labels(("a", "p", "x"), ("b", "p", "x")) == ["a", "b"]


def test_the_first_field_that_tells_apart_is_added() -> None:
    assert labels(("a", "p", "x"), ("a", "q", "x"), ("b", "p", "x")) == ["a · p", "a · q", "b"]
    assert labels(("a", "p", "x"), ("a", "p", "y")) == ["a · x", "a · y"]


def test_what_the_first_field_leaves_alike_gets_the_next() -> None:
    told = labels(("a", "p", "x"), ("a", "p", "y"), ("a", "q", "y"))
    assert told == ["a · p · x", "a · p · y", "a · q"]


def test_what_has_no_name_gets_one_and_twins_stay_alike() -> None:
    assert labels((None, "p", "x"), ("b", None, "x")) == ["no name", "b"]
    assert labels(("a", None, "x"), ("a", "p", "x")) == ["a · no name", "a · p"]
    assert labels(("a", "p", "x"), ("a", "p", "x")) == ["a", "a"]

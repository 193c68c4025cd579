"""The search index: pages that move, and queries that have more rows than they give."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.pulumi.lists import SECRET, Organization, activated, only, refused
from tests.scripted_server import Reply

if TYPE_CHECKING:
    from tests.core.syncing import Outcome, Record

STREAM = "pulumi_resources"
SEARCH, VALUES = "search/resourcesv2", "search/column-set"
MOST = 10_000

pytestmark = pytest.mark.usefixtures("impatient")


def resource(number: int, **more: Any) -> Record:
    return {"urn": f"urn:{number:06}", "id": f"i{number}", "module": "m", "package": "p", **more}


class Index:
    """An index of resources; a test may move its rows or lie about their number.

    Attributes:
        rows: What it has.
        cap: The most rows in a page.
        hidden: Values of fields that it does not tell.
        capped: Whether it tells no number beyond what it gives.
    """

    def __init__(self, rows: list[Record], cap: int = 500) -> None:
        self.rows = rows
        self.cap = cap
        self.hidden = 0
        self.capped = False
        self.organization = Organization({SEARCH: self.search, VALUES: self.values})

    def found(self, query: dict[str, str]) -> list[Record]:
        terms = re.findall(r'(\w+):"([^"]*)"', query.get("query", ""))
        return [row for row in self.rows if all(row.get(n) == value for n, value in terms)]

    def search(self, query: dict[str, str]) -> Any:
        rows = self.found(query)
        size, page = min(self.cap, int(query["size"])), int(query["page"])
        if page * size > MOST:
            return refused(400, "beyond 10,000 results")
        total = min(len(rows), MOST) if self.capped else len(rows)
        return {"resources": rows[(page - 1) * size : page * size], "total": total}

    def values(self, query: dict[str, str]) -> Any:
        name = query["field"]
        values = dict.fromkeys(row[name] for row in self.found(query) if row.get(name))
        return {name: {"results": [{"name": v} for v in values], "others": self.hidden}}

    def sync(self, code: int = 0) -> Outcome:
        return self.organization.sync(STREAM, code=code, emit_activate_version_messages=True)

    @property
    def queries(self) -> list[str]:
        """What was searched for, each once."""
        asked = [q.get("query", "") for path, q in self.organization.asked if path == SEARCH]
        return sorted(set(asked))


def urns(outcome: Outcome) -> list[str]:
    return [record["urn"] for record in outcome.records(STREAM)]


@pytest.mark.parametrize("cap", [500, 70, 1])
def test_a_small_index_is_one_query_in_pages(cap: int) -> None:
    number = 60 if cap == 1 else 1234
    index = Index([resource(n) for n in range(number)], cap)
    outcome = index.sync()
    assert urns(outcome) == [f"urn:{n:06}" for n in range(number)]
    assert activated(outcome) == {STREAM}
    assert index.queries == [""]
    asked = [query for _, query in index.organization.asked]
    assert len(asked) == -(-number // cap)
    assert {(q["sort"], q["asc"]) for q in asked} == {("urn", "true")}
    assert not any({"properties", "cursor"} & query.keys() for query in asked)


def large() -> list[Record]:
    """Two projects, one of which is too large alone, and what was discovered."""
    rows = [resource(n, project="small", stack="dev", type="t") for n in range(100)]
    for stack, number in (("one", 6000), ("two", 4500)):
        begin = len(rows)
        rows += [resource(begin + n, project="big", stack=stack, type="t") for n in range(number)]
    begin = len(rows)
    return rows + [resource(begin + n, account="a b/us", type="d") for n in range(40)]


@pytest.mark.parametrize("capped", [False, True])
def test_a_large_index_is_read_in_parts(*, capped: bool) -> None:
    index = Index(large())
    index.capped = capped
    outcome = index.sync()
    found = urns(outcome)
    assert sorted(found) == [row["urn"] for row in index.rows]
    assert activated(outcome) == (set() if capped else {STREAM})
    assert index.queries == [
        "",
        'account:"a b/us"',
        'project:"big"',
        'project:"big" stack:"one"',
        'project:"big" stack:"two"',
        'project:"small"',
    ]


def test_no_page_reaches_beyond_what_a_query_gives() -> None:
    rows = [resource(n, project=f"p{n % 2}") for n in range(MOST - 5)]
    index = Index(rows, cap=70)
    outcome = index.sync()
    assert len(urns(outcome)) == len(rows)
    assert index.queries == ["", 'project:"p0"', 'project:"p1"']


def test_values_that_are_not_told_are_an_error_that_names_the_part() -> None:
    index = Index(large())
    index.hidden = 3
    outcome = index.sync(code=1)
    assert outcome.logged("ERROR", STREAM, "does not tell all values of project")
    assert activated(outcome) == set()


def test_a_part_that_cannot_be_cut_is_an_error_that_names_it() -> None:
    rows = [resource(n, project="p", stack="s", type="t") for n in range(MOST + 1)]
    outcome = Index(rows).sync(code=1)
    assert outcome.logged("ERROR", STREAM, 'project:"p" stack:"s" type:"t"', "10,001 resources")
    assert activated(outcome) == set()


def test_rows_that_belong_to_no_part_are_missed() -> None:
    index = Index([*large(), resource(99_999)])
    outcome = index.sync(code=1)
    assert outcome.logged("ERROR", STREAM, "10,640 of 10,641 resources were found")
    assert activated(outcome) == set()


def test_a_row_in_a_project_and_in_an_account_comes_once() -> None:
    both = {"project": "small", "stack": "dev", "type": "t", "account": "aws"}
    index = Index([*large(), resource(99_999, **both)])
    outcome = index.sync()
    assert urns(outcome).count("urn:099999") == 1
    assert len(outcome.records(STREAM)) == len(index.rows)


def test_rows_that_move_while_pages_are_read_are_found() -> None:
    index = Index([resource(n) for n in range(25)], cap=10)
    plain, gone = index.search, [0]

    def moving(query: dict[str, str]) -> Any:
        if query["page"] == "2" and gone:
            del index.rows[gone.pop()]  # pulls one onto a page that was read
        return plain(query)

    index.organization.lists[SEARCH] = moving
    outcome = index.sync()
    assert {row["urn"] for row in index.rows} <= set(urns(outcome))
    assert len(urns(outcome)) == len(set(urns(outcome)))


def test_a_search_that_gives_less_than_it_announces_is_an_error() -> None:
    index = Index([resource(n) for n in range(25)], cap=10)
    plain = index.search
    index.organization.lists[SEARCH] = lambda query: {**plain(query), "total": 26}
    outcome = index.sync(code=1)
    assert outcome.logged("ERROR", STREAM, "fewer resources than it announces")
    assert len(outcome.records(STREAM)) == 25
    assert activated(outcome) == set()


def test_without_a_total_the_end_is_an_empty_page() -> None:
    index = Index([resource(n) for n in range(25)], cap=10)
    plain = index.search
    index.organization.lists[SEARCH] = lambda q: {"resources": plain(q)["resources"]}
    assert len(index.sync().records(STREAM)) == 25


@pytest.mark.parametrize("answer", [Reply(b"", status=204), {"resources": None}, {}])
def test_nothing_at_all_is_no_failure(answer: Any) -> None:
    organization = Organization({SEARCH: answer})
    assert urns(organization.sync(STREAM)) == []
    assert organization.paths == [SEARCH]


def test_a_server_that_ignores_pages_ends() -> None:
    rows = [resource(n) for n in range(25)]
    organization = Organization({SEARCH: {"resources": rows}})
    assert len(organization.sync(STREAM).records(STREAM)) == 25


def test_an_index_that_is_away_is_asked_again() -> None:
    index = Index([resource(1)])
    away = [Reply({"code": 422, "message": "search cluster is unreachable"}, status=422)]
    plain = index.search
    index.organization.lists[SEARCH] = lambda query: away.pop() if away else plain(query)
    assert len(index.sync().records(STREAM)) == 1


def test_fields_with_two_names_and_what_is_never_emitted() -> None:
    rows = [
        resource(1, **{"parent.urn": "p1", "provider.urn": "v1"}, matches={"x": SECRET}),
        resource(2, parent_urn="p2", provider_urn="v2", properties={"password": SECRET}),
        resource(3, created="2026-07-01T00:00:00.123456789Z", metadata={"apiKey": SECRET}),
    ]
    first, second, third = Index(rows).sync().records(STREAM)
    assert only(first, "parent_urn", "provider_urn") == ("p1", "v1")
    assert only(second, "parent_urn", "provider_urn") == ("p2", "v2")
    assert third["created"] == "2026-07-01T00:00:00.123456Z"
    assert not {"matches", "properties"} & {*first, *second}
    keys = {row["resource_key"] for row in (first, second, third)}
    assert len(keys) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", key) for key in keys)


def test_a_plan_without_search_is_skipped() -> None:
    organization = Organization({SEARCH: refused(402, "no subscription"), "roles": {"roles": []}})
    outcome = organization.sync(STREAM, "pulumi_roles")
    assert outcome.logged("WARNING", STREAM, "resources:search", "Essentials")

"""A server that pages oddly: it gives out the simulator's lists, and only the pages are its own."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

from tests.scripted_server import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.core.syncing import Record
    from tests.simulator_process import Simulator

#: The parameters that name a page, its size, or rows.
PAGING = ("continuationToken", "after", "before", "page", "startRow", "endRow")
SIZES = ("pageSize", "maxResults", "limit", "count", "size")
TOKENS = ("continuationToken", "nextToken")
TOTALS = ("total", "rowCount", "totalCount", "itemsPerPage")
#: What is no row of a list, though it stands beside it.
BESIDE = {*TOKENS, *TOTALS, "pagination", "groupData"}
_POSTED = re.compile(r"/policyresults/(issues|policies)$|/registry/policypacks$")
_TIMEOUT = 30


@dataclass
class OddServer:
    """Passes requests on, and gives the pages of some lists out as a test says.

    Attributes:
        simulator: Has the lists; gives out pages of two rows.
        is_odd: Which paths are given out oddly.
        oddity: Makes the answer of the pages that there are and of the page that is asked for.
        asked: How often each path was asked for.
    """

    simulator: Simulator
    is_odd: Callable[[str], bool]
    oddity: Callable[[Asked], Any]
    asked: dict[str, int] = field(default_factory=dict)

    def __call__(self, path: str, query: dict[str, Any]) -> Any:
        self.asked[path] = self.asked.get(path, 0) + 1
        if self.asked[path] > MOST_REQUESTS:
            return Reply({"code": 418, "message": "asked without end"}, status=418)
        if not self.is_odd(path):
            return self._passed(path, query)
        plain = {name: value for name, value in query.items() if name not in PAGING}
        pages = self._pages(path, plain, query)
        if isinstance(pages, Reply):
            return pages
        return self.oddity(Asked(pages, query))

    def _passed(self, path: str, query: Mapping[str, Any]) -> Reply:
        headers = {
            "Authorization": f"token {self.simulator.pulumi_token}",
            "Accept": "application/vnd.pulumi+8",
        }
        url = f"{self.simulator.pulumi_url}{path}"
        if _POSTED.search(path):
            own = {name: value for name, value in query.items() if name == "closed"}
            body = {name: value for name, value in query.items() if name != "closed"}
            got = requests.post(url, params=own, json=body, headers=headers, timeout=_TIMEOUT)
        else:
            got = requests.get(url, params=dict(query), headers=headers, timeout=_TIMEOUT)
        kind = {"Content-Type": got.headers.get("Content-Type", "")}
        return Reply(got.content, status=got.status_code, headers=kind)

    def _pages(self, path: str, plain: Record, query: Mapping[str, Any]) -> list[Any] | Reply:
        """All pages of a list, or the answer that is none of a list."""
        pages: list[Any] = []
        more: Record = {"page": 1} if "page" in query else {}
        if "startRow" in query:
            more = {"startRow": 0, "endRow": 2}
        while True:
            answer = self._passed(path, {**plain, **more})
            if answer.status != 200 or not answer.body:
                return answer
            body = decoded(answer)
            rows = rows_in(body)
            if rows is None:
                return self._passed(path, query)
            if pages and not rows:
                return pages
            pages.append(body)
            assert len(pages) < MOST_PAGES, path
            following = self._following(path, body, more, len(pages))
            if following is None:
                return pages
            more = following

    @staticmethod
    def _following(path: str, body: Any, more: Record, number: int) -> Record | None:
        """What asks for the page behind one."""
        if isinstance(body, list):
            is_falling = path.endswith("/versions")
            return {"before": min(row["number"] for row in body)} if is_falling else None
        token = next((body[name] for name in TOKENS if body.get(name)), None)
        if path.endswith("/registry/policypacks"):
            return None  # no request takes its token
        if token not in (None, "0"):
            return {("after" if path.endswith("/tags") else "continuationToken"): token}
        if "startRow" in more:
            return {"startRow": 2 * number, "endRow": 2 * number + 2}
        return {"page": number + 1} if "page" in more else None


@dataclass
class Asked:
    """A request for a page of a list.

    Attributes:
        pages: The pages that there are.
        query: What was asked.
    """

    pages: list[Any]
    query: Mapping[str, Any]

    @property
    def number(self) -> int:
        """The number of the page that is asked for, from 0; beyond the last one there is none."""
        query = self.query
        if token := query.get("continuationToken") or query.get("after"):
            return int(token)
        if "page" in query:
            return int(query["page"]) - 1
        if "startRow" in query:
            return (int(query["startRow"]) + 1) // 2
        if "before" in query:
            lowest = [min(row["number"] for row in page) for page in self.pages]
            below = [n + 1 for n, low in enumerate(lowest) if str(low) == str(query["before"])]
            return below[0] if below else 0
        return 0

    @property
    def last(self) -> int:
        """The number of the last page."""
        return len(self.pages) - 1

    def page(self, number: int, *, token: int | None = None, total: bool = True) -> Any:
        """A page, with a token of the next one, as the list gives tokens.

        Rows that are asked for by their number are given from there, where the page has that one.
        """
        page = self.pages[number]
        start = int(self.query.get("startRow", 0))
        if start % 2 and start == 2 * number - 1:
            every = merged(self.pages)
            name = next(name for name, value in every.items() if value is rows_in(every))
            page = {**page, name: every[name][start : start + 2]}
        return tokened(page, token, total=total)


#: No list of the simulator has so many.
MOST_PAGES = 100
#: How often a list may be asked for before that counts as without end.
MOST_REQUESTS = 120


def decoded(reply: Reply) -> Any:
    return json.loads(reply.body)


def rows_in(body: Any) -> Any:
    """The rows of a list; ``None`` of what is no list."""
    if isinstance(body, list):
        return body
    found = [
        value
        for name, value in body.items()
        if name not in BESIDE and isinstance(value, list | dict)
    ]
    is_list = len(found) == 1 and len(body.keys() - BESIDE - {"defaultAgentPoolID"}) == 1
    return found[0] if is_list else None


def tokened(body: Any, token: int | None, *, total: bool = True) -> Any:
    """A page with another token, and without what is told of the number of rows if that is so."""
    if isinstance(body, list):
        return body
    kept = {name: value for name, value in body.items() if name not in BESIDE}
    told = {name: body[name] for name in TOTALS if name in body} if total else {}
    is_next = "nextToken" in body or "environments" in body or "tags" in body
    name = "nextToken" if is_next or "accounts" in body else "continuationToken"
    return {**kept, **told, name: None if token is None else str(token)}


def emptied(body: Any) -> Any:
    """A page without its rows."""
    if isinstance(body, list):
        return []
    return {
        name: type(value)() if name not in BESIDE and isinstance(value, list | dict) else value
        for name, value in body.items()
    }


def merged(pages: list[Any]) -> Any:
    """All rows in one page."""
    if isinstance(pages[0], list):
        return [row for page in pages for row in page]
    every = {name: value for name, value in pages[0].items() if name not in TOKENS}
    for name, value in every.items():
        if name not in BESIDE and isinstance(value, list):
            every[name] = [row for page in pages for row in page[name]]
        elif name not in BESIDE and isinstance(value, dict):
            every[name] = _merged_maps([page[name] for page in pages])
    return every


def _merged_maps(maps: list[Any]) -> Any:
    every: Record = {}
    for one in maps:
        for name, value in one.items():
            same = every.get(name)
            every[name] = same + value if isinstance(value, list) and same else value
    return every


# The oddities


def ignores_paging(asked: Asked) -> Any:
    """Everything, whatever page is asked for, and no word of how much that is."""
    return tokened(merged(asked.pages), None, total=False)


def ignores_pages(asked: Asked) -> Any:
    """Always the first page, which tells of more."""
    return asked.page(0, token=1 if asked.last else None)


def repeats_the_last_page(asked: Asked) -> Any:
    """Beyond the end there is the last page again; nothing tells how many rows there are."""
    number = min(asked.number, asked.last)
    following = number + 1 if number < asked.last else None
    return asked.page(number, token=following, total=False)


def has_new_tokens_for_the_same(asked: Asked) -> Any:
    """Behind the last page there is it again, with a new token each time."""
    return asked.page(min(asked.number, asked.last), token=asked.number + 1, total=False)


def has_new_tokens_for_nothing(asked: Asked) -> Any:
    """Behind the last page there are empty ones, with a new token each time."""
    if asked.number <= asked.last:
        return asked.page(asked.number, token=asked.number + 1, total=False)
    return tokened(emptied(asked.pages[-1]), asked.number + 1, total=False)


def repeats_a_token(asked: Asked) -> Any:
    """The token of the last page leads to it."""
    number = min(asked.number, asked.last)
    return asked.page(number, token=min(number + 1, asked.last) or 1)


def caps(asked: Asked) -> Any:
    """Pages have two rows, whatever is asked for; all else is as it should be."""
    if asked.number > asked.last:
        return tokened(emptied(asked.pages[-1]), None)
    following = asked.number + 1 if asked.number < asked.last else None
    return asked.page(asked.number, token=following)

"""Policies: groups with their details, packs, issues in the order of their change, compliance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.syncing import assert_true, settings, sync
from tests.pulumi.newest import NOT_THERE, REFUSED, SECRET, Org
from tests.scripted_server import Reply

if TYPE_CHECKING:
    from tests.core.syncing import Record
    from tests.simulator_process import Simulator

GROUPS, PACKS = "pulumi_policy_groups", "pulumi_policy_packs"
IN_GROUPS = ("pulumi_policy_group_stacks", "pulumi_policy_group_accounts")
ISSUES, COMPLIANCE = "pulumi_policy_issues", "pulumi_policy_compliance"
SUMMARY, CHANGES = "pulumi_policy_summary", "pulumi_change_requests"
OF_ISSUES, OF_POLICIES = "orgs/acme/policyresults/issues", "orgs/acme/policyresults/policies"
OF_CHANGES, REGISTRY = "change-requests/acme", "registry/policypacks"
BEGIN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=200)


def at(hours: int) -> str:
    return f"{BEGIN + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"


class TestGroups:
    def acme(self) -> Org:
        group = {"name": "prod / eu", "entityType": "stacks"}
        stacks = [{"name": "prod", "routingProject": "web"}, {"name": "lone"}]
        packs = [{"name": "guard", "version": 3, "config": {"p": {"apiToken": SECRET, "x": 1}}}]
        detail: Record = {**group, "mode": "audit", "stacks": stacks, "accounts": ["aws/1"]}
        detail |= {"appliedPolicyPacks": packs, "agentPoolId": "", "stackMatchRule": {"and": []}}
        return Org(
            {
                "orgs/acme/policygroups": {"policyGroups": [group]},
                "orgs/acme/policygroups/prod%20%2F%20eu": detail,
            }
        )

    def test_one_detail_serves_all(self) -> None:
        acme = self.acme()
        acme.sync(GROUPS, *IN_GROUPS, "pulumi_policy_group_packs")
        assert len(acme.asked) == 2
        (group,) = acme.rows[GROUPS].values()
        assert (group["mode"], group["agent_pool_id"]) == ("audit", None)
        assert group["stack_match_rule"] == {"and": []}
        of = ("acme", "prod / eu")
        assert set(acme.rows[IN_GROUPS[0]]) == {(*of, "web", "prod"), (*of, "", "lone")}
        assert set(acme.rows[IN_GROUPS[1]]) == {(*of, "aws/1")}
        (pack,) = acme.rows["pulumi_policy_group_packs"].values()
        assert pack["config"] == {"p": {"x": 1}}

    def test_a_group_that_is_refused_is_not_taken_for_empty(self) -> None:
        acme = self.acme()
        acme.answers["orgs/acme/policygroups/prod%20%2F%20eu"] = REFUSED
        acme.sync(GROUPS, *IN_GROUPS, emit_activate_version_messages=True)
        assert len(acme.rows[GROUPS]) == 1
        activated = [m["stream"] for m in acme.outcome.messages if m["type"] == "ACTIVATE_VERSION"]
        assert not set(activated) & set(IN_GROUPS)
        assert acme.outcome.logged("WARNING", GROUPS, "without their details")

    def test_a_group_that_was_deleted_meanwhile_is_no_row(self) -> None:
        acme = self.acme()
        acme.answers["orgs/acme/policygroups/prod%20%2F%20eu"] = NOT_THERE
        acme.sync(GROUPS)
        assert acme.rows[GROUPS] == {}


class TestPacks:
    @pytest.mark.parametrize("status", [404, 405, 400])
    def test_without_a_registry_rows_come_all_the_same(self, status: int) -> None:
        acme = Org({"orgs/acme/policypacks": {"policyPacks": [{"name": "guard", "versions": [1]}]}})
        acme.answers[REGISTRY] = Reply({"code": status, "message": "no"}, status=status)
        acme.sync(PACKS)
        (pack,) = acme.rows[PACKS].values()
        assert (pack["versions"], pack.get("source")) == ([1], None)
        assert acme.outcome.says("what the registry tells") is (status == 400)

    def test_the_registry_is_believed_where_a_name_is_one_packs(self) -> None:
        packs = [{"name": name} for name in ("one", "two")]
        acme = Org({"orgs/acme/policypacks": {"policyPacks": packs}})
        told = [{"name": name, "source": "private"} for name in ("one", "two", "two")]
        acme.answers[REGISTRY] = {"policyPacks": told, "continuationToken": "nowhere"}
        acme.sync(PACKS)
        sources = {key[1]: row.get("source") for key, row in acme.rows[PACKS].items()}
        assert sources == {"one": "private", "two": None}
        (query,) = [query for path, query in acme.asked if path == REGISTRY]
        assert query == {"orgLogin": "acme"}


def issue(number: int, hours: int | None = None, **more: Any) -> Record:
    return {"id": f"i{number}", "lastModified": at(number if hours is None else hours), **more}


class Issues:
    """Open and closed issues, given out as a grid."""

    def __init__(self, still_open: list[Record], closed: list[Record], cap: int = 500) -> None:
        self.lists = {"false": still_open, "true": closed}
        self.cap = cap
        self.is_strict = False

    def __call__(self, query: dict[str, Any]) -> Any:
        if self.is_strict and "filterModel" not in query:
            return Reply({"code": 400, "message": "filterModel is missing"}, status=400)
        assert query["sortModel"] == [{"colId": "lastModified", "sort": "desc"}]
        rows = sorted(self.lists[query["closed"]], key=self.order, reverse=True)
        start = query["startRow"]
        end = min(query["endRow"], start + self.cap)
        return {"policyIssues": rows[start:end], "rowCount": len(rows), "groupData": None}

    @staticmethod
    def order(row: Record) -> str:
        return str(row["lastModified"])


class TestIssues:
    @pytest.mark.parametrize("cap", [500, 40, 2, 1])
    def test_both_lists_then_what_has_changed(self, cap: int) -> None:
        count = 130 if cap > 2 else 7
        issues = Issues([issue(n) for n in range(count)], [issue(n) for n in range(900, 905)], cap)
        acme = Org({OF_ISSUES: issues})
        acme.sync(ISSUES)
        assert len(acme.outcome.records(ISSUES)) == count + 5
        moved = {**issues.lists["false"].pop(3), "lastModified": at(990), "status": "fixed"}
        issues.lists["true"].append(moved)
        acme.sync(ISSUES)
        # What has changed a day before the mark, or later, comes again.
        assert acme.column(ISSUES, "id")[0] == "i3"
        assert len(acme.column(ISSUES, "id")) == 6
        assert acme.rows[ISSUES]["acme", "i3"]["is_closed"] is True

    def test_one_that_is_closed_while_they_are_read_hides_no_other(self) -> None:
        issues = Issues([issue(n) for n in range(100)], [], cap=20)
        acme = Org({OF_ISSUES: issues})

        def moving(query: dict[str, Any]) -> Any:
            if query["startRow"] == 19 and not issues.lists["true"]:
                # One goes and one comes: the number of all of them stays.
                gone = issues.lists["false"].pop(95)
                issues.lists["true"].append({**gone, "lastModified": at(500)})
                issues.lists["false"].insert(0, issue(0, 10, id="new"))
            return issues(query)

        acme.answers[OF_ISSUES] = moving
        acme.sync(ISSUES)
        ids = {*(f"i{n}" for n in range(100))}
        assert ids <= {key[1] for key in acme.rows[ISSUES]}

    def test_messages_come_only_where_they_are_asked_for(self) -> None:
        issues = Issues([issue(1, message="Bucket is public")], [])
        acme = Org({OF_ISSUES: issues})
        acme.sync(ISSUES)
        assert "message" not in acme.rows[ISSUES]["acme", "i1"]
        acme.sync(ISSUES, pulumi_messages=True)
        assert acme.rows[ISSUES]["acme", "i1"]["message"] == "Bucket is public"

    def test_a_server_that_wants_all_of_the_question_gets_it(self) -> None:
        issues = Issues([issue(1)], [])
        issues.is_strict = True
        acme = Org({OF_ISSUES: issues})
        acme.sync(ISSUES)
        assert len(acme.rows[ISSUES]) == 1

    def test_another_order_is_read_to_its_end(self) -> None:
        issues = Issues([issue(n) for n in range(60)], [], cap=20)
        acme = Org({OF_ISSUES: issues})
        issues.order = lambda row: row["id"]  # type: ignore[method-assign]
        acme.sync(ISSUES)
        issues.lists["false"][7]["lastModified"] = at(1000)
        acme.sync(ISSUES)
        assert "i7" in acme.column(ISSUES, "id")

    @pytest.mark.usefixtures("impatient")
    def test_a_post_is_sent_again_as_a_get_is(self) -> None:
        issues, times = Issues([issue(1)], []), [0]

        def failing(query: dict[str, Any]) -> Any:
            times[0] += 1
            return Reply({}, status=503) if times[0] % 2 else issues(query)

        acme = Org({OF_ISSUES: failing})
        acme.sync(ISSUES)
        assert len(acme.rows[ISSUES]) == 1


def test_compliance_comes_whole_each_time() -> None:
    rows = [
        {"policyGroupName": "g", "policyPack": "p", "policyName": f"n{n}", "failingResources": n}
        for n in range(70)
    ]

    def page(query: dict[str, Any]) -> Any:
        shown = rows[query["startRow"] : min(query["endRow"], query["startRow"] + 30)]
        return {"policies": shown, "totalCount": len(rows), "continuationToken": ""}

    acme = Org({OF_POLICIES: page})
    for _ in range(2):
        acme.sync(COMPLIANCE)
        assert len(acme.outcome.records(COMPLIANCE)) == 70


class TestSummary:
    def test_a_row_for_the_day_of_two_answers(self) -> None:
        acme = Org({"orgs/acme/policyresults/metadata": {"policyTotalCount": 4}})
        acme.answers["orgs/acme/policygroups/metadata"] = {"TotalStacks": 9}
        acme.sync(SUMMARY, emit_activate_version_messages=True)
        (row,) = acme.rows[SUMMARY].values()
        assert (row["policy_total_count"], row["total_stacks"]) == (4, 9)
        assert row["date"] in {f"{datetime.now(UTC):%Y-%m-%d}", at(200 * 24)[:10]}
        assert "ACTIVATE_VERSION" not in {m["type"] for m in acme.outcome.messages}

    @pytest.mark.parametrize("refused", ["policyresults", "policygroups"])
    def test_one_of_them_is_enough(self, refused: str) -> None:
        acme = Org({f"orgs/acme/{name}/metadata": {} for name in ("policyresults", "policygroups")})
        acme.answers["orgs/acme/policyresults/metadata"] = {"policyTotalCount": 4}
        acme.answers["orgs/acme/policygroups/metadata"] = {"TotalStacks": 9}
        acme.answers[f"orgs/acme/{refused}/metadata"] = REFUSED
        acme.sync(SUMMARY)
        (row,) = acme.rows[SUMMARY].values()
        assert {row.get("policy_total_count"), row.get("total_stacks")} < {4, 9, None}
        assert acme.outcome.says("a part of the figures is missing")

    def test_without_both_it_is_skipped(self) -> None:
        acme = Org({"orgs/acme/policyresults/metadata": REFUSED, "orgs/acme/teams": {"teams": []}})
        acme.sync(SUMMARY, "pulumi_organization_teams")
        assert acme.outcome.logged("WARNING", SUMMARY, "skipped")


def change(number: int, status: str = "applied", *, satisfied: bool | None = None) -> Record:
    entity = {"entityType": "environment", "project": "web", "name": "prod"}
    row = {"id": f"c{number}", "createdAt": at(number), "status": status, "entity": entity}
    return row if satisfied is None else {**row, "gateEvaluation": {"satisfied": satisfied}}


class TestChangeRequests:
    def acme(self, rows: list[Record]) -> Org:
        acme = Org({OF_CHANGES: {"changeRequests": rows, "continuationToken": None}})
        for row in rows:
            acme.answers[f"{OF_CHANGES}/{row['id']}"] = {
                **row,
                "gateEvaluation": {"satisfied": True},
            }
        return acme

    def test_new_and_open_ones_are_read_with_their_approvals(self) -> None:
        rows = [change(1), change(2, "submitted"), change(3)]
        acme = self.acme(rows)
        acme.sync(CHANGES)
        assert len(acme.rows[CHANGES]) == 3
        record = acme.rows[CHANGES]["acme", "c1"]
        assert (record["gates_satisfied"], record["env_name"]) == (True, "prod")
        rows[1] = change(2)
        acme.sync(CHANGES)
        assert acme.column(CHANGES, "id") == ["c2", "c3"], "the newest one may have a twin"
        acme.sync(CHANGES)
        assert acme.column(CHANGES, "id") == ["c3"]
        assert acme.rows[CHANGES]["acme", "c2"]["status"] == "applied"

    def test_an_open_one_that_is_listed_no_more_is_asked_for(self) -> None:
        rows = [change(1, "submitted"), change(2, "submitted"), change(3)]
        acme = self.acme(rows)
        acme.sync(CHANGES)
        del rows[:2]
        acme.answers[f"{OF_CHANGES}/c1"] = change(1, "closed", satisfied=False)
        acme.answers[f"{OF_CHANGES}/c2"] = NOT_THERE
        acme.sync(CHANGES)
        assert acme.rows[CHANGES]["acme", "c1"]["status"] == "closed"
        assert acme.outcome.says("change request c2 was open, and is gone")
        acme.sync(CHANGES)
        assert acme.column(CHANGES, "id") == ["c3"]

    def test_refused_approvals_leave_the_row(self) -> None:
        acme = self.acme([change(1)])
        acme.answers[f"{OF_CHANGES}/c1"] = REFUSED
        acme.sync(CHANGES)
        assert acme.rows[CHANGES]["acme", "c1"]["gates_satisfied"] is None
        assert acme.outcome.says("without their approvals")


def test_syncs_of_a_world_that_lives(moving: Simulator) -> None:
    names = [ISSUES, COMPLIANCE, CHANGES, SUMMARY, GROUPS, *IN_GROUPS]
    rows: dict[str, dict[Any, Record]] = {name: {} for name in names}
    state = None
    for _ in range(8):
        outcome = sync(settings(moving, "pulumi"), select=names, state=state)
        assert outcome.code == 0, outcome.log
        state = outcome.state
        for name in names:
            rows[name].update(outcome.latest(name))
        assert_true(rows.__getitem__, moving, names, keys_only_grow=True)
        moving.advance(40 * 3600)

"""The simulator's command with lists that no service has: one declaration each, nothing else."""

from __future__ import annotations

from cloudapis_simulator.clock import DAY, END_OF_HISTORY, with_t
from cloudapis_simulator.items import ORGANIZATIONS, STACKS
from cloudapis_simulator.table import WHOLE, Offsets, Pages, Table, Tokens
from cloudapis_simulator.tables import TABLES
from cloudapis_simulator.tables.dbt import PROJECTS

WIDGETS = Table(
    stream="dbt_widgets",
    path="/api/v3/accounts/{account}/projects/{project}/widgets/",
    detail="/api/v3/accounts/{account}/projects/{project}/widgets/{widget}/",
    under=PROJECTS,
    part="widget",
    many=7,
    first_id=9000,
    deleted=lambda number: number % 7 == 3,
    paging=Offsets(filters=("pk", "pk__in", "size")),
    texts=("colour",),
    truth=("account_id", "project_id", "id", "colour", "state"),
    fields={
        "id": lambda it: it.id,
        "project_id": lambda it: it.parent.id,
        "name": lambda it: f"Widget {it.number}",
        "colour": lambda it: ("red", "grün", None)[it.number % 3],
        "size": lambda it: it.number % 2,
        "state": lambda it: it.state,
        "created_at": lambda it: with_t(it.created_at),
        "maker": None,
        "parts": None,
    },
    detail_fields={"maker": {"name": "Zoë"}},
)
PARTS = Table(
    stream="dbt_widget_parts",
    under=WIDGETS,
    carried="parts",
    related=True,
    many=lambda widget: widget.number % 3,
    truth={"account_id": "account_id", "widget_id": "widget_id", "id": "id", "kind": "is.kind"},
    fields={"id": lambda it: it.id, "is": {"kind": "screw"}},
)
SWITCHES = Table(
    stream="dbt_switches",
    path="/api/v3/accounts/{account}/switches",  # without a slash
    under=PROJECTS.under,
    many=1,
    paging=WHOLE,
    key=("account_id",),
    truth=("account_id", "on"),
    fields={"on": True},
)
GADGETS = Table(
    stream="pulumi_gadgets",
    path="/api/orgs/{org}/gadgets",
    under=ORGANIZATIONS,
    part="gadget",
    named_by="name",
    many=lambda above: 5 + max(0, above.now - END_OF_HISTORY) // DAY,
    deleted=lambda number: number == 1,
    paging=Tokens(size=2, most=3),
    rows_in="gadgets",
    key=("org_name", "id"),
    truth=("org_name", "id", "name"),
    fields={"id": lambda it: it.uuid, "name": lambda it: f"a/b {it.number}"},
)
LOGS = Table(
    stream="pulumi_gadget_logs",
    path="/api/orgs/{org}/gadgets/{gadget}/logs",
    under=GADGETS,
    paging=WHOLE,
    key=("org_name", "gadget_name", "line"),
    truth=("org_name", "gadget_name", "line"),
    fields={"line": lambda it: it.number},
)
MARKS = Table(
    stream="pulumi_marks",
    path="/api/stacks/{org}/{project}/{stack}/marks",
    under=STACKS,
    many=lambda stack: stack.stack.number % 4,
    paging=Pages(size=2, most=3),
    rows_in="marks",
    key=("org_name", "project_name", "stack_name", "stack_id", "number"),
    truth=("org_name", "project_name", "stack_name", "stack_id", "number"),
    fields={"number": lambda it: it.number},
)
OWN = {table.stream: table for table in (WIDGETS, PARTS, SWITCHES, GADGETS, LOGS, MARKS)}

if __name__ == "__main__":
    TABLES.update(OWN)
    from cloudapis_simulator.__main__ import main

    main()

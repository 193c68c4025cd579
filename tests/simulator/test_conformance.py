"""Every route's answer against the vendors' published OpenAPI documents."""

from __future__ import annotations

import copy
import itertools
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import jsonschema
import pytest
import yaml

from cloudapis_simulator.table import Grid, Whole
from cloudapis_simulator.tables import TABLES
from tests.reference import SPECS, needs
from tests.simulator.client import stack_path
from tests.simulator.test_tables import choices, places

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cloudapis_simulator.table import Table
    from tests.simulator.client import Client

pytestmark = needs(SPECS)


class Deviation(NamedTuple):
    """Where a service is known to differ from its document.

    Attributes:
        service: The service.
        place: A schema, or a property of one.
        what: What is changed in the schema.
        fact: How it is known.
    """

    service: str
    place: str
    what: str
    fact: str


#: Lists that are asked for in the body of a POST.
POSTED = tuple(
    table.path.rpartition("/policyresults")[2]
    for table in TABLES.values()
    if isinstance(table.paging, Grid)
)
NAMES = {"v2": "dbt-cloud-v2.yaml", "v3": "dbt-cloud-v3.yaml", "pulumi": "pulumi-cloud.json"}

# One that no answer needs fails a test.
DEVIATIONS = [
    Deviation("dbt", "*", "any property but id may be null", "the document hardly says nullable"),
    Deviation("dbt", "date-time", "a space may stand for the T", "seen on runs and projects"),
    Deviation(
        "dbt", "AccountConnectionListResponse.data", "is a list", "clients read a list of it"
    ),
    Deviation("dbt", "ProfileListResponse.data", "is a list", "clients read a list of it"),
    Deviation(
        "dbt", "LicenseAllocationListEnveloped.data", "is one of them", "a map by type for clients"
    ),
    Deviation("dbt", "LicenseAllocationListEnveloped.extra", "may be absent", "a map is not paged"),
    Deviation("dbt", "Subscription.job_ids", "is a list of text", "the vendor's own example"),
    Deviation("dbt", "Subscription.account_id", "is text", "the vendor's own example"),
    Deviation(
        "dbt",
        "CredentialsResponseList",
        "may be of several kinds",
        "one is like another",
    ),
    Deviation("dbt", "PublicAuditLogResponse.id", "may be a number", "a payload of 2022"),
    Deviation("pulumi", "ListPolicyIssuesResponse.groupData", "may be null", "not grouped"),
    Deviation("pulumi", "Resource.inputs", "is any object", "properties are of every type"),
    Deviation("pulumi", "Resource.outputs", "is any object", "properties are of every type"),
    Deviation("pulumi", "ScheduledAction.definition", "is any object", "as providers write it"),
    Deviation(
        "pulumi", "OperationContext.environmentVariables", "is any object", "version 8 has texts"
    ),
    Deviation("pulumi", "OrganizationMember.created", "may be absent", "older rows lack it"),
    Deviation("pulumi", "OrganizationMember.fgaRole", "may be absent", "older rows lack it"),
    Deviation("pulumi", "WorkflowRun.status", "may be empty", "accounts that were never scanned"),
]


def load(name: str) -> dict[str, Any]:
    text = (SPECS / name).read_text()
    loaded: dict[str, Any] = (
        json.loads(text) if name.endswith("json") else yaml.load(text, yaml.CSafeLoader)
    )
    return loaded


def as_json_schema(node: Any, *, all_nullable: bool) -> Any:
    """Translate OpenAPI 3.0 to JSON Schema: `nullable`, and integers that are no floats."""
    if isinstance(node, list):
        return [as_json_schema(item, all_nullable=all_nullable) for item in node]
    if not isinstance(node, dict):
        return node
    result = {key: as_json_schema(value, all_nullable=all_nullable) for key, value in node.items()}
    properties = result.get("properties")
    if isinstance(properties, dict) and all_nullable:
        result["properties"] = {
            name: schema if name == "id" else {"anyOf": [{"type": "null"}, schema]}
            for name, schema in properties.items()
        }
    if result.pop("nullable", False):
        return {"anyOf": [{"type": "null"}, result]}
    return result


class Document:
    """One OpenAPI document with some deviations, translated to JSON Schema."""

    def __init__(self, name: str, raw: Any, deviations: Sequence[Deviation] = DEVIATIONS) -> None:
        self.raw = raw
        service = name.partition("-")[0]
        places = {one.place: one.what for one in deviations if one.service == service}
        components = copy.deepcopy(raw["components"])
        for place, what in places.items():
            correct(components["schemas"], place, what)
        self.components = as_json_schema(components, all_nullable="*" in places)
        self.formats = jsonschema.FormatChecker(formats=())
        separator = "[T ]" if "date-time" in places else "T"
        pattern = re.compile(rf"\d{{4}}-\d\d-\d\d{separator}\d\d:\d\d:\d\d(\.\d+)?(Z|[+]00:00)")
        self.formats.checks("date-time")(
            lambda value: not isinstance(value, str) or bool(pattern.fullmatch(value))
        )

    def wrong(self, schema: dict[str, Any], answer: Any) -> str | None:
        """Return what is wrong with an answer."""
        whole = {**schema, "components": self.components}
        validator = jsonschema.Draft202012Validator(whole, format_checker=self.formats)
        error = jsonschema.exceptions.best_match(validator.iter_errors(answer))
        return None if error is None else f"{error.json_path}: {error.message[:200]}"

    def check(self, schema: dict[str, Any], answer: Any) -> None:
        wrong = self.wrong(schema, answer)
        assert wrong is None, wrong

    def answer_schema(self, path: str) -> dict[str, Any]:
        methods = self.raw["paths"][path]
        asked = methods["post" if path.endswith(POSTED) else "get"]
        content = asked["responses"]["200"]["content"]
        schema: dict[str, Any] = content["application/json"]["schema"]
        return schema


def correct(schemas: dict[str, Any], place: str, what: str) -> None:
    """Change a schema as a deviation says."""
    name, _, key = place.partition(".")
    schema = schemas.get(name)
    if schema is None:
        return
    properties = schema.get("properties", {})
    if what == "may be absent":
        schema["required"].remove(key)
    elif what == "is a list":
        properties[key] = {"type": "array", "items": properties[key]}
    elif what == "may be null":
        properties[key] = {"anyOf": [{"type": "null"}, properties[key]]}
    elif what == "is one of them":
        properties[key] = properties[key]["items"]
    elif what == "may be empty":
        properties[key]["enum"].append("")
    elif what == "is text":
        properties[key] = {"type": "string"}
    elif what == "may be a number":
        properties[key] = {"anyOf": [properties[key], {"type": "integer"}]}
    elif what == "is a list of text":
        properties[key] = {"type": "array", "items": {"type": "string"}}
    elif what == "is any object":
        properties[key] = {"type": "object"}
    elif what == "may be of several kinds":
        schema["anyOf"] = schema.pop("oneOf")


@pytest.fixture(scope="module")
def documents() -> dict[str, Document]:
    return {key: Document(name, load(name)) for key, name in NAMES.items()}


A2, A3 = "/api/v2/accounts/{account_id}/", "/api/v3/accounts/{account_id}/"
ORG = "/api/orgs/{orgName}"
DBT_ROUTES = [
    ("v3", "/api/v3/accounts/", {}),
    ("v2", A2, {}),
    ("v3", A3 + "projects/", {"state": "all"}),
    ("v3", A3 + "projects/{project_id}/environments/", {"state": "all"}),
    ("v3", A3 + "connections/", {}),
    ("v2", A2 + "jobs/", {"state": "all"}),
    ("v2", A2 + "jobs/", {"is_system": "true"}),
    ("v2", A2 + "runs/", {}),
    ("v2", A2 + "runs/", {"order_by": "-id", "include_related": "trigger,job"}),
    ("v2", A2 + "runs/{id}/", {"include_related": "trigger,job,run_steps,debug_logs,audit"}),
    ("v2", A2 + "runs/{run_id}/artifacts/", {}),
]
PULUMI_ROUTES = [
    ("/api/user", {}),
    ("/api/user/stacks", {}),
    (ORG, {}),
    (ORG + "/metadata", {}),
    (ORG + "/members", {"type": "backend"}),
    (ORG + "/members", {"type": "frontend"}),
    (ORG + "/teams", {}),
    (ORG + "/auditlogs", {"startTime": "1900000000"}),
    ("/api/capabilities", {}),
    *(
        (f"{ORG}/{metric}/summary", {"granularity": "daily", "lookbackDays": "9"})
        for metric in ("resources", "discovered-resources", "deployments", "secrets", "neo/tokens")
    ),
    (f"{ORG}/search/resourcesv2", {"sort": "urn", "asc": "true", "size": "500"}),
    (f"{ORG}/search/column-set", {"field": "project"}),
    ("/api/registry/packages", {}),
    ("/api/registry/packages", {"visibility": "private", "orgLogin": "Acme-Cloud"}),
    ("/api/registry/templates", {"limit": "1"}),
    *(
        (f"/api/console/orgs/{{orgName}}/integrations/{kind}", {})
        for kind in ("github", "gitlab", "bitbucket", "azure-devops", "custom", "github-enterprise")
    ),
]


#: Of declared lists, so many are looked at.
LISTS = 5

Answer = tuple[str, str, Any]
"""Which document, which of its paths, what came."""


def dbt_answers(
    client: Client, document: str, path: str, params: dict[str, str]
) -> Iterator[Answer]:
    for account in client.accounts():
        a = account["id"]
        runs = client.dbt(f"v2/accounts/{a}/runs/", order_by="-created_at").json()["data"]
        run = next(run["id"] for run in runs if run["artifacts_saved"])
        projects = client.dbt(f"v3/accounts/{a}/projects/").json()["data"]
        known = {"account_id": a, "project_id": projects[0]["id"], "id": run, "run_id": run}
        response = client.dbt(path.format(**known).removeprefix("/api/"), **params)
        assert response.status_code == 200
        assert response.json()["data"]
        yield document, path, response.json()


def pulumi_answers(client: Client, path: str, params: dict[str, str]) -> Iterator[Answer]:
    for org in client.organizations():
        response = client.pulumi(path.format(orgName=org).removeprefix("/api/"), **params)
        assert response.status_code == 200
        yield "pulumi", path, response.json()


def declared_answers(client: Client, table: Table, *, details: bool) -> Iterator[Answer]:
    """Read some of the lists, or of the details, of a table."""
    declared = table.detail if details else table.path
    if not declared:
        return
    of_dbt = table.stream.startswith("dbt_")
    related = {"include_related": ",".join(child.carried for child in table.carries)}
    for path, columns in itertools.islice(places(table, client, details=details), LISTS):
        params = {"limit": 50, **related} if of_dbt and not details else {}
        if table.asks_for:
            params[table.asks_for[0]] = columns[table.asks_for[0]]
        for chosen in [{}] if details else choices(table):
            asked = {**params, **chosen}
            if isinstance(table.paging, Grid) and not details:
                response = client.ask_pulumi(path, {"startRow": 0, "endRow": 50}, **asked)
            else:
                response = client.dbt(path, **asked) if of_dbt else client.pulumi(path, **asked)
            if response.status_code == 404 and table.paging == Whole(single=True):
                continue  # not set
            assert response.status_code == 200, path
            yield declared.split("/")[2] if of_dbt else "pulumi", declared, response.json()


def documented(document: Document, declared: str) -> str:
    """Return a path as the document writes it."""
    shapes = {re.sub(r"\{\w+\}", "{}", path): path for path in document.raw["paths"]}
    path: str = shapes[re.sub(r"\{\w+\}", "{}", declared)]
    return path


def check_all(documents: dict[str, Document], answers: Iterable[Answer]) -> None:
    for key, path, answer in answers:
        document = documents[key]
        document.check(document.answer_schema(documented(document, path)), answer)


@pytest.mark.parametrize(("document", "path", "params"), DBT_ROUTES)
def test_dbt_answers_conform(
    still: Client, documents: dict[str, Document], document: str, path: str, params: dict[str, str]
) -> None:
    check_all(documents, dbt_answers(still, document, path, params))


@pytest.mark.parametrize(("path", "params"), PULUMI_ROUTES)
def test_pulumi_answers_conform(
    still: Client, documents: dict[str, Document], path: str, params: dict[str, str]
) -> None:
    check_all(documents, pulumi_answers(still, path, params))


@pytest.mark.parametrize("stream", [n for n, table in TABLES.items() if table.path or table.detail])
def test_declared_lists_and_details_conform(
    still: Client, documents: dict[str, Document], stream: str
) -> None:
    answers = [
        answer
        for details in (False, True)
        for answer in declared_answers(still, TABLES[stream], details=details)
    ]
    told = [body.get("data", body) if isinstance(body, dict) else body for _, _, body in answers]
    assert any(told), "there is something to compare"
    check_all(documents, answers)


def test_every_deviation_is_needed(still: Client, documents: dict[str, Document]) -> None:
    answers = [
        *(answer for route in DBT_ROUTES for answer in dbt_answers(still, *route)),
        *(answer for route in PULUMI_ROUTES for answer in pulumi_answers(still, *route)),
        *(
            answer
            for table in TABLES.values()
            for details in (False, True)
            for answer in declared_answers(still, table, details=details)
        ),
    ]
    for deviation in DEVIATIONS:
        others = [one for one in DEVIATIONS if one is not deviation]
        names = {key: NAMES[key] for key in documents if NAMES[key].startswith(deviation.service)}
        without = {key: Document(name, documents[key].raw, others) for key, name in names.items()}
        assert any(
            without[key].wrong(without[key].answer_schema(documented(without[key], path)), answer)
            for key, path, answer in answers
            if key in without
        ), f"nothing needs that {deviation.place} {deviation.what}"


def test_pulumi_stacks_and_their_updates_conform(
    still: Client, documents: dict[str, Document]
) -> None:
    document = documents["pulumi"]
    address = "/api/stacks/{orgName}/{projectName}/{stackName}"
    detail = document.answer_schema(address)
    # Documented as any object.
    service = {"$ref": "#/components/schemas/GetStackUpdatesResponse"}
    flat = {
        "type": "object",
        "required": ["updates"],
        "properties": {
            "updates": {"type": "array", "items": {"$ref": "#/components/schemas/AppUpdateInfo"}}
        },
    }
    for stack in still.pulumi_rows("user/stacks", "stacks")[::3]:
        path = stack_path(stack)
        document.check(detail, still.pulumi(path).json())
        answer = still.pulumi(f"{path}/updates", output_type="service", page=1, pageSize=50)
        document.check(service, answer.json())
        document.check(flat, still.pulumi(f"{path}/updates").json())
        for row in answer.json()["updates"][:2]:
            one = still.pulumi(f"{path}/updates/{row['version']}")
            document.check(document.answer_schema(address + "/updates/{version}"), one.json())
        previews = still.pulumi(f"{path}/updates/latest/previews", page=1, pageSize=50, asc="true")
        document.check(
            document.answer_schema(address + "/updates/latest/previews"), previews.json()
        )


def test_conformance_can_fail(still: Client, documents: dict[str, Document]) -> None:
    schema = documents["v2"].answer_schema(A2 + "runs/")
    account = still.accounts()[0]["id"]
    answer = still.dbt(f"v2/accounts/{account}/runs/").json()
    documents["v2"].check(schema, answer)
    for column, wrong in (("status", "Success"), ("created_at", "yesterday"), ("job_id", 1.5)):
        run = answer["data"][3]
        with pytest.raises(AssertionError, match=rf"\$\.data\[3\]\.{column}"):
            documents["v2"].check(
                schema, {**answer, "data": [run, run, run, {**run, column: wrong}]}
            )

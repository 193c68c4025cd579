"""Every route's answer against the vendors' published OpenAPI documents."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from cloudapis_simulator.tables import TABLES
from tests.simulator.client import stack_path
from tests.simulator.test_tables import places

if TYPE_CHECKING:
    from tests.simulator.client import Client

SPECS = Path(__file__).parents[2].parent / "shared" / "openapi"

pytestmark = pytest.mark.skipif(
    not SPECS.is_dir(), reason=f"the published OpenAPI documents are not at {SPECS}"
)

# Where the services are known to differ from their documents: document, place, what, why.
CORRECTIONS: list[tuple[str, str, str, str]] = [
    ("dbt", "*", "any property but id may be null", "the document hardly ever says nullable"),
    ("dbt", "date-time", "a space may stand for the T", "seen on runs, projects, environments"),
    ("dbt", "AccountConnectionListResponse.data", "is a list", "documented as one object"),
    ("pulumi", "OrganizationMember.created", "may be absent", "older rows lack it"),
    ("pulumi", "OrganizationMember.fgaRole", "may be absent", "older rows lack it"),
    ("pulumi", "updates", "are GetStackUpdatesResponse", "documented as any object"),
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
    """One OpenAPI document, corrected, and translated to JSON Schema."""

    def __init__(self, name: str) -> None:
        self.raw = load(name)
        service = name.partition("-")[0]
        corrections = {place: what for where, place, what, _ in CORRECTIONS if where == service}
        self.components = as_json_schema(self.raw["components"], all_nullable="*" in corrections)
        for place, what in corrections.items():
            self.correct(place, what)
        self.formats = jsonschema.FormatChecker(formats=())
        separator = "[T ]" if "date-time" in corrections else "T"
        pattern = re.compile(rf"\d{{4}}-\d\d-\d\d{separator}\d\d:\d\d:\d\d(\.\d+)?(Z|[+]00:00)")
        self.formats.checks("date-time")(
            lambda value: not isinstance(value, str) or bool(pattern.fullmatch(value))
        )

    def correct(self, place: str, what: str) -> None:
        name, _, key = place.partition(".")
        schema = self.components["schemas"].get(name)
        if schema is None:
            return
        if what == "may be absent":
            schema["required"].remove(key)
        elif what == "is a list":
            schema["properties"][key] = {"type": "array", "items": schema["properties"][key]}

    def check(self, schema: dict[str, Any], answer: Any) -> None:
        whole = {**schema, "components": self.components}
        validator = jsonschema.Draft202012Validator(whole, format_checker=self.formats)
        error = jsonschema.exceptions.best_match(validator.iter_errors(answer))
        assert error is None, f"{error.json_path}: {error.message[:200]}"

    def answer_schema(self, path: str) -> dict[str, Any]:
        content = self.raw["paths"][path]["get"]["responses"]["200"]["content"]
        schema: dict[str, Any] = content["application/json"]["schema"]
        return schema


@pytest.fixture(scope="module")
def documents() -> dict[str, Document]:
    names = {"v2": "dbt-cloud-v2.yaml", "v3": "dbt-cloud-v3.yaml", "pulumi": "pulumi-cloud.json"}
    return {key: Document(name) for key, name in names.items()}


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
    ("v2", A2 + "runs/{id}/", {"include_related": "trigger,job,run_steps"}),
]
PULUMI_ROUTES = [
    ("/api/user", {}),
    ("/api/user/stacks", {}),
    (ORG, {}),
    (ORG + "/metadata", {}),
    (ORG + "/members", {"type": "backend"}),
    (ORG + "/members", {"type": "frontend"}),
    (ORG + "/teams", {}),
    ("/api/capabilities", {}),
]


@pytest.mark.parametrize(("document", "path", "params"), DBT_ROUTES)
def test_dbt_answers_conform(
    still: Client, documents: dict[str, Document], document: str, path: str, params: dict[str, str]
) -> None:
    for account in still.accounts():
        a = account["id"]
        run = still.dbt(f"v2/accounts/{a}/runs/", limit=1, order_by="-created_at").json()
        projects = still.dbt(f"v3/accounts/{a}/projects/").json()["data"]
        known = {"account_id": a, "project_id": projects[0]["id"], "id": run["data"][0]["id"]}
        response = still.dbt(path.format(**known).removeprefix("/api/"), **params)
        assert response.status_code == 200
        assert response.json()["data"]
        documents[document].check(documents[document].answer_schema(path), response.json())


@pytest.mark.parametrize(("path", "params"), PULUMI_ROUTES)
def test_pulumi_answers_conform(
    still: Client, documents: dict[str, Document], path: str, params: dict[str, str]
) -> None:
    document = documents["pulumi"]
    for org in still.organizations():
        response = still.pulumi(path.format(orgName=org).removeprefix("/api/"), **params)
        assert response.status_code == 200
        document.check(document.answer_schema(path), response.json())


@pytest.mark.parametrize("stream", [name for name, table in TABLES.items() if table.path])
def test_declared_lists_conform(still: Client, documents: dict[str, Document], stream: str) -> None:
    table = TABLES[stream]
    of_dbt = stream.startswith("dbt_")
    document = documents[table.path.split("/")[2] if of_dbt else "pulumi"]
    shapes = {re.sub(r"\{\w+\}", "{}", path): path for path in document.raw["paths"]}
    path = shapes[re.sub(r"\{\w+\}", "{}", table.path)]
    for place, _ in itertools.islice(places(table, still), 5):
        response = still.dbt(place, limit=50) if of_dbt else still.pulumi(place)
        assert response.status_code == 200
        document.check(document.answer_schema(path), response.json())


def test_pulumi_stacks_and_their_updates_conform(
    still: Client, documents: dict[str, Document]
) -> None:
    document = documents["pulumi"]
    address = "/api/stacks/{orgName}/{projectName}/{stackName}"
    detail = document.answer_schema(address)
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

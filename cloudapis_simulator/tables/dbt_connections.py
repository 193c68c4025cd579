"""dbt Cloud: connections to warehouses, whose settings only the detail tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudapis_simulator.items import ACCOUNTS, Item
from cloudapis_simulator.table import UNORDERED, Table
from cloudapis_simulator.values import SECRET, Secret, Untold, created, updated
from cloudapis_simulator.world import first_ids, words

if TYPE_CHECKING:
    from collections.abc import Mapping

_GOOGLE: dict[str, Any] = {
    "project_id": "acme-größe",
    "timeout_seconds": 300,
    "private_key_id": SECRET,
    "private_key": Secret("-----BEGIN PRIVATE KEY-----\n{}"),
    "client_email": Untold("loader@acme.iam.gserviceaccount.com"),
    "client_id": "1234567890",
    "auth_uri": "https://accounts.google.com/o/oauth2/auth",
    # Its name sounds secret; the certificate's address has the one of the mail in it.
    "token_uri": Untold("https://oauth2.googleapis.com/token"),
    "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
    "client_x509_cert_url": Untold("https://www.googleapis.com/robot/v1/metadata/x509/l%40acme"),
    "application_secret": SECRET,
    "location": None,
    "retries": 1,
}
_CONFIGS: Mapping[str, dict[str, Any]] = {
    "snowflake_v0": {
        "account": "ab12345.eu-west-1",
        "database": "ANALYTICS",
        "warehouse": "WH_GRÖSSE",
        "client_session_keep_alive": False,
        "role": None,
        "allow_sso": True,
        "oauth_client_id": SECRET,
        "oauth_client_secret": SECRET,
    },
    "bigquery_v1": {**_GOOGLE, "deployment_env_auth_type": "service-account-json"},
    "postgres_v0": {"hostname": "pg.example.com", "dbname": "dwh", "port": 5432, "retries": 1},
    "redshift_v0": {"hostname": "rs.example.com", "dbname": "dwh", "port": 5439, "retries": 1},
    "bigquery_v0": _GOOGLE,
    "databricks_v0": {
        "host": "dbc.cloud.databricks.com",
        "http_path": "/sql/1.0/warehouses/1",
        "catalog": "main",
        "client_secret": SECRET,
    },
    "databricks_spark_v0": {"host": "dbc.cloud.databricks.com", "method": "odbc", "port": 443},
    "trino_v0": {"host": "trino.example.com", "port": 8080},
    "fabric_v0": {"server": "fabric.example.com", "database": "dwh", "port": 1433},
    "synapse_v0": {"host": "synapse.example.com", "database": "dwh", "port": 1433},
    "apache_spark_v0": {"host": "spark.example.com", "cluster": "c", "method": "thrift"},
    "athena_v0": {"region_name": "eu-west-1", "database": "dwh", "s3_staging_dir": "s3://b/x/"},
    "salesforce_v0": {"login_url": "https://login.salesforce.com", "database": None},
    "teradata_v0": {"host": "td.example.com", "port": "1025", "tmode": "ANSI"},
}
_ADAPTERS = tuple(_CONFIGS)


def _adapter(connection: Item) -> str:
    return _ADAPTERS[connection.number]


def _name(connection: Item) -> str:
    names = (*words.CONNECTIONS, *_ADAPTERS[len(words.CONNECTIONS) :])
    return connection.named(names[connection.number])


CONNECTIONS = Table(
    stream="dbt_connections",
    path="/api/v3/accounts/{account}/connections/",
    detail="/api/v3/accounts/{account}/connections/{connection}/",
    under=ACCOUNTS,
    part="connection",
    many=len(_ADAPTERS),
    first_id=first_ids.CONNECTIONS,
    deleted=lambda number: number % 6 == 5,  # noqa: PLR2004
    late=lambda number: number in (5, 6),
    renamed=lambda number: number == 4,  # noqa: PLR2004
    paging=UNORDERED,
    texts=("adapter_version",),
    fields={
        "id": lambda it: it.id,
        "account_id": lambda it: it.account.id,
        "name": _name,
        "type": lambda it: _adapter(it).rpartition("_")[0],
        "adapter_version": _adapter,
        "created_at": created(),
        "updated_at": updated(),
        "private_link_endpoint_id": None,
        "is_ssh_tunnel_enabled": lambda it: it.number == 0,
        "oauth_configuration_id": lambda it: (
            it.account.offset + first_ids.OAUTH_CONFIGURATIONS if it.number == 0 else None
        ),
        "environment__count": lambda it: sum(
            project.number % 3 == it.number for project, _ in it.account.environments
        ),
        "platform_metadata_credentials_id": None,
        "analytics_credentials_id": None,
        "config": Untold(None),
        # Not in the document: what a careless release of the server might send.
        "catalog_ingestion": {
            "enabled": True,
            "session": {
                "region": "eu-west-1",
                "token_string": SECRET,
                "private_key": Secret("-----BEGIN {}-----"),
            },
        },
    },
    detail_fields={
        "config": lambda it: _CONFIGS[_adapter(it)],
        "oauth_redirect_uri": "https://cloud.getdbt.com/complete/oauth",
        "is_configured_for_native_oauth": lambda it: it.number == 0,
    },
)

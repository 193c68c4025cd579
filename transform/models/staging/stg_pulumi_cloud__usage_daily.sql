-- Made by scripts/transform.py from the catalog and scripts/staging.py.
with loaded as (
    {{ cloudapis.stream('pulumi_usage_daily', [
        ['org_name', 'org_name', 'text'],
        ['metric', 'metric', 'text'],
        ['day', 'date', 'date'],
        ['unit', 'unit', 'text'],
        ['resources', 'resources', 'integer'],
        ['resource_hours', 'resource_hours', 'integer'],
    ]) }}
)

select
    org_name,
    metric,
    day,
    unit,
    resources,
    resource_hours
from loaded

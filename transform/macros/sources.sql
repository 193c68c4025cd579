{#- A table of the loader with the columns that are asked for: what each is to be called, what it is
called there, and its type.

The table, or a column of it, may not be there: a stream that was never selected has no table, and
one that has never sent a column has no such column. What is there is looked up when a model is
compiled to be run, and the rest is empty.

Rows that the loader has marked as deleted are gone from the service, and are left out. -#}
{%- macro stream(name, columns) -%}
    {%- set relation = cloudapis.relation_of(name) -%}
    {%- set found = {} -%}
    {%- if relation is not none -%}
        {%- for column in adapter.get_columns_in_relation(relation) -%}
            {%- do found.update({column.name | lower: column}) -%}
        {%- endfor -%}
        {%- do cloudapis.must_be_whole(name, columns, found) -%}
    {%- endif -%}
    select
    {%- for name, column, kind in columns %}
        {{ cloudapis.column_of(found.get(column), kind) }} as {{ name }}
        {{- ',' if not loop.last }}
    {%- endfor %}
    {% if relation is none -%}
    from (select 1 as nothing) as not_there
    where 1 = 0
    {%- else -%}
    from {{ relation }}
    {%- if '_sdc_deleted_at' in found %}
    where {{ adapter.quote(found['_sdc_deleted_at'].name) }} is null
    {%- endif -%}
    {%- endif -%}
{%- endmacro -%}

{#- Columns of JSON must not have been taken apart: what is in them would be nothing, unnoticed. -#}
{%- macro must_be_whole(name, columns, found) -%}
    {%- for _, column, kind in columns if kind == 'json' and column not in found -%}
        {%- for flat in found if flat.startswith(column ~ '__') -%}
            {{ exceptions.raise_compiler_error(
                "The table " ~ name ~ " is flattened: it has " ~ flat ~ " in place of " ~ column
                ~ "; load it without flattening_enabled"
            ) }}
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro -%}

{#- The table of a stream; none where there is none, or where it is to be taken as empty. -#}
{%- macro relation_of(name) -%}
    {%- set declared = source('cloudapis', name) -%}
    {%- if execute and name not in cloudapis.streams_left_out() -%}
        {{ return(adapter.get_relation(
            database=declared.database, schema=declared.schema, identifier=declared.identifier
        )) }}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro -%}

{%- macro streams_left_out() -%}
    {%- set left_out = var('streams_left_out', []) -%}
    {{ return([left_out] if left_out is string else (left_out or [])) }}
{%- endmacro -%}

{%- macro column_of(column, kind) -%}
    {%- if column is none -%}
        cast(null as {{ cloudapis.type_of(kind) }})
    {%- elif kind == 'time' -%}
        {{ cloudapis.utc(adapter.quote(column.name), column.dtype | lower) }}
    {%- else -%}
        cast({{ adapter.quote(column.name) }} as {{ cloudapis.type_of(kind) }})
    {%- endif -%}
{%- endmacro -%}

{#- A time of any type as a time without a zone, in UTC, whatever the zone of the session is. -#}
{%- macro utc(expression, dtype) -%}
    {{ return(adapter.dispatch('utc', 'cloudapis')(expression, dtype)) }}
{%- endmacro -%}
{%- macro default__utc(expression, dtype) -%}
    {%- if 'with time zone' in dtype or dtype.startswith('timestamptz') -%}
        ({{ expression }} at time zone 'UTC')
    {%- elif 'timestamp' in dtype -%}
        cast({{ expression }} as timestamp)
    {%- else -%}
        (cast({{ expression }} as timestamp with time zone) at time zone 'UTC')
    {%- endif -%}
{%- endmacro -%}
{%- macro snowflake__utc(expression, dtype) -%}
    cast(convert_timezone('UTC', cast({{ expression }} as timestamp_tz)) as timestamp_ntz)
{%- endmacro -%}
{%- macro bigquery__utc(expression, dtype) -%}
    datetime(cast({{ expression }} as timestamp), 'UTC')
{%- endmacro -%}
{%- macro databricks__utc(expression, dtype) -%}
    cast(to_utc_timestamp(cast({{ expression }} as timestamp), current_timezone()) as timestamp_ntz)
{%- endmacro -%}

{#- A stream may be missing, but not all of them: then the tables are elsewhere. -#}
{%- macro must_find_tables() -%}
    {%- if execute -%}
        {%- set ours = graph.sources.values() | selectattr('source_name', 'equalto', 'cloudapis') | list -%}
        {%- for declared in ours -%}
            {%- if adapter.get_relation(
                database=declared.database, schema=declared.schema, identifier=declared.identifier
            ) is not none -%}
                {{ return('') }}
            {%- endif -%}
        {%- endfor -%}
        {{ exceptions.raise_compiler_error(
            "No table of dbt Cloud or Pulumi Cloud is in the schema " ~ ours[0].schema
            ~ " of " ~ ours[0].database ~ "; set source_schema to where they were loaded"
        ) }}
    {%- endif -%}
{%- endmacro -%}

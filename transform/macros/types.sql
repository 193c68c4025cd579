{#- Names of types, and what becomes of a value of one type in another. -#}

{%- macro type_double() -%}{{ return(adapter.dispatch('type_double', 'cloudapis')()) }}{%- endmacro -%}
{%- macro default__type_double() -%}double precision{%- endmacro -%}
{%- macro duckdb__type_double() -%}double{%- endmacro -%}
{%- macro bigquery__type_double() -%}float64{%- endmacro -%}
{%- macro databricks__type_double() -%}double{%- endmacro -%}

{#- A time without a zone, which is UTC in all models. -#}
{%- macro type_time() -%}{{ return(adapter.dispatch('type_time', 'cloudapis')()) }}{%- endmacro -%}
{%- macro default__type_time() -%}timestamp{%- endmacro -%}
{%- macro snowflake__type_time() -%}timestamp_ntz{%- endmacro -%}
{%- macro bigquery__type_time() -%}datetime{%- endmacro -%}
{%- macro databricks__type_time() -%}timestamp_ntz{%- endmacro -%}

{%- macro type_json() -%}{{ return(adapter.dispatch('type_json', 'cloudapis')()) }}{%- endmacro -%}
{%- macro default__type_json() -%}json{%- endmacro -%}
{%- macro postgres__type_json() -%}jsonb{%- endmacro -%}
{%- macro snowflake__type_json() -%}variant{%- endmacro -%}
{%- macro databricks__type_json() -%}string{%- endmacro -%}

{#- The type of a column that is declared as integer, text, double, boolean, date, time or json. -#}
{%- macro type_of(kind) -%}
    {%- set types = {
        'integer': dbt.type_bigint(),
        'text': dbt.type_string(),
        'double': cloudapis.type_double(),
        'boolean': dbt.type_boolean(),
        'date': 'date',
        'time': cloudapis.type_time(),
        'json': cloudapis.type_json(),
    } -%}
    {{ return(types[kind]) }}
{%- endmacro -%}

{%- macro as_double(expression) -%}cast({{ expression }} as {{ cloudapis.type_double() }}){%- endmacro -%}

{%- macro as_text(expression) -%}cast({{ expression }} as {{ dbt.type_string() }}){%- endmacro -%}

{#- The part of a whole, from 0 to 1; null where there is nothing to take a part of. -#}
{%- macro ratio(part, whole) -%}
    ({{ cloudapis.as_double(part) }} / nullif({{ whole }}, 0))
{%- endmacro -%}

{#- The text at the end of a path in a value of JSON; null where it is not there. -#}
{%- macro json_text(expression, path) -%}
    {{ return(adapter.dispatch('json_text', 'cloudapis')(expression, path)) }}
{%- endmacro -%}
{%- macro default__json_text(expression, path) -%}
    json_extract_string({{ expression }}, '$."{{ path | join('"."') }}"')
{%- endmacro -%}
{%- macro postgres__json_text(expression, path) -%}
    jsonb_extract_path_text({{ expression }}, '{{ path | join("', '") }}')
{%- endmacro -%}
{%- macro snowflake__json_text(expression, path) -%}
    cast(get_path({{ expression }}, '["{{ path | join('"]["') }}"]') as varchar)
{%- endmacro -%}
{%- macro bigquery__json_text(expression, path) -%}
    json_value({{ expression }}, '$."{{ path | join('"."') }}"')
{%- endmacro -%}
{%- macro databricks__json_text(expression, path) -%}
    get_json_object({{ expression }}, "$['{{ path | join("']['") }}']")
{%- endmacro -%}

{#- What a text from within JSON says, as a number or a yes or no; null where it is neither: people and
programs write what they like into such a value, and one of them must not end the build. -#}
{%- macro integer_of_text(expression) -%}
    {{ return(adapter.dispatch('integer_of_text', 'cloudapis')(expression)) }}
{%- endmacro -%}
{%- macro default__integer_of_text(expression) -%}
    try_cast({{ expression }} as {{ dbt.type_bigint() }})
{%- endmacro -%}
{%- macro postgres__integer_of_text(expression) -%}
    case when {{ expression }} ~ '^-?[0-9]{1,18}$' then cast({{ expression }} as bigint) end
{%- endmacro -%}
{%- macro bigquery__integer_of_text(expression) -%}
    safe_cast({{ expression }} as {{ dbt.type_bigint() }})
{%- endmacro -%}

{%- macro boolean_of_text(expression) -%}
    case lower({{ expression }}) when 'true' then true when 'false' then false end
{%- endmacro -%}

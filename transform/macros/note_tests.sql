{#- Writes down how the tests of a build ended, and which models it did not make, in the table
platform__tests: for whoever shows what the models say, and must not keep quiet about this. A model
that was not made is still there as an older build has made it. A build without tests leaves the
table alone. -#}
{%- macro note_tests(results) -%}
    {%- set own = results | selectattr('node.package_name', 'equalto', 'cloudapis') | list -%}
    {%- set tests = own | selectattr('node.resource_type', 'equalto', 'test') | list -%}
    {%- set not_made = own | selectattr('node.resource_type', 'equalto', 'model')
        | selectattr('status', 'in', ['error', 'skipped']) | list -%}
    {%- if execute and tests -%}
        {%- set passed = tests | selectattr('status', 'equalto', 'pass') | list | length -%}
        {%- do print('Tests of the models: ' ~ passed ~ ' of ' ~ tests | length ~ ' passed') -%}
        {%- set relation = api.Relation.create(
            database=target.database, schema=target.schema, identifier='platform__tests'
        ) -%}
        drop table if exists {{ relation }};
        create table {{ relation }} as
        {%- for result in tests + not_made %}
        {{ 'union all' if not loop.first }}
        select
            {{ cloudapis.quoted(result.node.name) }} as test,
            {{ cloudapis.quoted(
                result.node.name if result in not_made else cloudapis.tested_model(result.node)
            ) }} as model,
            {{ cloudapis.quoted('fail' if result.status == 'warn' else result.status) }} as status,
            cast({{ result.failures if result.failures is not none else 'null' }} as {{ dbt.type_bigint() }})
                as failures,
            {{ cloudapis.as_of() }} as tested_at
        {%- endfor -%}
    {%- endif -%}
{%- endmacro -%}

{%- macro quoted(value) -%}
    {{ cloudapis.as_text("'" ~ (value | string).replace("'", "''") ~ "'") }}
{%- endmacro -%}

{#- The model that a test is about; the first one of a test that is about several. -#}
{%- macro tested_model(node) -%}
    {%- set about = (node.attached_node or (node.depends_on.nodes | first) or '') | string -%}
    {{ return(about.split('.') | last) }}
{%- endmacro -%}

{#- What time it is in all models, and what day it is where the report is read. -#}

{#- The instant of the build, as Python has it. -#}
{%- macro now() -%}
    {%- set given = var('as_of', none) -%}
    {%- if not given -%}
        {{ return(run_started_at.astimezone(modules.pytz.utc)) }}
    {%- endif -%}
    {%- set told = modules.datetime.datetime.fromisoformat((given | string).replace('Z', '+00:00')) -%}
    {%- if told.tzinfo is none -%}
        {{ return(modules.pytz.utc.localize(told)) }}
    {%- endif -%}
    {{ return(told.astimezone(modules.pytz.utc)) }}
{%- endmacro -%}

{%- macro time_zone() -%}
    {%- set zone = var('report_time_zone', none) or env_var('CLOUDAPIS_MODELS_REPORT_TIME_ZONE', 'UTC') -%}
    {%- if zone not in modules.pytz.all_timezones_set -%}
        {{ exceptions.raise_compiler_error(
            "report_time_zone: no time zone is called " ~ (zone | tojson)
            ~ "; take a name of the tz database, such as Europe/Berlin"
        ) }}
    {%- endif -%}
    {{ return(zone) }}
{%- endmacro -%}

{%- macro time_literal(instant) -%}
    cast('{{ instant.strftime('%Y-%m-%d %H:%M:%S.%f') }}' as {{ cloudapis.type_time() }})
{%- endmacro -%}

{#- The instant that "now" is, in UTC. -#}
{%- macro as_of() -%}
    {{ cloudapis.time_literal(cloudapis.now()) }}
{%- endmacro -%}

{#- So many days of 24 hours before now. -#}
{%- macro days_ago(days) -%}
    {{ cloudapis.time_literal(cloudapis.now() - modules.datetime.timedelta(days=days)) }}
{%- endmacro -%}

{#- The day on which now is, where the report is read. -#}
{%- macro today() -%}
    {%- set here = cloudapis.now().astimezone(modules.pytz.timezone(cloudapis.time_zone())) -%}
    cast('{{ here.strftime('%Y-%m-%d') }}' as date)
{%- endmacro -%}

{#- A time in UTC as the clock shows it where the report is read. -#}
{%- macro local(expression) -%}
    {%- set zone = cloudapis.time_zone() -%}
    {%- if zone == 'UTC' -%}
        {{ return(expression) }}
    {%- endif -%}
    {{ return(adapter.dispatch('local', 'cloudapis')(expression, zone)) }}
{%- endmacro -%}
{%- macro default__local(expression, zone) -%}
    (({{ expression }} at time zone 'UTC') at time zone '{{ zone }}')
{%- endmacro -%}
{%- macro snowflake__local(expression, zone) -%}
    convert_timezone('UTC', '{{ zone }}', {{ expression }})
{%- endmacro -%}
{%- macro bigquery__local(expression, zone) -%}
    datetime(timestamp({{ expression }}, 'UTC'), '{{ zone }}')
{%- endmacro -%}
{%- macro databricks__local(expression, zone) -%}
    convert_timezone('UTC', '{{ zone }}', {{ expression }})
{%- endmacro -%}

{%- macro local_date(expression) -%}cast({{ cloudapis.local(expression) }} as date){%- endmacro -%}
{%- macro local_week(expression) -%}{{ cloudapis.week_of(cloudapis.local(expression)) }}{%- endmacro -%}
{%- macro local_month(expression) -%}{{ cloudapis.month_of(cloudapis.local(expression)) }}{%- endmacro -%}

{#- The Monday of a day. -#}
{%- macro week_of(expression) -%}
    {{ return(adapter.dispatch('week_of', 'cloudapis')(expression)) }}
{%- endmacro -%}
{%- macro default__week_of(expression) -%}cast(date_trunc('week', {{ expression }}) as date){%- endmacro -%}
{%- macro bigquery__week_of(expression) -%}date_trunc(cast({{ expression }} as date), isoweek){%- endmacro -%}

{#- The first day of a month. -#}
{%- macro month_of(expression) -%}
    cast({{ dbt.date_trunc('month', expression) }} as date)
{%- endmacro -%}

{#- The day of the week: 1 is Monday, 7 is Sunday. -#}
{%- macro weekday_of(expression) -%}
    {{ return(adapter.dispatch('weekday_of', 'cloudapis')(expression)) }}
{%- endmacro -%}
{%- macro default__weekday_of(expression) -%}
    cast(extract(isodow from {{ expression }}) as integer)
{%- endmacro -%}
{%- macro snowflake__weekday_of(expression) -%}dayofweekiso({{ expression }}){%- endmacro -%}
{%- macro bigquery__weekday_of(expression) -%}
    (mod(extract(dayofweek from {{ expression }}) + 5, 7) + 1)
{%- endmacro -%}
{%- macro databricks__weekday_of(expression) -%}extract(dayofweek_iso from {{ expression }}){%- endmacro -%}

{%- macro hour_of_day(expression) -%}cast(extract(hour from {{ expression }}) as integer){%- endmacro -%}

{#- The seconds from one time to another. -#}
{%- macro seconds_between(first, second) -%}
    {{ return(adapter.dispatch('seconds_between', 'cloudapis')(first, second)) }}
{%- endmacro -%}
{%- macro default__seconds_between(first, second) -%}
    {{ cloudapis.as_double('extract(epoch from (' ~ second ~ ' - ' ~ first ~ '))') }}
{%- endmacro -%}
{%- macro duckdb__seconds_between(first, second) -%}
    (date_diff('microsecond', {{ first }}, {{ second }}) / 1000000.0::double)
{%- endmacro -%}
{%- macro snowflake__seconds_between(first, second) -%}
    (datediff('microsecond', {{ first }}, {{ second }}) / 1000000.0)
{%- endmacro -%}
{%- macro bigquery__seconds_between(first, second) -%}
    (datetime_diff({{ second }}, {{ first }}, microsecond) / 1000000.0)
{%- endmacro -%}
{%- macro databricks__seconds_between(first, second) -%}
    (timestampdiff(microsecond, {{ first }}, {{ second }}) / 1000000.0)
{%- endmacro -%}

{#- A day so many days later. -#}
{%- macro days_later(day, days) -%}
    cast({{ dbt.dateadd('day', days, day) }} as date)
{%- endmacro -%}

{#- The days from one day to another. -#}
{%- macro days_between(first, second) -%}
    {{ return(adapter.dispatch('days_between', 'cloudapis')(first, second)) }}
{%- endmacro -%}
{%- macro default__days_between(first, second) -%}
    cast({{ dbt.datediff(first, second, 'day') }} as integer)
{%- endmacro -%}
{%- macro postgres__days_between(first, second) -%}({{ second }} - {{ first }}){%- endmacro -%}

{#- The numbers from 0 on, as many as a power of ten has: a query with the column number. -#}
{%- macro numbers(digits) -%}
    select
        {% for digit in range(digits) -%}
        digit_{{ digit }}.n * {{ 10 ** digit }}{{ ' + ' if not loop.last }}
        {%- endfor %} as number
    from
        {% for digit in range(digits) -%}
        {{ ' cross join ' if not loop.first }}(
            select 0 as n union all select 1 union all select 2 union all select 3
            union all select 4 union all select 5 union all select 6 union all select 7
            union all select 8 union all select 9
        ) as digit_{{ digit }}
        {%- endfor %}
{%- endmacro -%}

{#- The value below which a part of all values lies, interpolated between two; nulls do not count. -#}
{%- macro percentile(expression, part) -%}
    {{ return(adapter.dispatch('percentile', 'cloudapis')(expression, part)) }}
{%- endmacro -%}
{%- macro default__percentile(expression, part) -%}
    percentile_cont({{ part }}) within group (order by {{ expression }})
{%- endmacro -%}
{%- macro duckdb__percentile(expression, part) -%}
    quantile_cont({{ expression }}, {{ part }})
{%- endmacro -%}
{%- macro bigquery__percentile(expression, part) -%}
    approx_quantiles({{ expression }}, 100 ignore nulls)[offset({{ (part * 100) | int }})]
{%- endmacro -%}
{%- macro databricks__percentile(expression, part) -%}
    percentile({{ expression }}, {{ part }})
{%- endmacro -%}

{#- The same of twenty values or more, else null: of fewer, a 95th percentile is the largest one. -#}
{%- macro p95(expression) -%}
    case
        when count({{ expression }}) >= 20 then {{ cloudapis.percentile(expression, 0.95) }}
    end
{%- endmacro -%}

{#- How many rows meet a condition. -#}
{%- macro count_if(condition) -%}
    cast(count(case when {{ condition }} then 1 end) as integer)
{%- endmacro -%}

{#- The sum of a value over the rows that meet a condition; 0 where none does. -#}
{%- macro sum_if(condition, expression) -%}
    coalesce(sum(case when {{ condition }} then {{ expression }} end), 0)
{%- endmacro -%}

{#- Whether a name is one of production's. `names` are spellings of it, from the shortest on. -#}
{%- macro is_chosen(names, choice) -%}
    {%- if not choice -%}
        false
    {%- elif choice is string -%}
        {{ cloudapis.matches(names[0], choice) }}
    {%- else -%}
        (
            {%- for name in names -%}
            {{ ' or ' if not loop.first }}lower({{ name }}) in (
                {%- for each in choice -%}
                '{{ (each | string | lower).replace("'", "''") }}'{{ ', ' if not loop.last }}
                {%- endfor -%}
            )
            {%- endfor -%}
        )
    {%- endif -%}
{%- endmacro -%}

{#- Whether a text has what a regular expression describes, in whatever case. -#}
{%- macro matches(expression, pattern) -%}
    {%- set literal = "'" ~ pattern.replace("'", "''") ~ "'" -%}
    {{ return(adapter.dispatch('matches', 'cloudapis')(expression, literal)) }}
{%- endmacro -%}
{%- macro default__matches(expression, literal) -%}
    coalesce(regexp_like({{ expression }}, concat('(?i)', {{ literal }})), false)
{%- endmacro -%}
{%- macro duckdb__matches(expression, literal) -%}
    coalesce(regexp_matches({{ expression }}, {{ literal }}, 'i'), false)
{%- endmacro -%}
{%- macro postgres__matches(expression, literal) -%}
    coalesce({{ expression }} ~* {{ literal }}, false)
{%- endmacro -%}
{%- macro bigquery__matches(expression, literal) -%}
    coalesce(regexp_contains({{ expression }}, concat('(?i)', r{{ literal }})), false)
{%- endmacro -%}
{%- macro snowflake__matches(expression, literal) -%}
    coalesce(regexp_instr({{ expression }}, {{ literal }}, 1, 1, 0, 'i') > 0, false)
{%- endmacro -%}

{#- Words for people: how often a job has failed, a number, a day. -#}
{%- macro times_failed(count) -%}
    'failed ' || case
        when {{ count }} = 1 then 'last time'
        else {{ cloudapis.as_text(count) }} || ' times in a row'
    end
{%- endmacro -%}

{%- macro rounded_text(expression, digits) -%}
    {{ cloudapis.as_text('cast(' ~ expression ~ ' as decimal(18, ' ~ digits ~ '))') }}
{%- endmacro -%}

{%- macro day_in_words(expression) -%}
    {{ cloudapis.as_text('cast(' ~ expression ~ ' as date)') }}
{%- endmacro -%}

{#- Values one after the other in one text, in their order. -#}
{%- macro joined(expression) -%}
    {{ return(adapter.dispatch('joined', 'cloudapis')(expression)) }}
{%- endmacro -%}
{%- macro default__joined(expression) -%}
    string_agg({{ expression }}, ', ' order by {{ expression }})
{%- endmacro -%}
{%- macro snowflake__joined(expression) -%}
    listagg({{ expression }}, ', ') within group (order by {{ expression }})
{%- endmacro -%}
{%- macro databricks__joined(expression) -%}
    array_join(array_sort(collect_list({{ expression }})), ', ')
{%- endmacro -%}

{#- The latest of three times, any of which may not be there. -#}
{%- macro later_of(first, second, third) -%}
    {%- set never = "cast('0001-01-01 00:00:00' as " ~ cloudapis.type_time() ~ ")" -%}
    nullif(
        greatest(
            coalesce({{ first }}, {{ never }}),
            coalesce({{ second }}, {{ never }}),
            coalesce({{ third }}, {{ never }})
        ),
        {{ never }}
    )
{%- endmacro -%}

{#- What stands behind so many dots of a node's id: `model.shop.orders` has `orders` behind two. The
name of a node has no dot, but what is behind it may have some: the name of a test its number. -#}
{%- macro part_after_dots(expression, dots) -%}
    {{ dbt.split_part(expression, "'.'", dots + 1) }}
{%- endmacro -%}

{#- A limit of a source in seconds. -#}
{%- macro period_seconds(count, period) -%}
    {{ cloudapis.as_double(count) }} * case {{ period }}
        when 'minute' then 60
        when 'hour' then 3600
        when 'day' then 86400
    end
{%- endmacro -%}

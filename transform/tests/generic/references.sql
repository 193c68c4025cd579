{#- No two rows have the same values in these columns, and none of these values is missing. -#}
{% test unique_together(model, columns) %}
select
    {{ columns | join(', ') }},
    count(*) as times
from {{ model }}
group by {{ columns | join(', ') }}
having
    count(*) > 1
    {% for column in columns -%}
    or {{ column }} is null
    {% endfor %}
{% endtest %}

{#- What the columns refer to is there, as far as the stream with these rows was loaded at all. -#}
{% test refers_to(model, stream, to, columns, to_columns) %}
select distinct
    {% for column in columns -%}
    child.{{ column }}{{ ', ' if not loop.last }}
    {%- endfor %}
from {{ model }} as child
where
    not exists (
        select 1
        from {{ to }} as parent
        where
            {% for column in columns -%}
            {{ 'and ' if not loop.first -}}
            parent.{{ to_columns[loop.index0] }} = child.{{ column }}
            {% endfor %}
    )
    {% for column in columns -%}
    and child.{{ column }} is not null
    {% endfor -%}
    {% if cloudapis.relation_of(stream) is none -%}
    and 1 = 0
    {%- endif %}
{% endtest %}

select
    {{ cloudapis.as_of() }} as as_of,
    {{ cloudapis.as_text("'" ~ cloudapis.time_zone() ~ "'") }} as report_time_zone,
    {{ cloudapis.local(cloudapis.as_of()) }} as local_as_of,
    {{ cloudapis.today() }} as today,
    {{ cloudapis.week_of(cloudapis.today()) }} as this_week,
    cast({{ var('stale_days', 90) }} as integer) as stale_days,
    cast({{ var('lookback_days', 90) }} as integer) as lookback_days,
    cast({{ var('recovery_hours', 24) }} as integer) as recovery_hours,
    {{ cloudapis.as_double(var('price_per_run_hour', none) or 'null') }} as price_per_run_hour

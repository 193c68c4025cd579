"""Durations in the two forms that dbt Cloud writes."""

from cloudapis_simulator.clock import DAY, HOUR, MINUTE, SECOND

_UNITS = ((7 * DAY, "week"), (DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (SECOND, "second"))


def ago(duration: int) -> str:
    """Write microseconds as at most two units: `2 weeks, 3 days`, `0 minutes`."""
    for index, (size, name) in enumerate(_UNITS):
        count = duration // size
        if count <= 0:
            continue
        text = f"{count} {name}s" if count > 1 else f"1 {name}"
        if index + 1 < len(_UNITS):
            size_below, name_below = _UNITS[index + 1]
            below = duration % size // size_below
            if below:
                return f"{text}, {below} {name_below}s" if below > 1 else f"{text}, 1 {name_below}"
        return text
    return "0 minutes"


def clock_duration(duration: int) -> str:
    """Write microseconds as `HH:MM:SS`; the hours pass 24 (`24:00:36`)."""
    seconds = duration // SECOND
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"

"""The page that cloudapis-report writes."""

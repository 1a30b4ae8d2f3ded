"""From logs to tables, rates and figures: reads Inspect's log files, knows no model and no task."""

"""The page Reports: calendar, report form, sending, compliance, tasks."""

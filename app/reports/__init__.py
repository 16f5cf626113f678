"""Government reports: due, filled from evidence, checked, sent, followed (docs/reports.md)."""

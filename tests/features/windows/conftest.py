"""Windows in stories: nothing is left behind or logged, no passphrase of whoever runs the tests, real platforms."""

from tests.helpers.mod4_platform import as_committed, make_mod4, mod4_first_days, mod4_server, repaired
from tests.helpers.qt import _no_tasks_left, _theme, expected_logs, nothing_left, nothing_logged, qapp, theme
from tests.helpers.window import _closed_vault

__all__ = [
    "_closed_vault",
    "_no_tasks_left",
    "_theme",
    "as_committed",
    "expected_logs",
    "make_mod4",
    "mod4_first_days",
    "mod4_server",
    "nothing_left",
    "nothing_logged",
    "qapp",
    "repaired",
    "theme",
]

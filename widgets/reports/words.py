"""How the page words what it shows: received, sent and accepted are three facts, never one for another."""

from __future__ import annotations

from datetime import date

from app.reports.calendar import ReportListing
from app.reports.checks import Finding
from app.reports.figures import BY_KEY, CLASS_WORDS
from app.reports.forms import FormLine
from app.reports.runs import RUN_WORDS, RunListing
from app.reports.states import ReportState
from app.reports.tasks import TASK_WORDS, TaskListing
from resources.i18n import tr
from widgets.formats import NOTHING, Formats
from widgets.theme import Level

STATE_WORDS = {
    ReportState.OPEN: tr("Not due yet"),
    ReportState.DUE: tr("Due"),
    ReportState.LATE: tr("Late"),
    ReportState.INCOMPLETE: tr("Incomplete"),
    ReportState.RECEIVED: tr("Received"),
    ReportState.CORRECTED: tr("Corrected"),
    ReportState.SENT: tr("Sent"),
    ReportState.ACCEPTED: tr("Accepted"),
    ReportState.REJECTED: tr("Rejected"),
    ReportState.EXCUSED: tr("Excused"),
}
_LEVELS: dict[str, Level] = {
    ReportState.OPEN: "neutral",
    ReportState.DUE: "info",
    ReportState.LATE: "error",
    ReportState.INCOMPLETE: "warn",
    ReportState.RECEIVED: "ok",
    ReportState.CORRECTED: "ok",
    ReportState.SENT: "info",
    ReportState.ACCEPTED: "ok",
    ReportState.REJECTED: "error",
    ReportState.EXCUSED: "neutral",
}
_RUN_LEVELS: dict[str, Level] = {
    "shown": "neutral", "waiting": "info", "running": "info", "delayed": "warn", "accepted": "ok", "partly": "warn",
    "refused": "error", "failed": "error", "doubtful": "warn", "held": "warn", "nothing": "neutral",
}  # fmt: skip
_CLASS_LEVELS: dict[str, Level] = {
    "stocked_out": "error", "under": "warn", "adequate": "ok", "over": "info", "unknown": "neutral",
}  # fmt: skip
_SEVERITY: dict[str, tuple[Level, str]] = {
    "stop": ("error", tr("To mend")), "hold": ("warn", tr("Held back")), "look": ("info", tr("Look again")),
}  # fmt: skip


def state_badge(report: ReportListing) -> tuple[Level, str]:
    """One pill; a report that came late and one of which no answer tells say so."""
    word = STATE_WORDS[report.state]
    if report.is_doubtful:
        return "warn", tr("Sent, not confirmed")
    if report.is_late and report.state in (ReportState.RECEIVED, ReportState.ACCEPTED, ReportState.SENT):
        return _LEVELS[report.state], tr("{word}, late", word=word)
    return _LEVELS[report.state], word


def state_level(state: str) -> Level:
    return _LEVELS[state]


def run_badge(run: RunListing) -> tuple[Level, str]:
    return _RUN_LEVELS.get(run.state, "neutral"), tr(RUN_WORDS.get(run.state, run.state))


def class_badge(line: FormLine) -> tuple[Level, str]:
    return _CLASS_LEVELS[line.judged.stock_class], tr(CLASS_WORDS[line.judged.stock_class])


def severity_badge(finding: Finding) -> tuple[Level, str]:
    return _SEVERITY[finding.severity]


def task_badge(task: TaskListing) -> tuple[Level, str]:
    levels: dict[str, Level] = {"open": "error" if task.kind == "refused" else "warn", "done": "ok"}
    word = tr("Refused") if task.kind == "refused" else tr("Held back")
    return levels.get(task.state, "neutral"), word if task.state == "open" else tr(TASK_WORDS[task.state])


def figure_text(formats: Formats, key: str, value: object) -> str:
    """A figure as a table shows it; what is not known is a dash, never a zero."""
    if value is None:
        return NOTHING
    if isinstance(value, str):
        return value
    number = float(value)  # type: ignore[arg-type]
    decimals = 0 if number == round(number) else 1
    if BY_KEY[key].kind == "days":
        return formats.number(number, decimals)
    return formats.number(number, decimals)


def day_text(day: date) -> str:
    """``6 Nov 2026``."""
    return f"{day.day} {day:%b %Y}"

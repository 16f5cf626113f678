"""Government reports: calendar, figures with sources, runs, tasks; and the history of stock behind the figures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _papers()
    _runs()
    _stock()


def _papers() -> None:
    op.create_table(
        "report_programmes",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("program", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("rhythm", sa.String(length=12), nullable=False),
        sa.Column("first_month", sa.Integer(), nullable=False),
        sa.Column("due_days", sa.Integer(), nullable=False),
        sa.Column("holidays", sa.JSON(), nullable=False),
        sa.Column("starts_on", sa.String(length=10), nullable=False),
        sa.Column("tolerance_units", sa.Double(), nullable=False),
        sa.Column("min_months", sa.Double(), nullable=False),
        sa.Column("max_months", sa.Double(), nullable=False),
        sa.Column("amc_months", sa.Integer(), nullable=False),
        sa.Column("expiry_days", sa.Integer(), nullable=False),
        sa.Column("reports_to", sa.String(length=36), nullable=False),
        sa.Column("name_there", sa.String(length=300), nullable=False),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_programmes")),
        sa.UniqueConstraint("integration_id", "program", name=op.f("uq_report_programmes_integration_id_program")),
    )
    op.create_index(
        op.f("ix_report_programmes_changed_version"), "report_programmes", ["changed_version"], unique=False
    )
    op.create_table(
        "report_facilities",
        sa.Column("programme_id", sa.String(length=36), nullable=False),
        sa.Column("facility", sa.String(length=200), nullable=False),
        sa.Column("since_on", sa.String(length=10), nullable=False),
        sa.Column("until_on", sa.String(length=10), nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("programme_id", "facility", name=op.f("pk_report_facilities")),
    )
    op.create_index(
        op.f("ix_report_facilities_changed_version"), "report_facilities", ["changed_version"], unique=False
    )
    op.create_table(
        "reports",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("programme_id", sa.String(length=36), nullable=False),
        sa.Column("facility", sa.String(length=200), nullable=False),
        sa.Column("starts_on", sa.String(length=10), nullable=False),
        sa.Column("ends_on", sa.String(length=10), nullable=False),
        sa.Column("due_on", sa.String(length=10), nullable=False),
        sa.Column("filled_at", TIME, nullable=True),
        sa.Column("submission", sa.Integer(), nullable=False),
        sa.Column("received_at", TIME, nullable=True),
        sa.Column("first_received_at", TIME, nullable=True),
        sa.Column("received_from", sa.String(length=200), nullable=False),
        sa.Column("sent_at", TIME, nullable=True),
        sa.Column("sent_how", sa.String(length=8), nullable=False),
        sa.Column("is_doubtful", sa.Boolean(), nullable=False),
        sa.Column("accepted_at", TIME, nullable=True),
        sa.Column("rejected_at", TIME, nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("excused_at", TIME, nullable=True),
        sa.Column("excused_by", sa.String(length=200), nullable=False),
        sa.Column("excuse", sa.Text(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("lines_filled", sa.Integer(), nullable=False),
        sa.Column("lines_checkable", sa.Integer(), nullable=False),
        sa.Column("lines_balanced", sa.Integer(), nullable=False),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reports")),
        sa.UniqueConstraint(
            "programme_id", "facility", "starts_on", name=op.f("uq_reports_programme_id_facility_starts_on")
        ),
    )
    op.create_index(op.f("ix_reports_changed_version"), "reports", ["changed_version"], unique=False)
    op.create_index(op.f("ix_reports_starts_on"), "reports", ["starts_on"], unique=False)
    op.create_table(
        "report_lines",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("report_id", sa.String(length=36), nullable=False),
        sa.Column("item", sa.String(length=200), nullable=False),
        sa.Column("item_code", sa.String(length=100), nullable=False),
        sa.Column("item_name", sa.String(length=300), nullable=False),
        sa.Column("unit", sa.String(length=60), nullable=False),
        sa.Column("pack_size", sa.Double(), nullable=False),
        sa.Column("filled", sa.JSON(), nullable=False),
        sa.Column("entered", sa.JSON(), nullable=False),
        sa.Column("gaps", sa.JSON(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("remarks", sa.Text(), nullable=False),
        sa.Column("closing_units", sa.Double(), nullable=True),
        sa.Column("months", sa.Double(), nullable=True),
        sa.Column("stock_class", sa.String(length=12), nullable=False),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_lines")),
        sa.UniqueConstraint("report_id", "item", name=op.f("uq_report_lines_report_id_item")),
    )
    op.create_index(op.f("ix_report_lines_changed_version"), "report_lines", ["changed_version"], unique=False)
    op.create_table(
        "report_sources",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("line_id", sa.String(length=36), nullable=False),
        sa.Column("figure", sa.String(length=24), nullable=False),
        sa.Column("record", sa.String(length=24), nullable=False),
        sa.Column("record_id", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=400), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("read_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_sources")),
    )
    op.create_index(op.f("ix_report_sources_line_id"), "report_sources", ["line_id"], unique=False)
    op.create_table(
        "report_submissions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("report_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("received_from", sa.String(length=200), nullable=False),
        sa.Column("noted_by", sa.String(length=200), nullable=False),
        sa.Column("noted_at", TIME, nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_submissions")),
    )
    op.create_index(op.f("ix_report_submissions_report_id"), "report_submissions", ["report_id"], unique=False)


def _runs() -> None:
    op.create_table(
        "report_runs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("report_id", sa.String(length=36), nullable=True),
        sa.Column("is_dry", sa.Boolean(), nullable=False),
        sa.Column("trigger", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("approval_code", sa.String(length=40), nullable=False),
        sa.Column("stores", sa.JSON(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("held_back", sa.Integer(), nullable=False),
        sa.Column("unsent", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("started_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_runs")),
    )
    op.create_index(op.f("ix_report_runs_changed_version"), "report_runs", ["changed_version"], unique=False)
    op.create_index(op.f("ix_report_runs_integration_id"), "report_runs", ["integration_id"], unique=False)
    op.create_index(op.f("ix_report_runs_report_id"), "report_runs", ["report_id"], unique=False)
    op.create_index(op.f("ix_report_runs_state"), "report_runs", ["state"], unique=False)
    op.create_table(
        "report_messages",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("step", sa.String(length=24), nullable=False),
        sa.Column("store", sa.String(length=200), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("sent_ms", KEY, nullable=True),
        sa.Column("took_ms", KEY, nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_messages")),
    )
    op.create_index(op.f("ix_report_messages_run_id"), "report_messages", ["run_id"], unique=False)
    op.create_table(
        "report_run_rows",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("row_key", sa.String(length=64), nullable=False),
        sa.Column("row_hash", sa.String(length=32), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("subject", sa.String(length=400), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_run_rows")),
    )
    op.create_index(
        op.f("ix_report_run_rows_integration_id_day"),
        "report_run_rows",
        ["integration_id", "day", "outcome"],
        unique=False,
    )
    op.create_index(op.f("ix_report_run_rows_run_id"), "report_run_rows", ["run_id"], unique=False)
    op.create_table(
        "report_tasks",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("report_id", sa.String(length=36), nullable=True),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("row_key", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=400), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        sa.Column("closed_at", TIME, nullable=True),
        sa.Column("closed_by", sa.String(length=200), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_tasks")),
    )
    op.create_index(op.f("ix_report_tasks_changed_version"), "report_tasks", ["changed_version"], unique=False)
    op.create_index(
        op.f("ix_report_tasks_integration_id_row_key"), "report_tasks", ["integration_id", "row_key"], unique=False
    )
    op.create_index(op.f("ix_report_tasks_state"), "report_tasks", ["state"], unique=False)


def _stock() -> None:
    op.create_table(
        "stock_spans",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("facility", sa.String(length=200), nullable=False),
        sa.Column("item", sa.String(length=200), nullable=False),
        sa.Column("program", sa.String(length=200), nullable=False),
        sa.Column("units", sa.Double(), nullable=False),
        sa.Column("from_on", sa.String(length=10), nullable=False),
        sa.Column("until_on", sa.String(length=10), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_spans")),
    )
    op.create_index(
        op.f("ix_stock_spans_integration_id_facility"),
        "stock_spans",
        ["integration_id", "facility", "item", "from_on"],
        unique=False,
    )
    op.create_index(op.f("ix_stock_spans_until_on"), "stock_spans", ["until_on"], unique=False)
    op.create_table(
        "stock_looks",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("read_at", TIME, nullable=False),
        sa.Column("looked_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_looks")),
        sa.UniqueConstraint("integration_id", "day", name=op.f("uq_stock_looks_integration_id_day")),
    )

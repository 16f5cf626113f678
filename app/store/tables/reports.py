"""Government reports: who owes which, what they say and why, how far they are, and every attempt to send them.

A report belongs to one programme, facility and period (docs/reports.md). Its figures are named as in
:mod:`app.reports.figures`; what was filled from evidence and what a person entered stand apart, and neither overwrites
the other. Days are ISO texts, quantities are units.
"""

from sqlalchemy import JSON, Boolean, Double, Index, Integer, String, Text, UniqueConstraint

from app.store.columns import Base, column, optional
from app.store.types import Key, UtcDateTime


class ReportProgramme(Base):
    """What is asked of one programme of one supply system. ``program`` is its peer id, "" for all items alike.

    ``rhythm``: monthly, bimonthly, quarterly; ``first_month`` is a month in which a period begins. ``reports_to``
    is the integration that takes them, "" for none; ``name_there`` the programme's name with it.
    """

    __tablename__ = "report_programmes"

    id = column(String(36), primary_key=True)
    integration_id = column(String(36))
    program = column(String(200), default="")
    name = column(String(300))
    is_on = column(Boolean)
    rhythm = column(String(12))
    first_month = column(Integer)
    due_days = column(Integer)
    holidays = column(JSON)  # ISO days on which nobody works
    starts_on = column(String(10))
    tolerance_units = column(Double)
    min_months = column(Double)
    max_months = column(Double)
    amc_months = column(Integer)
    expiry_days = column(Integer)
    reports_to = column(String(36), default="")
    name_there = column(String(300), default="")
    changed_version = column(Key, index=True, default=0)

    __table_args__ = (UniqueConstraint("integration_id", "program"),)


class ReportFacility(Base):
    """A facility is expected to report for a programme, from a day on and, where it ended, until one."""

    __tablename__ = "report_facilities"

    programme_id = column(String(36), primary_key=True)
    facility = column(String(200), primary_key=True)  # its peer id at the programme's integration
    since_on = column(String(10))
    until_on = optional(String(10))
    changed_version = column(Key, index=True, default=0)


class ReportRow(Base):
    """One report. Received from the facility, sent, and accepted are three facts with a time each.

    ``submission`` counts what came from the facility (0: nothing yet). ``is_complete``, ``lines``, ``lines_filled``
    and ``lines_balanced`` follow from the lines. ``sent_how``: ``call`` or ``export``; ``is_doubtful``: the answer to
    the last sending was lost.
    """

    __tablename__ = "reports"

    id = column(String(36), primary_key=True)
    programme_id = column(String(36))
    facility = column(String(200))
    starts_on = column(String(10))
    ends_on = column(String(10))
    due_on = column(String(10))
    filled_at = optional(UtcDateTime)
    submission = column(Integer, default=0)
    received_at = optional(UtcDateTime)  # of the submission that counts
    first_received_at = optional(UtcDateTime)
    received_from = column(String(200), default="")
    sent_at = optional(UtcDateTime)
    sent_how = column(String(8), default="")
    is_doubtful = column(Boolean, default=False)
    accepted_at = optional(UtcDateTime)
    rejected_at = optional(UtcDateTime)
    answer = column(Text, default="")
    excused_at = optional(UtcDateTime)
    excused_by = column(String(200), default="")
    excuse = column(Text, default="")
    lines = column(Integer, default=0)
    lines_filled = column(Integer, default=0)
    lines_checkable = column(Integer, default=0)
    lines_balanced = column(Integer, default=0)
    changed_version = column(Key, index=True, default=0)

    __table_args__ = (
        UniqueConstraint("programme_id", "facility", "starts_on"),
        Index("ix_reports_starts_on", "starts_on"),
    )


class ReportLine(Base):
    """One item of a report. ``filled`` and ``entered`` are {figure: value}; ``gaps`` {figure: [code, why]} says why a
    figure is empty, ``notes`` {figure: what must be known about it}. ``closing_units``, ``months`` and
    ``stock_class`` follow from them, for the indicators.
    """

    __tablename__ = "report_lines"

    id = column(String(36), primary_key=True)
    report_id = column(String(36))
    item = column(String(200))
    item_code = column(String(100), default="")
    item_name = column(String(300), default="")
    unit = column(String(60), default="")
    pack_size = column(Double)
    filled = column(JSON)
    entered = column(JSON)
    gaps = column(JSON)
    notes = column(JSON)
    remarks = column(Text, default="")
    closing_units = optional(Double)
    months = optional(Double)
    stock_class = column(String(12), default="unknown")
    changed_version = column(Key, index=True, default=0)

    __table_args__ = (UniqueConstraint("report_id", "item"),)


class ReportSource(Base):
    """What one filled figure was made from. ``read_at``: when the peer told it; None where it is our own record."""

    __tablename__ = "report_sources"

    id = column(Key, primary_key=True, autoincrement=True)
    line_id = column(String(36), index=True)
    figure = column(String(24))
    record = column(String(24))  # stock_line, stock_span, shipment_line, requisition_line, report_line
    record_id = column(String(64))
    label = column(String(400))
    value = column(Double)
    day = column(String(10), default="")  # of what it tells
    read_at = optional(UtcDateTime)


class ReportSubmission(Base):
    """A report as it came, the first time and each time it was corrected. ``lines`` are its figures then."""

    __tablename__ = "report_submissions"

    id = column(String(36), primary_key=True)
    report_id = column(String(36), index=True)
    number = column(Integer)
    received_at = column(UtcDateTime)
    received_from = column(String(200))
    noted_by = column(String(200))
    noted_at = column(UtcDateTime)
    comment = column(Text, default="")
    lines = column(JSON)


class ReportRun(Base):
    """One attempt to send stock to a peer that takes reports, or a dry run that only shows it.

    ``report_id`` is None where a run tells the stock of all programmes that go there. ``state``: waiting, running,
    accepted, partly, refused, failed, doubtful, held, nothing; of a dry run: shown.
    """

    __tablename__ = "report_runs"

    id = column(String(36), primary_key=True)
    integration_id = column(String(36), index=True)
    report_id = optional(String(36), index=True)
    is_dry = column(Boolean)
    trigger = column(String(12))  # operator, schedule
    state = column(String(12), index=True)
    detail = column(Text, default="")
    progress = column(JSON)
    approval_code = column(String(40), default="")
    stores = column(JSON)  # [{store, outcome, detail, accepted, refused, unconfirmed, unsent}]
    rows = column(Integer, default=0)
    accepted = column(Integer, default=0)
    refused = column(Integer, default=0)
    held_back = column(Integer, default=0)
    unsent = column(Integer, default=0)
    skipped = column(Integer, default=0)  # unchanged since they were accepted today
    created_at = column(UtcDateTime)
    created_by = column(String(200))
    started_at = optional(UtcDateTime)
    ended_at = optional(UtcDateTime)
    changed_version = column(Key, index=True, default=0)


class ReportMessage(Base):
    """One request of a run. A dry run keeps it to the byte (the secret is blanked), a run its hash and its answer."""

    __tablename__ = "report_messages"

    id = column(Key, primary_key=True, autoincrement=True)
    run_id = column(String(36), index=True)
    step = column(String(24))
    store = column(String(200))
    method = column(String(16), default="")
    url = column(Text, default="")
    headers = column(JSON)
    body = column(Text, default="")
    digest = column(String(64))
    records = column(Integer)
    sent_ms = optional(Key)
    took_ms = optional(Key)
    status = optional(Integer)
    answer = column(Text, default="")


class ReportRunRow(Base):
    """One stock line of a run and what became of it: accepted, refused, unconfirmed, held, unsent, skipped."""

    __tablename__ = "report_run_rows"

    id = column(Key, primary_key=True, autoincrement=True)
    run_id = column(String(36), index=True)
    integration_id = column(String(36))
    row_key = column(String(64))
    row_hash = column(String(32))
    day = column(String(10))
    outcome = column(String(12))
    subject = column(String(400))
    why = column(Text, default="")

    __table_args__ = (Index("ix_report_run_rows_integration_id_day", "integration_id", "day", "outcome"),)


class ReportTask(Base):
    """Something about a report that a person has to mend. One stays one task however often it comes again."""

    __tablename__ = "report_tasks"

    id = column(String(36), primary_key=True)
    integration_id = column(String(36))
    report_id = optional(String(36))
    run_id = column(String(36), default="")
    kind = column(String(12))  # refused, held
    row_key = column(String(64))
    subject = column(String(400))
    why = column(Text)
    times = column(Integer)
    state = column(String(12), index=True)  # open, done, dismissed
    opened_at = column(UtcDateTime)
    last_at = column(UtcDateTime)
    closed_at = optional(UtcDateTime)
    closed_by = column(String(200), default="")
    comment = column(Text, default="")
    changed_version = column(Key, index=True, default=0)

    __table_args__ = (Index("ix_report_tasks_integration_id_row_key", "integration_id", "row_key"),)


class StockSpan(Base):
    """A facility held this much of an item from one day to another; ``until_on`` None: still, as far as was looked.

    Written once a day from the stock lines and only where a quantity changed. Days on which nobody looked are those
    without a :class:`StockLook`.
    """

    __tablename__ = "stock_spans"

    id = column(Key, primary_key=True, autoincrement=True)
    integration_id = column(String(36))
    facility = column(String(200))
    item = column(String(200))
    program = column(String(200), default="")
    units = column(Double)
    from_on = column(String(10))
    until_on = optional(String(10))

    __table_args__ = (
        Index("ix_stock_spans_integration_id_facility", "integration_id", "facility", "item", "from_on"),
        Index("ix_stock_spans_until_on", "until_on"),
    )


class StockLook(Base):
    """On this day the stock of one integration was looked at; ``read_at`` is when the peer had told it."""

    __tablename__ = "stock_looks"

    id = column(Key, primary_key=True, autoincrement=True)
    integration_id = column(String(36))
    day = column(String(10))
    read_at = column(UtcDateTime)
    looked_at = column(UtcDateTime)

    __table_args__ = (UniqueConstraint("integration_id", "day"),)

"""A damaged store file: set aside untouched, and everything that can still be read carried into a fresh store.

Only the holder of the engine lock may call this. Small tables are read first and telemetry from the newest row to
the oldest, so that what the time limit costs is the oldest telemetry.
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sqlalchemy import URL, Connection, func, insert, select, update

from app.clock import utc_now
from app.platform import sync_folder
from app.store import migrate, rawfile
from app.store.changes import TOPICS, raise_topic
from app.store.columns import Base
from app.store.connect import damage_marker, write_engine
from app.store.errors import StoreDamaged, StoreLocked, StoreTooNew, StoreUnreachable, translate
from app.store.facts import DEVICE_STATES_UPTO, clear_fact, set_fact
from app.store.logs import append_log
from app.store.revision import HEAD
from app.store.salvage import Damaged, RowCheck, forget_orphans, replant_header
from app.store.tables import Change, DeviceEventRow, DeviceState, PositionRow, Problem, RawFrameRow

FACT = "recovery"
"""The fact that a recovery leaves: ``at``, ``damaged`` (path), ``rows`` per table, ``incomplete``, ``in_time``."""
BUDGET_S = 120.0
"""The longest that reading a damaged file may take."""

_CHECK_S = 0.15  # of every start, for a look at the file; damage deeper down is met in use and leaves a marker
_CHUNK = 1_000
_TRIES = 3
_EVIDENCE = (RawFrameRow.id, PositionRow.id)
_LAST = ("integration_logs", "device_events", "positions", "raw_frames")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recovery:
    """``damaged`` is the file set aside; ``rows`` what was carried over; ``incomplete`` the tables with losses."""

    damaged: Path
    rows: dict[str, int]
    incomplete: tuple[str, ...]
    in_time: bool


def is_damaged(path: Path) -> bool:
    """Whether the file must be recovered before it can be used. A look of a fraction of a second.

    Where damage was met in use (a marker says so) the whole file is checked; a false alarm removes the marker.
    Raises a StoreError where the file cannot be read for another reason.
    """
    marker = damage_marker(path)
    if not path.is_file() or path.stat().st_size == 0:
        marker.unlink(missing_ok=True)
        return False
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5)) as connection:
            if _looks_sound(connection, None if marker.exists() else _CHECK_S):
                marker.unlink(missing_ok=True)
                return False
    except sqlite3.Error as err:
        reason = translate(err, f"The store {path}")
        if not isinstance(reason, StoreDamaged):
            raise reason from err
    return True


def recover(path: Path, *, budget_s: float = BUDGET_S) -> Recovery:
    """Set ``path`` aside and put a fresh store with everything readable in its place.

    The damaged file is only moved and never written. What an open window saves meanwhile is read, too. Raises
    StoreTooNew for a newer program's store, StoreLocked where others write without end, and another StoreError where
    the disk does not allow it; then nothing was changed.
    """
    work = path.with_name(f"recovering-{_stamp()}")
    try:
        recovery = _recover_unchanged(path, work, budget_s)
    except OSError as err:
        raise StoreUnreachable(
            f"The damaged store {path} cannot be recovered ({err}). Free space for a second copy of it, then retry."
        ) from err
    except sqlite3.Error as err:
        raise translate(err, f"The store {path}") from err
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _log.warning("the store was damaged; set aside as %s, recovered: %s", recovery.damaged, recovery.rows)
    return recovery


def finish_swap(path: Path) -> None:
    """Complete or undo a recovery that was cut between its last two steps."""
    recovered = _recovered_name(path)
    if not recovered.exists():
        return
    if path.exists():
        recovered.unlink()
    else:
        recovered.rename(path)
        sync_folder(path.parent)


def set_aside(path: Path) -> Path:
    """Move a store file, with what belongs to it, out of the way; returns its new name."""
    aside = _aside_name(path)
    _move(path, aside)
    damage_marker(path).unlink(missing_ok=True)
    sync_folder(path.parent)
    return aside


def _looks_sound(connection: sqlite3.Connection, budget_s: float | None) -> bool:
    """SQLite's quick check, for at most ``budget_s`` seconds; what was seen until then must be in order."""
    watch = threading.Timer(budget_s or 0, connection.interrupt)
    if budget_s is not None:
        watch.start()
    try:
        return [row[0] for row in connection.execute("PRAGMA quick_check(1)")] == ["ok"]
    except sqlite3.OperationalError as err:
        if err.sqlite_errorname == "SQLITE_INTERRUPT":
            return True
        raise
    finally:
        if budget_s is not None:
            watch.cancel()
            watch.join()  # never interrupts a connection that is closed by then


def _recover_unchanged(path: Path, work: Path, budget_s: float) -> Recovery:
    for _ in range(_TRIES):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        recovery = _recover(path, work, budget_s)
        if recovery is not None:
            return recovery
    raise StoreLocked(
        f"The store {path} is damaged, and other windows go on writing to it. Close them, so that it can be recovered."
    )


def _recover(path: Path, work: Path, budget_s: float) -> Recovery | None:
    """None, with nothing changed, where the file was written to while it was read."""
    before = _last_written(path)
    copy, fresh = work / "copy.db", work / "fresh.db"
    for suffix in ("", "-wal"):
        if Path(f"{path}{suffix}").exists():
            shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
    with _fresh_store(fresh, HEAD):
        pass
    deadline_s = time.monotonic() + budget_s
    with closing(_readable(copy, fresh, deadline_s)) as damaged:
        revision = damaged.revision() or HEAD
        if revision > HEAD:
            raise StoreTooNew(
                f"The store {path} is damaged and was written by a newer program (revision {revision}, this one knows "
                f"{HEAD}). Install the newer version, which recovers it; nothing was changed."
            )
        if revision < HEAD:
            fresh.unlink()
        with _fresh_store(fresh, revision) as target:
            rows, holes = _carry_over(damaged, target)
        in_time = not damaged.out_of_time
    recovery = Recovery(_aside_name(path), rows, tuple(holes), in_time)
    _note(fresh, work, recovery)
    if _last_written(path) != before:
        return None
    _swap(fresh, path, recovery.damaged)
    return recovery


def _last_written(path: Path) -> list[tuple[int, int]]:
    """Size and time of the file and of its log, which change with every commit."""
    found = [file.stat() for suffix in ("", "-wal") if (file := Path(f"{path}{suffix}")).exists()]
    return [(facts.st_size, facts.st_mtime_ns) for facts in found if facts.st_size]


@contextmanager
def _fresh_store(file: Path, revision: str) -> Iterator[sqlite3.Connection]:
    if not file.exists():
        engine = write_engine(URL.create("sqlite", database=str(file)))
        try:
            migrate.create_at(engine, revision)
        finally:
            engine.dispose()
    with rawfile.opened(file) as connection:
        yield connection


def _readable(copy: Path, fresh: Path, deadline_s: float) -> Damaged:
    """The copy, with its first page replaced where nothing is readable without."""
    damaged = Damaged(copy, deadline_s)
    for whole_page in (False, True):
        if "integrations" in damaged.table_names():
            break
        damaged.close()
        replant_header(copy, fresh, whole_page=whole_page)
        damaged = Damaged(copy, deadline_s)
    return damaged


def _carry_over(damaged: Damaged, target: sqlite3.Connection) -> tuple[dict[str, int], list[str]]:
    """Copies every readable row; returns how many each table has now, and the tables with losses."""
    holes: list[str] = []
    wanted = [name for name in rawfile.table_names(target) if name != "alembic_version"]
    readable = set(damaged.table_names())
    holes += [name for name in wanted if name not in readable]
    target.execute("PRAGMA foreign_keys=OFF")
    target.execute("PRAGMA synchronous=OFF")  # made durable as a whole, before it takes its name
    target.execute("BEGIN IMMEDIATE")
    for table in sorted((name for name in wanted if name in readable), key=lambda name: (name in _LAST, name)):
        _carry_table(damaged, target, table, holes)
    forget_orphans(target)
    target.execute("COMMIT")
    counts = {
        name: int(target.execute(f"SELECT count(*) FROM {rawfile.quoted(name)}").fetchone()[0])  # noqa: S608
        for name in wanted
    }
    return counts, sorted(set(holes))


def _carry_table(damaged: Damaged, target: sqlite3.Connection, table: str, holes: list[str]) -> None:
    columns = rawfile.column_names(target, table)
    fits = RowCheck(target, table, columns)
    names = ", ".join(rawfile.quoted(name) for name in columns)
    marks = ", ".join("?" * len(columns))
    statement = f"INSERT OR IGNORE INTO {rawfile.quoted(table)} ({names}) VALUES ({marks})"  # noqa: S608
    rows = damaged.rows(table, columns, holes)
    while chunk := list(islice(rows, _CHUNK)):
        good = [row for row in chunk if fits(row)]
        if len(good) < len(chunk):
            holes.append(table)
        target.executemany(statement, good)


def _note(fresh: Path, work: Path, recovery: Recovery) -> None:
    """Bring the fresh store to the present revision and say in it what happened."""
    url = URL.create("sqlite", database=str(fresh.absolute()))
    migrate.upgrade(url.render_as_string(), work)
    engine = write_engine(url)
    try:
        with engine.begin() as connection:
            _move_topics_on(connection)
            _cut_loose_ends(connection)
            fact = {
                "at": utc_now().isoformat(timespec="seconds"),
                "damaged": str(recovery.damaged),
                "rows": recovery.rows,
                "incomplete": list(recovery.incomplete),
                "in_time": recovery.in_time,
            }
            set_fact(connection, FACT, fact)
            text = describe(recovery)
            append_log(connection, event_type="store_recovered", text=text, payload=fact)
            problem = insert(Problem).values(
                problem_key=f"store_recovered:{recovery.damaged.name}",
                title="The store was damaged and has been recovered",
                detail=text,
                fix="noted",
                since=utc_now(),
                changed_version=raise_topic(connection, "problems"),
            )
            connection.execute(problem)
    finally:
        engine.dispose()


def describe(recovery: Recovery) -> str:
    """What happened, and what to do, in two or three sentences."""
    total = sum(recovery.rows.values())
    losses = (
        f"Rows are missing in: {', '.join(recovery.incomplete)}." if recovery.incomplete else "No row is known missing."
    )
    late = "" if recovery.in_time else " Reading took too long, so the oldest telemetry was left behind."
    return (
        f"The store file was damaged. {total} rows were carried into a new one. {losses}{late} "
        f"The damaged file is kept as {recovery.damaged}. Check the disk; if too much is missing, restore a backup."
    )


def _move_topics_on(connection: Connection) -> None:
    """Every topic beyond any version that a recovered row carries."""
    columns = [table.c.changed_version for table in Base.metadata.sorted_tables if "changed_version" in table.c]
    newest = max((connection.execute(select(func.max(column))).scalar() or 0) for column in columns)
    for topic in sorted(TOPICS):
        version = raise_topic(connection, topic)
        connection.execute(update(Change).where(Change.topic == topic).values(version=max(version, newest + 1)))


def _cut_loose_ends(connection: Connection) -> None:
    """Ids of lost rows are given again: nothing may lead to them. Live states are derived anew from what is left."""
    frames, positions = (func.coalesce(select(func.max(column)).scalar_subquery(), 0) for column in _EVIDENCE)
    for table, column, newest in (
        (PositionRow, "raw_frame_id", frames),
        (DeviceEventRow, "raw_frame_id", frames),
        (DeviceState, "raw_frame_id", frames),
        (DeviceState, "position_id", positions),
    ):
        connection.execute(update(table).where(table.__table__.c[column] > newest).values({column: None}))
    clear_fact(connection, DEVICE_STATES_UPTO)


def _swap(fresh: Path, path: Path, aside: Path) -> None:
    """The recovered file gets a name beside the store before the damaged one is moved, so no step loses both."""
    with rawfile.opened(fresh) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    rawfile.make_durable(fresh)
    recovered = _recovered_name(path)
    fresh.replace(recovered)
    sync_folder(path.parent)
    _move(path, aside)
    recovered.rename(path)
    damage_marker(path).unlink(missing_ok=True)
    sync_folder(path.parent)


def _move(path: Path, aside: Path) -> None:
    # The log first: a damaged file that has lost its log would look older, one without its file is never opened.
    for suffix in ("-wal", "-shm", ""):
        if Path(f"{path}{suffix}").exists():
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")


def _recovered_name(path: Path) -> Path:
    return path.with_name(path.name + ".recovered")


def _aside_name(path: Path) -> Path:
    return path.with_name(f"{path.stem}.damaged-{_stamp()}{path.suffix}")


def _stamp() -> str:
    return f"{utc_now():%Y%m%dT%H%M%S%fZ}"

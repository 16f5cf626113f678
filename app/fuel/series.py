"""Readings of one tank as arrays, and how they are read from a file of comma separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.fuel.arrays import Floats
from app.fuel.errors import FuelError

Flags = NDArray[np.int8]

_COLUMNS = {
    "time": "time_s",
    "level_raw": "raw",
    "speed_km_h": "speed_km_h",
    "ignition": "ignition",
    "lat": "lat",
    "lon": "lon",
    "temperature_c": "temperature_c",
}
_LARGEST_BYTES = 1_000_000_000
_ISO = len("2026-03-02T00:00:00")


@dataclass(frozen=True, slots=True)
class Samples:
    """Arrays of one length. ``time_s`` is Unix time and rises; NaN stands for what is not known.

    ``ignition`` is 1 on, 0 off, -1 unknown.
    """

    time_s: Floats
    raw: Floats
    speed_km_h: Floats
    ignition: Flags
    lat: Floats
    lon: Floats
    temperature_c: Floats

    def __len__(self) -> int:
        return len(self.time_s)

    def part(self, which: slice | NDArray[np.bool_] | NDArray[np.intp]) -> Samples:
        """Some of them."""
        return Samples(**{field.name: getattr(self, field.name)[which] for field in fields(self)})

    def followed_by(self, later: Samples) -> Samples:
        """Both, in the order of their times; of equal times the first stays."""
        return make_samples(
            **{
                field.name: np.concatenate((getattr(self, field.name), getattr(later, field.name)))
                for field in fields(self)
            }
        )


def make_samples(
    time_s: Floats,
    raw: Floats,
    speed_km_h: Floats | None = None,
    ignition: Flags | None = None,
    lat: Floats | None = None,
    lon: Floats | None = None,
    temperature_c: Floats | None = None,
) -> Samples:
    """Samples in the order of their times. Times that are no numbers are left out, of equal ones the first stays."""
    count = len(time_s)
    nothing = np.full(count, np.nan)
    columns = {
        "time_s": time_s,
        "raw": raw,
        "speed_km_h": nothing if speed_km_h is None else speed_km_h,
        "ignition": np.full(count, -1, dtype=np.int8) if ignition is None else ignition.astype(np.int8),
        "lat": nothing if lat is None else lat,
        "lon": nothing if lon is None else lon,
        "temperature_c": nothing if temperature_c is None else temperature_c,
    }
    samples = Samples(**columns)  # type: ignore[arg-type]
    if count and (not np.isfinite(time_s).all() or (np.diff(time_s) <= 0).any()):
        order = np.argsort(time_s, kind="stable")
        order = order[np.isfinite(time_s[order])]
        rising = time_s[order]
        samples = samples.part(order[np.append(True, np.diff(rising) > 0)] if len(order) else order)
    return samples


def samples_from_csv(path: Path) -> Samples:
    """Read ``time`` and ``level_raw``, and where they are there speed, ignition, place and temperature.

    Times are ISO 8601 or Unix seconds; separators are ``,`` ``;`` or tab; decimal commas are read where the separator
    is another. Raises FuelError naming the file, the line and what to change.
    """
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise FuelError(f"{path.name} is larger than 1 GB. Split it by month.")
        data = path.read_bytes()
    except OSError as err:
        raise FuelError(f"{path.name} cannot be read: {err.strerror}.") from err
    head, _, body = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").partition(b"\n")
    if b"\x00" in head or not head.isascii():
        raise FuelError(
            f"{path.name} is not a text file whose first line names its columns: time, level_raw and others."
        )
    separator = max(b",;\t".decode(), key=head.decode().count)
    names = [name.strip().strip('"').lower() for name in head.decode().split(separator)]
    for needed in ("time", "level_raw"):
        if needed not in names:
            raise FuelError(f"{path.name} has no column “{needed}”. Its first line must name the columns.")
    arrays = _read_quickly(body, separator, names)
    if arrays is None:
        columns = _split_carefully(body, separator, len(names), path.name)
        arrays = _read_carefully(dict(zip(names, columns, strict=True)), path.name)
    return _made(arrays, path.name)


def _read_quickly(body: bytes, separator: str, names: list[str]) -> dict[str, Floats] | None:
    """Arrays of a file whose first column are times like 2026-03-02T08:00:00Z; None for any that is not so plain."""
    mark = separator.encode()
    if names[0] != "time" or b'"' in body or b"#" in body or len(set(names)) != len(names):
        return None
    if not body.endswith(b"\n"):
        body += b"\n"
    codes = np.frombuffer(body, dtype=np.uint8)
    starts = np.append(0, np.flatnonzero(codes == 0x0A)[:-1] + 1)
    if len(codes) < starts[-1] + _ISO + 2:
        return None
    times = _iso_times(codes[starts[:, None] + np.arange(_ISO + 1)])
    wanted = [at for at, name in enumerate(names) if name in _COLUMNS and name != "time"]
    if times is None:
        return None
    if mark + mark in body or mark + b"\n" in body:
        body = body.replace(mark + mark, mark + b"nan" + mark).replace(mark + mark, mark + b"nan" + mark)
        body = body.replace(mark + b"\n", mark + b"nan\n")
    try:
        numbers = np.loadtxt(io.BytesIO(body), delimiter=separator, usecols=wanted, ndmin=2, comments=None)
    except ValueError:
        return None
    if len(numbers) != len(times):
        return None
    return {"time_s": times} | {_COLUMNS[names[at]]: numbers[:, column] for column, at in enumerate(wanted)}


def _split_carefully(body: bytes, separator: str, width: int, name: str) -> list[Sequence[bytes]]:
    text = body.decode("utf-8", errors="replace")
    rows: list[list[bytes]] = []
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text), delimiter=separator), start=2):
            if not any(cell.strip() for cell in row):
                continue
            if len(row) > width:
                raise FuelError(f"{name}, line {number}: there are {len(row)} values, the first line names {width}.")
            rows.append([cell.strip().encode() for cell in row] + [b""] * (width - len(row)))
    except csv.Error as err:
        raise FuelError(f"{name} cannot be read as columns: {err}.") from err
    return [[row[at] for row in rows] for at in range(width)]


def _read_carefully(columns: dict[str, Sequence[bytes]], name: str) -> dict[str, Floats]:
    arrays: dict[str, Floats] = {"time_s": _times(columns["time"], name)}
    for column, field in _COLUMNS.items():
        if column != "time" and column in columns:
            arrays[field] = _numbers(columns[column], column, name)
    return arrays


def _made(arrays: dict[str, Floats], name: str) -> Samples:
    ignition = arrays.pop("ignition", None)
    flags = None if ignition is None else np.where(np.isnan(ignition), -1, ignition > 0).astype(np.int8)
    samples = make_samples(**arrays, ignition=flags)
    if not len(samples):
        raise FuelError(f"{name} holds no samples.")
    return samples


def _numbers(cells: Sequence[bytes], column: str, name: str) -> Floats:
    numbers = np.empty(len(cells))
    for at, cell in enumerate(cells):
        try:
            numbers[at] = float(cell.replace(b",", b".") or b"nan")
        except ValueError:
            shown = cell.decode("utf-8", "replace")[:40]
            raise FuelError(f"{name}, line {at + 2}, column {column}: “{shown}” is not a number.") from None
    return numbers


def _times(cells: Sequence[bytes], name: str) -> Floats:
    times = np.empty(len(cells))
    for at, cell in enumerate(cells):
        times[at] = _one_time(cell.decode("utf-8", "replace").strip(), at + 2, name)
    return times


def _iso_times(codes: NDArray[np.uint8]) -> Floats | None:
    """Unix seconds of rows of 20 bytes ``YYYY-MM-DDTHH:MM:SSZ``; None when one of them is anything else."""
    if not ((codes[:, 4] == 0x2D) & (codes[:, 13] == 0x3A) & (codes[:, _ISO] == 0x5A)).all():
        return None
    pairs = codes[:, [0, 2, 5, 8, 11, 14, 17, 1, 3, 6, 9, 12, 15, 18]] - np.uint8(0x30)
    if (pairs > 9).any():
        return None
    century, year, month, day, hour, minute, second = (pairs[:, :7] * np.int32(10) + pairs[:, 7:]).T.astype(np.int64)
    if (month < 1).any() or (month > 12).any():
        return None
    months = ((century * 100 + year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]").astype(np.int64) + day - 1
    seconds: Floats = (days * 86_400 + hour * 3_600 + minute * 60 + second).astype(np.float64)
    return seconds


def _one_time(text: str, line: int, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise FuelError(
            f"{name}, line {line}: “{text[:40]}” is not a time. Use 2026-03-02T08:00:00Z or Unix seconds."
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

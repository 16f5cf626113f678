"""What a decoded frame holds, as typed dictionaries with the field names of the protocol's test vectors.

One dictionary serves the decode command, the field-by-field explanation and the translation into records. Its names
are a contract; only ``time_ms`` is ours and is shown as ``time`` in ISO 8601. Units: degrees, km/h, volts, metres,
degrees Celsius; levels, mileage and ``fuel`` are raw numbers whose unit depends on the model.
"""

from __future__ import annotations

from typing import TypedDict


class Cell(TypedDict):
    """A serving cell of the mobile network."""

    mcc: int
    mnc: int
    lac: int
    cell_id: int


class NeighbourCell(TypedDict):
    """One line of a cells-only report."""

    lac: int
    cell_id: int
    rssi_raw: int


class FrameFields(TypedDict, total=False):
    """Fields of one GT02 or GT06 frame; which ones are present depends on protocol and type."""

    protocol: str
    start: str
    length: int
    type: str
    length_ok: bool
    serial: int
    crc_ok: bool
    kind: str
    ack: str | None
    ack_optional: str
    error: str

    imei: str
    type_code: str
    tz_offset_minutes: int
    language: int

    time_ms: int | None
    lat: float
    lon: float
    speed_kmh: int
    course: int
    located: bool
    north: bool
    east: bool
    west: bool
    differential: bool
    course_status: int
    satellites: int | None
    gps_info_length: int
    acc_from_course_bits: bool
    altitude_m: int
    accuracy: float
    mileage: int

    reserved_header: str
    reserved: str
    flags: int
    sos: bool
    forced_power_off: bool
    locate_status: int | None
    snr: list[int]
    trailing: str
    satellite_count_inconsistent: bool
    content: str

    power_level: int
    gsm_level: int
    voltage_level: int
    battery_v: float
    external_v: float
    voltage_v: float
    battery_percent: int
    mode: int
    temperature_c: float
    humidity: float
    fuel: float
    oil_raw: int

    terminal_info: int
    oil_cut: bool
    gps_tracking: bool
    alarm_bits: int
    charging: bool
    acc: bool
    defence: bool
    alarm: int
    alarm_name: str | None
    fence: int
    rfid_raw: str
    card_text: str

    cell: Cell
    lbs_length: int
    mcc: int
    mnc: int
    cells: list[NeighbourCell]
    upload_mode: int
    reupload: bool

    declared_text_length: int
    server_flag: str
    encoding: int
    text: str
    phone: str

    subtype: str | None
    door_open: bool
    trigger_high: bool
    io_high: bool
    network: int
    imsi_hex: str
    iccid: str
    device_code: int
    data: str
    payload: str
    extra: str

"""Which ports there are, and by what they are known again."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.bench import PortInfo
from adapters.errors import NotReady, SettingsInvalid
from adapters.fuel_monitoring.ports import canonical, id_of, list_ports, locate
from tests.adapters.fuel_monitoring.lines import Entry, PortList, usb

RECORDED = PortList(
    Entry("/dev/ttyS0"),
    Entry("/dev/ttyUSB1", "USB Serial", 0x1A86, 0x7523, None, "3-2", None),
    usb("/dev/ttyUSB0"),
    Entry("/dev/ttyACM0", "CANable 2", 0xAD50, 0x60C4, "206A3572", "1-4", "Protofusion Labs"),
)


def test_usb_adapters_stand_first_and_say_what_they_are() -> None:
    found = list_ports(RECORDED)
    assert [one.path for one in found] == ["/dev/ttyACM0", "/dev/ttyUSB0", "/dev/ttyUSB1", "/dev/ttyS0"]
    assert found[0] == PortInfo("/dev/ttyACM0", "CANable 2, Protofusion Labs", "usb:AD50:60C4:206A3572")
    assert found[1].hardware_id == "usb:0403:6001:A50285BI"
    assert found[2].hardware_id == "usb:1A86:7523@3-2", "without a serial number by its socket"
    assert found[3].description == "Serial port"
    assert found[3].hardware_id == ""


def test_adapters_with_one_serial_number_are_told_apart_by_their_sockets() -> None:
    twins = PortList(usb("/dev/ttyUSB0", "0001", "1-1"), usb("/dev/ttyUSB1", "0001", "1-2"))
    ids = {one.hardware_id: one.path for one in list_ports(twins)}
    assert ids == {"usb:0403:6001@1-1": "/dev/ttyUSB0", "usb:0403:6001@1-2": "/dev/ttyUSB1"}


def test_who_has_a_port_open_is_told() -> None:
    found = list_ports(RECORDED, lambda path: "minicom (process 7)" if path == "/dev/ttyUSB0" else "")
    assert [one.in_use_by for one in found if one.path == "/dev/ttyUSB0"] == ["minicom (process 7)"]


def test_an_adapter_is_found_by_its_id_wherever_it_is() -> None:
    before = list_ports(PortList(usb("/dev/ttyUSB0")))
    known_by = id_of("/dev/ttyUSB0", before)
    after = list_ports(PortList(usb("/dev/ttyUSB5")))
    assert locate(known_by, after) == "/dev/ttyUSB5"
    assert canonical("/dev/ttyUSB5", after) == known_by == canonical(known_by, after)
    with pytest.raises(NotReady, match=r"not plugged in\. Plugged in now: /dev/ttyS0"):
        locate(known_by, list_ports(PortList(Entry("/dev/ttyS0"))))
    with pytest.raises(NotReady, match="No serial port is plugged in"):
        locate(known_by, [])


def test_links_lead_to_the_same_port(tmp_path: Path) -> None:
    real = tmp_path / "ttyUSB0"
    real.touch()
    link = tmp_path / "by-id"
    link.symlink_to(real)
    listed = list_ports(PortList(usb(real)))
    assert id_of(str(link), listed) == "usb:0403:6001:A50285BI"
    assert canonical(str(link), []) == canonical(str(real), [])


@pytest.mark.parametrize("url", ["socket://host", "socket://", "rfc2217://host:port", "socket://host:0"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="://host:4001"):
        locate(url, [])


def test_addresses_and_typed_paths_are_left_as_they_are() -> None:
    assert locate("socket://10.0.0.7:4001", []) == "socket://10.0.0.7:4001"
    assert locate("/dev/whatever", []) == "/dev/whatever"

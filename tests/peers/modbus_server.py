#!/usr/bin/env python3
"""Modbus units for tests, served by pymodbus (3.16) over TCP or a serial port.

    modbus_server.py --port 0              # prints "ready 40123" when it listens on 127.0.0.1
    modbus_server.py --serial /dev/pts/3   # prints "ready /dev/pts/3"; --baud 9600 unless given

Units: 1 EBYTE ME31 (8 inputs, 8 pulse counters), 2 SDM120 energy meter, 3 DDSU666 energy meter, 4 ADAM-6050,
5 a shoe-cover machine with registers of its own:
    discrete 0 power, 1 jam, 2 low, 3 lid open
    holding  0 state (0 ready, 1 running, 2 jam, 3 empty, 4 heater fault), 1 covers dispensed (16 bits), 2 covers left,
             3-4 covers dispensed (32 bits, high word first), 10 fault bits, 11 motor temperature in 0.1 degrees C

Commands on stdin, one a line; each is answered with "ok" or "error ..." on stdout:
    unit 5                      the unit that the next commands mean; 1 at first
    set holding 2527 137 ...    values from an address on (coil, discrete, holding, input)
    float input 12 138.4        a 32-bit real number, high word first
    except holding 2527 2       requests that touch the address get this exception code; 0 ends it
    silent on | silent off      the unit answers nothing
    quit
The end of stdin also ends the server.
"""

import argparse
import asyncio
import struct
import sys

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

TABLES = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}


def words(value):
    return list(struct.unpack(">HH", struct.pack(">f", value)))


def at(base, values):
    return {base + offset: value for offset, value in enumerate(values)}


def meter(addresses, values):
    table = {}
    for address, value in zip(addresses, values):
        table.update(at(address, words(value)))
    return table


class Unit:
    """One unit: what stands in its tables, and how it misbehaves."""

    def __init__(self, number, coil=None, discrete=None, holding=None, input=None):
        self.number = number
        self.tables = {"coil": coil or {}, "discrete": discrete or {}, "holding": holding or {}, "input": input or {}}
        self.exceptions = {}
        self.silent = False

    def device(self):
        """The registers for pymodbus: tables without any get one out of the way, as it wants none empty."""
        blocks = []
        for name in TABLES:
            table = self.tables[name]
            bits = name in ("coil", "discrete")
            kind = DataType.BITS if bits else DataType.REGISTERS
            if not table:
                table = {65520: 0}
            blocks.append([SimData(start, values=[bool(v) for v in run] if bits else run, datatype=kind)
                           for start, run in runs(table)])
        return SimDevice(self.number, simdata=tuple(blocks), action=self.act)

    async def act(self, function, _start, address, count, _registers, _values):
        name = next((name for name, code in TABLES.items() if code == function), None)
        for (table, place), code in self.exceptions.items():
            if table == name and address <= place < address + max(count, 1):
                return code
        return None


def runs(table):
    """Neighbouring addresses together, as (first address, values)."""
    found = []
    for address in sorted(table):
        if found and found[-1][0] + len(found[-1][1]) == address:
            found[-1][1].append(table[address])
        else:
            found.append((address, [table[address]]))
    return found


def units():
    mains = (230.1, 0.602, 138.4, 0.998, 50.01, 1234.5)
    kilowatts = (230.1, 0.602, 0.1384, 0.998, 50.01, 1234.5)
    made = [
        Unit(1, discrete=at(0, [1, 0, 1, 0, 0, 0, 0, 0]),
             holding={**at(0x09DF, [137] + [0] * 7), **at(0x0A43, [1] * 8)}),
        Unit(2, input=meter((0x0000, 0x0006, 0x000C, 0x001E, 0x0046, 0x0048), mains)),
        Unit(3, holding=meter((0x2000, 0x2002, 0x2004, 0x200A, 0x200E, 0x4000), kilowatts)),
        Unit(4, coil=at(0, [1] + [0] * 11), holding=at(0, [2, 1] + [0] * 22)),
        Unit(5, discrete=at(0, [1, 0, 0, 0]), holding={**at(0, [0, 137, 363, 0, 137]), **at(10, [0, 315])}),
    ]
    return {unit.number: unit for unit in made}


class Peer:
    """The server and its script."""

    def __init__(self, arguments):
        self.units = units()
        self.unit = 1
        self.arguments = arguments
        self.server = None

    def trace(self, sending, pdu):
        """Silence: pymodbus sends nothing for an empty answer."""
        unit = self.units.get(pdu.dev_id)
        return None if sending and unit is not None and unit.silent else pdu

    async def serve(self):
        devices = [unit.device() for unit in self.units.values()]
        common = {"trace_pdu": self.trace, "ignore_missing_devices": True}
        if self.arguments.serial:
            self.server = ModbusSerialServer(devices, framer=FramerType.RTU, port=self.arguments.serial,
                                             baudrate=self.arguments.baud, **common)
        else:
            self.server = ModbusTcpServer(devices, address=("127.0.0.1", self.arguments.port), **common)
        await self.server.serve_forever(background=True)
        place = self.arguments.serial
        if not place:
            place = self.server.transport.sockets[0].getsockname()[1]
        print(f"ready {place}", flush=True)

    async def command(self, line):
        verb, *rest = line.split()
        if verb == "unit":
            number = int(rest[0], 0)
            if number not in self.units:
                raise ValueError(f"no unit {number}")
            self.unit = number
        elif verb == "set":
            await self.write(rest[0], int(rest[1], 0), [int(value, 0) for value in rest[2:]])
        elif verb == "float":
            await self.write(rest[0], int(rest[1], 0), words(float(rest[2])))
        elif verb == "except":
            place, code = (rest[0], int(rest[1], 0)), int(rest[2], 0)
            self.units[self.unit].exceptions.pop(place, None)
            if code:
                self.units[self.unit].exceptions[place] = ExcCodes(code)
        elif verb == "silent":
            self.units[self.unit].silent = rest[0] == "on"
        else:
            raise ValueError(f"no command {verb}")

    async def write(self, table, address, values):
        if table in ("coil", "discrete"):
            values = [bool(value) for value in values]
        known = self.units[self.unit].tables[table]
        if any(address + offset not in known for offset in range(len(values))):
            raise ValueError(f"unit {self.unit} has no {table} {address} to {address + len(values) - 1}")
        # The exceptions that the script has asked for are for the client's requests only.
        exceptions, self.units[self.unit].exceptions = self.units[self.unit].exceptions, {}
        try:
            await self.server.async_setValues(self.unit, TABLES[table], address, values)
        finally:
            self.units[self.unit].exceptions = exceptions


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int, help="TCP port on 127.0.0.1; 0 takes a free one")
    where.add_argument("--serial", help="serial port to serve RTU on")
    parser.add_argument("--baud", type=int, default=9600)
    peer = Peer(parser.parse_args())
    await peer.serve()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := (await lines.readline()).decode().strip():
        if line == "quit":
            break
        try:
            await peer.command(line)
            print("ok", flush=True)
        except Exception as error:  # a bad script line is the script's business, not the server's
            print(f"error {error}", flush=True)
    await peer.server.shutdown()


asyncio.run(main())

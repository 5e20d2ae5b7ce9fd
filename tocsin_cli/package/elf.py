"""What a compiled module says about itself: for which processor it is, and which glibc it needs.

Read from the file's own bytes, so that a package can be judged on any operating system.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

GLIBC = (2, 34)
"""Of Amazon Linux 2023, which the runtime python3.13 is built on."""
MACHINES = {62: "x86_64", 183: "aarch64"}
"""``e_machine`` by the names that wheels use (``elf.h``)."""

_LITTLE_ENDIAN_64 = b"\x7fELF\x02\x01"
_FOREIGN = {
    b"MZ": "Windows",
    b"\xcf\xfa\xed\xfe": "macOS",
    b"\xfe\xed\xfa\xcf": "macOS",
    b"\xca\xfe\xba\xbe": "macOS",
}


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled file.

    Attributes:
        machine: ``x86_64`` or ``aarch64``; empty where it is for neither.
        problem: Why Lambda cannot load it; empty where it can.
    """

    machine: str
    problem: str = ""


def compiled(data: bytes) -> Compiled:
    """Judge a compiled file by its content."""
    for magic, system in _FOREIGN.items():
        if data.startswith(magic):
            return Compiled("", f"compiled for {system}, not for Linux")
    if not data.startswith(_LITTLE_ENDIAN_64) or len(data) < 20:  # up to and with e_machine
        return Compiled("", "not a 64-bit ELF file, which Linux could load")
    (number,) = struct.unpack_from("<H", data, 18)
    machine = MACHINES.get(number, "")
    if not machine:
        return Compiled("", f"compiled for another processor (ELF machine {number})")
    if b"libc.musl" in data:
        return Compiled(machine, "compiled for musl (Alpine), and Lambda has glibc")
    needed = max(
        ((int(major), int(minor)) for major, minor in re.findall(rb"GLIBC_(\d+)\.(\d+)", data)),
        default=(0, 0),
    )
    if needed > GLIBC:
        return Compiled(
            machine, f"needs glibc {needed[0]}.{needed[1]}, and the runtime has {GLIBC[0]}.{GLIBC[1]}"
        )
    return Compiled(machine)

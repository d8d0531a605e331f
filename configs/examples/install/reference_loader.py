#!/usr/bin/env python3
"""The external loader of the simulated bench, as an ELF file: reference_loader.py FILE RAM ADDRESS

REFERENCE (drivers/simulated/part_external.c): a simulated core does what its entries say; a real core takes them as faults.
For a real board use the .stldr of its memory, for SFIx the one whose name ends in -SFIX (AN5054 3.4).
RAM is where it is linked, ADDRESS where its memory of 1 MiB is; sectors of 4 KiB, pages of 256 bytes.
"""
import struct
import sys

FUNCTIONS = ("Init", "Write", "SectorErase", None, "Read", None)  # enum loader_function

path, ram, address = sys.argv[1], int(sys.argv[2], 0), int(sys.argv[3], 0)
code = b"".join(struct.pack("<HHI", 0xDE40 + i, 0x4770, ram + 8 * len(FUNCTIONS)) for i in range(len(FUNCTIONS)))
storage = struct.pack("<100sHxxIIIBxxx", b"GANGWAY REFERENCE LOADER MX25LM51245G", 7, address, 1 << 20, 256, 0xFF)
storage += struct.pack("<20I", 256, 4096, *[0] * 18)
names, symbols = b"\0", bytes(16)
for name, value, kind in [("StorageInfo", ram + len(code), 1)] + [
        (name, (ram + 8 * i) | 1, 2) for i, name in enumerate(FUNCTIONS) if name]:
    symbols += struct.pack("<IIIBBH", len(names), value, 0, 0x10 | kind, 0, 1)
    names += name.encode() + b"\0"
names += bytes(-len(names) % 4)
at_code = 52 + 32
at_symbols = at_code + len(code) + len(storage)
at_names = at_symbols + len(symbols)
loaded = len(code) + len(storage)
header = struct.pack("<4s5B7xHHIIIIIHHHHHH", b"\x7fELF", 1, 1, 1, 0, 0, 2, 40, 1, 0, 52, at_names + len(names), 0, 52, 32, 1,
                     40, 4, 3)
segment = struct.pack("<8I", 1, at_code, ram, ram, loaded, loaded, 5, 8)
sections = bytes(40)
sections += struct.pack("<10I", 0, 1, 6, ram, at_code, loaded, 0, 0, 8, 0)
sections += struct.pack("<10I", 0, 2, 0, 0, at_symbols, len(symbols), 3, 1, 4, 16)
sections += struct.pack("<10I", 0, 3, 0, 0, at_names, len(names), 0, 0, 1, 0)
with open(path, "wb") as file:
    file.write(header + segment + code + storage + symbols + names + sections)

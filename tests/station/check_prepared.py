#!/usr/bin/env python3
"""Check a preparation of configs/examples/prepare area by area, with none of our C.

usage: check_prepared.py DIRECTORY JSON [--ram BYTES] [--token ADDRESS] [--hash]

DIRECTORY is what the script made, JSON what `gangway sfi open --json` said about the image. The image is opened by
open_sfi.py; every run of bytes must be the file that expected.txt names, the C area the words of ob.csv, every part fit
the RAM, and the JSON must agree with all of it. Exit 0 when all holds.
"""
import argparse
import glob
import hashlib
import json
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from open_sfi import need, open_image, self_test  # noqa: E402

ORDER = "FKMOSEC"


def read(path):
    with open(path, "rb") as file:
        return file.read()


def kcsv(path):
    payload = b""
    for line in open(path):
        if line.strip() and not line.startswith("#"):
            payload += struct.pack("<II", *(int(cell, 0) for cell in line.split(",")))
    return payload


def join(areas):
    """Runs as [type, address, prefix, bytes]: pieces that continue each other become one."""
    runs = []
    for kind, _, address, plain in areas:
        if kind in "PR":
            continue
        prefix, data = (plain[:12], plain[12:]) if kind == "E" else (b"", plain)
        last = runs[-1] if runs else None
        if last and kind in "FE" and last[0] == kind and last[2] == prefix and last[1] + len(last[3]) == address:
            last[3] += data
        else:
            runs.append([kind, address, prefix, data])
    return runs


def check_expected(runs, directory):
    wanted = [line.split() for line in open(directory + "/expected.txt")]
    found = {(run[0], run[1]): run for run in runs}
    need(len(found) == len(runs), "two runs of the same type at the same address")
    for kind, address, name, *numbers in wanted:
        run = found.pop((kind, int(address, 0)), None)
        need(run, "no %s at %s" % (kind, address))
        content = kcsv(directory + "/" + name) if kind == "K" else read(directory + "/" + name)
        need(run[3][:len(content)] == content, "%s at %s is not %s" % (kind, address, name))
        tail = run[3][len(content):]
        need(len(tail) < (32 if kind in "FE" else 1) and set(tail) <= {0xFF}, "tail of %s at %s" % (kind, address))
        if kind == "E":
            need(run[2] == struct.pack("<III", *(int(n, 0) for n in numbers)), "prefix of E at %s" % address)
    options = directory + "/ob.csv"
    if os.path.exists(options):
        words = b"".join(struct.pack("<I", int(line.split(",")[1], 0)) for line in open(options))
        run = found.pop(("C", 0), None)
        need(run and run[3] == words, "C does not hold the words of ob.csv")
    need(not found, "runs nobody asked for: %s" % sorted(found))


def check_order(areas):
    kinds = [ORDER.index(kind) for kind, _, _, _ in areas if kind not in "PR"]
    need(kinds == sorted(kinds), "areas are not in the order " + ORDER)
    addresses = [address for kind, _, address, _ in areas if kind == "F"]
    need(addresses == sorted(addresses), "F areas do not rise")


def check_parts(areas, ram, token, pause):
    used, pauses = 28, 0
    for i, (kind, _, address, plain) in enumerate(areas):
        if kind == "R":
            need(areas[i - 1][0] == "P", "R without P before it")
            used, pauses = 28, pauses + 1
        if kind in "PR":
            need(address == token, "%s at 0x%08X, not the token" % (kind, address))
            need(plain == pause, "the payload of %s is not what it should be" % kind)
        used += 30 + len(plain)
        need(not ram or used <= ram, "a part of %d bytes, more than %d" % (used, ram or 0))
    need(not any(kind == "E" for kind, *_ in areas) or pauses, "SFIx without P and R")
    return pauses + 1


def check_json(areas, path):
    told = json.load(open(path))["areas"]
    need(len(told) == len(areas), "the JSON has %d areas" % len(told))
    for i, ((kind, _, address, plain), area) in enumerate(zip(areas, told)):
        need((area["type"], area["address"], area["length"]) == (kind, address, len(plain)), "JSON area %d" % (i + 1))
        need(area["sha256"] == hashlib.sha256(plain).hexdigest(), "JSON digest of area %d" % (i + 1))
        if kind == "E":
            need((area["region"], area["mode"], int(area["key_address"], 0)) == struct.unpack("<III", plain[:12]),
                 "JSON prefix of area %d" % (i + 1))
        if kind == "K":
            keys = b"".join(struct.pack("<II", key["length"], int(key["address"], 0)) for key in area["keys"])
            need(keys == plain, "JSON keys")
        if kind == "C":
            words = b"".join(struct.pack("<I", int(row["value"], 0)) for row in area["rows"])
            need(words == plain, "JSON option bytes")


def main():
    number = lambda text: int(text, 0)
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("json")
    parser.add_argument("--ram", type=number)
    parser.add_argument("--token", type=number)
    parser.add_argument("--hash", action="store_true")
    given = parser.parse_args()

    self_test()
    images = glob.glob(given.directory + "/image.sfi*")
    need(len(images) == 1, "%d images" % len(images))
    key, nonce = read(given.directory + "/oem.key.bin"), read(given.directory + "/oem.nonce.bin")
    protocol, areas = open_image(read(images[0]), key, nonce, "big-endian")
    need(protocol == 2, "protocol %d" % protocol)
    has_external = any(kind == "E" for kind, *_ in areas)
    need(images[0].endswith(".sfix" if has_external else ".sfi"), "the ending of " + images[0])
    firmware = b"".join(plain[12:] if kind == "E" else plain for kind, _, _, plain in areas if kind in "FE")
    pause = hashlib.sha256(firmware).digest() if given.hash else bytes(32)
    check_expected(join(areas), given.directory)
    check_order(areas)
    parts = check_parts(areas, given.ram, given.token, pause)
    check_json(areas, given.json)
    print("%s in %d parts" % ("".join(area[0] for area in areas), parts))


main()

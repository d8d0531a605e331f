#!/usr/bin/env python3
"""Open an .sfi image without any of our C: the second opinion of gangway_sfi.sh.

usage: open_sfi.py IMAGE KEY NONCE [--iv-policy NAME] [--hex FILE] [--padding 0xFF] [--options CSV]
                   [--token ADDRESS] [--ram BYTES]

AES-128 (FIPS 197), counter mode and GHASH (NIST SP 800-38D) are written out here in plain Python. Layout
and rules are those of AN5054 section 2.2 and spec/secure-install.md sections 2 and 3: header AAD 12 bytes, area
AAD 14 bytes, IV = nonce and index. With --hex every byte of the HEX file must come out of the F areas and every
other byte of them must be padding; with --options the C area must hold the words of the CSV. Exit 0 when all holds.
"""
import argparse
import struct
import sys

# --- AES-128 -------------------------------------------------------------------------------------


def xtime(a):
    return ((a << 1) ^ 0x11B) & 0xFF if a & 0x80 else a << 1


def gf_multiply(a, b):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a, b = xtime(a), b >> 1
    return product


def make_sbox():
    box = []
    for value in range(256):
        inverse = next((i for i in range(256) if gf_multiply(value, i) == 1), 0)
        result = 0x63
        for shift in range(5):
            result ^= ((inverse << shift) | (inverse >> (8 - shift))) & 0xFF
        box.append(result)
    return box


SBOX = make_sbox()
TWICE = [xtime(i) for i in range(256)]


def expand_key(key):
    words = [list(key[4 * i:4 * i + 4]) for i in range(4)]
    round_constant = 1
    for i in range(4, 44):
        word = list(words[i - 1])
        if i % 4 == 0:
            word = [SBOX[b] for b in word[1:] + word[:1]]
            word[0] ^= round_constant
            round_constant = xtime(round_constant)
        words.append([a ^ b for a, b in zip(words[i - 4], word)])
    return [sum(words[4 * r:4 * r + 4], []) for r in range(11)]


def encrypt_block(round_keys, block):
    state = [a ^ b for a, b in zip(block, round_keys[0])]
    for number in range(1, 11):
        state = [SBOX[b] for b in state]
        state = [state[(i + 4 * (i % 4)) % 16] for i in range(16)]
        if number < 10:
            mixed = []
            for c in range(0, 16, 4):
                a = state[c:c + 4]
                every = a[0] ^ a[1] ^ a[2] ^ a[3]
                mixed += [a[i] ^ every ^ TWICE[a[i] ^ a[(i + 1) % 4]] for i in range(4)]
            state = mixed
        state = [a ^ b for a, b in zip(state, round_keys[number])]
    return bytes(state)


# --- GCM -----------------------------------------------------------------------------------------


def ghash_multiply(x, h):
    product = 0
    for bit in range(127, -1, -1):
        if x >> bit & 1:
            product ^= h
        h = (h >> 1) ^ (0xE1 << 120 if h & 1 else 0)
    return product


def ghash(h, aad, text):
    digest = 0
    for data in (aad, text):
        for at in range(0, len(data), 16):
            block = data[at:at + 16].ljust(16, b"\0")
            digest = ghash_multiply(digest ^ int.from_bytes(block, "big"), h)
    lengths = len(aad) * 8 << 64 | len(text) * 8
    return ghash_multiply(digest ^ lengths, h)


def gcm_open(round_keys, iv, aad, text):
    """The plaintext and the tag it should have had."""
    h = int.from_bytes(encrypt_block(round_keys, bytes(16)), "big")
    mask = int.from_bytes(encrypt_block(round_keys, iv + struct.pack(">I", 1)), "big")
    tag = (ghash(h, aad, text) ^ mask).to_bytes(16, "big")
    plain = bytearray()
    for number, at in enumerate(range(0, len(text), 16)):
        stream = encrypt_block(round_keys, iv + struct.pack(">I", number + 2))
        plain += bytes(a ^ b for a, b in zip(text[at:at + 16], stream))
    return bytes(plain), tag


def self_test():
    """FIPS 197 appendix C.1 and the GCM specification's test case 4."""
    keys = expand_key(bytes(range(16)))
    assert encrypt_block(keys, bytes.fromhex("00112233445566778899aabbccddeeff")).hex() == \
        "69c4e0d86a7b0430d8cdb78070b4c55a"
    keys = expand_key(bytes.fromhex("feffe9928665731c6d6a8f9467308308"))
    text = bytes.fromhex("42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
                         "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091")
    aad = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    plain, tag = gcm_open(keys, bytes.fromhex("cafebabefacedbaddecaf888"), aad, text)
    assert tag.hex() == "5bc94fbc3221a5db94fae95ae7121a47"
    assert plain.hex().startswith("d9313225f88406e5a55909c5aff5269a")


# --- the image -----------------------------------------------------------------------------------


def policy_iv(nonce, index, policy):
    if policy == "big-endian":
        return ((int.from_bytes(nonce, "big") + index) % (1 << 96)).to_bytes(12, "big")
    at, order = {"last-word-le": (8, "<I"), "first-word-le": (0, "<I"), "last-word-be": (8, ">I")}[policy]
    word = (struct.unpack_from(order, nonce, at)[0] + index) & 0xFFFFFFFF
    return nonce[:at] + struct.pack(order, word) + nonce[at + 4:]


def need(holds, sentence):
    if not holds:
        sys.exit("open_sfi.py: " + sentence)


def open_image(image, key, nonce, policy):
    keys = expand_key(key)
    need(image[:8] == b"SFIMAGIC", "no magic")
    protocol, count = struct.unpack_from("<HH", image, 8)
    _, tag = gcm_open(keys, policy_iv(nonce, 0, policy), image[:12], b"")
    need(tag == image[12:28], "header tag does not match")
    areas, at = [], 28
    for index in range(1, count + 1):
        kind, version, number, size, address, total = struct.unpack_from("<cBHIIH", image, at)
        need(number == index and total == count, "area %d: index %d of %d" % (index, number, total))
        payload = image[at + 30:at + 30 + size]
        need(len(payload) == size, "area %d: cut" % index)
        plain, tag = gcm_open(keys, policy_iv(nonce, index, policy), image[at:at + 14], payload)
        need(tag == image[at + 14:at + 30], "area %d: tag does not match" % index)
        areas.append((kind.decode(), version, address, plain))
        at += 30 + size
    need(at == len(image), "%d bytes after the last area" % (len(image) - at))
    need(len({version for _, version, _, _ in areas}) == 1, "image versions differ")
    return protocol, areas


def read_hex(path):
    memory, base = {}, 0
    for line in open(path):
        record = bytes.fromhex(line.strip()[1:])
        need(sum(record) & 0xFF == 0, "HEX checksum")
        offset, kind, data = record[1] << 8 | record[2], record[3], record[4:-1]
        if kind == 0:
            for i, byte in enumerate(data):
                memory[base + offset + i] = byte
        elif kind == 4:
            base = int.from_bytes(data, "big") << 16
    return memory


def check_firmware(areas, paths, padding, unit):
    wanted, found = {}, {}
    for path in paths:
        wanted.update(read_hex(path))
    for kind, _, address, plain in areas:
        if kind == "F":
            need(len(plain) % unit == 0, "F payload of %d bytes, not a multiple of %d" % (len(plain), unit))
            for i, byte in enumerate(plain):
                need(address + i not in found, "address 0x%08X twice" % (address + i))
                found[address + i] = byte
    for address, byte in wanted.items():
        need(found.get(address) == byte, "byte at 0x%08X differs from the HEX file" % address)
    for address in found.keys() - wanted.keys():
        need(found[address] == padding, "byte at 0x%08X is not padding" % address)
    addresses = [a[2] for a in areas if a[0] == "F"]
    need(addresses == sorted(addresses), "F areas do not rise")


def check_options(areas, path):
    rows = [line.split(",") for line in open(path) if line.strip() and not line.startswith("#")]
    words = b"".join(struct.pack("<I", int(row[1], 0)) for row in rows)
    need(areas[-1][0] == "C" and areas[-1][2] == 0, "C is not the last area at address 0")
    need(areas[-1][3] == words, "C does not hold the words of the CSV")


def check_parts(areas, protocol, token, ram):
    used = 28
    for i, (kind, _, address, plain) in enumerate(areas):
        if kind == "R":
            need(areas[i - 1][0] == "P", "R without P before it")
            used = 28
        if kind in "PR":
            need(address == token, "%s at 0x%08X, not the token" % (kind, address))
            need(plain == (b"" if protocol == 1 else bytes(32)), "%s payload" % kind)
        used += 30 + len(plain)
        need(used <= ram, "a part of %d bytes, more than %d" % (used, ram))


def main():
    number = lambda text: int(text, 0)
    parser = argparse.ArgumentParser()
    parser.add_argument("image")
    parser.add_argument("key")
    parser.add_argument("nonce")
    parser.add_argument("--iv-policy", default="big-endian")
    parser.add_argument("--hex", action="append", default=[])
    parser.add_argument("--padding", type=number, default=0xFF)
    parser.add_argument("--unit", type=number, default=16)
    parser.add_argument("--options")
    parser.add_argument("--token", type=number)
    parser.add_argument("--ram", type=number)
    given = parser.parse_args()

    self_test()
    image, key, nonce = (open(path, "rb").read() for path in (given.image, given.key, given.nonce))
    protocol, areas = open_image(image, key, nonce, given.iv_policy)
    if given.hex:
        check_firmware(areas, given.hex, given.padding, given.unit)
    if given.options:
        check_options(areas, given.options)
    if given.ram:
        check_parts(areas, protocol, given.token, given.ram)
    print("protocol %d: %s" % (protocol, "".join(area[0] for area in areas)))


if __name__ == "__main__":
    main()

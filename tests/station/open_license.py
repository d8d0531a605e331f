#!/usr/bin/env python3
"""Open a reference license (crypto/license.h) with none of Gangway's code: open_license.py LICENSE CHIP.pem KEY NONCE [TYPE]

ECDH by the openssl command, KDF by hashlib, AES blocks by the openssl command, GHASH by Python's integers.
TYPE is that of the license, "SFIA"; SFI without it. Exit code 0: the record holds exactly KEY and NONCE."""
import hashlib
import subprocess
import sys
import tempfile

license, key, nonce = (open(name, "rb").read() for name in (sys.argv[1], sys.argv[3], sys.argv[4]))


def blocks(cipher_key, data):
    return subprocess.run(["openssl", "enc", "-aes-128-ecb", "-nopad", "-K", cipher_key.hex()], input=data,
                          capture_output=True, check=True).stdout


def times(x, y):
    z = 0
    for bit in range(127, -1, -1):
        if y >> bit & 1:
            z ^= x
        x = x >> 1 ^ (0xE1 << 120 if x & 1 else 0)
    return z


def padded(data):
    return data + bytes(-len(data) % 16)


kind = (sys.argv[5] if len(sys.argv) > 5 else "SFI").ljust(4, ".").encode()
assert len(license) == 136 and license[:24] == kind + bytes(4) + b"\1\0\0\0" + bytes(12), "head"
with tempfile.NamedTemporaryFile() as peer:
    peer.write(bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004") + license[24:88])
    peer.flush()
    z = subprocess.run(["openssl", "pkeyutl", "-derive", "-inkey", sys.argv[2], "-peerkey", peer.name, "-peerform", "DER"],
                       capture_output=True, check=True).stdout
k = b"".join(hashlib.sha256(z + i.to_bytes(4, "big")).digest() for i in (1, 2))
cipher_key, iv, token = k[:16], k[16:28], k[32:]
aad, sealed, tag = license[:88] + token, license[88:120], license[120:]
h, y = int.from_bytes(blocks(cipher_key, bytes(16)), "big"), 0
text = padded(aad) + sealed + (8 * len(aad)).to_bytes(8, "big") + (8 * len(sealed)).to_bytes(8, "big")
for i in range(0, len(text), 16):
    y = times(y ^ int.from_bytes(text[i:i + 16], "big"), h)
stream = blocks(cipher_key, b"".join(iv + i.to_bytes(4, "big") for i in (1, 2, 3)))
if bytes(a ^ b for a, b in zip(y.to_bytes(16, "big"), stream)) != tag:
    sys.exit("the tag does not match: not a license for this chip")
record = bytes(a ^ b for a, b in zip(sealed, stream[16:]))
assert record == nonce + bytes(4) + key, "key record"

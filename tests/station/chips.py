"""chips.py DIRECTORY COUNT: certificates chip-N.certificate.bin of chips of their own.
chips.py --license FILE: a license by its form, for nobody."""
import os
import subprocess
import sys


def point():
    """A fresh point of P-256, by openssl: the last 64 bytes of the public key."""
    key = subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                          "-outform", "DER"], check=True, capture_output=True).stdout
    return subprocess.run(["openssl", "pkey", "-inform", "DER", "-pubout", "-outform", "DER"], input=key,
                          check=True, capture_output=True).stdout[-64:]


if sys.argv[1] == "--license":
    with open(sys.argv[2], "wb") as out:
        out.write(b"SFI." + bytes(4) + b"\x01\0\0\0" + bytes(12) + os.urandom(112))
else:
    os.makedirs(sys.argv[1], exist_ok=True)
    key = point()
    for n in range(1, int(sys.argv[2]) + 1):
        # the signature is what tells the chips apart: r and s in 1 to n-1, whatever they sign
        r, s = (b"\x7f" + os.urandom(31) for _ in range(2))
        with open(os.path.join(sys.argv[1], "chip-%d.certificate.bin" % n), "wb") as out:
            out.write(b"45002001" + key + r + s)

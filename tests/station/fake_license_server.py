#!/usr/bin/env python3
"""A license server to ask, good and bad: fake_license_server.py DIRECTORY GANGWAY [COUNT]

It makes in DIRECTORY what is not there yet: key.bin and nonce.bin, card.bin (a SIMULATED card of version 1 with COUNT
licenses, 300 when left out), and with the openssl command the certificates NAME.pem of its ports. Each license is a real one:
`GANGWAY hsm license-from-cert` on that card. DIRECTORY/ports then names the ports, "NAME NUMBER" a line, and
DIRECTORY/requests gets a line for each request: port's name, method, path as it came, user, what happened.

Every port does the same; they differ in what they show:
    good        the certificate a station pins, good.pem       other     another one for the same name
    name        that of licenses.example, not of localhost     old       ended last year
    renewed     another for good's key and name                signed    not by itself but by authority.pem
    child       signed by good's key                           tls12, tls11  good's, with this version of TLS only
    silent      accepts and says nothing                       plain     HTTP without TLS

What happens is the firmware identifier's matter: one of the methods of Answer below, in capitals; any other gets a license.
"""
import http.server
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
import warnings

warnings.filterwarnings("ignore", category=DeprecationWarning)  # TLS 1.1 is asked for on purpose
directory, gangway = os.path.abspath(sys.argv[1]), sys.argv[2]
count = sys.argv[3] if len(sys.argv) > 3 else "300"
os.umask(0o077)


def at(name):
    return os.path.join(directory, name)


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(" ".join(words) + ": " + done.stdout + done.stderr)


def make_key(name):
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", at(name + ".key"))


def make_own(name, host, key=None):
    """A certificate that signs itself."""
    if not key:
        make_key(name)
    run("openssl", "req", "-x509", "-new", "-key", at((key or name) + ".key"), "-days", "30", "-subj", "/CN=" + host,
        "-addext", "subjectAltName=DNS:" + host, "-out", at(name + ".pem"))


def make_signed(name, authority, host="localhost", start=None, end=None):
    """A certificate signed by another. `openssl ca` takes dates, which `openssl x509` of OpenSSL 3.0 does not."""
    make_key(name)
    run("openssl", "req", "-new", "-key", at(name + ".key"), "-subj", "/CN=" + host, "-out", at(name + ".csr"))
    with open(at(name + ".ca"), "w") as out:
        out.write("[ca]\ndefault_ca=a\n[a]\nnew_certs_dir=%s\ndatabase=%s\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n"
                  "x509_extensions=x\nunique_subject=no\n[p]\ncommonName=supplied\n[x]\nsubjectAltName=DNS:%s\n"
                  % (directory, at(name + ".index"), host))
    open(at(name + ".index"), "w").close()
    dates = ["-startdate", start, "-enddate", end] if start else ["-days", "30"]
    by = ["-selfsign", "-keyfile", at(name + ".key")] if not authority else \
        ["-cert", at(authority + ".pem"), "-keyfile", at(authority + ".key")]
    run("openssl", "ca", "-batch", "-notext", "-config", at(name + ".ca"), "-in", at(name + ".csr"), "-out",
        at(name + ".pem"), *by, *dates)


def make_everything():
    for name, length in ("key.bin", 16), ("nonce.bin", 12):
        if not os.path.exists(at(name)):
            with open(at(name), "wb") as out:
                out.write(os.urandom(length))
    if not os.path.exists(at("card.bin")):
        run(gangway, "hsm", "blank", at("card.bin"), "--card-version", "1")
        run(gangway, "hsm", "program", "--card", at("card.bin"), "-k", at("key.bin"), "-n", at("nonce.bin"), "-id", "ANY",
            "-mc", count, "--yes")
    make_own("good", "localhost")
    make_own("other", "localhost")
    make_own("name", "licenses.example")
    make_own("renewed", "localhost", key="good")
    make_own("authority", "authority.example")
    make_signed("signed", "authority")
    make_signed("child", "good")
    make_signed("old", None, start="20240101000000Z", end="20250101000000Z")


serial = threading.Lock()
numbers = iter(range(1, 1 << 30))


def note(*words):
    with serial, open(at("requests"), "a") as out:
        out.write(" ".join(words) + "\n")


def license_for(certificate):
    with serial:
        name = at("asked%d" % next(numbers))
    with open(name + ".bin", "wb") as out:
        out.write(certificate)
    try:
        run(gangway, "hsm", "license-from-cert", name + ".bin", "-o", name + ".lic", "--card", at("card.bin"))
        with open(name + ".lic", "rb") as made:
            return made.read()
    finally:
        for end in ".bin", ".lic":
            if os.path.exists(name + end):
                os.remove(name + end)


def the_part(kind, body):
    """The certificate in the form; whatever else is in it is a mistake of the asker."""
    boundary = re.fullmatch('multipart/form-data; boundary="?([^"]+)"?', kind).group(1).encode()
    pieces = body.split(b"--" + boundary)
    assert pieces[0] == b"" and pieces[-1] == b"--\r\n" and len(pieces) == 3, "one part is wanted"
    head, content = pieces[1].split(b"\r\n\r\n", 1)
    assert b'name="dev_certificate_file"' in head, "its name is another"
    assert content.endswith(b"\r\n") and len(content) == 138, "136 bytes are wanted"
    return content[:-2]


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, body, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def cut(self, sent):
        self.wfile.write(sent)
        self.wfile.flush()
        self.connection.close()  # no word of TLS that this is the end
        self.close_connection = True

    # each gets a whole good license
    def REFUSE(self, license):
        self.say(403, b"the quota of\r\n\tline-1 \x1b[2Jis used up\x00\xff" + b"!" * 5000)

    def UNKNOWN(self, license):
        self.say(404, b"")

    def REFUSE_CUT(self, license):
        self.cut(b"HTTP/1.1 409 Conflict\r\nContent-Length: 100\r\n\r\nthis chip has its lic")

    def BROKEN(self, license):
        self.say(500, b"<html><h1>Internal error</h1></html>")

    def EMPTY(self, license):
        self.say(204, b"")

    def REDIRECT(self, license):
        self.say(302, b"", Location="/fw/sfi/ELSEWHERE/get/license?user=x")

    def AWAY(self, license):
        self.say(307, b"", Location="http://localhost:%d/fw/sfi/ELSEWHERE/get/license?user=x" % ports["plain"])

    def LONG(self, license):
        self.say(200, license + b"\0")

    def ENDLESS(self, license):
        self.send_response(200)
        self.end_headers()
        for _ in range(1 << 12):
            self.wfile.write(license * 30)

    def SHORT(self, license):
        self.say(200, license[:135])

    def TYPE(self, license):
        self.say(200, b"SSP." + license[4:])

    def SMU_TYPE(self, license):
        self.say(200, b"SMU." + license[4:])

    def VERSION(self, license):
        self.say(200, license[:8] + b"\2" + license[9:])

    def PAGE(self, license):
        self.say(200, (b"<html>please log in</html>" + b" " * 136)[:136])

    def HANG(self, license):
        time.sleep(60)

    def DRIP(self, license):
        self.send_response(200)
        self.send_header("Content-Length", "136")
        self.end_headers()
        for byte in license:
            self.wfile.write(bytes([byte]))
            time.sleep(0.05)

    def SLOW(self, license):
        time.sleep(0.3)
        self.say(200, license)

    def CUT(self, license):
        self.cut(b"HTTP/1.1 200 OK\r\nContent-Length: 136\r\n\r\n" + license[:77])

    def CUT_EARLY(self, license):
        self.cut(b"")

    def CUT_OPEN(self, license):
        self.cut(b"HTTP/1.0 200 OK\r\n\r\n" + license[:77])

    def CHUNKS(self, license):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for i in range(0, 136, 34):
            self.wfile.write(b"22\r\n" + license[i:i + 34] + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def HEADERS(self, license):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"x" * 1000) for i in range(20)) +
                         b"Content-Length: 136\r\n\r\n" + license)

    def COOKIE(self, license):
        if "Cookie" in self.headers:
            self.say(400, b"a cookie came back")
        else:
            self.say(200, license, Set_Cookie="who=me; Path=/")

    def do_GET(self):
        note(self.server.name, "GET", self.path, "-", "-")
        self.say(405, b"POST is wanted")

    def do_POST(self):
        path = urllib.parse.urlsplit(self.path)
        form = urllib.parse.parse_qs(path.query, strict_parsing=True)
        place = re.fullmatch("/fw/(sfi|sfia|smu|ssp)/([^/]+)/get/license", path.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            assert place and list(form) == ["user"], "the address is not the one of the examples"
            license = license_for(the_part(self.headers["Content-Type"], body))
        except Exception as problem:
            note(self.server.name, "POST", self.path, "-", "bad")
            self.say(400, str(problem).encode())
            return
        what = urllib.parse.unquote(place.group(2))
        known = what.isupper() and what in Answer.__dict__
        note(self.server.name, "POST", self.path, json.dumps(form["user"][0]), what if known else "license")
        try:
            getattr(self, what)(license) if known else self.say(200, license)
        except OSError:
            pass  # the asker has gone


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def finish_request(self, request, client_address):
        # on the thread of the connection, so that one that does not speak holds up no other
        try:
            if self.context:
                request = self.context.wrap_socket(request, server_side=True)
        except OSError as problem:
            note(self.name, "TLS", type(problem).__name__)
            return
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        note(self.name, "ERROR", str(sys.exc_info()[1]).replace("\n", " "))


def listen(name, certificate, key=None, version=None):
    server = Server(("127.0.0.1", 0), Answer)
    server.name, server.context = name, None
    if certificate:
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.context.load_cert_chain(at(certificate + ".pem"), at((key or certificate) + ".key"))
        if version:
            if version == ssl.TLSVersion.TLSv1_1:
                server.context.set_ciphers("ALL:@SECLEVEL=0")
            server.context.minimum_version = server.context.maximum_version = version
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ports[name] = server.server_address[1]


ports = {}
make_everything()
for one in "good", "other", "name", "old", "signed", "child":
    listen(one, one)
listen("renewed", "renewed", "good")
listen("tls12", "good", version=ssl.TLSVersion.TLSv1_2)
listen("tls11", "good", version=ssl.TLSVersion.TLSv1_1)
listen("plain", None)
quiet = socket.create_server(("127.0.0.1", 0))
ports["silent"] = quiet.getsockname()[1]
note("begun")
with open(at("ports.new"), "w") as out:
    out.write("".join("%s %d\n" % port for port in ports.items()))
os.rename(at("ports.new"), at("ports"))
sys.stdin.read()  # until whoever started it closes the pipe, or dies

#!/usr/bin/env python3
"""
Stands in for STM32_Programmer_CLI: takes the options the station uses, refuses any other, and prints what
the real one prints (AN5054 rev 18 figures 30, 59, 65; the logs of spec/secure-install.md sections 14.3 and
17), with its pauses about a hundred times shorter. It installs nothing; what it says is decided by files in
the folder it is called from:

  scenario.SERIAL, scenario   a name below; the first that is there ("good-h7")
  device                      what is there: a name below, or "0x484 STM32H5xx"
  sfsp                        the version of its security package, "v2.4.0"; without it none is told
  bench                       when it is there, each install that succeeds makes a file install.SERIAL and waits
                              until somebody has changed the simulated part accordingly and removed it; and
                              each run leaves its number in running.SERIAL
  calls                       one line of JSON is added for each call: arguments, files, when
  certificate.SERIAL          what -gc gives; without it one is made, and kept, for each board (board.SERIAL)
"""
import hashlib
import json
import os
import signal
import sys
import time

HOME = os.path.dirname(os.path.abspath(sys.argv[0]))
PACE = 0.01
RULE = "      -------------------------------------------------------------------"


def say(*lines):
    for line in lines:
        print(line, flush=True)


def rest(seconds):
    time.sleep(seconds * PACE)


def error(text):
    """Errors are red."""
    say("\x1b[31mError: " + text + "\x1b[0m")


def read(name, otherwise=None):
    try:
        with open(os.path.join(HOME, name)) as file:
            return file.read().strip()
    except FileNotFoundError:
        return otherwise


# --- a chip certificate: 136 bytes, a key on P-256 (AN5054 figure 36) ---

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5


def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def times(scalar, point):
    result = None
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def make_certificate(seed, product):
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest(), "big") >> 1
    x, y = times(number, (GX, GY))
    r, s = number >> 3 | 1, number >> 5 | 1
    return product.encode() + b"".join(v.to_bytes(32, "big") for v in (x, y, r, s))


def certificate(serial):
    given = os.path.join(HOME, "certificate." + serial)
    if os.path.exists(given):
        with open(given, "rb") as file:
            return file.read()
    board = read("board." + serial, "0")
    return make_certificate(serial + " " + board, read("product", "45002001"))


# --- arguments ---

def parse(arguments):
    known = {"-c": None, "-gc": 1, "-sfi": None, "-rsse": 1, "-el": 1, "-mcsv": 1}
    options, i = {}, 0
    while i < len(arguments):
        name = arguments[i]
        if name not in known:
            sys.exit('Error: Wrong or unsupported command "%s"' % name)
        values = []
        i += 1
        while i < len(arguments) and arguments[i] not in known:
            values.append(arguments[i])
            i += 1
        options[name] = values
    connection = dict(v.split("=", 1) for v in options.get("-c", []))
    if connection.get("port") != "SWD" or connection.get("mode") != "HOTPLUG" or "sn" not in connection:
        sys.exit("Error: wrong connection %r" % connection)
    return connection, options


def look_at(path):
    with open(path, "rb") as file:
        data = file.read()
    return {"sha256": hashlib.sha256(data).hexdigest(), "mode": oct(os.stat(path).st_mode & 0o777),
            "folder_mode": oct(os.stat(os.path.dirname(path)).st_mode & 0o777), "length": len(data)}


def look_at_modules(path):
    """Rows of module, license or the identifier of a card, address; paths relative to the list (AN5054 13.3.2)."""
    rows = []
    with open(path) as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                module, license, address = (cell.strip() for cell in line.split(","))
                folder = os.path.dirname(path)
                rows.append({"name": module, "module": look_at(os.path.join(folder, module)),
                             "license": look_at(os.path.join(folder, license)), "address": address})
    return rows


def note(options, serial, begun):
    call = {"serial": serial, "arguments": sys.argv[1:], "cwd": os.getcwd(), "home": os.environ.get("HOME"),
            "environment": sorted(os.environ), "pid": os.getpid(), "begun": begun}
    if "-sfi" in options:
        call["image"] = look_at(options["-sfi"][1])
        call["image_name"] = os.path.basename(options["-sfi"][1])
        call["license"] = look_at(options["-sfi"][3])
        for name in ("-rsse", "-el"):
            if name in options:
                call[name[1:]] = look_at(options[name][0])
        if "-mcsv" in options:
            call["modules"] = look_at_modules(options["-mcsv"][0])
    with open(os.path.join(HOME, "calls"), "a") as file:
        file.write(json.dumps(call) + "\n")


# --- what it prints ---

DEVICES = {
    "h7": ("0x450", "STM32H7xx", "2 MBytes", "Cortex-M7", "0x91"),
    "h7b": ("0x480", "STM32H7A/B", "2 MBytes", "Cortex-M7", "0x91"),
    "h7rs": ("0x485", "STM32H7RSxx", "64 KBytes", "Cortex-M7", "0xE3"),
    "l5": ("0x472", "STM32L5xx", "512 KBytes", "Cortex-M33", "0x90"),
    "u575": ("0x482", "STM32U575/STM32U585", "2 MBytes (default)", "Cortex-M33", "0x92"),
    "u5": ("0x455", "STM32U535/STM32U545", "512 KBytes", "Cortex-M33", "0x91"),
}


def banner(serial, device, connection):
    if " " in device:
        number, name = device.split(" ", 1)
        flash, core, loader = "2 MBytes (default)", "Cortex-M33", "0xE4"
    else:
        number, name, flash, core, loader = DEVICES[device]
    say(RULE, "                        STM32CubeProgrammer v2.20.0                  ", RULE, "")
    say("ST-LINK SN  : " + serial, "ST-LINK FW  : V3J16M7", "Board       : STLINK-V3SET", "Voltage     : 3.28V",
        "SWD freq    : %s KHz" % connection.get("freq", "8000"), "Connect mode: Hot Plug",
        "Reset mode  : Software reset", "Device ID   : " + number, "Revision ID : Rev V", "Device name : " + name,
        "Flash size  : " + flash, "Device type : MCU", "Device CPU  : " + core, "BL Version  : " + loader,
        "Debug in Low Power mode enabled")
    if read("sfsp"):
        say("SFSP Version: " + read("sfsp"))
    say("")


def parse_image(path):
    with open(path, "rb") as file:
        data = file.read()
    areas = data[8] if len(data) > 8 else 0
    say("", "  Protocol Information         : static", "", "  SFI File Information         : ", "",
        "     SFI file path             : " + path, "     SFI license file path     : license.bin",
        "     SFI header information    : ", "         SFI protocol version        : 2",
        "         SFI total number of areas   : 4", "         SFI image version           : 0",
        "     SFI Areas information     : ", "")
    for i in range(1, 5):
        say("     Parsing Area %d/4    : " % i, "         Area type                   : " + ("F" if i < 4 else "C"),
            "         Area size                   : %d" % (688 * i + areas),
            "         Area destination address    : 0x8000%03x" % (256 * i), "")
    say("Reading the chip Certificate...", "Requesting Chip Certificate from device ...",
        "Reading chip Certificate finished", "Get Certificate done successfully", "")
    say("Starting Firmware Install operation...", "")


def reconnect(serial, times_out=False):
    say("Reconnecting...", "ST-LINK SN  : " + serial, "ST-LINK FW  : V3J16M7", "Voltage     : 3.28V")
    rest(0.5)
    if not times_out:
        say("SWD freq    : 24000 KHz", "Connect mode: Hot Plug", "Reset mode  : Core reset", "Device ID   : 0x480",
            "Reconnected !")


def unchanged(*names):
    for name, value in names:
        say("Warning: Option Byte: %s, value: %s, was not modified." % (name, value))
    say("Warning: Option Bytes are unchanged, Data won't be downloaded")
    say("Time elapsed during option Bytes configuration: 00:00:00.004")


def change_part(path):
    """The other half of the stand-in changes the simulated part, before success is told."""
    if read("bench") is None:
        return
    mark = os.path.join(HOME, "install." + SERIAL)
    with open(mark, "w") as file:
        file.write(path)
    for _ in range(2000):
        if not os.path.exists(mark):
            return
        time.sleep(0.01)
    sys.exit("Error: nobody has changed the part")


def success(path, elapsed):
    change_part(path)
    say("SFI Process Finished!", "SFI file %s Install Operation Success" % path, "",
        "Time elapsed during SFI install operation: " + elapsed)
    return 0


def failure(path):
    error("%s SFI file Install Operation Failure! Please, try again." % path)
    return 1


def external(options, area):
    """Figure 65, between the parts of an image with external areas."""
    if "-el" in options:
        say("", "Downloading area [%d] data for external flash memory at address 0x90000000.." % area)
        rest(2)
        say("Data download complete", "")


def h7(serial, parts=1, options=None):
    """Figure 65."""
    say("Activating security...")
    unchanged(("SECURITY", "0x1"))
    say("Activating security Success", "Setting write mode to SFI")
    unchanged(("SECURITY", "0x1"), ("ST_RAM_SIZE", "0x3"))
    say("Succeed to set write mode for SFI", "")
    for part in range(1, parts + 1):
        say("Starting SFI part %d" % part, "", "Writing license to address 0x24030800",
            "Writing Img header to address 0x24031000", "Writing areas and areas wrapper...")
        for percent in range(0, 101, 50):
            print("\r\x1b[32m" + "\u2588" * (percent // 10) + "\u2591" * (10 - percent // 10) +
                  " %d%%\x1b[0m" % percent, end="", flush=True)
            rest(0.3)
        say("", "all areas processed", "RSS process started...")
        rest(5)
        say("", "RSS command execution OK", "RSS complete Value = 0x0")
        reconnect(serial)
        say("", "Requesting security state...",
            "Warning: Could not verify security state after last chunk programming")
        if part < parts:
            external(options or {}, part + 1)


def load_rsse(options):
    path = options.get("-rsse", [None])[0]
    if not path:
        return False
    say("", "Memory Programming ...", "Opening and parsing file: " + os.path.basename(path),
        "  File          : " + os.path.basename(path), "  Size          : %.2f KB " % (os.path.getsize(path) / 1024),
        "  Address       : 0x20000200 ", "", "Erasing memory corresponding to segment 0:",
        "Not flash Memory : No erase done", "Download in Progress:", "[==================================================] 100% ",
        "", "File download complete", "Time elapsed during download operation: 00:00:00.069", "")
    return True


def rsse_family(serial, options, path):
    """L562 and U535 logs: TZEN and watermarks, reconnects, then the RSSe."""
    reconnect(serial)
    say("Time elapsed during option Bytes configuration: 00:00:02.139")
    unchanged(("SECWM1_PEND", "0x1F"), ("SECWM1_PSTRT", "0x0"))
    unchanged(("SECWM2_PEND", "0x1F"), ("SECWM2_PSTRT", "0x0"))
    if not load_rsse(options):
        # the log of U599: taken without a word, and the part is left with a damaged configuration
        reconnect(serial)
        error("Database: There's no active configuration for this device. All the 8 configurations are disabled!")
        return 1
    say("Get RSSe status...", "License Install", "Installing Areas...")
    rest(4)
    say("Succeed to write Areas")
    external(options, 3)
    reconnect(serial)
    return success(path, "00:00:12.044")


def h7rs(serial, options, path):
    """Figure 59: debug access is gone at the end, as it should be."""
    if not load_rsse(options):
        error("Cannot launch RSSe...")
        return failure(path)
    say("License Install", "Installing Areas...")
    rest(3)
    say("Succeed to write Areas")
    external(options, 3)
    say("Attempt to reconnect to check on SFI success...")
    for i in range(6):
        say("ST-LINK SN  : " + serial, "ST-LINK FW  : V3J13M4", "Board       : STM32H7S78-DK", "Voltage     : 3.30V")
        if i < 5:
            say("...retrying...")
            rest(0.3)
    error("failed to reconnect after reset !")
    return success(path, "00:00:07.059")


def license_invalid(serial, options, path):
    """Logs H753 and H7A/B."""
    h7(serial)
    error("SECURITY State Fail")
    error("Invalid state after SFI install !")
    error("RSS internal system error or License is invalid !")
    return failure(path)


def install(scenario, serial, options):
    path = options["-sfi"][1]
    parse_image(path)
    if scenario == "license-invalid":
        return license_invalid(serial, options, path)
    if scenario == "security-fail":
        h7(serial)
        error("SECURITY State Fail")
        return failure(path)
    if scenario == "rss-failed":
        rsse_start = load_rsse(options)
        say("Get RSSe status..." if rsse_start else "")
        error("Execution of RSS CMD failed, returned value = 0xF5F5F5F5")
        return failure(path)
    if scenario == "not-supported":
        error("SFI command is not supported for the current device configuration using STLINK interfaces !")
        error("Cannot launch RSSe...")
        return failure(path)
    if scenario == "hang":
        say("Activating security...", "Starting SFI part 1", "RSS process started...")
        time.sleep(3600)
    if scenario == "hang-changed":
        h7(serial)
        change_part(path)
        with open(os.path.join(HOME, "changed"), "w"):
            time.sleep(3600)
    if scenario == "hang-ignoring":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        say("Starting SFI part 1", "RSS process started...")
        time.sleep(3600)
    if scenario == "crash":
        say("Activating security...", "Starting SFI part 1", "RSS process started...")
        os.kill(os.getpid(), signal.SIGSEGV)
    if scenario == "probe-lost":
        say("Starting SFI part 1", "RSS process started...")
        error("ST-LINK error (DEV_USB_COMM_ERR)")
        return 1
    if scenario == "flood":
        say("Starting SFI part 1")
        while True:
            print("Warning: The core is locked up " * 20)
    if scenario == "says-nothing":
        h7(serial)
        return 0
    if scenario == "bad-exit":
        h7(serial)
        success(path, "00:00:44.321")
        return 3
    if scenario == "unknown-error":
        say("Activating security...")
        error("Something the station has never heard of")
        return 1
    if scenario in ("good-l5", "good-u5", "good-wba"):
        return rsse_family(serial, options, path)
    if scenario in ("good-h7rs", "good-h5"):
        return h7rs(serial, options, path)
    if scenario == "external-breaks":
        h7(serial)
        say("Downloading area [3] data for external flash memory at address 0x90000000..")
        error("Write failed at address: 0x90000000")
        error("failed to download the File")
        return failure(path)
    if scenario == "external-incomplete":
        h7(serial)
        say("Downloading area [3] data for external flash memory at address 0x90000000..")
        return success(path, "00:00:44.321")
    if scenario == "no-security":
        # community.st.com td-p/741489
        say("Activating security...", "Time elapsed during option Bytes configuration: 00:00:00.145")
        error("Activating security Failure")
        return 1
    h7(serial, 3 if scenario == "good-h7-3" else 1, options)
    return success(path, "00:00:44.321")


SERIAL = ""


def main():
    global SERIAL
    begun = time.monotonic()
    connection, options = parse(sys.argv[1:])
    serial = SERIAL = connection["sn"]
    scenario = read("scenario." + serial) or read("scenario", "good-h7")
    note(options, serial, begun)
    if read("bench") is not None:
        with open(os.path.join(HOME, "running." + serial), "w") as file:
            file.write(str(os.getpid()))
    if scenario == "no-probe":
        error("No debug probe detected.")
        return 1
    if scenario == "no-target":
        error("No STM32 target found! If your product embeds Debug Authentication, please perform a discovery using "
              "Debug Authentication")
        return 1
    device = {"good-h7rs": "h7rs", "good-l5": "l5", "good-u5": "u5", "rss-failed": "u5"}.get(scenario, "h7")
    banner(serial, read("device", device), connection)
    if "-gc" in options:
        with open(options["-gc"][0], "wb") as file:
            file.write(certificate(serial)[:60 if scenario == "short-certificate" else None])
        say("Requesting Chip Certificate from connected device...", "Get Certificate done successfully",
            "Writing data to file " + options["-gc"][0],
            "writing chip certificate to file %s finished successfully" % options["-gc"][0])
        return 0
    if "-sfi" in options:
        code = install(scenario, serial, options)
        if code == 0:  # the handler puts the next board in
            with open(os.path.join(HOME, "board." + serial), "w") as file:
                file.write(str(time.monotonic_ns()))
        return code
    return 0


sys.exit(main())

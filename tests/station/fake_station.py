#!/usr/bin/env python3
"""A page that plays the story of a lot, one snapshot a request; for gangway_line.sh.

usage: fake_station.py PORT_FILE STORY      STORY: a key of STORIES, other or broken
"""
import http.server
import json
import sys


def site(name, state="idle", step="", result="", passed=0, failed=0, **more):
    return {"name": name, "state": state, "step": step, "progress": 0, "elapsed_ms": 0, "unit": "", "attempt": 1,
            "result": result, "fault": "", "sentence": "", "needs_person": False, "passed": passed,
            "failed": failed, "errors": 0, **more}


def card(serial="00000000CAFE0001", state="ready", left=97, **more):
    return {"serial": serial, "reader": "virtual 1", "firmware_id": "BLINKY_1", "type": "SFI", "state": state,
            "sentence": "", "left": left, "maximum": 100, "queue": 0, "per_hour": 0, "dry_ms": 0,
            "issued": 100 - left, "installed": 100 - left, "in_hand": 0, "lost": 0, **more}


def need(left, wanted=64, firmware_id="BLINKY_1"):
    return {"firmware_id": firmware_id, "type": "SFI", "wanted": wanted, "left": left}


def line(sites, state="running", good=0, bad=0, issued=0, installed=0, in_hand=0, lost=0, order="DEMO-0001", **more):
    lot = {"order": order, "part": "STM32H753XI", "image": "blinky.sfi", "state": state, "quantity": 2, "good": good,
           "bad": bad, "errors": 0, "entered": good + bad, "retried": 0, "in_work": 0, "first_pass_yield": 667,
           "final_yield": 667, "units_per_hour": 640, "units_per_hour_busy": 700, "licenses_issued": issued,
           "licenses_installed": installed, "licenses_in_hand": in_hand, "licenses_lost": lost, "license_source": "card",
           "license_type": "SFI", "licenses_in_work": 0, "licenses_pending": 1, "licenses_per_unit": 1,
           "licenses_per_good": 1000 * issued // good if good else 0, "started_ms": 1, "ended_ms": 0}
    return {"station": "bench", "version": "0.1", "now_ms": 1, "is_simulated": True, "is_stopping": False,
            "orders_waiting": 0, "lot": lot, "sites": sites, "cards": [card()], "needs": [need(97)], "alarms": [], **more}


NOW = 1795610655000
UNIT = "00112233445566778899AABB"
BEGIN = [
    line([site("1", "empty"), site("2", "empty")], state="", order="", orders_waiting=1),
    line([site("1", "busy", "read the certificate"), site("2", "busy", "connect")]),
    line([site("1", "busy", "send the areas", progress=400, elapsed_ms=1234), site("2", "busy", "connect")], issued=1,
         in_hand=1),
    line([site("1", "pass", "", "pass", 1, unit=UNIT),
          site("2", "fail", "", "fail", 0, 1, fault="TARGET_LOST", sentence="the target stopped answering",
               needs_person=True)], good=1, bad=1, issued=2, installed=1, lost=1, alarms=["site 2 waits for a person"]),
]
# the same result again on site 1: only the count of units shows it
LAST = [site("1", "pass", "", "pass", 2, unit=UNIT), site("2", "blocked", "", "fail", 0, 1, needs_person=True)]
CARDS = [card(left=18, per_hour=600, dry_ms=NOW + 108000), card("00000000CAFE0002", per_hour=30, dry_ms=NOW + 11640000),
         card("00000000CAFE0003", "slow", 61, sentence="the last licenses took 9.2 s each; it is set aside"),
         card("00000000CAFE0004", "dead", 40, sentence="the card does not answer any more", lost=2),
         card("00000000CAFE0005", per_hour=1, dry_ms=NOW + 97 * 3600000)]
HOSTILE = "\033]0;owned\007\033[2Jx"
STORIES = {
    "done": BEGIN + [line(LAST, "done", 2, 1, 3, 2, 0, 1)],
    "stopped": BEGIN + [line(LAST, "stopped", 2, 1, 3, 2, 0, 1)],
    "unbalanced": BEGIN + [line(LAST, "done", 2, 1, 4, 2, 0, 1)],
    # an earlier lot is done and another order waits: only the third look ends
    "waiting": [line(LAST, "done", 2, order="OLD-1", orders_waiting=1), line(LAST), line(LAST, "done", 2, order="NEW-1")],
    "hostile": [line([site("1", HOSTILE, HOSTILE, HOSTILE, 1, unit=HOSTILE, sentence=HOSTILE)], "done", order=HOSTILE,
                     alarms=[HOSTILE])],
    "many": [line([site(str(i), "busy", "send the areas") for i in range(1, 65)], "done", 2)],
    "cards": [line(LAST, "done", 2, issued=3, installed=2, lost=1, now_ms=NOW, cards=CARDS,
                   needs=[need(40), need(64, firmware_id="STACK_1")])],
    "crowd": [line([site(str(i), "busy", "send the areas") for i in range(1, 65)], "done", 2,
                   cards=[card("00000000CAFE00%02d" % i) for i in range(16)], alarms=["site 9 waits for a person"])],
    "other": None,
    "broken": "{\"station\": 3}",
}
looks = 0


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global looks
        story = STORIES[sys.argv[2]]
        if story is None or self.path != "/status.json":
            self.send_error(404)
            return
        body = story if isinstance(story, str) else json.dumps(story[min(looks, len(story) - 1)])
        looks += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Page)
with open(sys.argv[1], "w") as out:
    out.write(str(server.server_address[1]))
server.serve_forever()

"""The demo: runs by itself, proves what it says, and leaves nothing behind however it ends."""

import http.client
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

import pytest

from harness.servers import MariaDb, free_port
from harness.wait import wait_until

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "demo"
sys.path.append(str(DEMO))
import arrivals  # noqa: E402
import generator  # noqa: E402
import readmodel  # noqa: E402

END_SECONDS = 90


@pytest.fixture
def demo(folder):
    """Starts demos whose temporary files lie in the test's folder; ends what a test left."""
    made = []

    def start(*words: str, **options) -> subprocess.Popen:
        log = open(folder / f"demo-{len(made)}.log", "wb")
        made.append(subprocess.Popen(
            [str(DEMO / "run"), *words], stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, start_new_session=True, cwd=folder,
            env={**os.environ, "TMPDIR": str(folder), "MILLSTREAM_CALLER": str(folder)}, **options))
        made[-1].log = folder / log.name
        return made[-1]
    yield start
    for child in made:
        if child.poll() is None:
            child.kill()
            child.wait()


def text_of(child: subprocess.Popen) -> str:
    return child.log.read_text(errors="replace")


def end(child: subprocess.Popen, expect: int) -> str:
    """Waits for its end; what it printed."""
    child.wait(END_SECONDS)
    assert child.returncode == expect, text_of(child)
    return text_of(child)


def processes_of(folder: Path) -> list[str]:
    """Command lines of processes that name the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words and path.parent.name != str(os.getpid()):
            found.append(words)
    return found


def nothing_is_left(folder: Path) -> None:
    wait_until(lambda: not processes_of(folder), 10, lambda: f"ended: {processes_of(folder)}")
    assert not list(folder.glob("millstream-demo-*"))


# ---- by itself ----

def figure(text: str, name: str) -> int:
    return int(re.search(rf"^  {name} +([\d,]+) ", text, re.MULTILINE)[1].replace(",", ""))


def compare(kept: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run([DEMO / "compare.py", kept, *words], capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


def write_to(model: Path, statement: str, *values) -> None:
    connection = sqlite3.connect(model)
    with connection:
        assert connection.execute(statement, values).rowcount > 0
    connection.close()


@pytest.fixture(scope="module")
def kept(scratch):
    """A demo of eight seconds that was kept, and what it printed."""
    folder = scratch / "kept"
    done = subprocess.run([DEMO / "run", "--seconds", "8", "--rate", "300", "--ads", "1500",
                           "--keep", folder, "--no-servers"], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=110)
    return folder, done


@pytest.fixture
def kept_server(kept):
    """Its MariaDB, started again."""
    server = MariaDb(kept[0] / "mariadb", "--skip-networking")
    yield server.start()
    server.stop()


def test_runs_by_itself_and_finds_all_equal(kept):
    folder, done = kept
    assert done.returncode == 0, done.stdout + done.stderr
    text = done.stdout
    assert "Everything is equal." in text and "NO " not in text
    assert text.count("  yes  ") == 7
    rows, events = figure(text, "rows written"), figure(text, "events in the stream")
    assert rows > 1741 + 8 * 300 * 0.5
    assert events == rows + 4  # a statement and the columns, of each table
    objects = list((folder / "archive" / "log").rglob("*.ndjson.zst"))
    assert figure(text, "objects archived") == len(objects) > 1
    lines = subprocess.run(["zstd", "-dcq", *sorted(objects)], capture_output=True, check=True)
    assert lines.stdout.count(b"\n") == events
    assert 0 < figure(text, "live changes arrived") <= rows - 1741
    assert not processes_of(folder)


def test_the_read_model_is_compared_value_by_value(kept, kept_server):
    folder, model = kept[0], kept[0] / "read-model.db"
    assert compare(folder)[0] == 0
    (row, doc), = sqlite3.connect(model).execute(
        "select id, doc from docs where source_table = 'ads' and doc ->> '$.price' > 1 limit 1")
    for change, complaint in (
            ("json_set(doc, '$.price', 1.5)", r"'price' is Decimal\('1.5'\), the source has"),
            ("json_set(doc, '$.title', doc ->> '$.title' || ' ')", "'title' is"),
            ("json_set(doc, '$.attributes.extra', 1)", "'attributes' is"),
            ("json_set(doc, '$.updated_at', '2026-01-01T00:00:00.000000Z')", "'updated_at' is"),
            ("json_set(doc, '$.revision', '1')", "'revision' is '1'"),
            ("json_remove(doc, '$.status')", "has no 'status'"),
            ("json_set(doc, '$.more', 1)", "'more' is no column"),
            ("json_set(doc, '$.text', null)", "'text' is None")):
        write_to(model, f"update docs set doc = {change} where id = ?", row)
        status, text = compare(folder)
        assert status == 1 and re.search(complaint, text) and "1 DIFFERENCES" in text, text
        write_to(model, "update docs set doc = ? where id = ?", doc, row)
    write_to(model, "update docs set key = '{\"id\":0}', doc = json_set(doc, '$.id', 0) "
             "where id = ?", row)
    status, text = compare(folder)
    assert status == 1 and "is not there" in text and "but not in the source" in text, text
    write_to(model, "update docs set source_table = 'other' where id = ?", row)
    assert "the source has no such table" in compare(folder)[1]
    write_to(model, "update docs set source_table = 'ads', doc = ?, key = '{\"id\":' || "
             "(? ->> '$.id') || '}' where id = ?", doc, doc, row)
    assert compare(folder)[0] == 0
    assert compare(folder, "--user", "nobody")[0] == 2


def test_goes_on_where_it_was_kept_and_tells_what_differs(kept, demo):
    """The last of those that use the folder: afterwards it is broken."""
    folder = kept[0]
    text = end(demo("--seconds", "1", "--keep", str(folder), "--no-servers"), 0)
    assert "going on in" in text and "by this run, the others before it" in text
    assert figure(text, "rows written") > figure(kept[1].stdout, "rows written")
    write_to(folder / "read-model.db", "update docs set doc = json_set(doc, '$.city', 'Ulm') "
             "where source_table = 'publishers' and key = '{\"id\":1}'")
    text = end(demo("--seconds", "1", "--keep", str(folder), "--no-servers"), 1)
    assert "NOT EQUAL" in text and "'city' is 'Ulm', the source has 'Bristol'" in text
    victim = sorted((folder / "archive" / "log").rglob("*.ndjson.zst"))[1]
    victim.rename(folder / "taken")
    text = end(demo("--seconds", "1", "--keep", str(folder), "--no-servers"), 1)
    assert "could not be compared" in text or "NO   the archive's lines" in text


def test_leaves_servers_running(demo, folder):
    kept = folder / "left"
    try:
        text = end(demo("--seconds", "1", "--ads", "50", "--keep", str(kept)), 0)
        assert "are left running" in text
        site = re.findall(r"^  main site +(http\S+)", text, re.MULTILINE)[-1]
        with urllib.request.urlopen(site, timeout=10) as answer:
            assert b"Agora" in answer.read()
        assert compare(kept)[0] == 0  # the database answers too
        # a new demo on the folder takes it over
        text = end(demo("--seconds", "1", "--keep", str(kept), "--no-servers"), 0)
        assert "stopped what an earlier demo had left running" in text
    finally:
        pid = kept / "demo.pid"
        if pid.exists():
            os.kill(int(pid.read_text()), signal.SIGTERM)
    wait_until(lambda: not processes_of(kept), 30, lambda: f"ended: {processes_of(kept)}")


# ---- the site ----

class Browser:
    """Asks the site of a running demo."""

    def __init__(self, port: int):
        self.port, self.token = port, ""

    def get(self, path: str, method: str = "GET", body: str | None = None, **headers
            ) -> tuple[int, str, dict]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), dict(answer.headers)
        finally:
            connection.close()

    def post(self, path: str, **form: str) -> tuple[int, str, dict]:
        return self.get(path, "POST", urlencode({"token": self.token, **form}))

    def find(self, **query) -> str:
        status, page, _ = self.get("/?" + urlencode(query))
        assert status == 200
        return page


AD = {"title": "<script>alert(1)</script> \"Lastenrad\" & 'Söhne' 🚲", "price": "12,50",
      "text": "</textarea><b>fett</b>\nzweite Zeile", "category": "bikes", "city": "Köln",
      "status": "open", "attributes": "colour: grün\ngears: 21\nelectric: no\n<i>: 1.5"}


def titles(page: str) -> list[str]:
    return re.findall(r'</span>(.*?)</h2>\n<div class="price">', page)


def publish(browser: Browser) -> str:
    """Its number."""
    browser.token = re.search(r'name="token" value="([^"]+)"', browser.get("/mine")[1])[1]
    status, _, headers = browser.post("/mine/save", **AD)
    assert status == 303
    return headers["Location"].partition("done=")[2]


def check_own_ad(browser: Browser) -> None:
    number = publish(browser)
    page = wait_until(lambda: titles(browser.find(q="alert lastenr")) and browser.find(q="alert"),
                      10, "the ad arrives")
    assert titles(page) == ["&lt;script&gt;alert(1)&lt;/script&gt; &quot;Lastenrad&quot; &amp; "
                            "&#x27;Söhne&#x27; 🚲"]
    assert "<script>alert" not in page and "<b>fett" not in page and "12.50 €" in page
    assert re.search(r"Published at [\d:]+, here <b>[\d.]+ ms</b> after the commit", page)
    assert "gears: 21" in page and "electric: no" in page and "by You" in page
    status, page, _ = browser.get(f"/mine?edit={number}")
    assert status == 200 and "<script>alert" not in page and "12.50" in page
    changed = {**AD, "id": number, "title": "Now a tandem", "status": "sold"}
    assert browser.post("/mine/save", **changed, revision="7")[0] == 409
    assert browser.post("/mine/save", **changed, revision="1")[0] == 303
    wait_until(lambda: titles(browser.find(q="now tandem", status="sold")), 10, "it changes")
    assert browser.post("/mine/name", name="Zweirad & <Co>")[0] == 303
    wait_until(lambda: "by Zweirad &amp; &lt;Co&gt;" in browser.find(q="now tandem"), 10,
               "the publisher's name changes")
    assert browser.post("/mine/delete", id=number)[0] == 303
    wait_until(lambda: not titles(browser.find(q="now tandem")), 10, "it is gone")
    assert browser.post("/mine/delete", id=number)[0] == 404


def check_refusals(browser: Browser) -> None:
    for wrong in ({"title": ""}, {"title": "x" * 121}, {"price": "1e5"}, {"price": "-1"},
                  {"text": "x" * 4001}, {"attributes": "no colon"}, {"city": "Atlantis"},
                  {"status": "eaten"}, {"id": "1 or 1"}):
        assert browser.post("/mine/save", **{**AD, **wrong})[0] == 400, wrong
    assert browser.post("/mine/save", **{**AD, "token": "guessed"})[0] == 403
    assert browser.post("/mine/delete", id="2")[0] == 404  # somebody else's
    assert browser.get("/mine?edit=2")[0] == 404
    assert browser.get("/", Host="evil.example")[0] == 403
    assert browser.get("/etc/passwd")[0] == 404
    assert browser.get("/mine/save", "POST", "x" * 100000)[0] == 413
    assert browser.get("/", "PUT")[0] == 501
    for words in ('"', '""', "a\" OR b", "NEAR(a b)", "(", "-x", "title:x", "^x", "'; drop table x",
                  "🚲", "\0", "x" * 5000, "AND OR NOT", "%00"):
        browser.find(q=words)
    assert "There is no category" in browser.find(category="'")
    assert "A price is a number" in browser.find(least="many")
    browser.find(page=10**15, sort="x", most="5")


def check_search(browser: Browser) -> None:
    def prices(**query):
        found = re.findall(r'class="price">([\d,.]+) €', browser.find(**query))
        return [float(price.replace(",", "")) for price in found]
    cheap = prices(sort="cheap", least="10")
    assert cheap == sorted(cheap) and cheap[0] >= 10 and len(cheap) == readmodel.PAGE
    assert all(20 <= price <= 30 for price in prices(least="20", most="30"))
    page = browser.find(city="München", category="music")
    places = re.findall(r'class="over"><span>(.*?)</span>', page)
    assert places and set(places) == {"München · music"}
    assert all("rennr" in title.lower() for title in titles(browser.find(q="Rennr", sort="dear")))


def test_the_site_shows_what_the_database_was_told(demo, folder):
    port = free_port()
    while port > 65000:
        port = free_port()
    running = demo("--rate", "50", "--ads", "600", "--port", str(port), "--yes")
    wait_until(lambda: "Ctrl-C ends it" in text_of(running), 60, lambda: text_of(running))
    browser = Browser(port)
    check_own_ad(browser)
    check_refusals(browser)
    check_search(browser)
    status, _, headers = browser.get("/api/live?after=x&ads=1:1,2:x,'")
    assert status == 200 and "default-src 'none'" in headers["Content-Security-Policy"]
    running.send_signal(signal.SIGINT)
    text = end(running, 0)
    assert "Everything is equal." in text
    nothing_is_left(folder)


# ---- ends ----

@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_leaves_nothing_when_it_is_stopped_during_set_up(demo, folder, number, status):
    for _ in range(4):
        running = demo("--ads", "300000")  # so many that the set-up outlasts the wait
        wait_until(lambda: "building" in text_of(running), 20, lambda: text_of(running))
        seconds = random.uniform(0, 2.5)
        time.sleep(seconds)
        running.send_signal(number)
        text = end(running, status)
        assert "stopped by" in text and "Traceback" not in text, f"after {seconds} s:\n{text}"
        nothing_is_left(folder)


def test_a_second_signal_cuts_the_end_short(demo, folder):
    running = demo("--ads", "300")
    wait_until(lambda: "Ctrl-C ends it" in text_of(running), 60, lambda: text_of(running))
    running.send_signal(signal.SIGINT)
    wait_until(lambda: "stopping" in text_of(running), 10)
    running.send_signal(signal.SIGINT)
    text = end(running, 130)
    assert "Traceback" not in text and "equal" not in text, text
    nothing_is_left(folder)


def test_nothing_runs_on_when_it_is_killed(demo, folder):
    running = demo("--ads", "300")
    wait_until(lambda: "Ctrl-C ends it" in text_of(running), 60, lambda: text_of(running))
    running.kill()
    running.wait()
    wait_until(lambda: not processes_of(folder), 20, lambda: f"ended: {processes_of(folder)}")
    end(demo("--ads", "0", "--rate", "0", "--seconds", "1"), 0)
    nothing_is_left(folder)  # the next one removes what the killed one left


def test_says_so_when_a_part_of_it_ends(demo, folder):
    running = demo("--ads", "300")
    wait_until(lambda: "Ctrl-C ends it" in text_of(running), 60, lambda: text_of(running))
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes()
        except OSError:
            continue
        if b"\0run\0--config\0" + str(folder).encode() in words:
            os.kill(int(path.name), signal.SIGKILL)
    text = end(running, 1)
    assert "Millstream has ended" in text and "following the source" in text
    nothing_is_left(folder)


@pytest.mark.parametrize("words, status, complaint", [
    (["--seconds", "0"], 2, "'0' is no whole number from 1 to"),
    (["--rate", "fast"], 2, "'fast' is no whole number"),
    (["--port", "65535"], 2, "'65535' is no whole number"),
    (["--sedonds", "3"], 2, "unrecognized arguments: --sedonds 3"),
    (["--keep", "/etc"], 1, "holds something else than a demo"),
    (["--keep", "x" * 100], 1, "too long for a socket"),
    (["--keep", "a b"], 1, "no blanks and no special signs"),
])
def test_refuses_wrong_arguments(demo, folder, words, status, complaint):
    assert complaint in end(demo(*words), status)
    nothing_is_left(folder)


# ---- parts ----

def test_the_same_seed_tells_the_same_story():
    def story(seed: int) -> str:
        made = generator.Generator(seed)
        for number in range(20):
            made.know(made.publisher(), number + 2)
        told = []
        for number in range(300):
            for step in made.steps():
                told.append(repr((step.op, step.table, step.values, step.target)))
                if step.op == "c":
                    made.know(step, len(told))
        return "\n".join(told)
    assert story(7) == story(7) != story(8)
    assert re.search("[α-ω]", story(7)) and re.search("[äöüß]", story(7))


def test_what_a_visitor_types_has_no_operators():
    assert readmodel.match('red "big" bike') == '"red" """big""" "bike"*'
    assert readmodel.match("AND OR") == '"AND" "OR"*'
    assert readmodel.match(' " ( 🚲 ') is None
    assert readmodel.match("a " * 100).count('"a"') == readmodel.WORDS_MAX


@pytest.fixture
def model(folder):
    """An empty read model as the sink makes it, and the arrivals that look at it."""
    path = folder / "model.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(
        "pragma journal_mode = wal; create table docs(id integer primary key, source_db, "
        "source_table, key, ord, doc, unique(source_db, source_table, key))")
    watching = arrivals.Arrivals(str(path))
    watching.start()

    def put(row_id: int, revision: int | None) -> None:
        key = f'{{"id":{row_id}}}'
        connection.execute("delete from docs where key = ?", (key,))
        if revision is not None:
            connection.execute("insert into docs(source_db, source_table, key, ord, doc) values "
                               "('market', 'ads', ?, 1, json_object('revision', ?))",
                               (key, revision))
    yield watching, put, connection
    watching.stop()
    connection.close()


def committed(watching, *changes) -> None:
    with watching.commit() as said:
        said += [arrivals.Change(op, "ads", row_id, revision) for op, row_id, revision in changes]


def test_a_change_has_arrived_when_a_reader_sees_it(model):
    watching, put, _ = model
    committed(watching, ("c", 1, 1), ("u", 1, 2))
    put(1, 1)
    wait_until(lambda: watching.awaited == 1, 5)
    time.sleep(0.1)
    assert watching.awaited == 1 and watching.last("ads", 1).revision == 1
    put(1, 2)
    wait_until(lambda: watching.awaited == 0, 5)
    assert watching.last("ads", 1).seconds >= 0.1
    assert watching.minute()["count"] == 2 and watching.minute()["most"] >= 100


def test_a_row_that_came_and_went_unseen_has_arrived_when_a_later_one_has(model):
    watching, put, connection = model
    many = [(op, row_id, 1) for row_id in range(1000, 3000) for op in "cd"]
    committed(watching, *many)
    time.sleep(0.1)
    assert watching.awaited == 4000  # not there: not made yet, or gone again
    committed(watching, ("c", 5000, 1), ("d", 5000, 0), ("c", 5001, 1), ("c", 5002, 1))
    connection.execute("begin")
    put(5001, 1)
    connection.execute("commit")
    wait_until(lambda: watching.awaited == 1, 5)
    assert watching.last("ads", 5001) and not watching.last("ads", 1500)
    put(5002, 1)
    wait_until(lambda: watching.awaited == 0, 5)
    committed(watching, ("d", 5002, 0))
    time.sleep(0.1)
    assert watching.awaited == 1
    put(5002, None)
    wait_until(lambda: watching.awaited == 0, 5)


def test_latencies_are_counted_to_three_percent():
    seen = arrivals.Latencies()
    values = [random.Random(1).lognormvariate(-5, 1) for _ in range(1)] + \
        [random.Random(seed).lognormvariate(-5, 1) for seed in range(2, 5000)]
    for value in values:
        seen.add(value)
    values.sort()
    for part in (0.5, 0.9, 0.99):
        exact = values[int(len(values) * part)]
        assert abs(seen.share(part) - exact) / exact < 0.04
    assert seen.figures()["most"] == round(values[-1] * 1000, 2)
    assert arrivals.Latencies().figures() == {"count": 0, "p50": None, "p99": None, "most": None}

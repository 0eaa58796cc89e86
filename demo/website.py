"""The web site: the main site (/) and the personal area (/mine), on 127.0.0.1.

The main site asks the read model only; the personal area reads and writes the database. A request
is a thread; each opens the read model for itself, and they share one connection to the database.
Forms carry a token, so that no other page in the browser can send them.
"""

import hmac
import json
import re
import secrets
import sqlite3
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import pymysql

import generator
import pages
import readmodel
from arrivals import Arrivals, Change
from readmodel import Wish
from writer import VISITOR, Counts, connect, insert, update

BODY_MAX = 64 << 10
PRICE = re.compile(r"\d{1,7}([.,]\d{1,2})?")
ID = re.compile(r"[1-9]\d{0,17}")
CONTROLS = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 127])


class Refused(Exception):
    """An answer that is no page: status, title, text."""


class Site:
    """What the requests share."""

    def __init__(self, socket: str, model: str, console: str, arrivals: Arrivals, counts: Counts):
        self.socket, self.model, self.console = socket, model, console
        self.arrivals, self.counts = arrivals, counts
        self.token = secrets.token_urlsafe(16)
        self.log = lambda text: None
        self._lock = threading.Lock()
        self._connection: pymysql.Connection | None = None

    # ---- the read model ----

    def find(self, wish: Wish):
        """What is found, rows of the read model, and why there is nothing."""
        try:
            connection = readmodel.connect(self.model)
            try:
                return readmodel.search(connection, wish), \
                    sum(readmodel.counts(connection).values()), ""
            finally:
                connection.close()
        except sqlite3.Error as error:
            self.log(f"the read model: {error}")
            return None, None, "The read model is not there yet. It comes with the first changes."

    def arrival_of(self, asked: str) -> str:
        """For ID:REVISION of an own ad."""
        row_id, _, revision = asked.partition(":")
        arrival = self.arrivals.last("ads", int(row_id))
        if not arrival or arrival.revision < int(revision):
            return "on its way" if self.arrivals.awaited else "arrived before anybody measured"
        return f"arrived {pages.span(arrival.seconds)} after the commit"

    # ---- the database ----

    def _cursor(self):
        if self._connection is None:
            self._connection = connect(self.socket)
        self._connection.ping(reconnect=True)
        return self._connection.cursor(pymysql.cursors.DictCursor)

    def query(self, statement: str, *values) -> list[dict]:
        with self._lock, self._cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def publisher(self) -> dict:
        return self.query("select * from publishers where id = %s", VISITOR)[0]

    def own_ads(self) -> list[dict]:
        return self.query("select * from ads where publisher = %s order by updated_at desc"
                          " limit 200", VISITOR)

    def own_ad(self, row_id: int) -> dict | None:
        rows = self.query("select * from ads where id = %s and publisher = %s", row_id, VISITOR)
        return rows[0] if rows else None

    def publish(self, values: dict) -> int:
        with self._lock, self._cursor() as cursor, self.arrivals.commit() as changes:
            row_id = insert(cursor, "ads", [{**values, "publisher": VISITOR}])
            changes.append(Change("c", "ads", row_id, 1, values["title"]))
        self.counts.add(changes)
        return row_id

    def change(self, row_id: int, revision: int, values: dict) -> bool:
        """False when the ad is not as it was when the form was made."""
        with self._lock, self._cursor() as cursor, self.arrivals.commit() as changes:
            new = update(cursor, "ads", values, id=row_id, publisher=VISITOR, revision=revision)
            if new is not None:
                changes.append(Change("u", "ads", row_id, new, values["title"]))
        self.counts.add(changes)
        return bool(changes)

    def delete(self, row_id: int) -> bool:
        with self._lock, self._cursor() as cursor, self.arrivals.commit() as changes:
            if cursor.execute("delete from ads where id = %s and publisher = %s",
                              (row_id, VISITOR)):
                changes.append(Change("d", "ads", row_id, 0, "your ad"))
        self.counts.add(changes)
        return bool(changes)

    def rename(self, name: str) -> None:
        with self._lock, self._cursor() as cursor, self.arrivals.commit() as changes:
            new = update(cursor, "publishers", {"name": name}, id=VISITOR)
            changes.append(Change("u", "publishers", VISITOR, new, name))
        self.counts.add(changes)


# ---- what comes from forms ----

def clean(text: str) -> str:
    """Without control characters; line breaks as \\n."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(CONTROLS).strip()


def read_wish(query: dict[str, str]) -> tuple[Wish, str]:
    """What the main site is asked for, and what of it is not understood."""
    wish, wrong = Wish(text=clean(query.get("q", ""))[:200]), ""
    known = {"category": generator.CATEGORIES, "city": generator.CITIES,
             "status": generator.STATUSES}
    for name, values in known.items():
        if query.get(name, "") in values:
            setattr(wish, name, query[name])
        elif query.get(name):
            wrong = f"There is no {name} '{query[name][:40]}'."
    for name in ("least", "most"):
        text = query.get(name, "").strip()
        if PRICE.fullmatch(text):
            setattr(wish, name, float(text.replace(",", ".")))
        elif text:
            wrong = f"A price is a number such as 120 or 9.50, not '{text[:40]}'."
    if query.get("sort") in readmodel.SORTS:
        wish.sort = query["sort"]
    page = query.get("page", "1")
    wish.page = min(int(page), 100000) if ID.fullmatch(page) else 1
    return wish, wrong


def attribute(text: str):
    """yes, no, a number, else the text."""
    if text in ("yes", "no"):
        return text == "yes"
    if re.fullmatch(r"-?\d{1,15}", text):
        return int(text)
    return float(text) if re.fullmatch(r"-?\d{1,9}\.\d{1,6}", text) else text


def read_attributes(text: str, errors: dict) -> dict:
    found = {}
    for line in filter(None, map(str.strip, text.split("\n"))):
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not colon or not name or len(name) > 40 or len(value) > 200:
            errors["attributes"] = f"Write NAME: VALUE, not '{line[:60]}'."
        found[name] = attribute(value)
    if len(found) > 20:
        errors["attributes"] = "Not more than 20 lines."
    return found


def show_attributes(text: str) -> str:
    """The other way round, for the form. What does not fit on a line is left as JSON."""
    def one(value) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "\n".join(f"{name}: {one(value)}" for name, value in json.loads(text).items())


def read_ad(form: dict[str, str]) -> tuple[dict, dict]:
    """The columns of an ad, and by field what is wrong."""
    errors: dict[str, str] = {}
    title, text = clean(form.get("title", "")), clean(form.get("text", ""))
    price = form.get("price", "").strip()
    if not 1 <= len(title) <= 120 or "\n" in title:
        errors["title"] = "A title has 1 to 120 characters."
    if len(text) > 4000:
        errors["text"] = "A text has at most 4,000 characters."
    if price and not PRICE.fullmatch(price):
        errors["price"] = "A price is a number such as 120 or 9.50, up to 9,999,999.99."
    for name, known in (("category", generator.CATEGORIES), ("city", generator.CITIES),
                        ("status", generator.STATUSES)):
        if form.get(name) not in known:
            raise Refused(400, "Not understood", f"There is no {name} '{form.get(name, '')[:40]}'.")
    attributes = read_attributes(clean(form.get("attributes", "")), errors)
    return {"title": title, "text": text, "price": price.replace(",", ".") or None,
            "category": form["category"], "city": form["city"], "status": form["status"],
            "attributes": json.dumps(attributes, ensure_ascii=False)}, errors


def read_id(text: str) -> int:
    if not ID.fullmatch(text):
        raise Refused(400, "Not understood", "An ad has a number.")
    return int(text)


# ---- requests ----

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Agora", ""
    timeout = 30
    site: Site  # set by serve()

    def do_GET(self):
        self._answer({"/": self._main_site, "/mine": self._personal_area,
                      "/api/live": self._live})

    do_HEAD = do_GET

    def do_POST(self):
        self._answer({"/mine/save": self._save, "/mine/delete": self._delete,
                      "/mine/name": self._name})

    def log_message(self, format, *args):  # noqa: A002 the base class's name
        pass

    # ---- the frame of an answer ----

    def _answer(self, routes: dict) -> None:
        self.nonce = secrets.token_urlsafe(12)
        try:
            self._check_host()
            path, _, query = self.path.partition("?")
            form = self._read_form() if self.command == "POST" else None
            if path not in routes:
                raise Refused(404, "Not here", "There are two pages: the main site and the "
                              "personal area.")
            routes[path](_single(query) if form is None else form)
        except Refused as refused:
            self._trouble(*refused.args)
        except pymysql.Error as error:
            self.site.log(f"{self.path}: {error}")
            self._trouble(503, "The database does not answer", "Try again in a moment.")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        except Exception:
            self.site.log(f"{self.path}: {traceback.format_exc()}")
            self._trouble(500, "That went wrong", "What it was stands in site.log.")

    def _check_host(self) -> None:
        """A name that somebody else's server resolves to us is not ours."""
        name = urlsplit("//" + (self.headers.get("Host") or "")).hostname
        if name not in ("127.0.0.1", "localhost", "::1"):
            raise Refused(403, "Wrong address", "This site is called 127.0.0.1 or localhost.")

    def _read_form(self) -> dict[str, str]:
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"\d{1,9}", length) or int(length) > BODY_MAX:
            raise Refused(413 if length.isdecimal() else 411, "Not understood",
                          "That is no form of ours, or too long a text.")
        form = _single(self.rfile.read(int(length)).decode("utf-8", errors="replace"))
        if not hmac.compare_digest(form.get("token", "").encode(), self.site.token.encode()):
            raise Refused(403, "An old form", "The demo was started anew since the page was made. "
                          "Open the page again.")
        return form

    def _send(self, status: int, kind: str, text: str, more: tuple = ()) -> None:
        body = text.encode("utf-8", errors="replace")
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "same-origin")
        self.send_header(
            "Content-Security-Policy",
            f"default-src 'none'; style-src 'nonce-{self.nonce}'; script-src 'nonce-{self.nonce}';"
            " connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none';"
            " frame-ancestors 'none'")
        for name, value in more:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _page(self, title: str, here: str, body: str, status: int = 200, more: tuple = ()) -> None:
        self._send(status, "text/html",
                   pages.frame(title, here, body, self.site.console, self.nonce), more)

    def _trouble(self, status: int, title: str, text: str) -> None:
        """The connection is not used again: some of the request may be unread."""
        try:
            self._page(title, "", pages.trouble(title, text), status, (("Connection", "close"),))
        except OSError:
            self.close_connection = True

    def _redirect(self, place: str) -> None:
        self._send(303, "text/plain", "", (("Location", place),))

    # ---- pages ----

    def _main_site(self, query: dict) -> None:
        wish, wrong = read_wish(query)
        found, rows, problem = self.site.find(wish)
        last = {ad["id"]: self.site.arrivals.last("ads", ad["id"])
                for ad in (found.ads if found else [])}
        self._page("Agora: classified ads", "/", pages.main_site(
            wish, found, last, self.site.arrivals.minute(), rows, problem or wrong, self.nonce))

    def _show_own(self, form: str, note: str = "", status: int = 200) -> None:
        site = self.site
        self._page("Agora: personal area", "/mine", pages.personal_area(
            site.publisher(), site.own_ads(), form, note, site.arrivals.minute(), site.token,
            self.nonce), status)

    def _personal_area(self, query: dict) -> None:
        values: dict = {"city": "Bristol"}
        if "edit" in query:
            values = self.site.own_ad(read_id(query["edit"]))
            if not values:
                raise Refused(404, "Not here", "You have no such ad.")
            values["attributes"] = show_attributes(values["attributes"])
        done = query.get("done", "")
        note = {"deleted": "Deleted in the database. Millstream takes it from the main site.",
                "renamed": "Renamed in the database. Millstream carries it to the main site."
                }.get(done, "")
        shown = pages.note(note) if note else ""
        if ID.fullmatch(done):
            ad = self.site.own_ad(int(done))
            place = "/?" + urlencode({"q": ad["title"][:80] if ad else "", "sort": "changed"})
            shown = pages.note("Saved in the database.", (place, "Look for it on the main site."))
        self._show_own(pages.ad_form(values, {}, self.site.token), shown)

    def _save(self, form: dict) -> None:
        values, errors = read_ad(form)
        row_id = read_id(form["id"]) if form.get("id") else None
        if errors:
            self._show_own(pages.ad_form(form, errors, self.site.token),
                           pages.note("Not saved: please look at what is marked.", bad=True), 400)
            return
        if row_id is None:
            row_id = self.site.publish(values)
        elif not self.site.change(row_id, read_id(form.get("revision", "")), values):
            self._show_own(pages.ad_form({}, {}, self.site.token), pages.note(
                "Not saved: the ad was changed or deleted meanwhile.", bad=True), 409)
            return
        self._redirect(f"/mine?done={row_id}")

    def _delete(self, form: dict) -> None:
        if not self.site.delete(read_id(form.get("id", ""))):
            raise Refused(404, "Not here", "You have no such ad any more.")
        self._redirect("/mine?done=deleted")

    def _name(self, form: dict) -> None:
        name = clean(form.get("name", ""))
        if not 1 <= len(name) <= 80 or "\n" in name:
            raise Refused(400, "Not saved", "A name has 1 to 80 characters.")
        self.site.rename(name)
        self._redirect("/mine?done=renamed")

    def _live(self, query: dict) -> None:
        after = query.get("after", "0")
        asked = [one for one in query.get("ads", "").split(",")
                 if re.fullmatch(r"\d{1,18}:\d{1,10}", one)][:200]
        arrivals = self.site.arrivals
        self._send(200, "application/json", json.dumps({
            "minute": arrivals.minute(),
            "recent": arrivals.recent(int(after) if re.fullmatch(r"\d{1,18}", after) else 0),
            "ads": {one: self.site.arrival_of(one) for one in asked}}))


def _single(text: str) -> dict[str, str]:
    """A query or form; of a name that comes twice the last one counts."""
    try:
        parsed = parse_qs(text, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise Refused(400, "Not understood", "Too many fields.") from None
    return {name: values[-1] for name, values in parsed.items()}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A browser that goes away in the middle is nobody's business."""


def serve(site: Site, port: int) -> Server:
    """Listens and answers in threads of its own, until shutdown()."""
    handler = type("SiteHandler", (Handler,), {"site": site})
    server = Server(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, args=(0.1,), name="site", daemon=True).start()
    return server

"""The pages, as HTML. Whatever comes from people or from the database goes through `e`."""

import html
import time
from pathlib import Path
from urllib.parse import urlencode

import generator
import words
from arrivals import Arrival
from readmodel import PAGE, SORTS, Found, Wish

FOLDER = Path(__file__).resolve().parent
STYLE = (FOLDER / "page.css").read_text(encoding="utf-8")
SCRIPT = (FOLDER / "page.js").read_text(encoding="utf-8")
LOGO = ('<svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8" '
        'fill="#0f766e"/><path d="M7 12h18l-2-5H9zM9 14v11h14V14M13 25v-6h6v6" fill="none" '
        'stroke="#fff" stroke-width="2.4" stroke-linejoin="round"/></svg>')
ICON = ("data:image/svg+xml," + LOGO.replace("<svg ", "<svg xmlns='http://www.w3.org/2000/svg' ")
        .replace('"', "'").replace("#", "%23").replace("<", "%3C").replace(">", "%3E"))
MEASURED = ("Measured from the database's answer to the commit until a reader of the read model "
            "first sees the change, by one clock; the reader looks every 2 ms.")


def e(value) -> str:
    return html.escape(str(value), quote=True)


def span(seconds: float) -> str:
    """A duration for people."""
    ms = seconds * 1000
    if ms < 10:
        return f"{ms:.1f} ms"
    return f"{ms:.0f} ms" if ms < 1000 else f"{seconds:.1f} s"


# ---- the frame ----

def frame(title: str, here: str, body: str, console: str, nonce: str) -> str:
    links = "".join(
        f'<a href="{path}"{" aria-current=page" if path == here else ""}>{name}</a>'
        for path, name in (("/", "Main site"), ("/mine", "Personal area")))
    about = {"/": "this page reads the read model only, never the database",
             "/mine": "this page reads and writes the database"}.get(here, "")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{e(title)}</title>
<link rel="icon" href="{ICON}">
<style nonce="{nonce}">{STYLE}</style>
</head>
<body>
<header><span class="brand">{LOGO}Agora</span>
<nav>{links}<a href="{e(console)}">Console</a></nav><span class="where">{about}</span></header>
<main>
{body}
</main>
<footer>A demonstration of Millstream. The ads are invented, and a program writes them.</footer>
</body>
</html>
"""


def live(minute: dict, rows: int | None, nonce: str) -> str:
    """The figures of the last minute; the script keeps them fresh."""
    def figure(name: str, what: str, value: str) -> str:
        number, _, unit = value.partition(" ")
        small = f"<small> {unit}</small>" if unit else ""
        return f'<div class="figure"><b id="{name}">{number}{small}</b><span>{what}</span></div>'

    def ms(value):
        return "–" if value is None else span(value / 1000)
    there = "" if rows is None else f" The read model has {rows:,} rows."
    return f"""<section class="card" aria-label="how fast changes arrive">
<h2>From the commit to the main site
<span class="soft" id="gone" hidden>(no answer: the demo has ended)</span></h2>
<div class="live">
{figure("p50", "half of them within", ms(minute["p50"]))}
{figure("p99", "99 of 100 within", ms(minute["p99"]))}
{figure("count", "changes, last minute", f'{minute["count"]:,}')}
<div class="chart" id="chart" hidden><svg class="spark" viewBox="0 0 59 46"
preserveAspectRatio="none" role="img" aria-label="median of each second"><polyline id="spark"/>
</svg><span class="soft">median of each second</span></div>
<p class="soft measured">{MEASURED}{there}</p>
</div></section><script nonce="{nonce}" type="module">{SCRIPT}</script>"""


# ---- parts of forms ----

def options(pairs, chosen: str) -> str:
    return "".join(f'<option value="{e(value)}"{" selected" if value == chosen else ""}>{e(text)}'
                   "</option>" for value, text in pairs)


def select(name: str, title: str, pairs, chosen: str) -> str:
    return (f'<label>{title}<select name="{name}">{options(pairs, chosen)}</select></label>')


def named(values, nothing: str | None = None) -> list[tuple[str, str]]:
    pairs = [(value, value) for value in values]
    return pairs if nothing is None else [("", nothing), *pairs]


# ---- the main site ----

def chips(attributes: dict) -> str:
    """An ad's attributes, whatever they are."""
    def text(value) -> str:
        if isinstance(value, dict):
            return ", ".join(f"{name} {text(inner)}" for name, inner in value.items())
        if isinstance(value, list):
            sign = ", " if any(isinstance(inner, str) for inner in value) else " × "
            return sign.join(text(inner) for inner in value) or "nothing"
        return {True: "yes", False: "no", None: "unknown"}.get(value, str(value)) \
            if value is None or isinstance(value, bool) else str(value)
    return "".join(f'<span class="chip">{e(name.replace("_", " "))}: {e(text(value))}</span>'
                   for name, value in list(attributes.items())[:8])


def price(value: str | None) -> str:
    if value is None:
        return "ask"
    return "for free" if float(value) == 0 else f"{float(value):,.2f} €"


def arrived(arrival: Arrival | None, revision: int) -> str:
    """About the last change of an ad."""
    if not arrival or arrival.revision < revision:
        return "Arrived before anybody measured"
    took = f"<b>{span(arrival.seconds)}</b>"
    if not arrival.live:
        return f"Loaded before Millstream ran, caught up in {took}"
    what = "Published" if arrival.op == "c" else "Changed"
    clock = time.strftime("%H:%M:%S", time.localtime(arrival.at))
    return f"{what} at {clock}, here {took} after the commit"


def card(ad: dict, arrival: Arrival | None) -> str:
    sign = words.SIGNS.get(ad["category"], "")
    status = "" if ad["status"] == "open" else \
        f' <span class="status {e(ad["status"])}">{e(ad["status"])}</span>'
    sold = " is-sold" if ad["status"] == "sold" else ""
    attributes = ad["attributes"] if isinstance(ad["attributes"], dict) else {}
    return f"""<article class="card ad{sold}" id="ad-{e(ad["id"])}">
<div class="over"><span>{e(ad["city"])} · {e(ad["category"])}</span><span>{status}</span></div>
<h2><span class="sign">{sign}</span>{e(ad["title"])}</h2>
<div class="price">{price(ad["price"])}</div>
<p class="text">{e(ad["text"])}</p>
<div class="chips">{chips(attributes)}</div>
<div class="arrival">{arrived(arrival, ad["revision"])}<br>by {e(ad["publisher_name"] or "?")}
</div></article>"""


def find_form(wish: Wish) -> str:
    def number(value) -> str:
        return "" if value is None else f"{value:g}"
    sorts = [(name, text) for name, (text, _) in SORTS.items()]
    return f"""<form class="find" action="/" method="get">
<div class="wide"><input type="search" name="q" value="{e(wish.text)}" maxlength="200"
aria-label="words" placeholder="Search titles, texts, attributes: rennrad, Ποδήλατο, łódź …">
<button>Search</button></div>
{select("category", "Category", named(generator.CATEGORIES, "all"), wish.category)}
{select("city", "City", named(sorted(generator.CITIES), "all"), wish.city)}
<label>Price from<input name="least" inputmode="decimal" value="{number(wish.least)}"></label>
<label>to<input name="most" inputmode="decimal" value="{number(wish.most)}"></label>
{select("status", "Status", named(generator.STATUSES, "all"), wish.status)}
{select("sort", "First", sorts, wish.sort)}
</form>"""


def pager(wish: Wish, total: int) -> str:
    pages = -(-total // PAGE)
    if pages < 2:
        return ""
    asked = {"q": wish.text, "category": wish.category, "city": wish.city, "status": wish.status,
             "least": wish.least, "most": wish.most, "sort": wish.sort}
    asked = {name: value for name, value in asked.items() if value not in (None, "")}

    def link(page: int, text: str) -> str:
        return f'<a href="/?{e(urlencode({**asked, "page": page}))}">{text}</a>'
    parts = [link(wish.page - 1, "← back")] if wish.page > 1 else []
    parts.append(f"page {wish.page:,} of {pages:,}")
    parts += [link(wish.page + 1, "more →")] if wish.page < pages else []
    return f'<nav class="pages" aria-label="pages">{" ".join(parts)}</nav>'


def main_site(wish: Wish, found: Found | None, arrivals: dict, minute: dict, rows: int | None,
              problem: str, nonce: str) -> str:
    if found is None:
        result = f'<p class="none">{e(problem)}</p>'
    elif not found.ads:
        result = '<p class="none">Nothing is for sale that fits. Fewer words find more.</p>'
    else:
        cards = "\n".join(card(ad, arrivals.get(ad["id"])) for ad in found.ads)
        result = f'<div class="ads">{cards}</div>{pager(wish, found.total)}'
    note = f'<p class="note bad">{e(problem)}</p>' if problem and found is not None else ""
    line = "" if found is None else (
        f'<div class="line"><span><b>{found.total:,}</b> ads</span>'
        f"<span>found in {span(found.seconds)} in the read model</span></div>")
    return f"""<h1>Everything second-hand</h1>
{live(minute, rows, nonce)}
{find_form(wish)}
{note}
<div class="columns"><div>{line}{result}</div>
<aside class="side sticky" id="arriving" hidden><div class="card"><h2>Arriving now</h2>
<ul id="feed"></ul></div></aside></div>"""


# ---- the personal area ----

def ad_form(values: dict, errors: dict, token: str) -> str:
    """To publish an ad, or to change the one whose id is in the values."""
    def error(name: str) -> str:
        return f'<span class="error">{e(errors[name])}</span>' if name in errors else ""

    def value(name: str) -> str:
        return e(values.get(name) or "")
    row = values.get("id")
    hidden = f'<input type="hidden" name="id" value="{e(row)}"><input type="hidden" ' \
             f'name="revision" value="{value("revision")}">' if row else ""
    back = '<a class="link" href="/mine">Leave it as it is</a>' if row else ""
    return f"""<form class="card" action="/mine/save" method="post">
<h2>{"Change your ad" if row else "Publish an ad"}</h2>{hidden}
<input type="hidden" name="token" value="{e(token)}"><div class="fields">
<label class="wide">Title<input name="title" maxlength="120" required value="{value("title")}">
{error("title")}</label>
<label class="wide">Text<textarea name="text" maxlength="4000">
{value("text")}</textarea>{error("text")}</label>
<label>Price in €, empty: ask<input name="price" inputmode="decimal" value="{value("price")}">
{error("price")}</label>
{select("category", "Category", named(generator.CATEGORIES), values.get("category") or "")}
{select("city", "City", named(sorted(generator.CITIES)), values.get("city") or "")}
{select("status", "Status", named(generator.STATUSES), values.get("status") or "open")}
<label class="wide">More, one a line, such as colour: red<textarea class="low"
name="attributes">
{value("attributes")}</textarea>{error("attributes")}</label>
<div class="wide"><button>{"Save" if row else "Publish"}</button> {back}</div>
</div></form>"""


def own_ad(ad: dict, token: str) -> str:
    key = e(ad["id"])
    return f"""<article class="card own" id="ad-{key}">
<div><h2>{e(ad["title"])}</h2><div class="soft">{price(ad["price"])} · {e(ad["city"])} ·
{e(ad["category"])} · {e(ad["status"])} · revision {e(ad["revision"])}</div></div>
<div class="buttons"><a class="link" href="/mine?edit={key}">Change</a>
<form action="/mine/delete" method="post"><input type="hidden" name="token" value="{e(token)}">
<input type="hidden" name="id" value="{key}"><button class="plain bad">Delete</button></form></div>
<div class="arrival">On the main site: <b data-ad="{key}:{e(ad["revision"])}">…</b></div>
</article>"""


def personal_area(publisher: dict, ads: list[dict], form: str, note: str, minute: dict,
                  token: str, nonce: str) -> str:
    own = "\n".join(own_ad(ad, token) for ad in ads) or \
        '<p class="none">You have no ads yet. Publish one, and look for it on the main site.</p>'
    return f"""<h1>Personal area</h1>
<p class="soft">What you do here is written to the database, and only there. Millstream carries it
to the main site.</p>
{note}
<div class="columns mine"><div class="stack">{form}
<form class="card" action="/mine/name" method="post"><h2>Your name</h2>
<input type="hidden" name="token" value="{e(token)}"><div class="fields">
<label class="wide">Shown with all of your ads<input name="name" maxlength="80" required
value="{e(publisher["name"])}"></label><div><button>Rename</button></div></div></form></div>
<div>{live(minute, None, nonce)}<div class="line"><b>Your ads</b></div>{own}</div></div>"""


def note(text: str, link: tuple[str, str] | None = None, bad: bool = False) -> str:
    more = f' <a href="{e(link[0])}">{e(link[1])}</a>' if link else ""
    return f'<p class="note{" bad" if bad else ""}" role="status">{e(text)}{more}</p>'


def trouble(title: str, text: str) -> str:
    return f'<h1>{e(title)}</h1><p class="card">{e(text)}</p>'

"""Ads and what happens to them: seeded, so that the same seed tells the same story.

Knows no database: it says what is to be done, and is told what came of it. The ads that it may
change are those of its own publishers; those of the visitor it never sees.
"""

import json
import random
from dataclasses import dataclass
from datetime import date, timedelta

import words

MOST_ADS = 20000  # from here on as many go as come
PUBLISHERS = 240
LANGUAGES = tuple(words.CITIES)
CITIES = {city: language for language, cities in words.CITIES.items() for city in cities}
CATEGORIES = tuple(words.THINGS)
STATUSES = ("open", "reserved", "sold")


@dataclass(slots=True)
class Ad:
    """What the writer remembers of a row."""

    id: int
    title: str
    text: str
    category: str
    language: str
    price: int | None  # cents
    status: str = "open"


@dataclass(slots=True)
class Publisher:
    id: int
    kind: str
    language: str
    city: str


@dataclass(slots=True)
class Step:
    """One row's change: op c, u or d; the row, or for an update the columns that change."""

    op: str
    table: str
    values: dict
    target: Ad | Publisher | None = None


def money(cents: int | None) -> str | None:
    return None if cents is None else f"{cents // 100}.{cents % 100:02d}"


class Generator:
    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.publishers: list[Publisher] = []
        self.ads: list[Ad] = []

    # ---- what came of it ----

    def know(self, step: Step, row_id: int) -> None:
        """A row was made."""
        if step.table == "publishers":
            city = step.values["city"]
            self.publishers.append(Publisher(row_id, step.values["kind"], CITIES[city], city))
            return
        values = step.values
        cents = None if values["price"] is None else round(float(values["price"]) * 100)
        self.ads.append(Ad(row_id, values["title"], values["text"], values["category"],
                           CITIES[values["city"]], cents, values.get("status", "open")))

    # ---- publishers ----

    def _name(self, kind: str, language: str, city: str) -> str:
        choose = self.random.choice
        if kind == "dealer":
            return choose(words.SHOPS[language]).format(city=city)
        return f"{choose(words.FIRST_NAMES[language])} {choose(words.LAST_NAMES[language])}"

    def publisher(self) -> Step:
        rnd = self.random
        city = rnd.choice(tuple(CITIES))
        kind = "dealer" if rnd.random() < 0.2 else "private"
        languages = [CITIES[city], *rnd.sample(LANGUAGES, rnd.choice((0, 0, 1, 2)))]
        return Step("c", "publishers", {
            "name": self._name(kind, CITIES[city], city), "kind": kind,
            "languages": ",".join(dict.fromkeys(languages)), "city": city,
            "verified": int(rnd.random() < 0.6),
            "rating": rnd.choice((None, round(rnd.uniform(1, 5), 3), rnd.uniform(3, 5))),
            "about": rnd.choice((None, "", rnd.choice(words.SENTENCES[CITIES[city]]).format(
                city=city))),
            "joined": str(date(2009, 1, 1) + timedelta(days=rnd.randint(0, 6000))),
        })

    # ---- ads ----

    def _attributes(self, category: str, language: str) -> dict:
        rnd, pick, number = self.random, self.random.choice, self.random.randint
        colour = pick(words.COLOURS[language])
        make = {
            "bikes": lambda: {"gears": pick((1, 3, 7, 11, 21)), "frame_cm": number(44, 64),
                              "electric": rnd.random() < 0.3, "colour": colour},
            "cars": lambda: {"year": number(1996, 2025), "km": number(1, 280) * 1000,
                             "fuel": pick(("petrol", "diesel", "electric")),
                             "owners": pick((1, 2, 3, None)), "colour": colour},
            "flats": lambda: {"m2": number(36, 260) / 2, "rooms": pick((1, 1.5, 2, 3, 4.5)),
                              "balcony": rnd.random() < 0.5,
                              "energy": {"class": pick("ABCDEF"), "kwh": number(40, 260)}},
            "phones": lambda: {"storage_gb": pick((64, 128, 256)), "colour": colour,
                               "battery": number(70, 100) / 100,
                               "with": rnd.sample(("charger", "case", "box"), number(0, 3))},
            "furniture": lambda: {"cm": [number(40, 240) for _ in range(3)], "colour": colour},
            "music": lambda: {"year": number(1890, 2025), "case": rnd.random() < 0.7},
            "books": lambda: {"pages": number(60, 1400), "language": language,
                              "signed": rnd.random() < 0.05},
            "garden": lambda: {"weight_kg": number(5, 600) / 10, "colour": colour},
        }
        return make[category]() if rnd.random() < 0.97 else {}

    def _price(self, category: str) -> int | None:
        rnd = self.random
        if rnd.random() < 0.05:
            return rnd.choice((None, 0))
        units = max(1, int(words.PRICES[category] * rnd.lognormvariate(0, 0.7)))
        return units * 100 + rnd.choice((0, 0, 0, 50, 99, 95, 1))

    def _text(self, language: str, city: str) -> str:
        rnd = self.random
        parts = rnd.sample(words.SENTENCES[language], rnd.randint(1, 4))
        if rnd.random() < 0.03:
            parts.append(rnd.choice(words.ODD))
        if rnd.random() < 0.01:
            parts *= 30
        return rnd.choice((" ", " ", "\n")).join(parts).replace("{city}", city)

    def ad(self) -> Step:
        rnd = self.random
        publisher = rnd.choice(self.publishers)
        language, city = publisher.language, publisher.city
        category = rnd.choice(CATEGORIES)
        attributes = self._attributes(category, language)
        make = rnd.choice(words.MAKES[category]) or f"{attributes.get('m2', 50):g} m²"
        title = rnd.choice(words.TITLES[language]).format(
            thing=rnd.choice(words.THINGS[category][language]), make=make, city=city,
            state=rnd.choice(words.STATES[language]))
        if rnd.random() < 0.15:
            title += " " + words.SIGNS[category]
        return Step("c", "ads", {
            "publisher": publisher.id, "title": title[0].upper() + title[1:],
            "text": self._text(language, city), "price": money(self._price(category)),
            "category": category, "city": city,
            "attributes": json.dumps(attributes, ensure_ascii=False),
            "status": "reserved" if rnd.random() < 0.02 else "open",
        })

    # ---- live ----

    def steps(self) -> list[Step]:
        """The rows of the next transaction: mostly one, at times a shop's whole delivery."""
        rnd = self.random
        kind = rnd.random()
        rows = 1 if kind < 0.70 else rnd.randint(2, 5) if kind < 0.92 else rnd.randint(6, 25)
        return [self._step() for _ in range(rows)]

    def _step(self) -> Step:
        kind, full = self.random.random(), len(self.ads) >= MOST_ADS
        inserts, deletes = (0.325, 0.325) if full else (0.55, 0.10)
        if kind < inserts or not self.ads:
            return self.ad()
        if kind < inserts + deletes:
            return Step("d", "ads", {}, self._take())
        if self.random.random() < 0.01:
            return self._rename()
        return self._update(self.random.choice(self.ads))

    def _take(self) -> Ad:
        """An ad leaves: the last one goes into its place."""
        at = self.random.randrange(len(self.ads))
        ad, last = self.ads[at], self.ads.pop()
        if at < len(self.ads):
            self.ads[at] = last
        return ad

    def _rename(self) -> Step:
        publisher = self.random.choice(self.publishers)
        return Step("u", "publishers", {"name": self._name(
            publisher.kind, publisher.language, publisher.city)}, publisher)

    def _update(self, ad: Ad) -> Step:
        rnd = self.random
        kind = rnd.random()
        if kind < 0.45 and ad.price:
            ad.price = max(100, int(ad.price * rnd.uniform(0.75, 0.97)) // 50 * 50)
            return Step("u", "ads", {"price": money(ad.price)}, ad)
        if kind < 0.75:
            ad.status = rnd.choice([status for status in STATUSES if status != ad.status])
            return Step("u", "ads", {"status": ad.status}, ad)
        if kind < 0.90:
            edit = rnd.choice(words.EDITS[ad.language])
            ad.text = edit if len(ad.text) > 1500 else f"{ad.text}\n{edit}"
            return Step("u", "ads", {"text": ad.text}, ad)
        attributes = self._attributes(ad.category, ad.language)
        return Step("u", "ads", {"attributes": json.dumps(attributes, ensure_ascii=False)}, ad)

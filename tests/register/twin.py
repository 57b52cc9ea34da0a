"""The slow twin of the cells: small registers as Python rows, and the same sums worked out person by person.

Written from the definitions (DOMAIN 3.4 to 3.6), not from the code; nothing of `evaluation.register` but the layout is used.
"""

from __future__ import annotations

import calendar
import datetime
import functools
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field

UNITS = ("813", "825", "860")
KINDS = ("ordinary", "fleksjob", "subsidised", "other")
READY = ("aktivitetsparat", "jobparat", None)


@dataclass
class Rows:
    """A small register: rows of population and hours, weekly codes and categories by person."""

    population: list = field(default_factory=list)  # person, year, municipality, birth_year, birth_month, sex, origin
    education: dict = field(default_factory=dict)
    weeks: dict = field(default_factory=dict)  # person -> {(year, week): code}
    visits: dict = field(default_factory=dict)  # person -> {(year, quarter): category}
    matches: dict = field(default_factory=dict)
    hours: list = field(default_factory=list)  # person, job, year, month, hours_100, reported, kind


@functools.lru_cache(maxsize=64)
def iso_weeks(year: int) -> list:
    """A week belongs to the year of its Thursday."""
    day, found = datetime.date(year, 1, 1), []
    while day.year == year:
        if day.isoweekday() == 4:
            found.append(tuple(day.isocalendar())[:2])
        day += datetime.timedelta(days=1)
    return found


@functools.lru_cache(maxsize=512)
def last_weeks(year: int, month: int, count: int) -> list:
    """The last weeks whose Thursday is not after the month's end."""
    day, found = datetime.date(year, month, calendar.monthrange(year, month)[1]), []
    while len(found) < count:
        if day.isoweekday() == 4:
            found.append(tuple(day.isocalendar())[:2])
        day -= datetime.timedelta(days=1)
    return found[::-1]


@functools.lru_cache(maxsize=8)
def random_rows(seed: int, persons: int = 80, years: tuple = (2006, 2017)) -> Rows:
    """Persons who move, die, emigrate, change benefit, and whose rows of hours repeat, are corrected and exaggerate."""
    draw, rows = random.Random(seed), Rows()
    first, last = years
    for number in range(persons):
        person = f"S{number:05d}"
        born, born_month = draw.randint(1945, 1997), draw.randint(1, 12)
        sex, origin = draw.choice(("man", "woman")), draw.choice(("danish", "western", "non_western", None))
        home = draw.choice((*UNITS, "860", "411"))
        gone = draw.choice([None] * 6 + [last - 1, last, 2012])
        why = draw.choice(("dead", "emigrated", "silent"))
        for year in range(first, last + 1):
            if draw.random() < 0.06:
                home = draw.choice(UNITS)
            if (gone is None or year < gone) and draw.random() > 0.01:
                rows.population.append((person, year, home, born, born_month, sex, origin))
        if draw.random() < 0.8:
            rows.education[person] = draw.choice(("none_beyond_school", "vocational", "higher", "unknown"))
        weeks, code = {}, draw.choice((130, 731, None, 140))
        for year in range(first - 2, last + 1):
            for week in iso_weeks(year):
                if draw.random() < 0.04:
                    code = draw.choice((130, 135, 738, 130, None, 651, 771, 783, 893, 998, 512))
                shown = code
                if gone is not None and year >= gone and why != "silent":
                    shown = 999 if why == "dead" else 997
                if shown is not None:
                    weeks[week] = shown
            for quarter in (1, 2, 3, 4):
                category = draw.choice(READY[:2] + READY[:1] * 3 + READY[2:])
                (rows.visits if year >= 2014 else rows.matches).setdefault(person, {})[year, quarter] = category
        rows.weeks[person] = weeks
        if draw.random() < 0.1:
            del rows.weeks[person]
        pace = draw.choice((0, 0, 1, 6, 12))
        for year in range(first, last + 1):
            for month in range(1, 13):
                if draw.random() * 12 < pace:
                    for job in draw.sample(("a", "b", "c"), draw.choice((1, 1, 2))):
                        _add_job(draw, rows, person, job, year, month)
    draw.shuffle(rows.hours)
    return rows


def _add_job(draw: random.Random, rows: Rows, person: str, job: str, year: int, month: int) -> None:
    hours = draw.choice((1, 3700, 12025, 16033, 16033, 27000, draw.randint(0, 20000)))
    kind = draw.choice(KINDS[:1] * 5 + KINDS[1:])
    row = (person, job, year, month, hours, draw.random() < 0.8, kind)
    rows.hours.append(row)
    if draw.random() < 0.08:
        rows.hours += [row] * draw.randint(1, 2)
    if draw.random() < 0.08:
        rows.hours.append((person, job, year, month, -draw.choice((500, 3700, 40000)), True, kind))


@dataclass
class Asked:
    """What a spec asks for, as plain values."""

    baseline: tuple = (2014, 12)
    design: str = "cohort"
    periods: tuple = (2010, 2016)
    frequency: str = "year"
    age: tuple = (18, 64)
    readiness: str | None = "aktivitetsparat"
    weeks: int = 4
    bridge: bool = True
    movers: str = "keep"
    kinds: tuple = ("ordinary",)
    reported_only: bool = False
    cap: float | None = None
    where: object = None
    covariates: tuple = ("age", "sex", "origin", "education", "benefit_years", "hours_before")


MEASURES = (
    "annual_hours",
    "any_hours",
    "hours_if_any",
    "stable_employment",
    "self_support",
    "education",
    "fleksjob",
    "disability_pension",
    "on_benefit",
)


class Twin:
    """All sums, as dictionaries keyed by (unit, group, period label)."""

    def __init__(self, rows: Rows, layout: object, asked: Asked) -> None:
        self.rows, self.layout, self.asked = rows, layout, asked
        self.homes = {(row[0], row[1]): row for row in rows.population}
        self.month_hours, self.month_counts = self._months()
        self.persons, self.sums = Counter(), Counter()
        self.count, self.total, self.squares = Counter(), Counter(), Counter()
        self.counters, self.imputed, self.exits = Counter(), Counter(), Counter()
        self.flow = Counter()
        for base, labels in self._baselines():
            for person in sorted(rows.weeks):
                self._one(person, base, labels)

    # -- time

    def _labels(self) -> list:
        first, last = self.asked.periods
        if self.asked.frequency == "quarter":
            return [f"{year}Q{quarter}" for year in range(first, last + 1) for quarter in (1, 2, 3, 4)]
        return [str(year) for year in range(first, last + 1)]

    def _baselines(self) -> list:
        if self.asked.design == "cohort":
            return [(self.asked.baseline, self._labels())]
        years = range(self.asked.periods[0], self.asked.periods[1] + 1)
        return [((year - 1, 12), [label for label in self._labels() if label[:4] == str(year)]) for year in years]

    def _months_of(self, label: str) -> list:
        """The months (year, month) of a period."""
        year = int(label[:4])
        if self.asked.frequency == "quarter":
            quarter = int(label[5])
            return [(year, month) for month in range(3 * quarter - 2, 3 * quarter + 1)]
        if self.asked.frequency == "window":
            return self._twelve(year, self.asked.baseline[1])
        return [(year, month) for month in range(1, 13)]

    @staticmethod
    def _twelve(year: int, month: int) -> list:
        """The twelve months that end with this one."""
        found = []
        for _ in range(12):
            found.append((year, month))
            year, month = (year, month - 1) if month > 1 else (year - 1, 12)
        return found[::-1]

    # -- hours

    def _months(self) -> tuple:
        asked, jobs, counts = self.asked, defaultdict(int), defaultdict(Counter)
        seen = Counter(row for row in self.rows.hours if asked.kinds == "all" or row[6] in asked.kinds)
        for (person, job, year, month, hours, reported, _kind), times in seen.items():
            count = counts[person, year, month]
            count.update(rows=1, duplicates=times - 1, imputed=int(not reported), corrections=int(hours < 0))
            jobs[person, job, year, month] += hours if reported or not asked.reported_only else 0
        months = defaultdict(int)
        for (person, _job, year, month), hours in jobs.items():
            counts[person, year, month].update(negative_months=int(hours < 0))
            months[person, year, month] += max(hours, 0)
        for key, hours in months.items():
            counts[key].update(months_over=int(hours > 25000))
        return months, counts

    # -- one person

    def _one(self, person: str, base: tuple, labels: list) -> None:
        asked, states = self.asked, self.layout.states
        weeks = self.rows.weeks[person]
        year, month = base
        if not any(
            weeks.get(week) in self.layout.benefits_by_name["kontanthjælp"]
            for week in last_weeks(year, month, asked.weeks)
        ):
            return
        self.flow["benefit"] += 1
        home_year = year if month == 12 else year - 1
        home = self.homes.get((person, home_year))
        if home is None or home[2] == "411":
            return
        self.flow["resident"] += 1
        _, _, unit, born, born_month, sex, origin = home
        age = year - born - (born_month > month)
        bridged = asked.readiness is not None and year < 2014
        if not max(asked.age[0], 30 if bridged else 0) <= age <= asked.age[1]:
            return
        self.flow["age"] += 1
        if asked.readiness is not None:
            categories = self.rows.matches if bridged else self.rows.visits
            if categories.get(person, {}).get((year, (month + 2) // 3)) != asked.readiness:
                return
            self.flow["readiness"] += 1
        support = states["support"]
        on = sum(any(weeks.get(week) in support for week in iso_weeks(one)) for one in range(year - 7, year))
        facts = {
            "age": age,
            "sex": sex,
            "origin": origin,
            "education": self.rows.education.get(person),
            "benefit_years": on,
        }
        if asked.where is not None:
            if not asked.where(facts):
                return
            self.flow["where"] += 1
        if asked.movers == "drop":
            ends = [self._months_of(label)[-1] for label in labels]
            later = {y if m == 12 else y - 1 for y, m in ends}
            later = [one for one in later if one > home_year and (person, one) in self.homes]
            if any(self.homes[person, one][2] != unit for one in later):
                return
            self.flow["stayed"] += 1
        facts["hours_before"] = sum(self.month_hours[person, y, m] for y, m in self._twelve(year, month))
        group = tuple(self._band(name, facts[name]) for name in asked.covariates)
        placed = labels if asked.design == "stock" else [""]
        for label in placed:
            self.persons[unit, group, label] += 1
            for name in ("age", "benefit_years", "hours_before"):
                self.sums[name, unit, group, label] += facts[name]
        observed = [self._period(person, unit, group, label) for label in labels]
        if all(observed):
            self.flow["observed"] += 1

    def _period(self, person: str, unit: str, group: tuple, label: str) -> bool:
        asked, states, weeks = self.asked, self.layout.states, self.rows.weeks[person]
        months = self._months_of(label)
        year, month = months[-1]
        four = [weeks.get(week) for week in last_weeks(year, month, 4)]
        home = self.homes.get((person, year if month == 12 else year - 1))
        dead = four[-1] in states["dead"]
        emigrated = not dead and (four[-1] in states["emigrated"] or home is None)
        present = not dead and not emigrated
        hours = sum(self.month_hours[person, y, m] for y, m in months)
        last = sum(self.month_hours[person, y, m] for y, m in months[-3:])
        for y, m in months:
            self.counters.update(self.month_counts[person, y, m])
            side = "before" if (year, month) <= asked.baseline else "after"
            self.imputed[unit, side, "imputed"] += self.month_counts[person, y, m]["imputed"]
            self.imputed[unit, side, "rows"] += self.month_counts[person, y, m]["rows"]
        self.counters["years_over"] += hours > 208000 * len(months) // 12
        self.counters["capped"] += asked.cap is not None and hours > asked.cap * 100
        worked = hours if asked.cap is None else min(hours, round(asked.cap * 100))
        left = {
            "dead": dead,
            "emigrated": emigrated,
            "moved": present and home[2] != unit,
            **{name: four[-1] in states[name] for name in ("disability_pension", "fleksjob", "education")},
        }
        for name, there in left.items():
            self.exits[name, unit, label] += there
        if present:
            supported = any(code in states["support"] for code in four)
            studies = any(code in states["education"] for code in four)
            values = {
                "annual_hours": worked,
                "any_hours": int(worked > 0),
                "stable_employment": int(last >= 27.75 * 13 * 100),
                "self_support": int(not supported and not studies),
                "education": int(studies),
                "fleksjob": int(any(code in states["fleksjob"] for code in four)),
                "disability_pension": int(any(code in states["disability_pension"] for code in four)),
                "on_benefit": int(supported),
            }
            if worked > 0:
                values["hours_if_any"] = worked
            for measure, value in values.items():
                key = measure, unit, group, label
                self.count[key] += 1
                self.total[key] += value
                self.squares[key] += value**2
        return present

    @staticmethod
    def _band(name: str, value: object) -> str:
        if name == "age":
            steps = ((24, "18-24"), (29, "25-29"), (39, "30-39"), (49, "40-49"), (59, "50-59"), (999, "60+"))
        elif name == "benefit_years":
            steps = ((1, "0-1"), (3, "2-3"), (5, "4-5"), (7, "6-7"))
        elif name == "hours_before":
            steps = ((0, "0"), (22500, "1-225"), (80000, "226-800"), (10**12, "801+"))
        else:
            return value or "unknown"
        return next(label for most, label in steps if value <= most)

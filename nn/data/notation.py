"""Convert the text of one cell: values and dates in the notations of common tables, missing values, class labels."""

import contextlib
import functools
import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

# pandas' words for a missing value in lower case, and the question mark of the UCI repository
MISSING = (
    "", "#n/a", "#n/a n/a", "#na", "-1.#ind", "-1.#qnan", "-nan", "1.#ind", "1.#qnan", "<na>", "?", "n/a", "na", "nan",
    "nat", "none", "null",
)  # fmt: skip
BOOLEANS = {"false": 0.0, "true": 1.0, "no": 0.0, "yes": 1.0, "n": 0.0, "y": 1.0, "f": 0.0, "t": 1.0}
BOOLEAN_PAIRS = ({"false", "true"}, {"no", "yes"}, {"n", "y"}, {"f", "t"})
CURRENCY = "$€£¥₹"
CURRENCIES = "USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|SEK|NOK|DKK|PLN|BRL|MXN"
QUANTITY = re.compile(
    rf"(?P<before>(?:{CURRENCIES})?)\s*[-+−]?\d[\d.,'’ \xa0\u202f]*"
    rf"(?P<after>{CURRENCIES}|(?<=[ \xa0\u202f])(?!(?:st|nd|rd|th)$)[^\W\d_]\S*)?"
)
DATES = (
    "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d-%m-%Y", "%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%d-%b-%Y",
    "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%b-%d-%Y",
)  # fmt: skip
TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
DATE_FORMATS = ("ISO 8601", *(date + time for date in DATES for time in TIMES), "%Y-%m", "%H:%M", "%H:%M:%S")
DATE = re.compile(r"\d{1,4}[-/.:]\d|\d{1,2}[- ][A-Za-z]{3}|[A-Za-z]{3,9}[- ]\d{1,2}[-, ]")


def parse_number(cell: str) -> float | None:
    """Return the finite number in a cell, or None; underscores are accepted by Python only.

    Examples
    --------
    >>> parse_number("1.5e3"), parse_number("1_000"), parse_number("inf")
    (1500.0, None, None)
    """
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in cell else None


def common_unit(cells: Iterable[str]) -> str:
    """Return the unit that follows the number and a blank in every cell, or the currency; "" if there is none.

    Examples
    --------
    >>> common_unit(["12 kg", "7.5 kg"]), common_unit(["USD 3", "USD 4"]), common_unit(["3 kg", "4 lb"])
    ('kg', 'USD', '')
    """
    found = [QUANTITY.fullmatch(cell) for cell in cells]
    units = {match["before"] or match["after"] or "" if match else "" for match in found}
    return units.pop() if len(units) == 1 else ""


@functools.cache
def _number_pattern(decimal: str) -> re.Pattern[str]:
    group, money = ("[,'’ \xa0\u202f]" if decimal == "." else "[.'’ \xa0\u202f]"), f"[{CURRENCY}]?"
    return re.compile(
        rf"(?P<sign>[-+−]?){money}\s*(?P<whole>\d{{1,3}}(?:{group}\d{{3}})+|\d*)"
        rf"(?:{re.escape(decimal)}(?P<part>\d*))?(?P<power>[eE][-+]?\d+)?\s*{money}(?P<percent>%?)"
    )


def number_parser(decimal: str = ".", unit: str = "") -> Callable[[str], float | None]:
    """Return a function from a cell to its number: grouped thousands, percent (as a fraction) and currency signs.

    Parameters
    ----------
    decimal : {'.', ','}
        The decimal separator; the other one may separate thousands, as may an apostrophe and a space.
    unit : str
        A word before or after the number, such as ``kg``.

    Returns
    -------
    callable
        Returns None for a cell that is not a number, and infinity for one that is too large.

    Examples
    --------
    >>> [number_parser()(cell) for cell in ("1,234.5", "12%", "-$3", "1,5", "inf")]
    [1234.5, 0.12, -3.0, None, inf]
    >>> number_parser(",")("1.234,5 €"), number_parser(".", "kg")("12 kg")
    (1234.5, 12.0)
    """
    pattern = _number_pattern(decimal)

    def parse(cell: str) -> float | None:
        if unit:
            cell = cell.removeprefix(unit).removesuffix(unit).strip()
        if decimal == ".":
            with contextlib.suppress(ValueError):
                return None if "_" in cell else float(cell)
        found = pattern.fullmatch(cell)
        if found is None or not (found["whole"] or found["part"]):
            return None
        digits = re.sub(r"\D", "", found["whole"])
        number = float(f"{digits}.{found['part'] or 0}{found['power'] or ''}")
        return (-number if found["sign"] in ("-", "−") else number) / (100 if found["percent"] else 1)

    return parse


def date_parser(style: str) -> Callable[[str], float | None]:
    """Return a function from a cell to its date in days since 1970-01-01, or None for another cell.

    Parameters
    ----------
    style : str
        ``'ISO 8601'`` or a format of `datetime.strptime`.

    Examples
    --------
    >>> date_parser("ISO 8601")("1970-01-02 12:00"), date_parser("%d.%m.%Y")("3.1.1970"), date_parser("%Y-%m")("x")
    (1.5, 2.0, None)
    """

    def parse(cell: str) -> float | None:
        try:
            moment = datetime.fromisoformat(cell) if style == "ISO 8601" else datetime.strptime(cell, style)
        except ValueError:
            return None
        return (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(days=1)

    return parse


def date_format(cells: Iterable[str]) -> str | None:
    """Return the first format that parses all cells, None if there is none; the month comes before the day.

    Examples
    --------
    >>> date_format(["2024-01-31", "2024-02-01T10:30"]), date_format(["31/12/2024", "01/12/2024"]), date_format(["12"])
    ('ISO 8601', '%d/%m/%Y', None)
    """
    given = list(cells)
    if not given or not all(DATE.match(cell) for cell in given):
        return None
    for style in DATE_FORMATS:
        parse = date_parser(style)
        if all(parse(cell) is not None for cell in given):
            return style
    return None


def class_indices(cells: Iterable[str]) -> tuple[list[str], dict[str, int]]:
    """Return the labels of the classes, and the class of every spelling.

    Numeric labels are sorted by value, and ``1`` and ``1.0`` are one class, with the shorter label; others are sorted
    alphabetically.

    Examples
    --------
    >>> class_indices(["10", "9.0", "9", "10"])
    (['9', '10'], {'9': 0, '9.0': 0, '10': 1})
    """
    distinct = sorted(set(cells), key=lambda cell: (len(cell), cell))
    numbers = [parse_number(cell) for cell in distinct]
    keys: list[Any] = numbers if None not in numbers else distinct
    groups: dict[Any, list[str]] = {}
    for key, cell in zip(keys, distinct, strict=True):
        groups.setdefault(key, []).append(cell)
    classes = [groups[key] for key in sorted(groups)]
    return [group[0] for group in classes], {cell: i for i, group in enumerate(classes) for cell in group}

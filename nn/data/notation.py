"""Convert the text of one cell: values and dates in the notations of common tables, missing values, class labels."""

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
UNITS = (  # that may follow a digit without a blank, not the letters that are often grades or sections, as in 1A
    "m|km|cm|mm|[µμ]m|nm|mi|ft|in|yd|ha|g|kg|mg|[µμ]g|lbs?|oz|t|l|L|ml|mL|cl|dl|s|ms|[µμ]s|ns|sec|min|h|hrs?|hours?|days?|"
    "weeks?|months?|yrs?|years?|V|mV|kV|mA|mAh|W|mW|kW|MW|Wh|kWh|MWh|kJ|MJ|cal|kcal|e[vV]|keV|MeV|°[CFK]?|kN|Pa|"
    "hPa|kPa|MPa|m?bar|psi|mmHg|Hz|kHz|MHz|GHz|rpm|bpm|dB|[kKMGT]B|[kMG]b|mol|mmol|ppm|ppb|mph|kmh|kph|mpg|cc|hp|px|pt|pcs"
)
KNOWN = rf"(?:{UNITS})(?:\^?[23]|[²³])?(?:[/·*](?:{UNITS})(?:\^?[23]|[²³])?)*|{CURRENCIES}"
QUANTITY = re.compile(
    rf"(?P<before>(?:{CURRENCIES}|Rs\.?)?)\s*[-+−]?\d[\d.,'’ \xa0\u202f]*"
    rf"(?P<after>{KNOWN}|(?<=[ \xa0\u202f])(?!(?:st|nd|rd|th)$)(?:[^\W\d_]|[°µ])\S+)?"
)
DATES = (
    "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d-%m-%Y", "%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%d-%b-%Y",
    "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%b-%d-%Y",
)  # fmt: skip
TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
DATE_FORMATS = ("ISO 8601", *(date + time for date in DATES for time in TIMES), "%Y-%m", "%H:%M", "%H:%M:%S")
MAX_FORMATS = 3  # in one column
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
    """Return the unit that follows the number in every cell, or the currency before it; "" if there is none.

    Unknown units are words of two letters or more, after a blank.

    Examples
    --------
    >>> common_unit(["12 kg", "7.5 kg"]), common_unit(["USD 3", "USD 4"]), common_unit(["3 kg", "4 lb"])
    ('kg', 'USD', '')
    >>> common_unit(["12kg/m3", "7kg/m3"]), common_unit(["12 items", "7 items"]), common_unit(["4th", "5th"])
    ('kg/m3', 'items', '')
    """
    unit = None
    for cell in cells:
        found = QUANTITY.fullmatch(cell)
        this = (found["before"] or found["after"]) if found else None
        if not this or this != (unit or this):
            return ""
        unit = this
    return unit or ""


@functools.cache
def _number_pattern(decimal: str) -> re.Pattern[str]:
    group, money = ("[,'’ \xa0\u202f]" if decimal == "." else "[.'’ \xa0\u202f]"), f"[{CURRENCY}]?"
    return re.compile(
        rf"(?P<sign>[-+−]?){money}\s*(?P<whole>\d{{1,3}}(?:{group}\d{{3}})+|\d*)"
        rf"(?:{re.escape(decimal)}(?P<part>\d*))?(?P<power>[eE][-+]?\d+)?\s*{money}(?P<percent>%?)(?P<after>[-−]?)"
    )


def number_parser(decimal: str = ".", unit: str = "") -> Callable[[str], float | None]:
    """Return a function from a cell to its number: grouped thousands, percent (as a fraction) and currency signs.

    Parentheses stand for a minus sign, as in accounting, and so does a minus sign at the end.

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
    >>> [number_parser()(cell) for cell in ("1,234.5", "12%", "-$3", "(5)", "1,5", "inf")]
    [1234.5, 0.12, -3.0, -5.0, None, inf]
    >>> number_parser(",")("1.234,5 €"), number_parser(".", "kg")("12 kg")
    (1234.5, 12.0)
    """
    pattern = _number_pattern(decimal)
    if unit:
        plain = number_parser(decimal)
        return lambda cell: plain(cell.removeprefix(unit).removesuffix(unit).strip())

    def parse(cell: str) -> float | None:
        if cell.startswith("(") and cell.endswith(")"):
            value = parse(cell[1:-1])
            return None if value is None or value < 0 else -value
        if decimal == ".":
            try:
                number = float(cell)
            except ValueError:
                pass
            else:
                return None if "_" in cell else number
        found = pattern.fullmatch(cell)
        if found is None or not (found["whole"] or found["part"]):
            return None
        digits = re.sub(r"\D", "", found["whole"])
        number = float(f"{digits}.{found['part'] or 0}{found['power'] or ''}")
        negative = (found["sign"] or found["after"]) in ("-", "−")
        return (-number if negative else number) / (100 if found["percent"] else 1)

    return parse


def date_parser(style: str) -> Callable[[str], float | None]:
    """Return a function from a cell to its date in days since 1970-01-01, or None for another cell.

    Parameters
    ----------
    style : str
        ``'ISO 8601'`` or a format of `datetime.strptime`, or several, separated by ``' or '``.

    Examples
    --------
    >>> date_parser("ISO 8601")("1970-01-02 12:00"), date_parser("%d.%m.%Y")("3.1.1970"), date_parser("%Y-%m")("x")
    (1.5, 2.0, None)
    """
    if " or " in style:
        parsers = [date_parser(part) for part in style.split(" or ")]
        return lambda cell: next((day for parse in parsers if (day := parse(cell)) is not None), None)

    def parse(cell: str) -> float | None:
        try:
            moment = datetime.fromisoformat(cell) if style == "ISO 8601" else datetime.strptime(cell, style)
        except ValueError:
            return None
        return (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(days=1)

    return parse


def date_format(cells: Iterable[str]) -> str | None:
    """Return the format that parses all cells, or up to three that give each cell one meaning, None if there are none.

    Of two formats that parse equally many cells, the one with the month first is returned.

    Examples
    --------
    >>> date_format(["2024-01-31", "2024-02-01T10:30"]), date_format(["31/12/2024", "01/12/2024"]), date_format(["12"])
    ('ISO 8601', '%d/%m/%Y', None)
    """
    rest, styles = list(cells), list[str]()
    if not all(DATE.match(cell) for cell in rest):
        return None
    given = rest
    while rest and len(styles) < MAX_FORMATS:
        fits = {style: date_parser(style) for style in DATE_FORMATS if date_parser(style)(rest[0]) is not None}
        if not fits:
            return None
        read = {style: [cell for cell in rest if parse(cell) is not None] for style, parse in fits.items()}
        styles.append(max(read, key=lambda style: len(read[style])))
        rest = [cell for cell in rest if fits[styles[-1]](cell) is None]
    several = len(styles) > 1 and any(
        len({date_parser(style)(cell) for style in styles} - {None}) > 1 for cell in given
    )  # such as 1/2/2024, if days and months change places
    return None if rest or not styles or several else " or ".join(styles)


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

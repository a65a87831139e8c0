"""Layout of the interactive page: positions of the boxes, in columns from the leaves to the result, and curves.

The page must look the same on a machine without a drawing engine, so `render` is not used.  The method is that of
Sugiyama, Tagawa & Toda 1981: assign columns, order each column to reduce crossings, then choose heights that keep the
edges straight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Layout", "Place", "layout"]

HEIGHT = 58.0  # of a box
GAP_X = 100.0  # between columns, for the labels of edges
GAP_Y = 22.0
GAP_THIN = 14.0  # beside an edge that passes a column
SWEEPS = 8


@dataclass(frozen=True)
class Place:
    """The center of the left side of a box, and its width."""

    x: float
    y: float
    width: float


@dataclass(frozen=True)
class Layout:
    """Positions of boxes and edges.

    Attributes
    ----------
    places : list of Place
        One for each node.
    paths : list of str
        One for each edge, as the ``d`` of an SVG path.
    middles : list of tuple of float
        A point for the label of each edge.
    width, height : float
        Size of the drawing.
    """

    places: list[Place]
    paths: list[str]
    middles: list[tuple[float, float]]
    width: float
    height: float


def layout(widths: Sequence[float], edges: Sequence[tuple[int, int]]) -> Layout:
    """Compute the layout of an acyclic graph.

    Parameters
    ----------
    widths : sequence of float
        The width of the box of each node, arguments before users.
    edges : sequence of (int, int)
        From the argument to its user, in the order of the arguments.

    Returns
    -------
    Layout
        Always the same for the same graph.

    Examples
    --------
    >>> found = layout([50, 50, 60], [(0, 2), (1, 2)])
    >>> [round(place.x) for place in found.places]
    [12, 12, 162]
    """
    rank = ranks(len(widths), edges)
    chains = [chain(rank, tail, head, i) for i, (tail, head) in enumerate(edges)]
    columns = ordered(rank, chains)
    y = heights(columns, chains)
    xs, whole = column_starts(rank, widths, len(columns))
    places = [Place(xs[rank[k]], y[k], widths[k]) for k in range(len(widths))]
    paths, middles = [], []
    entering: dict[int, list[int]] = {}
    for i, (_, head) in enumerate(edges):
        entering.setdefault(head, []).append(i)
    for i, (tail, head) in enumerate(edges):
        ports = entering[head]
        step = min(14.0, (HEIGHT - 16) / len(ports))
        end = (xs[rank[head]] - 3, y[head] + step * (ports.index(i) - (len(ports) - 1) / 2))
        points = [(xs[rank[tail]] + widths[tail], y[tail])]
        for dummy in chains[i][1:-1]:
            column = dummy[0] if isinstance(dummy, tuple) else 0
            right = xs[column + 1] - GAP_X if column + 1 < len(xs) else xs[column]
            points += [(xs[column], y[dummy]), (max(right, xs[column]), y[dummy])]
        points.append(end)
        paths.append(curve(points))
        middles.append(((points[-2][0] + end[0]) / 2, (points[-2][1] + end[1]) / 2))
    return Layout(places, paths, middles, whole, max(y.values(), default=0) + HEIGHT / 2 + 12)


# A box is its index; the point at which an edge passes a column is (column, edge).
Item = int | tuple[int, int]


def ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Return the column of each node: one after its last argument, and a leaf just before its first user."""
    rank = [0] * count
    users: dict[int, list[int]] = {}
    arguments = {head for _, head in edges}
    for tail, head in sorted(edges, key=lambda edge: edge[1]):
        rank[head] = max(rank[head], rank[tail] + 1)
        users.setdefault(tail, []).append(head)
    for k in range(count):
        if k not in arguments and k in users:
            rank[k] = min(rank[user] for user in users[k]) - 1
    return rank


def chain(rank: Sequence[int], tail: int, head: int, edge: int) -> list[Item]:
    """Return the items along an edge, one for each column."""
    return [tail, *((column, edge) for column in range(rank[tail] + 1, rank[head])), head]


def ordered(rank: Sequence[int], chains: Sequence[Sequence[Item]]) -> list[list[Item]]:
    """Return the items of each column from top to bottom, by repeated sorting by barycenters."""
    columns: list[list[Item]] = [[] for _ in range(max(rank, default=0) + 1)]
    before: dict[Item, list[Item]] = {}
    after: dict[Item, list[Item]] = {}
    for k, column in enumerate(rank):
        columns[column].append(k)
    for items in chains:
        for dummy in items[1:-1]:
            columns[dummy[0] if isinstance(dummy, tuple) else 0].append(dummy)
        for left, right in pairwise(items):
            after.setdefault(left, []).append(right)
            before.setdefault(right, []).append(left)
    best, fewest = [list(c) for c in columns], crossings(columns, after)
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        neighbours = before if forward else after
        for items_here in columns if forward else reversed(columns):
            place = {item: i for c in columns for i, item in enumerate(c)}
            items_here.sort(key=lambda item: mean([place[n] for n in neighbours.get(item, [item])]))
        count = crossings(columns, after)
        if count < fewest:
            best, fewest = [list(c) for c in columns], count
    return best


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean."""
    return sum(values) / len(values)


def crossings(columns: Sequence[Sequence[Item]], after: dict[Item, list[Item]]) -> int:
    """Return the number of pairs of edges that cross between neighbouring columns."""
    place = {item: i for column in columns for i, item in enumerate(column)}
    total = 0
    for column in columns:
        ends = [place[n] for item in column for n in sorted(after.get(item, []), key=place.__getitem__)]
        total += sum(a > b for i, a in enumerate(ends) for b in ends[i + 1 :])
    return total


def heights(columns: Sequence[Sequence[Item]], chains: Sequence[Sequence[Item]]) -> dict[Item, float]:
    """Return the height of each item: near the mean of its neighbours, in order and without overlap."""
    neighbours: dict[Item, list[Item]] = {}
    for items in chains:
        for left, right in pairwise(items):
            neighbours.setdefault(left, []).append(right)
            neighbours.setdefault(right, []).append(left)
    y = {item: at for column in columns for item, at in zip(column, spaced(column, [0.0] * len(column)), strict=True)}
    for sweep in range(3 * SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            wanted = [mean([y[n] for n in neighbours.get(item, [item])]) for item in column]
            y.update(zip(column, spaced(column, wanted), strict=True))
    top = min((at - HEIGHT / 2 for item, at in y.items() if isinstance(item, int)), default=0.0)
    top = min([top, *(at for item, at in y.items() if not isinstance(item, int))])
    return {item: at - top + 12 for item, at in y.items()}


def spaced(column: Sequence[Item], wanted: Sequence[float]) -> list[float]:
    """Return heights in the given order, far enough apart, with the least squared distance from `wanted`.

    After subtraction of the space above each item, this is isotonic regression by pooling adjacent violators
    (Ayer et al. 1955).
    """
    above = [0.0]
    for upper, lower in pairwise(column):
        boxes = isinstance(upper, int) + isinstance(lower, int)
        above.append(above[-1] + boxes * HEIGHT / 2 + (GAP_Y if boxes else GAP_THIN))
    pools: list[tuple[float, int]] = []  # (mean, how many)
    for at, offset in zip(wanted, above, strict=False):
        level, size = at - offset, 1
        while pools and pools[-1][0] > level:
            other, count = pools.pop()
            level, size = (level * size + other * count) / (size + count), size + count
        pools.append((level, size))
    levels = (level for level, size in pools for _ in range(size))
    return [level + offset for level, offset in zip(levels, above, strict=False)]


def column_starts(rank: Sequence[int], widths: Sequence[float], count: int) -> tuple[list[float], float]:
    """Return the start of each column, and the end of the last one."""
    widest = [0.0] * count
    for column, width in zip(rank, widths, strict=True):
        widest[column] = max(widest[column], width)
    starts, x = [], 12.0
    for width in widest:
        starts.append(x)
        x += width + GAP_X
    return starts, x - GAP_X + 12.0


def curve(points: Sequence[tuple[float, float]]) -> str:
    """Return a smooth path through points, horizontal at each of them."""
    x, y = points[0]
    text = f"M{x:.1f} {y:.1f}"
    for to_x, to_y in points[1:]:
        half = (to_x - x) / 2
        text += f"C{x + half:.1f} {y:.1f} {to_x - half:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
        x, y = to_x, to_y
    return text

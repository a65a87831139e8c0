"""Write the report of a training as one self-contained HTML file: diagnosis, figures and tables."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nn.show.plotting import svg
from nn.show.summary import html_table

from .diagnosis import Report
from .plots import monitor_figure

if TYPE_CHECKING:
    from .monitor import Monitor

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1060px;margin:2rem auto;padding:0 1rem;color:#1d2733;background:#fff}
h1{font-size:1.5rem;margin-bottom:.2rem} h2{font-size:1.1rem;margin:1.8rem 0 .5rem}
.summary{color:#55606e;margin-top:0}
.verdict{border-left:4px solid #c8402f;background:#fdf3f1;padding:.5rem .9rem;margin:.6rem 0}
.verdict b{color:#a52d1e} .good{border-color:#2e9e5b;background:#f0f9f3} .good b{color:#1f7a43}
.cure{color:#3d4855}
svg{max-width:100%;height:auto} table{border-collapse:collapse;font-size:13px;margin:.4rem 0}
td,th{padding:.2rem .8rem;border-bottom:1px solid #e3e7ec;text-align:right}
td:first-child,th:first-child{text-align:left}
pre{background:#f4f6f8;padding:.7rem .9rem;overflow-x:auto;font-size:13px}
"""


def document(title: str, parts: Sequence[str]) -> str:
    """Return a page of parts in HTML."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>\n<h1>{html.escape(title)}</h1>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def verdicts(report: Report) -> str:
    """Return the findings as HTML."""
    e = html.escape
    head = f'<p class="summary">{e(report.summary)}</p>'
    if not report.verdicts:
        return head + '<div class="verdict good"><b>Nothing alarming.</b></div>'
    found = [
        f'<div class="verdict"><b>{e(v.kind.capitalize())}</b>{f" ({e(v.where)})" if v.where else ""}: {e(v.evidence)}.'
        f'<div class="cure">Cure: {e(v.cure)}.</div></div>'
        for v in report
    ]
    return head + "\n".join(found)


def parameters(monitor: Monitor) -> str:
    """Return the latest statistics of every parameter as a table."""
    if not monitor.samples:
        return ""
    last = monitor.samples[-1]
    rows = [
        [
            name, "\u00d7".join(map(str, monitor.shapes[i])) or "1", last.norm[0, i], last.mean[0, i], last.std[0, i],
            last.norm[1, i], last.std[1, i], last.norm[2, i] / max(last.norm[0, i], 1e-300),
        ]
        for i, name in enumerate(monitor.names)
    ]  # fmt: skip
    head = ["parameter", "shape", "norm", "mean", "std", "gradient norm", "gradient std", "update / weight"]
    return f"<h2>Parameters in step {last.step}</h2>" + html_table(head, rows)


def outputs(monitor: Monitor) -> str:
    """Return the latest statistics of the output of every sampled module as a table."""
    last = next((s for s in reversed(monitor.samples) if s.layers), None)
    if last is None:
        return ""
    rows = []
    for name, a in last.layers.items():
        dead = f"{1 - a['alive'].mean():.0%}" if "alive" in a else ""
        saturated = f"{a['saturated']:.0%}" if "saturated" in a else ""
        rows.append([name, a["mean"], a["std"], a["norm"], dead, saturated])
    head = ["module", "mean", "std", "norm", "dead", "saturated"]
    return f"<h2>Outputs in step {last.step}</h2>" + html_table(head, rows)


def monitored(monitor: Monitor) -> list[str]:
    """Return the report of a monitor as parts of a page."""
    figure = svg(monitor_figure(monitor))
    return [verdicts(monitor.report()), "<h2>Figures</h2>", figure, parameters(monitor), outputs(monitor)]

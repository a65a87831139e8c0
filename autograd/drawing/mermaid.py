"""Translate the DOT text of drawings to Mermaid, which GitHub and GitLab draw in Markdown files."""

from __future__ import annotations

import html
import re

NODE = re.compile(r"(n\d+) \[(.*)\]$")
EDGE = re.compile(r"(n\d+)\S* -> (n\d+)\S*(?: \[(.*)\])?$")
ATTRIBUTE = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)')
BOX = ('["', '"]')
SHAPES: dict[str, tuple[str, str]] = {
    "ellipse": ('(["', '"])'),
    "circle": ('(("', '"))'),
    "box": BOX,
    "plaintext": BOX,
    "filled": BOX,
}
ROUNDED = '("', '")'


def mermaid(source: str) -> str:
    r"""Return a graph in the DOT language, as `draw` writes it, as a flowchart in Mermaid's.

    Parameters
    ----------
    source : str
        The graph, in DOT.

    Returns
    -------
    str
        The flowchart; colours, frames and labels are kept, positions are chosen by Mermaid.

    Examples
    --------
    >>> from autograd import Value, draw
    >>> print(mermaid(draw(Value(2.0, name="x") * 3.0).source), end="")
    flowchart LR
    n0("x<br/>2")
    style n0 fill:#dceafb,stroke:#3b78c2,color:#1f2933
    n1("6")
    style n1 fill:#fff0c9,stroke:#d08a00,color:#1f2933
    n2(["*"])
    style n2 fill:#e3f4e6,stroke:#4b9b5f,color:#1f2933
    n3["3"]
    style n3 fill:none,stroke:none,color:#7b8794
    n0 --> n2
    n3 --> n2
    n2 --> n1
    """
    (ink,) = re.findall(r'node \[fontcolor="(#\w+)"', source)
    lines, blocks = ["flowchart " + re.findall(r"rankdir=(\w+)", source)[0]], []
    for line in map(str.strip, source.split("\n")):
        if line.endswith("{"):
            blocks.append(line.split()[1].replace("cluster_", "f") if line.startswith("subgraph") else "")
        elif line == "}" and blocks.pop():
            lines.append("end")
        elif line.startswith("label=") and blocks[-1]:
            lines.append(f'subgraph {blocks[-1]}["{text_of(line[6:])}"]')
        elif edge := EDGE.match(line):
            looks = dict(ATTRIBUTE.findall(edge[3] or ""))
            tail, head = edge.group(2, 1) if looks.get("dir") == "back" else edge.group(1, 2)
            label = f'|"{text_of(looks["label"])}"|' if "label" in looks else ""
            lines += [f"{tail} -->{label} {head}"] * (looks.get("style") != "invis")
        elif node := NODE.match(line):
            looks = dict(ATTRIBUTE.findall(node[2]))
            before, after = SHAPES.get(looks.get("shape") or looks.get("style", ""), ROUNDED)
            fill, stroke, color = (looks.get(k, "none").strip('"') for k in ("fillcolor", "color", "fontcolor"))
            lines.append(f"{node[1]}{before}{text_of(looks['label'])}{after}")
            lines.append(f"style {node[1]} fill:{fill},stroke:{stroke},color:{color if color != 'none' else ink}")
    return "\n".join(lines) + "\n"


def text_of(label: str) -> str:
    r"""Return a label of DOT as one of Mermaid, with the fields of a record as lines.

    Examples
    --------
    >>> text_of(r'"a\ #1|2\n3"'), text_of('"&lt;b&gt;"')
    ('a #35;1<br/>2<br/>3', '#60;b#62;')
    """
    text = re.sub(r'^"\{?|\}?"$', "", label) if label.startswith('"') else label
    text = re.sub(r"(^|\|)<\w+> ", r"\1", text)
    text = re.sub(r"(?<!\\)((?:\\\\)*)(?:\||\\n)", "\\1\0", text)
    text = html.unescape(re.sub(r"\\(.)", r"\1", text)).translate({ord(c): f"#{ord(c)};" for c in '#<>&"`'})
    return text.strip("\0").replace("\0", "<br/>")

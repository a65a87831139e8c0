"""Our DOT text read back, for tests of pictures."""

import re

NODE = re.compile(r'\t+(n\d+) \[label=("(?:[^"\\]|\\.)*"|\S+)')
EDGE = re.compile(r"\t+(n\d+)[:\w]* -> (n\d+)")


def boxes(source):
    """{id: (label, shape)} of every node of our DOT text, and the edges in order."""
    nodes, edges = {}, []
    for line in source.splitlines():
        if edge := EDGE.match(line):
            edges.append(edge.groups())
        elif node := NODE.match(line):
            shape = re.search(r" shape=(\w+)", line)
            nodes[node[1]] = (node[2].strip('"'), shape[1] if shape else "record")
    return nodes, edges


def labels(source, shape="record"):
    return [label.replace("\\ ", " ") for label, kind in boxes(source)[0].values() if kind == shape]


def frames(source):
    """Labels of all frames."""
    return [label.strip('"') for label in re.findall(r"^\t\t+label=(.*)$", source, re.M)]


def edge_labels(source):
    """Texts beside arrows, in order."""
    return [m[1].strip('"') for m in re.finditer(r'-> n\d+ \[label=("(?:[^"\\]|\\.)*"|[^\s\]]+)', source)]


def attributes(source, label):
    """The attributes of the box whose label starts so."""
    (line,) = [s for s in source.splitlines() if NODE.match(s) and NODE.match(s)[2].strip('"').startswith(label)]
    return {key: value.strip('"') for key, value in re.findall(r'(\w+)=("[^"]*"|[^\s\]]+)', line)}

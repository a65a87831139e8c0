// Elements, colours and charts, for all interactive pages.
const SVG = "http://www.w3.org/2000/svg";
function make(space, tag, attributes, ...children) {
  const node = space ? document.createElementNS(space, tag) : document.createElement(tag);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  node.append(...children);
  return node;
}
const el = (tag, attributes, ...children) => make("", tag, attributes, ...children);
const svg = (tag, attributes, ...children) => make(SVG, tag, attributes, ...children);
const cut = (text, longest) => (text.length > longest ? text.slice(0, longest - 1) + "…" : text);

// Transparent for zero, so that it suits a light and a dark page.
function heatColor(x, largest) {
  if (!Number.isFinite(x)) return "rgb(212,196,0)";
  const strength = (0.9 * Math.sqrt(Math.min(1, Math.abs(x) / largest))).toFixed(3);
  return x >= 0 ? `rgba(40,110,255,${strength})` : `rgba(235,70,40,${strength})`;
}

// About `count` round numbers in an interval.
function ticks(low, high, count) {
  const raw = (high - low) / count || 1,
    power = 10 ** Math.floor(Math.log10(raw)),
    step = power * [1, 2, 5, 10].find(m => m * power >= raw * 0.999);
  const found = [];
  for (let x = Math.ceil(low / step - 1e-9) * step; x <= high + step * 1e-9; x += step)
    found.push(Math.abs(x) < step * 1e-9 ? 0 : x);
  return found;
}

// Lines over a common axis, in a list that is empty if none of them has two points.  A series is {points, class};
// x and y are the titles of the axes, `show` writes a number.
function lineChart(series, { x, y, label, log, show, id }) {
  const width = 420,
    height = 190,
    left = 58,
    bottom = 36,
    top = 10,
    right = 12;
  const to = log ? Math.log10 : value => value;
  const lines = series.map(one => ({
    ...one,
    points: one.points.filter(([, value]) => Number.isFinite(value) && (!log || value > 0)),
  }));
  const every = lines.flatMap(one => one.points);
  if (!lines.some(one => one.points.length > 1)) return [];
  let least = Infinity,
    most = -Infinity,
    last = 1;
  for (const one of series) for (const [at] of one.points) last = Math.max(last, at);
  for (const [, value] of every) {
    least = Math.min(least, to(value));
    most = Math.max(most, to(value));
  }
  const pad = (most - least || 1) * 0.05,
    low = least - pad,
    high = most + pad;
  const px = at => left + ((width - left - right) * at) / last,
    py = value => height - bottom - ((height - bottom - top) * (value - low)) / (high - low);
  const chart = svg("svg", { id, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  const text = (at, value, words, anchor = "middle") => svg("text", { x: at, y: value, "text-anchor": anchor }, words);
  for (const at of ticks(0, last, 6).filter(Number.isInteger))
    chart.append(
      svg("path", { class: "grid", d: `M${px(at)} ${top}V${height - bottom + 4}` }),
      text(px(at), height - bottom + 16, String(at)),
    );
  for (const value of ticks(low, high, 5))
    chart.append(
      svg("path", { class: "grid", d: `M${left - 4} ${py(value)}H${width - right}` }),
      text(left - 7, py(value) + 4, show(log ? 10 ** value : value), "end"),
    );
  chart.append(svg("path", { class: "axis", d: `M${left} ${top}V${height - bottom}H${width - right}` }));
  for (const one of lines) {
    const points = one.points.map(([at, value]) => `${px(at).toFixed(2)},${py(to(value)).toFixed(2)}`).join(" ");
    chart.append(svg("polyline", { points, ...(one.class ? { class: one.class } : {}) }));
  }
  chart.append(
    text((left + width) / 2, height - 3, x),
    svg("text", { transform: `translate(13 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, y),
  );
  return [chart];
}

// The drawing of a graph: boxes, frames that open and close, edges, and a view that can be moved and enlarged.
const EDGE = 22; // space above and below a graph, for the label of its highest or lowest edge
const MANY_EDGES = 300;
const GAP = 5; // between the label of the edge at work and a box
// An array as a picture with a pixel for each element: blue is positive, red is negative, strong is large.
function heatMap({ rows }) {
  const largest = Math.max(...rows.flat().map(Engine.number).filter(Number.isFinite).map(Math.abs)) || 1;
  const canvas = el("canvas", { width: rows[0].length, height: rows.length }),
    context = canvas.getContext("2d");
  rows.forEach((row, i) =>
    row.forEach((x, j) => {
      context.fillStyle = heatColor(Engine.number(x), largest);
      context.fillRect(j, i, 1, 1);
    }),
  );
  return canvas.toDataURL();
}

class GraphView {
  // `on` has the callbacks choose(k), toggle(frame) and lock(k).
  constructor(host, map, on) {
    this.host = host;
    this.map = map;
    this.on = on;
    this.open = new Set();
    this.view = { x: 0, y: 0, width: 100, height: 100 };
    this.scale = 1;
    this.size = { width: 800, height: 300 }; // of the host in pixels; reading it would cost a layout in each step
    this.svg = svg("svg", { id: "graph", role: "group" });
    this.svg.append(
      svg(
        "defs",
        {},
        svg(
          "marker",
          {
            id: "arrow",
            viewBox: "0 0 8 8",
            refX: 6,
            refY: 4,
            markerWidth: 8,
            markerHeight: 8,
            orient: "auto-start-reverse",
            markerUnits: "userSpaceOnUse",
          },
          svg("path", { d: "M0 0L8 4L0 8z", fill: "context-stroke" }),
        ),
      ),
    );
    this.layers = ["outlines", "edges", "boxes", "shares", "tag"].map(id => svg("g", { id }));
    this.svg.append(...this.layers);
    host.append(this.svg);
    this.listen();
    new ResizeObserver(() => this.resize()).observe(host);
  }

  show(graph, names, writer, tree) {
    Object.assign(this, { graph, names, writer, tree });
    this.open = new Set();
    this.openFrames();
    this.build();
    this.fit();
  }

  // Open every frame, or close the outermost ones if all are open.
  toggleAll() {
    const every = [],
      collect = frame => frame.frames.forEach(inner => (every.push(inner.path), collect(inner)));
    collect(this.tree);
    this.open = new Set(every.every(path => this.open.has(path)) ? [] : every);
    this.build();
    this.fit();
    return this.open.size > 0;
  }

  // Open as many levels of frames as give at most 80 boxes in a readable width.
  openFrames() {
    let level = [this.tree];
    while (level.length) {
      const inside = level.flatMap(frame => frame.frames),
        before = new Set(this.open);
      inside.forEach(frame => this.open.add(frame.path));
      if (inside.length && (this.visible().length > 80 || this.arrange().width * 0.4 > this.host.clientWidth)) {
        this.open = before;
        return;
      }
      level = inside;
    }
  }

  // The boxes: a node, or a closed frame.
  visible() {
    const found = [],
      visit = frame => {
        frame.boxes.forEach(k => found.push({ k, frame }));
        frame.frames.forEach(inner =>
          this.open.has(inner.path) ? visit(inner) : found.push({ closed: inner, frame }),
        );
      };
    visit(this.tree);
    return found;
  }

  sizeOf({ k, closed }) {
    if (closed) return { width: Math.max(128, 40 + 7.4 * closed.title.length), height: 62 };
    const made = this.madeText(k),
      line = cut(this.names[k], 22) + (made ? "   " + made : "");
    return { width: Math.max(116, 20 + 7.4 * line.length), height: this.hasRows(k) ? 112 : 58 };
  }

  hasRows(k) {
    const { value } = this.graph.nodes[k];
    return Boolean(value && value.rows && value.shape.length && value.rows.length);
  }

  madeText(k) {
    const term = this.writer.made(k);
    return term ? cut(Terms.plain(term).replaceAll(" * ", " · ").replaceAll("-", "−"), 26) : "";
  }

  // Place the boxes and edges that are visible now.
  arrange() {
    const items = this.visible(),
      { graph } = this,
      index = new Map(),
      edges = [];
    this.items = items;
    this.itemOf = new Array(graph.size);
    items.forEach((item, i) =>
      (item.closed ? item.closed.members : [item.k]).forEach(k => {
        this.itemOf[k] = i;
      }),
    );
    this.edgeOf = new Map(); // from "user/position" to a visible edge
    graph.nodes.forEach((node, user) =>
      (node.args || []).forEach((operand, position) => {
        if (!Engine.isNode(operand)) return;
        const tail = this.itemOf[operand[0]],
          head = this.itemOf[user],
          single = !items[tail].closed && !items[head].closed;
        if (tail === head) return;
        const key = single ? `${user}/${position}` : `${tail}>${head}`;
        if (!index.has(key)) index.set(key, edges.push({ tail, head, steps: [] }) - 1);
        this.edgeOf.set(`${user}/${position}`, index.get(key));
      }),
    );
    graph.steps.forEach(([user, position], j) => {
      const e = this.edgeOf.get(`${user}/${position}`);
      if (e !== undefined) edges[e].steps.push(j);
    });
    this.edges = edges;
    return Layout.nested(
      items.map(item => this.sizeOf(item)),
      edges.map(({ tail, head }) => [tail, head]),
      this.layoutTree(this.tree),
    );
  }

  build() {
    this.layout = this.arrange();
    this.draw();
  }

  layoutTree(frame) {
    const boxes = this.items.flatMap((item, i) => (item.frame === frame ? [i] : []));
    return {
      path: frame.path,
      boxes,
      frames: frame.frames.filter(inner => this.open.has(inner.path)).map(inner => this.layoutTree(inner)),
    };
  }

  // ------------------------------------------------------------------------------------------------- drawing
  draw() {
    const [frames, edges, boxes, shares, tag] = this.layers;
    for (const layer of this.layers) layer.replaceChildren();
    const titles = new Map(),
      collect = frame => {
        titles.set(frame.path, frame);
        frame.frames.forEach(collect);
      };
    collect(this.tree);
    for (const [path, place] of this.layout.frames) frames.append(this.drawFrame(titles.get(path), place));
    this.curves = this.edges.map((_, e) => svg("path", { class: "edge", d: this.layout.paths[e] }));
    edges.append(...this.curves);
    this.boxes = this.items.map((item, i) => (item.closed ? this.drawClosed(item, i) : this.drawNode(item, i)));
    boxes.append(...this.boxes.map(({ box }) => box));
    this.shareTexts = this.edges.map(() => null);
    this.sharePlaces = [];
    this.tagText = svg("text", {});
    this.tagBack = svg("rect", { rx: 5 });
    tag.append(this.tagBack, this.tagText);
    this.mini();
  }

  drawFrame(frame, { x, y, width, height }) {
    const label = `Close ${frame.title}`,
      text = svg("text", { x: x + 12, y: y + 18 });
    text.textContent = `▾ ${frame.title}`;
    const button = svg(
      "g",
      {
        class: "fold",
        tabindex: 0,
        role: "button",
        "data-frame": frame.path,
        "aria-label": label,
        "aria-expanded": "true",
      },
      svg("rect", { x: x + 4, y: y + 3, width: 24 + 7.4 * frame.title.length, height: 22, rx: 5 }),
      text,
    );
    this.pressable(button, () => this.toggle(frame));
    return svg("g", { class: "frame" }, svg("rect", { x, y, width, height, rx: 12 }), button);
  }

  drawClosed({ closed }, i) {
    const { x, y, width, height } = this.layout.places[i],
      middle = x + width / 2;
    const title = svg("text", { x: middle, y: y - 13, class: "name" });
    title.textContent = `▸ ${closed.title}`;
    const value = svg("text", { x: middle, y: y + 6, class: "value" }),
      grad = svg("text", { x: middle, y: y + 23, class: "grad" });
    const box = svg(
      "g",
      { class: "node closed", tabindex: 0, role: "button", "aria-expanded": "false", "data-frame": closed.path },
      svg("rect", { x, y: y - height / 2, width, height, rx: 10 }),
      title,
      value,
      grad,
    );
    this.pressable(box, () => this.toggle(closed));
    return { box, value, grad, output: Network.outputs(this.graph, closed.members) };
  }

  drawNode({ k }, i) {
    const { x, y, width, height } = this.layout.places[i],
      middle = x + width / 2,
      top = y - height / 2,
      node = this.graph.nodes[k],
      made = this.madeText(k);
    const rows = this.hasRows(k),
      differentiable = this.graph.differentiable[k];
    const first = svg(
      "text",
      { x: middle, y: top + (differentiable || rows ? 16 : 24) },
      svg("tspan", { class: "name" }, cut(this.names[k], 22)),
    );
    if (made) first.append(svg("tspan", { class: "made" }, " = " + made));
    const value = svg("text", { x: middle, y: top + (differentiable || rows ? 34 : 43), class: "value" });
    const grad = svg("text", { x: middle, y: top + (rows ? 105 : 51), class: "grad" });
    const title = svg("title", {}, node.name && node.name !== this.names[k] ? node.name : this.names[k]);
    const box = svg(
      "g",
      {
        id: "n" + k,
        class: `node${k === this.graph.root ? " root" : ""}`,
        tabindex: k === this.graph.root ? 0 : -1,
        role: "button",
      },
      svg("rect", { x, y: top, width, height, rx: 8 }),
      title,
      first,
      value,
      grad,
    );
    const pictures = rows ? this.pictures(node, box, x, top, width) : {};
    box.addEventListener("mouseenter", () => this.on.choose(k));
    box.addEventListener("focus", () => this.on.choose(k));
    box.addEventListener("click", () => this.on.choose(k));
    box.addEventListener("keydown", event => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const next = by && this.boxes[i + by];
      if (next) {
        event.preventDefault();
        event.stopPropagation();
        next.box.focus();
      }
      if (event.key === "Enter" && !node.op) this.on.lock(k);
    });
    return { box, value, grad, ...pictures };
  }

  pictures(node, box, x, top, width) {
    const { rows } = node.value,
      wide = width / 2 - 14,
      scale = Math.min(wide / rows[0].length, 50 / rows.length, 16);
    const size = { width: rows[0].length * scale, height: rows.length * scale };
    const at = middle => ({
      x: middle - size.width / 2,
      y: top + 66 - size.height / 2,
      ...size,
      preserveAspectRatio: "none",
      class: "heat",
    });
    const picture = svg("image", at(x + width / 4)),
      gradient = svg("image", at(x + (3 * width) / 4));
    box.append(picture, gradient);
    return { picture, gradient };
  }

  pressable(element, action) {
    element.addEventListener("click", event => {
      if (!this.dragged) {
        event.stopPropagation();
        action();
      }
    });
    element.addEventListener("keydown", event => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        event.stopPropagation();
        action();
      }
    });
  }

  toggle(frame) {
    const opened = !this.open.has(frame.path),
      { x, y } = this.center(),
      focused = this.svg.contains(document.activeElement);
    if (opened) this.open.add(frame.path);
    else this.open.delete(frame.path);
    const scale = this.scale;
    this.build();
    this.resize();
    if (focused) this.svg.querySelector(`[data-frame="${frame.path}"]`).focus();
    const place = opened
      ? this.layout.frames.get(frame.path)
      : this.layout.places[this.items.findIndex(item => item.closed === frame)];
    if (place) this.lookAt(place.x + place.width / 2, opened ? place.y + place.height / 2 : place.y, scale);
    else this.lookAt(x, y, scale);
    this.on.toggle(frame, opened);
  }

  // ---------------------------------------------------------------------------------------------------- view

  center() {
    return { x: this.view.x + this.view.width / 2, y: this.view.y + this.view.height / 2 };
  }

  // Fit the whole graph, or its width; letters stay readable, so a large graph starts at its result.
  fit() {
    const { width, height } = this.layout,
      wide = this.host.clientWidth || 800,
      most = Math.max(240, Math.round(innerHeight * (innerWidth < 700 ? 0.42 : 0.52)));
    const fitted = Math.min(innerWidth < 2600 ? 1.15 : 1.7, wide / width),
      tall = Math.min(most, Math.max(150, Math.ceil((height + 2 * EDGE) * Math.max(fitted, 0.55))));
    this.host.style.height = `${tall}px`;
    this.size = { width: wide, height: tall };
    const scale = Math.max(0.4, Math.min(fitted, Math.max(tall / height, 0.5)));
    this.lookAt(width * scale <= wide + 1 ? width / 2 : width - wide / scale / 2, height / 2, scale);
    const root = this.layout.places[this.itemOf[this.graph.root]];
    if (root && height * scale > tall) this.lookAt(this.center().x, root.y, scale);
  }

  // Show the whole graph, however small.
  whole() {
    const { width, height } = this.layout;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.host.style.height = `${Math.min(900, (height * 1000) / Math.max(width, 1000))}px`;
  }

  resize() {
    this.size = { width: this.host.clientWidth || 800, height: this.host.clientHeight || 300 };
    if (this.layout) this.lookAt(this.center().x, this.center().y, this.scale);
  }

  lookAt(x, y, scale) {
    scale = Math.max(0.02, Math.min(4, scale));
    this.scale = scale;
    const width = this.size.width / scale,
      height = this.size.height / scale,
      { layout } = this;
    const bound = (at, size, whole) =>
      size >= whole - 1 ? whole / 2 : Math.max(size / 2 - 40 / scale, Math.min(whole - size / 2 + 40 / scale, at));
    this.view = {
      x: bound(x, width, layout.width) - width / 2,
      y: bound(y, height, layout.height) - height / 2,
      width,
      height,
    };
    this.svg.setAttribute("viewBox", `${this.view.x} ${this.view.y} ${width} ${height}`);
    this.mini();
  }

  zoom(factor, x = this.center().x, y = this.center().y) {
    const { x: cx, y: cy } = this.center(),
      scale = Math.max(0.02, Math.min(4, this.scale * factor)),
      change = this.scale / scale;
    this.lookAt(x + (cx - x) * change, y + (cy - y) * change, scale);
  }

  // Move as little as necessary to show a place.
  reveal({ x, y, width, height }) {
    const { view } = this,
      margin = 30 / this.scale;
    const shift = (low, high, from, size) =>
      high - low + 2 * margin > size
        ? (low + high - size) / 2 - from
        : low - margin < from
          ? low - margin - from
          : high + margin > from + size
            ? high + margin - from - size
            : 0;
    const dx = shift(x, x + width, view.x, view.width),
      dy = shift(y - height / 2, y + height / 2, view.y, view.height);
    if (dx || dy) this.lookAt(this.center().x + dx, this.center().y + dy, this.scale);
  }

  placeOf(k) {
    return this.layout.places[this.itemOf[k]];
  }

  // A small map of a graph that is larger than its view.
  mini() {
    const { layout, view } = this,
      large = layout && (layout.width > view.width * 1.3 || layout.height > view.height * 1.3);
    this.map.style.display = large ? "" : "none";
    if (!large) return;
    if (this.mapped !== layout) {
      this.mapped = layout;
      const boxes = layout.places
        .map(
          ({ x, y, width, height }) =>
            `M${x.toFixed(0)} ${(y - height / 2).toFixed(0)}h${width.toFixed(0)}v${height}h-${width.toFixed(0)}z`,
        )
        .join("");
      this.map.setAttribute("viewBox", `0 0 ${layout.width} ${layout.height}`);
      this.window = svg("rect", { class: "window" });
      this.map.replaceChildren(svg("path", { d: boxes }), this.window);
    }
    for (const key of ["x", "y", "width", "height"]) this.window.setAttribute(key, view[key]);
    this.window.setAttribute("stroke-width", Math.max(layout.width / 90, layout.height / 60));
  }

  point(event) {
    const box = this.svg.getBoundingClientRect();
    return {
      x: this.view.x + (event.clientX - box.left) / this.scale,
      y: this.view.y + (event.clientY - box.top) / this.scale,
    };
  }

  listen() {
    const pointers = new Map();
    this.host.addEventListener("pointerdown", event => {
      pointers.set(event.pointerId, event);
      this.dragged = false;
    });
    addEventListener("pointermove", event => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const dx = event.clientX - before.clientX,
        dy = event.clientY - before.clientY,
        others = [...pointers.values()].filter(other => other.pointerId !== event.pointerId);
      if (!this.dragged && Math.hypot(dx, dy) < 5) return;
      this.dragged = true;
      if (others.length) {
        const [other] = others,
          apart = from => Math.hypot(from.clientX - other.clientX, from.clientY - other.clientY);
        const { x, y } = this.point({
          clientX: (event.clientX + other.clientX) / 2,
          clientY: (event.clientY + other.clientY) / 2,
        });
        this.zoom(apart(event) / Math.max(1, apart(before)), x, y);
      } else this.lookAt(this.center().x - dx / this.scale, this.center().y - dy / this.scale, this.scale);
      pointers.set(event.pointerId, event);
    });
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, event => pointers.delete(event.pointerId));
    this.host.addEventListener(
      "wheel",
      event => {
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        const { x, y } = this.point(event);
        this.zoom(Math.exp(-event.deltaY / 300), x, y);
      },
      { passive: false },
    );
    const jump = event => {
      if (!event.buttons) return;
      const box = this.map.getBoundingClientRect(),
        { width, height } = this.layout,
        scale = Math.min(box.width / width, box.height / height);
      this.lookAt(
        (event.clientX - box.left - (box.width - width * scale) / 2) / scale,
        (event.clientY - box.top - (box.height - height * scale) / 2) / scale,
        this.scale,
      );
      event.stopPropagation();
    };
    this.map.addEventListener("pointerdown", jump);
    this.map.addEventListener("pointermove", jump);
  }

  // ------------------------------------------------------------------------------------------------- painting
  // Show a state: {values, computed(k), gradient(k), complete(k), computing, edge: step or null, done, asked, chosen, roles}.
  paint(state) {
    this.items.forEach((item, i) => this.paintBox(item, this.boxes[i], state));
    this.edges.forEach((edge, e) => this.paintEdge(edge, e, state));
    this.placeTag(state.tag, state.edge);
  }

  // A large graph is painted in each step, so only what changes is written.
  paintBox(item, parts, state) {
    const { box, value, grad, output, picture, gradient } = parts;
    const k = item.closed ? (output.length === 1 ? output[0] : -1) : item.k;
    const shown = k >= 0 && state.computed(k);
    const g = k >= 0 ? state.gradient(k) : undefined;
    const complete = k >= 0 && state.complete(k);
    const has = other => other !== undefined && (item.closed ? item.closed.members.includes(other) : other === k);
    const classes = [
      ["part", !complete],
      ["forward", has(state.computing)],
      ["backward", state.ends.some(has)],
      ["chosen", has(state.chosen)],
      [item.closed ? "closed" : state.roles[k], true],
    ].flatMap(([name, on]) => (on && name ? [name] : []));
    const texts = [
      shown ? (item.closed ? `${this.names[k]} = ` : "") + Terms.show(state.values[k]) : "",
      g === undefined ? "" : `grad ${Terms.show(g)}${complete ? "" : " …"}`,
    ];
    const painted = [...texts, ...classes].join("|");
    if (parts.painted === painted && !gradient) return;
    parts.painted = painted;
    setText(value, texts[0]);
    setText(grad, texts[1]);
    box.setAttribute(
      "class",
      ["node", ...(k === this.graph.root && !item.closed ? ["root"] : []), ...classes].join(" "),
    );
    if (picture) paintHeat(picture, shown ? state.values[k] : undefined);
    if (gradient) paintHeat(gradient, complete ? g : undefined);
    const open = item.closed && `Open ${item.closed.title}${shown ? `, ${texts[0]}` : ""}`;
    box.setAttribute("aria-label", open || this.labelOf(k, state, shown, g, complete));
  }

  paintEdge({ steps, head }, e, state) {
    const passed = steps.filter(j => j < state.done);
    const current = state.edge !== null && steps.includes(state.edge);
    const computing = state.computing >= 0 && this.itemOf[state.computing] === head && !this.items[head].closed;
    const classes = `edge${current ? " backward" : passed.length ? " done" : ""}${computing ? " forward" : ""}`;
    const turned = passed.length > 0 || current;
    const curve = this.curves[e];
    if (curve.getAttribute("class") !== classes) curve.setAttribute("class", classes);
    if (!curve.hasAttribute(turned ? "marker-start" : "marker-end")) {
      curve.setAttribute(turned ? "marker-start" : "marker-end", "url(#arrow)");
      curve.removeAttribute(turned ? "marker-end" : "marker-start");
    }
    this.paintShare(e, passed, state, current);
  }

  labelOf(k, state, shown, g, complete) {
    const made = this.madeText(k),
      role = state.roles[k];
    return (
      `${this.names[k]}${made ? " = " + made : ""}${role ? `, ${role}` : ""}${shown ? ", value " + Terms.show(state.values[k]) : ", not computed yet"}` +
      (g === undefined ? "" : `, gradient ${Terms.show(g)}${complete ? "" : " so far"}`)
    );
  }

  // Where a node has several users, the edges show its shares of the gradient.
  paintShare(e, passed, state, current) {
    const [j] = passed,
      { tail } = this.edges[e],
      several =
        this.edges[e].steps.length === 1 && !this.items[tail].closed && this.graph.users[this.items[tail].k].length > 1;
    const text = several && j !== undefined && !current && state.shares ? Terms.show(state.steps[j].share) : "";
    if (!text && !this.shareTexts[e]) return;
    if (!this.shareTexts[e]) {
      this.layers[3].append((this.shareTexts[e] = svg("text", { ...this.placeOfShare(e, text), class: "share" })));
    }
    setText(this.shareTexts[e], text);
  }

  // A place on an edge for the text of its share, where it covers no box and no other share if possible.
  placeOfShare(e, { length }) {
    const [x, y] = this.layout.middles[e];
    if (this.edges.length > MANY_EDGES) return { x, y: y - 5 }; // measuring each curve would take seconds
    const curve = this.curves[e],
      whole = curve.getTotalLength(),
      width = 6.6 * length + 6,
      height = 14;
    const boxes = this.layout.places.map(p => ({ ...p, y: p.y - p.height / 2 }));
    const covered = (x, y) =>
      [...boxes, ...this.sharePlaces].reduce((sum, p) => {
        const across = Math.min(x + width, p.x + p.width) - Math.max(x, p.x),
          down = Math.min(y + height, p.y + p.height) - Math.max(y, p.y);
        return across > 0 && down > 0 ? sum + across * down : sum;
      }, 0);
    let best = null;
    for (const t of [0.5, 0.4, 0.6, 0.3, 0.7, 0.22, 0.78, 0.15, 0.85]) {
      const point = curve.getPointAtLength(t * whole),
        [x, y] = [point.x - width / 2, point.y - height / 2],
        cost = covered(x, y);
      if (!best || cost < best.cost) best = { x, y, width, height, cost };
      if (!cost) break;
    }
    this.sharePlaces.push(best);
    return { x: best.x + width / 2, y: best.y + 11 };
  }

  // Place the label of the current edge beside it, where it covers no box if possible and never the ends of the edge.
  placeTag(lines, step) {
    const e = step === null ? undefined : this.edgeOf.get(this.graph.steps[step].slice(0, 2).join("/"));
    const group = this.layers[4];
    group.style.display = lines.length && e !== undefined ? "" : "none";
    if (!lines.length || e === undefined) return;
    const width = Math.max(...lines.map(text => text.length)) * 7.4 + 16;
    const height = 17 * lines.length + 6;
    const { layout } = this;
    const [mx, my] = layout.middles[e];
    const ends = [this.edges[e].tail, this.edges[e].head];
    const near = layout.places.flatMap((p, i) => {
      const far = p.x > mx + 400 || p.x + p.width < mx - 400 || Math.abs(p.y - my) > 300;
      return far ? [] : [[p, ends.includes(i) ? 10 : 1]];
    });
    const overlap = (x, y) =>
      near.reduce((sum, [p, weight]) => {
        const across = Math.min(x + width + GAP, p.x + p.width) - Math.max(x - GAP, p.x);
        const down = Math.min(y + height + GAP, p.y + p.height / 2) - Math.max(y - GAP, p.y - p.height / 2);
        return across > 0 && down > 0 ? sum + weight * across * down : sum;
      }, 0);
    let best = null;
    for (let dy = -height - 128; dy <= 128; dy += 8) {
      for (const dx of [0, -20, 20, -40, 40, -70, 70, -110, 110, -150, 150]) {
        const x = Math.max(2, Math.min(layout.width - width - 2, mx - width / 2 + dx));
        const y = Math.max(2 - EDGE, Math.min(layout.height - height + EDGE - 2, my + dy));
        const away = Math.abs(dx) + Math.max(Math.abs(dy + height / 2), height / 2 + 6);
        const cost = overlap(x, y) * 20 + away;
        if (!best || cost < best.cost) best = { x, y, cost };
      }
    }
    this.tagText.replaceChildren(
      ...lines.map((text, i) => svg("tspan", { x: best.x + width / 2, y: best.y + 17 + 17 * i }, text)),
    );
    for (const [key, x] of Object.entries({ x: best.x, y: best.y, width, height })) this.tagBack.setAttribute(key, x);
  }
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function paintHeat(image, array) {
  const shown = array && array.rows && array.rows.length;
  image.style.display = shown ? "" : "none";
  if (shown && image.shown !== array) {
    image.setAttribute("href", heatMap(array));
    image.shown = array;
  }
}

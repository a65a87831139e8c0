// The panels below the graph: the derivation of one node, matrices, the leaves, and the curve of descent.
const Panels = (() => {
  const { formula, name, show, value, withValues } = Terms;
  const times = (x, y) => ["times", x, y];
  const line = (...sides) => el("div", { class: "working" }, formula(...sides));
  const hint = text => el("p", { class: "hint" }, text);

  // ----------------------------------------------------------------------------------------------- derivation
  // How the value and the gradient of a node are computed.  Results that the pass has not reached are not shown.
  function derivation(k, { graph, names, writer, state, scalar, byName }) {
    const rootName = name(names[graph.root]),
      d = j => ["d", rootName, name(names[j])],
      found = [];
    const partial = (y, x) => ["partial", name(names[y]), name(names[x])];
    const term = writer.made(k),
      shown = state.computed(k),
      values = text =>
        byName.has(text) && state.computed(byName.get(text)) ? state.values[byName.get(text)] : undefined;
    if (scalar)
      found.push(
        line(name(names[k]), term, ...(shown ? [term && withValues(term, values), value(state.values[k])] : [])),
      );
    else found.push(line(name(names[k]), term, typeof state.values[k] === "object" ? null : value(state.values[k])));
    if (!graph.differentiable[k]) return [...found, hint("This node does not have a gradient.")];
    if (k === graph.root) return [...found, line(d(k), value(1))];
    const steps = graph.steps.flatMap(([, , argument], j) => (argument === k ? [j] : []));
    if (!steps.length)
      return [...found, hint("The result does not depend on this node through a derivative: the gradient is 0.")];
    found.push(hint(steps.length === 1 ? "Used once:" : `Used ${steps.length} times; the contributions are added:`));
    const reached = steps.filter(j => j < state.done);
    for (const j of steps.slice(0, 24)) {
      const [user, position] = graph.steps[j],
        result = state.steps[j];
      if (!scalar) {
        found.push(line(d(k), ...result.sides));
        continue;
      }
      const rule = writer.rule(user, position),
        numbers = j < state.done;
      found.push(
        line(
          times(d(user), partial(user, k)),
          ...(rule && (!state.asks || numbers) ? [times(d(user), rule)] : []),
          ...(numbers ? [times(value(result.up), value(result.local)), value(result.share)] : []),
        ),
      );
    }
    if (steps.length > 24) found.push(hint(`… and ${steps.length - 24} more contributions.`));
    if (reached.length < steps.length) return [...found, hint("The backward pass has not computed this gradient yet.")];
    const total = state.steps[steps[steps.length - 1]].total;
    if (scalar && steps.length > 1)
      found.push(line(d(k), ["+", ...steps.slice(0, 24).map(j => value(state.steps[j].share))], value(total)));
    else if (scalar) found.push(line(d(k), value(total)));
    return found;
  }

  // ------------------------------------------------------------------------------------------------- matrices
  // The numbers of an array node, of its gradient and of its operands.  A cell under the pointer marks the cells from
  // which it was computed, and the edges of the node light up in the graph.
  function matrices(k, { graph, names, state, view }) {
    const node = graph.nodes[k],
      tables = [];
    const add = (title, array, owner) => {
      if (!array || !array.rows || !array.rows.length) return;
      const table = matrix(
        array,
        (i, j) => mark(owner, i, j),
        () => mark(null),
      );
      tables.push({ owner, table, array });
      shown.append(el("figure", {}, el("figcaption", {}, title), el("div", { class: "matrix-scroll" }, table)));
    };
    const shown = el("div", { class: "matrices" }),
      note = el("p", { class: "hint", role: "status" });
    const root = names[graph.root],
      gradient = state.complete(k) ? state.gradient(k) : undefined;
    add(`${names[k]}, ${show(node.value)}`, node.value, "value");
    add(`d${root}/d${names[k]}`, gradient, "gradient");
    const parts = (node.args || []).filter(Engine.isNode).map(([a]) => a);
    parts.forEach((a, i) => add(`${names[a]}, ${show(graph.nodes[a].value)}`, graph.nodes[a].value, i));
    const incoming = graph.steps.flatMap(([user, , argument], j) => (argument === k ? [[user, j]] : []));

    function mark(owner, i, j) {
      view.svg.querySelectorAll(".edge.lit").forEach(edge => edge.classList.remove("lit"));
      for (const { table, array, owner: own } of tables) {
        const cells = owner === null ? () => false : sources(node, owner, own, i, j, array);
        table
          .querySelectorAll("td")
          .forEach(cell => cell.classList.toggle("marked", cells(Number(cell.dataset.i), Number(cell.dataset.j))));
      }
      note.textContent = "";
      if (owner === null) return;
      const lit =
        owner === "gradient"
          ? incoming.map(([user, step]) => [user, graph.steps[step][1]])
          : (node.args || []).map((_, position) => [k, position]);
      for (const [user, position] of lit) {
        const edge = view.edgeOf.get(`${user}/${position}`);
        if (edge !== undefined) view.curves[edge].classList.add("lit");
      }
      const text =
        owner === "gradient"
          ? incoming
              .map(([user, step]) => [user, state.steps[step].share])
              .filter(([, share]) => share && share.rows && share.rows[i])
              .map(([user, share]) => `${show(share.rows[i][j])} from ${names[user]}`)
              .join(" + ")
          : "";
      if (text) note.textContent = `[${i}, ${j}]: ${text}`;
    }
    return tables.length ? [shown, note] : [];
  }

  // The cells of `own` from which the cell [i, j] of `owner` was computed.
  function sources(node, owner, own, i, j, array) {
    const matmul = node.op === "matmul" && owner === "value";
    if (own === owner || typeof own === "string" || typeof owner !== "string") return (a, b) => a === i && b === j;
    if (matmul) return own === 0 ? a => a === i : (_, b) => b === j;
    const rows = array.rows.length,
      columns = array.rows[0].length,
      sums = /^(sum|mean|max|min|logsumexp)$/.test(node.op);
    return (a, b) => (sums && (rows > 1 || columns > 1)) || ((rows === 1 || a === i) && (columns === 1 || b === j));
  }

  function matrix({ rows, shape }, enter, leave) {
    const largest = Math.max(...rows.flat().map(Engine.number).filter(Number.isFinite).map(Math.abs)) || 1;
    const last = shape[shape.length - 1],
      table = el("table", { class: "matrix" });
    rows.forEach((row, i) => {
      const cells = row.map((x, j) => {
        const cell = el("td", { "data-i": i, "data-j": j }, show(x));
        cell.style.setProperty("--heat", heatColor(Engine.number(x), largest));
        cell.addEventListener("mouseenter", () => enter(i, j));
        cell.addEventListener("click", () => enter(i, j));
        cell.addEventListener("mouseleave", leave);
        return cell;
      });
      table.append(el("tr", {}, ...cells, ...(row.length < last ? [el("td", { class: "more" }, "…")] : [])));
    });
    const all = shape.slice(0, -1).reduce((product, n) => product * n, 1);
    if (rows.length < all)
      table.append(
        el("tr", {}, el("td", { class: "more", colspan: rows[0].length }, `… ${all - rows.length} more rows`)),
      );
    return table;
  }

  // -------------------------------------------------------------------------------------------------- leaves
  const MOST_LEAVES = 300; // with a slider
  const ROLES = ["parameter", "input", "target", "constant"];

  const isNumber = ({ value }) => value.trim() !== "" && Number.isFinite(Number(value));
  const shortened = (x, digits = 6) => (Number.isFinite(x) ? Number(x.toPrecision(digits)) : x);

  // Set the ends of a slider around a number.
  function center(range, start) {
    const reach = Math.max(2, 2 * Math.abs(start) || 2),
      middle = Number.isFinite(start) ? start : 0;
    range.min = middle - reach;
    range.max = middle + reach;
  }

  // Rows with a slider, a number, a role and a lock for each leaf; `on` has set(k, x) and role(k, role).
  class Leaves {
    constructor(host, on) {
      this.host = host;
      this.on = on;
    }

    show(graph, names, values, why) {
      this.rows = new Map();
      this.names = names;
      this.root = names[graph.root];
      if (why || !graph.leaves.length) {
        this.host.replaceChildren(
          hint(
            why ? `The page cannot compute this graph itself, because ${why}.` : "This graph does not have variables.",
          ),
        );
        return;
      }
      const more = graph.leaves.length - MOST_LEAVES;
      this.host.replaceChildren(
        ...graph.leaves
          .slice(0, MOST_LEAVES)
          .map(k => (typeof values[k] === "object" ? this.arrayRow(k, values[k]) : this.row(k, values[k]))),
        ...(more > 0 ? [hint(`… and ${more} more leaves.`)] : []),
      );
    }

    row(k, start) {
      const title = this.names[k];
      const range = el("input", { type: "range", step: "any", "aria-label": `Value of ${title}` });
      const box = el("input", { type: "number", step: "any", "aria-label": `Value of ${title} as a number` });
      const lock = el("button", { class: "lock", type: "button" }),
        grad = el("span", { class: "gradient" });
      const role = el(
        "select",
        { "aria-label": `Role of ${title}` },
        ...ROLES.map(text => el("option", { value: text }, text)),
      );
      const parts = { range, box, grad, lock, role, at: 0 };
      center(range, start);
      for (const source of [range, box])
        source.addEventListener("input", () => {
          if (isNumber(source)) this.on.set(k, Number(source.value), parts.at);
        });
      role.addEventListener("change", () => this.on.role(k, role.value));
      lock.addEventListener("click", () => this.on.role(k, role.value === "parameter" ? "input" : "parameter"));
      this.rows.set(k, parts);
      return el("div", { class: "leaf-row" }, el("b", { title }, cut(title, 16)), range, box, role, lock, grad);
    }

    // The row of an array: the slider and the number are those of one element, chosen in a table of all.
    arrayRow(k, value) {
      const found = this.row(k, value.flat[0]),
        parts = this.rows.get(k),
        { shape, rows } = value,
        width = shape[shape.length - 1];
      parts.where = i =>
        `[${shape.map((n, axis) => Math.floor(i / shape.slice(axis + 1).reduce((a, b) => a * b, 1)) % n).join(", ")}]`;
      parts.cells = new Map();
      const choose = (i, start) => {
        parts.at = i;
        parts.range.setAttribute("aria-label", `Value of ${this.names[k]}${parts.where(i)}`);
        parts.box.setAttribute("aria-label", `Value of ${this.names[k]}${parts.where(i)} as a number`);
        center(parts.range, start);
      };
      const table = el(
        "table",
        { class: "matrix" },
        ...rows.map((row, r) =>
          el(
            "tr",
            {},
            ...row.map((_, c) => {
              const i = r * width + c,
                cell = el("input", {
                  type: "text",
                  inputmode: "text",
                  "aria-label": `${this.names[k]}${parts.where(i)}`,
                });
              cell.addEventListener("focus", () => {
                choose(i, Number(cell.value));
                this.paint(this.state);
              });
              cell.addEventListener("input", () => {
                if (isNumber(cell)) this.on.set(k, Number(cell.value), i);
              });
              cell.addEventListener("blur", () => this.paint(this.state));
              parts.cells.set(i, cell);
              return el("td", {}, cell);
            }),
          ),
        ),
      );
      choose(0, value.flat[0]);
      const more = value.flat.length - parts.cells.size;
      found.append(
        el("div", { class: "matrix-scroll" }, table, ...(more > 0 ? [hint(`… and ${more} more elements.`)] : [])),
      );
      return found;
    }

    paint(state) {
      this.state = state;
      for (const [k, { range, box, grad, lock, role, at, cells, where }] of this.rows || []) {
        const flat = Engine.elements(state.values[k]),
          x = flat[at],
          locked = state.roles[k] !== "parameter",
          gradient = state.complete(k) ? state.gradient(k) : undefined,
          g = gradient && Engine.elements(gradient)[at],
          largest = cells && (Math.max(...flat.map(Math.abs).filter(Number.isFinite)) || 1);
        for (const [i, cell] of cells || []) {
          if (document.activeElement !== cell) cell.value = shortened(flat[i], 4);
          cell.parentElement.style.setProperty("--heat", heatColor(flat[i], largest));
          cell.parentElement.classList.toggle("marked", i === at);
        }
        if (document.activeElement !== range) {
          range.min = Math.min(range.min, x);
          range.max = Math.max(range.max, x);
          range.value = x;
        }
        if (document.activeElement !== box) box.value = Number.isFinite(x) ? shortened(x) : "";
        role.value = state.roles[k];
        setText(lock, locked ? "Locked" : "Lock");
        lock.setAttribute("aria-pressed", String(locked));
        lock.setAttribute("aria-label", locked ? `Let descent change ${this.names[k]}` : `Lock ${this.names[k]}`);
        lock.title = locked ? "Descent does not change it" : "Descent changes it";
        setText(grad, g === undefined ? "" : `d${this.root}/d${this.names[k]}${cells ? where(at) : ""} = ${show(g)}`);
      }
    }
  }

  // The loss over the steps of descent.
  function curve(past, title, log) {
    const series = [{ points: past.map((y, i) => [i, y]) }];
    const label = `${title} over ${past.length - 1} steps of descent, from ${show(past[0])} to ${show(past[past.length - 1])}${log ? ", on a logarithmic scale" : ""}`;
    return lineChart(series, { x: "steps of descent", y: title, label, log, show, id: "history" });
  }

  return { Leaves, ROLES, curve, derivation, matrices };
})();

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
        ...graph.leaves.slice(0, MOST_LEAVES).map(k => this.row(k, values[k])),
        ...(more > 0 ? [hint(`… and ${more} more leaves.`)] : []),
      );
    }

    row(k, start) {
      const title = this.names[k],
        reach = Math.max(2, 2 * Math.abs(start) || 2),
        middle = Number.isFinite(start) ? start : 0;
      const range = el("input", {
        type: "range",
        min: middle - reach,
        max: middle + reach,
        step: "any",
        "aria-label": `Value of ${title}`,
      });
      const box = el("input", { type: "number", step: "any", "aria-label": `Value of ${title} as a number` });
      const lock = el("button", { class: "lock", type: "button" }),
        grad = el("span", { class: "gradient" });
      const role = el(
        "select",
        { "aria-label": `Role of ${title}` },
        ...ROLES.map(text => el("option", { value: text }, text)),
      );
      const set = source => () => {
        if (source.value !== "" && Number.isFinite(Number(source.value))) this.on.set(k, Number(source.value));
      };
      range.addEventListener("input", set(range));
      box.addEventListener("input", set(box));
      role.addEventListener("change", () => this.on.role(k, role.value));
      lock.addEventListener("click", () => this.on.role(k, role.value === "parameter" ? "input" : "parameter"));
      this.rows.set(k, { range, box, grad, lock, role });
      return el("div", { class: "leaf-row" }, el("b", { title }, cut(title, 16)), range, box, role, lock, grad);
    }

    paint(state) {
      for (const [k, { range, box, grad, lock, role }] of this.rows || []) {
        const x = state.values[k],
          locked = state.roles[k] !== "parameter",
          g = state.complete(k) ? state.gradient(k) : undefined;
        if (document.activeElement !== range) {
          range.min = Math.min(range.min, x);
          range.max = Math.max(range.max, x);
          range.value = x;
        }
        if (document.activeElement !== box) box.value = Number.isFinite(x) ? Number(x.toPrecision(6)) : x;
        role.value = state.roles[k];
        setText(lock, locked ? "Locked" : "Lock");
        lock.setAttribute("aria-pressed", String(locked));
        lock.setAttribute("aria-label", locked ? `Let descent change ${this.names[k]}` : `Lock ${this.names[k]}`);
        lock.title = locked ? "Descent does not change it" : "Descent changes it";
        setText(grad, g === undefined ? "" : `d${this.root}/d${this.names[k]} = ${show(g)}`);
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

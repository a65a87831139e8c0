// The engine of the interactive pages: graphs of scalar operations, and the forward and the backward pass.
//
// `f` and `operations` are generated from the table of operations in Python: the value of an operation is its `scalar`
// form, and its derivatives are programs recorded from its rules.  Nothing here defines a derivative.
const Engine = (() => {
  // The functions that the `scalar` forms call.
  const erf = x => {
    const a = Math.abs(x);
    if (!(a < 6)) return Math.sign(x);
    let term = a,
      sum = a;
    for (let n = 1; term > sum * 1e-17; n++) {
      term *= (2 * a * a) / (2 * n + 1);
      sum += term;
    }
    return ((Math.sign(x) * 2) / Math.sqrt(Math.PI)) * Math.exp(-a * a) * sum;
  };
  const math = Object.assign(Object.create(Math), {
    erf,
    inf: Infinity,
    exp2: x => Math.pow(2, x),
    fmod: (x, y) => x % y,
    pow: (x, y) => (x === 1 ? 1 : Math.pow(x, y)),
  });
  const abs = Math.abs,
    maximum = Math.max,
    minimum = Math.min,
    where = (condition, x, y) => (condition ? x : y);
  const round = x => {
    const r = Math.round(x);
    return Math.abs(x % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r;
  };

  // {{operations}}

  // JSON has no nan and infinities: they are strings.
  const WORDS = { nan: NaN, inf: Infinity, "-inf": -Infinity };
  const number = x => (typeof x === "string" ? WORDS[x] : x);
  const isNode = operand => Array.isArray(operand);

  // A map from each key to its values, of pairs [key, value].
  function grouped(pairs) {
    const found = new Map();
    for (const [key, value] of pairs) {
      if (!found.has(key)) found.set(key, []);
      found.get(key).push(value);
    }
    return found;
  }

  // A node as Python writes it: a leaf, or [operation, operands, rest] with positions of nodes and [number].
  function unpacked(node) {
    if (!Array.isArray(node)) return node;
    const [op, ...operands] = node,
      last = operands[operands.length - 1],
      rest = typeof last === "object" && !Array.isArray(last) ? operands.pop() : {};
    return { op, args: operands.map(operand => (Array.isArray(operand) ? operand[0] : [operand])), ...rest };
  }

  // A graph of scalars.  Each node is a leaf {value, name, fixed, data}, or a result {op, args, params, name} whose
  // arguments are [k], the position of an earlier node, or a number.  The root is the last node unless given.
  class Graph {
    constructor(nodes, root = nodes.length - 1) {
      this.nodes = nodes;
      this.root = root;
      this.users = nodes.map(() => []);
      this.differentiable = [];
      nodes.forEach((node, k) => {
        this.differentiable[k] = node.op ? this.positions(k).length > 0 : !node.data;
        (node.args || []).forEach((operand, position) => {
          if (isNode(operand)) this.users[operand[0]].push([k, position]);
        });
      });
      this.masked = this.belowChoices();
      this.steps = this.backwardSteps();
    }

    get size() {
      return this.nodes.length;
    }

    get scalar() {
      return true;
    }

    isLeaf(k) {
      return !this.nodes[k].op;
    }

    get leaves() {
      return this.nodes.flatMap((node, k) => (node.op ? [] : [k]));
    }

    // The positions of the arguments to which the gradient of a node flows.
    positions(k) {
      const { op, args } = this.nodes[k];
      return args.flatMap((operand, i) =>
        isNode(operand) && this.differentiable[operand[0]] && operations[op].rules[i] ? [i] : [],
      );
    }

    // The nodes whose gradient may be zero because `where` selected another branch.
    belowChoices() {
      const found = new Set();
      for (let k = this.size - 1; k >= 0; k--) {
        const { op, args } = this.nodes[k];
        if (op && (operations[op].selects || found.has(k))) args.filter(isNode).forEach(([a]) => found.add(a));
      }
      return found;
    }

    // The edges of the backward pass in the order of the engine in Python: [user, position, argument].
    backwardSteps() {
      const reached = new Set([this.root]),
        steps = [];
      for (let k = this.size - 1; k >= 0; k--) {
        if (!reached.has(k) || !this.nodes[k].op) continue;
        for (const i of this.positions(k)) {
          const [argument] = this.nodes[k].args[i];
          reached.add(argument);
          steps.push([k, i, argument]);
        }
      }
      return steps;
    }

    start() {
      return this.nodes.map(node => (node.op ? NaN : number(node.value)));
    }

    operands(k, values) {
      return this.nodes[k].args.map(operand => (isNode(operand) ? values[operand[0]] : number(operand)));
    }

    parameters(k) {
      const { op, params = [] } = this.nodes[k];
      return Object.values(operations[op].options).map((standard, i) => number(i in params ? params[i] : standard));
    }

    // Compute the results from the leaves, in place.
    forward(values) {
      this.nodes.forEach((node, k) => {
        if (node.op) values[k] = f[node.op](...this.operands(k, values), ...this.parameters(k));
      });
      return values;
    }

    // The derivative of a result by one of its arguments, times an upstream gradient if the rule is an adjoint.
    rule(k, position, values, upstream = 1) {
      const { op } = this.nodes[k],
        { pull } = operations[op].rules[position];
      const given = [values[k], ...this.operands(k, values), ...this.parameters(k)];
      return operations[op].adjoint ? pull(upstream, ...given) : pull(...given);
    }

    // The gradients of the root, and the factors of every step, for the values of a forward pass.
    backward(values) {
      const gradients = new Array(this.size).fill(undefined),
        steps = [];
      gradients[this.root] = 1;
      for (const [user, position, argument] of this.steps) {
        const up = gradients[user],
          { op } = this.nodes[user],
          local = this.rule(user, position, values);
        const masked = (operations[op].selects || this.masked.has(user)) && up === 0;
        const share = operations[op].adjoint ? this.rule(user, position, values, up) : masked ? 0 : up * local;
        const before = gradients[argument];
        gradients[argument] = before === undefined ? share : before + share;
        steps.push({ up, local, share, total: gradients[argument] });
      }
      return { values, gradients, steps };
    }
  }

  // A pass recorded in Python, through arrays or operations that the page does not contain.  It has the nodes and steps
  // of a graph, and the results of both passes.
  class Recording {
    constructor({ nodes, steps }) {
      this.nodes = nodes;
      this.root = nodes.length - 1;
      this.users = nodes.map(() => []);
      nodes.forEach((node, k) =>
        (node.args || []).forEach((operand, position) => {
          if (isNode(operand)) this.users[operand[0]].push([k, position]);
        }),
      );
      this.steps = steps.map(step => step.edge);
      this.results = steps.map(step => ({ ...step, share: step.share === undefined ? step.total : step.share }));
      const reached = new Set(this.steps.map(([, , argument]) => argument));
      this.differentiable = nodes.map((node, k) => k === this.root || reached.has(k) || !(node.data || node.op));
    }

    get size() {
      return this.nodes.length;
    }

    get leaves() {
      return this.nodes.flatMap((node, k) => (node.op ? [] : [k]));
    }

    isLeaf(k) {
      return !this.nodes[k].op;
    }

    get scalar() {
      return this.nodes.every(node => typeof node.value !== "object");
    }

    // The formula of a local derivative, if it was recorded.
    ruleOf(user, position) {
      const found = this.results.find(({ edge }) => edge[0] === user && edge[1] === position);
      return (found && found.rule) || null;
    }

    start() {
      return this.nodes.map(node => node.value);
    }

    forward(values) {
      return values;
    }

    backward() {
      const gradients = new Array(this.size).fill(undefined);
      gradients[this.root] = 1;
      this.steps.forEach(([, , argument], j) => {
        gradients[argument] = this.results[j].total;
      });
      return { values: this.start(), gradients, steps: this.results };
    }
  }

  // An array: its elements, and as a matrix the rows and columns that a page shows.
  const MOST_ROWS = 24;
  function arrayOf(shape, flat) {
    const width = shape[shape.length - 1],
      rows = [];
    for (let i = 0; i < flat.length && rows.length < MOST_ROWS; i += width)
      rows.push(flat.slice(i, i + Math.min(width, MOST_ROWS)));
    return { shape, flat, rows };
  }

  // The elements of an array, or of one number.
  const elements = x => (typeof x === "object" ? x.flat : [x]);

  // A graph of arrays whose elements are nodes of a graph of scalars, which computes both passes.  A node has the
  // positions of its elements, `cells`, and the scalars that compute it end at `end`.
  class ArrayGraph extends Recording {
    constructor(data) {
      super(data);
      const owner = [],
        place = [];
      this.nodes.forEach(({ cells, end }, k) => {
        while (owner.length < end) owner.push(k);
        cells.forEach((cell, i) => (place[cell] = i));
      });
      this.elements = new Graph(data.scalars.map(unpacked), this.nodes[this.root].cells[0]);
      // For each step, the steps between the scalars of both nodes, and the elements to which they contribute.
      this.parts = this.steps.map(([user, position, argument]) => {
        const several = this.nodes[user].args.filter(operand => isNode(operand) && operand[0] === argument).length > 1;
        return this.elements.steps.flatMap(([u, p, a], j) =>
          owner[u] === user && owner[a] === argument && (!several || p === position) ? [[j, place[a]]] : [],
        );
      });
      this.forward(this.start());
    }

    get scalar() {
      return false;
    }

    collected(k, read) {
      const { shape, cells } = this.nodes[k];
      return shape.length ? arrayOf(shape, cells.map(read)) : read(cells[0]);
    }

    start() {
      return this.nodes.map((node, k) =>
        node.op ? NaN : this.collected(k, c => number(this.elements.nodes[c].value)),
      );
    }

    forward(values) {
      const scalars = this.elements.start();
      for (const k of this.leaves) elements(values[k]).forEach((x, i) => (scalars[this.nodes[k].cells[i]] = x));
      this.elements.forward(scalars);
      this.nodes.forEach((node, k) => (node.value = values[k] = this.collected(k, c => scalars[c])));
      this.scalars = scalars;
      return values;
    }

    backward(values) {
      const pass = this.elements.backward(this.scalars),
        gradients = this.nodes.map((_, k) => this.collected(k, c => pass.gradients[c] || 0)),
        totals = this.nodes.map(({ cells }) => cells.map(() => 0));
      const steps = this.steps.map(([, , argument], j) => {
        const { shape, cells } = this.nodes[argument],
          share = cells.map(() => 0),
          shown = flat => (shape.length ? arrayOf(shape, flat) : flat[0]);
        for (const [part, i] of this.parts[j]) share[i] += pass.steps[part].share;
        totals[argument] = totals[argument].map((x, i) => x + share[i]);
        return { sides: this.results[j].sides, share: shown(share), total: shown(totals[argument]) };
      });
      return { values, gradients, steps };
    }
  }

  // A value of which one element is replaced.
  const replaced = (value, i, x) =>
    typeof value === "object"
      ? arrayOf(
          value.shape,
          value.flat.map((old, j) => (i === j ? x : old)),
        )
      : x;

  // A value after a step of gradient descent.
  const descended = (value, gradient, rate) =>
    typeof value === "object"
      ? arrayOf(
          value.shape,
          value.flat.map((x, i) => x - rate * gradient.flat[i]),
        )
      : value - rate * (gradient || 0);

  return {
    ArrayGraph,
    Graph,
    Recording,
    arrayOf,
    descended,
    elements,
    replaced,
    WORDS,
    f,
    grouped,
    isNode,
    number,
    operations,
    unpacked,
  };
})();

// Passes through a graph of scalars for many examples at once: each node has an array with a lane for every example.
// The values and derivatives of the operations are those of the engine.
// One operation connects the lanes: the mean over the examples of a batch, which is linear and its own adjoint.
const ACROSS = "batch_mean";
Engine.f[ACROSS] = x => x;
Engine.operations[ACROSS] = { operands: ["x"], options: {}, rules: [{ program: "g", pull: g => g }], adjoint: true };

class Lanes {
  constructor(graph, count) {
    const { f, isNode, number } = Engine;
    this.graph = graph;
    this.count = count;
    this.values = graph.nodes.map(() => new Float64Array(count));
    const constants = new Map();
    const filled = x => {
      if (!constants.has(x)) constants.set(x, new Float64Array(count).fill(x));
      return constants.get(x);
    };
    const inputs = k => [
      ...graph.nodes[k].args.map(operand => (isNode(operand) ? this.values[operand[0]] : filled(number(operand)))),
      ...graph.parameters(k).map(filled),
    ];
    this.calls = graph.nodes.flatMap((node, k) =>
      node.op ? [{ call: f[node.op], out: this.values[k], inputs: inputs(k), across: node.op === ACROSS, k }] : [],
    );
    this.statistics = null; // a map with means to use in place of those of the examples
    this.inputs = inputs;
  }

  // Store a value in all lanes of a leaf.
  fill(k, x) {
    this.values[k].fill(x);
  }

  // Compute the results from the leaves, in the first lanes.
  forward(count = this.count) {
    const { statistics } = this;
    for (const { call, out, inputs, across, k } of this.calls)
      if (across) out.fill(statistics ? statistics.get(k) : sumOf(inputs[0], count) / count, 0, count);
      else apply(call, out, inputs, count);
  }

  // Allocate the gradients and prepare the edges, at the first backward pass.
  prepare() {
    const { graph, values, count } = this;
    this.gradients = values.map(() => new Float64Array(count));
    this.local = new Float64Array(count);
    const reached = new Set([graph.root]);
    this.edges = graph.steps.map(([user, position, argument]) => {
      const { op } = graph.nodes[user],
        { adjoint, selects, rules } = Engine.operations[op],
        { program, pull } = rules[position];
      const first = !reached.has(argument);
      reached.add(argument);
      const up = this.gradients[user];
      return {
        up,
        pull,
        adjoint,
        across: op === ACROSS,
        first,
        into: this.gradients[argument],
        masked: selects || graph.masked.has(user),
        constant: typeof program === "number" ? program : undefined,
        inputs: [...(adjoint ? [up] : []), values[user], ...this.inputs(user)],
      };
    });
  }

  // Compute the gradients of the mean of the root over the first lanes.
  backward(count = this.count) {
    if (!this.edges) this.prepare();
    this.gradients[this.graph.root].fill(1 / count, 0, count);
    const { local } = this;
    for (const { up, pull, adjoint, across, first, into, masked, constant, inputs } of this.edges) {
      if (across) local.fill(this.statistics ? 0 : sumOf(up, count) / count, 0, count);
      else if (constant === undefined) {
        apply(pull, local, inputs, count);
        if (!adjoint) for (let i = 0; i < count; i++) local[i] = masked && up[i] === 0 ? 0 : local[i] * up[i];
      } else for (let i = 0; i < count; i++) local[i] = constant * up[i];
      if (first) into.set(count === local.length ? local : local.subarray(0, count));
      else for (let i = 0; i < count; i++) into[i] += local[i];
    }
  }
}

// Call a function of numbers in each lane.
function apply(call, out, inputs, count) {
  const a = inputs[0],
    b = inputs[1],
    c = inputs[2],
    d = inputs[3];
  if (inputs.length > 4) for (let i = 0; i < count; i++) out[i] = call(...inputs.map(x => x[i]));
  else if (d) for (let i = 0; i < count; i++) out[i] = call(a[i], b[i], c[i], d[i]);
  else if (c) for (let i = 0; i < count; i++) out[i] = call(a[i], b[i], c[i]);
  else if (b) for (let i = 0; i < count; i++) out[i] = call(a[i], b[i]);
  else for (let i = 0; i < count; i++) out[i] = call(a[i]);
}

const sumOf = (array, count) => {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += array[i];
  return sum;
};

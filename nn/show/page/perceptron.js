// A multi-layer perceptron as a graph of scalars, and its training.
const RECTIFIERS = ["relu", "leaky_relu", "elu", "gelu", "silu", "softplus"];

// Nodes in the form of the engine.
class Builder {
  constructor() {
    this.nodes = [];
  }
  leaf(name, isData) {
    return [this.nodes.push({ name, value: 0, ...(isData ? { data: 1 } : {}) }) - 1];
  }
  op(op, ...args) {
    return [this.nodes.push({ op, args }) - 1];
  }
  // Insert a recorded graph, with operands in the place of its leaves; return its first result.
  insert(template, given) {
    const at = [];
    for (const node of template.nodes.map(Engine.unpacked)) {
      const place = operand => (Engine.isNode(operand) ? at[operand[0]] : operand);
      at.push(node.op ? [this.nodes.push({ ...node, args: node.args.map(place) }) - 1] : given[node.name]);
    }
    return at[template.roots[0]];
  }
}

// The graph of the loss of one example, with the positions of its nodes:
// {graph, x, t, outputs, loss, layers, means}, where a layer is {weights, biases, sums, outs}, and means are those over
// the batch.
function perceptron({ sizes, activation, lossName, residual, norm, classes }, page) {
  const b = new Builder(),
    layers = [];
  const x = Array.from({ length: sizes[0] }, (_, j) => b.leaf(`x${j + 1}`, true));
  // Subtract the mean over the batch and divide by the standard deviation, as BatchNorm1d(affine=False) does.
  const normalized = z => {
    const centred = b.op("subtract", z, b.op(ACROSS, z)),
      variance = b.op(ACROSS, b.op("multiply", centred, centred));
    return b.op("divide", centred, b.op("sqrt", b.op("add", variance, 1e-5)));
  };
  let before = x;
  for (let l = 1; l < sizes.length; l++) {
    const layer = { weights: [], biases: [], sums: [], outs: [] },
      isLast = l === sizes.length - 1;
    for (let i = 0; i < sizes[l]; i++) {
      const weights = before.map((_, j) => b.leaf(`w${l}.${i + 1}.${j + 1}`)),
        bias = b.leaf(`b${l}.${i + 1}`);
      const products = before.map((a, j) => b.op("multiply", weights[j], a));
      const z = b.op(
        "add",
        products.reduce((sum, product) => b.op("add", sum, product)),
        bias,
      );
      const template = isLast ? null : page.activations[activation];
      const scaled = norm && !isLast ? normalized(z) : z;
      let out = template ? b.insert(template, { z: scaled }) : scaled;
      if (residual && !isLast && sizes[l] === sizes[l - 1]) out = b.op("add", before[i], out);
      layer.weights.push(weights.map(([k]) => k));
      layer.biases.push(bias[0]);
      layer.sums.push(z[0]);
      layer.outs.push(out[0]);
    }
    layers.push(layer);
    before = layer.outs.map(k => [k]);
  }
  const t = before.map((_, i) => b.leaf(`t${i + 1}`, true));
  let loss;
  if (lossName === "CrossEntropyLoss") {
    const all = before.reduce((sum, z) => b.op("logaddexp", sum, z));
    const right = before.map((z, i) => b.op("multiply", t[i], z)).reduce((sum, z) => b.op("add", sum, z));
    loss = b.op("subtract", all, right);
  } else {
    const each = before.map((z, i) => b.insert(page.losses[lossName], { z, t: t[i] }));
    const sum = each.reduce((total, one) => b.op("add", total, one));
    loss = each.length > 1 ? b.op("divide", sum, each.length) : sum;
  }
  const graph = new Engine.Graph(b.nodes, loss[0]),
    at = operands => operands.map(([k]) => k);
  const means = b.nodes.flatMap(({ op }, k) => (op === ACROSS ? [k] : []));
  return { graph, x: at(x), t: at(t), outputs: at(before), loss: loss[0], layers, means, sizes, classes };
}

// Training: parameters, batches and the optimizer.  `settings` are those of the controls.
class Trainer {
  constructor(settings, set, page) {
    Object.assign(this, { settings, set, page });
    this.random = new Generator(settings.seed);
    this.orders = new Generator(settings.seed);
    const count = set.x.length,
      width = set.x[0].length;
    const outputs = set.classes > 2 ? set.classes : 1;
    const sizes = [width, ...settings.hidden, outputs];
    this.net = perceptron(
      {
        sizes,
        activation: settings.activation,
        lossName: settings.loss,
        residual: settings.residual,
        norm: settings.norm,
        classes: set.classes,
      },
      page,
    );
    this.rows = set.x.map((row, i) =>
      set.noise ? row.map((value, j) => value + (set.classes ? settings.noise * set.noise[i][j] : 0)) : row,
    );
    this.targets = set.y.map((y, i) => {
      if (outputs > 1) return Array.from({ length: outputs }, (_, k) => Number(k === y));
      const noisy = set.classes || !set.noise ? y : y + settings.noise * set.noise[i][0];
      const kind = page.losses[settings.loss] && page.losses[settings.loss].targets;
      return [set.classes && kind === "signs" ? 2 * y - 1 : noisy];
    });
    this.size = Math.min(settings.batch, set.train);
    this.lanes = new Lanes(this.net.graph, this.size);
    this.trainLanes = this.loaded(0, set.train);
    this.validLanes = set.train < count ? this.loaded(set.train, count) : null;
    this.places = this.net.layers.flatMap(({ weights, biases }, l) => [
      ...weights.flatMap((row, i) => row.map((k, j) => ({ k, layer: l, neuron: i, input: j }))),
      ...biases.map((k, i) => ({ k, layer: l, neuron: i, input: -1 })),
    ]);
    this.p = this.initial();
    this.first = Float64Array.from(this.p);
    this.gradient = new Float64Array(this.p.length);
    this.update = new Float64Array(this.p.length);
    this.rule = page.optimizers[settings.optimizer];
    this.state = Object.fromEntries(
      Object.entries(this.rule.start).map(([name, x]) => [name, new Float64Array(this.p.length).fill(x)]),
    );
    this.rules = new Map(); // from graphs of the optimizer to lanes, one for each parameter
    this.steps = 0;
    this.epoch = 0;
    this.at = 0;
    this.order = this.orders.epoch(this.set.train);
    this.losses = []; // of the batches, before each step
    this.history = [this.measured()];
  }

  // Lanes with the examples of some rows.
  loaded(from, to) {
    const lanes = new Lanes(this.net.graph, to - from);
    for (let i = from; i < to; i++) this.put(lanes, i - from, i);
    return lanes;
  }

  put(lanes, lane, row) {
    this.net.x.forEach((k, j) => (lanes.values[k][lane] = this.rows[row][j]));
    this.net.t.forEach((k, j) => (lanes.values[k][lane] = this.targets[row][j]));
  }

  // The initial parameters: those exported from Python if they are of this network, else drawn by the initializer.
  initial() {
    const { model } = this.page,
      { settings, net, random } = this;
    const same = String(model.sizes) === String(net.sizes) && settings.activation === model.activation;
    const given = settings.init === "automatic" && settings.seed === 0 && same;
    const scheme =
      settings.init === "automatic" ? (RECTIFIERS.includes(settings.activation) ? "he" : "xavier") : settings.init;
    return Float64Array.from(this.places, ({ layer, neuron, input }) => {
      if (given) return input < 0 ? model.layers[layer].bias[neuron] : model.layers[layer].weight[neuron][input];
      if (input < 0 || scheme === "zeros") return 0;
      const before = net.sizes[layer],
        after = net.sizes[layer + 1];
      const last = layer === net.layers.length - 1;
      if (scheme === "large") return 3 * random.normal();
      if (scheme === "he" && !last) return Math.sqrt(2 / before) * random.normal();
      if (scheme === "lecun") return Math.sqrt(1 / before) * random.normal();
      return (2 * random.uniform() - 1) * Math.sqrt(6 / (before + after));
    });
  }

  setParameters(lanes) {
    this.places.forEach(({ k }, i) => lanes.fill(k, this.p[i]));
  }

  // Let lanes of few examples use the means over all training examples.
  withStatistics(lanes) {
    const { means } = this.net;
    if (!means.length) return lanes;
    this.setParameters(this.trainLanes);
    this.trainLanes.forward();
    lanes.statistics = new Map(means.map(k => [k, this.trainLanes.values[k][0]]));
    return lanes;
  }

  // The rows of the next batch.
  batch() {
    return this.order.slice(this.at, this.at + this.size);
  }

  // The forward and the backward pass of the next batch; returns its loss.
  pass() {
    const rows = this.batch(),
      { lanes } = this;
    rows.forEach((row, lane) => this.put(lanes, lane, row));
    this.setParameters(lanes);
    lanes.forward(rows.length);
    lanes.backward(rows.length);
    this.places.forEach(({ k }, i) => (this.gradient[i] = sumOf(lanes.gradients[k], rows.length)));
    this.passed = rows;
    return sumOf(lanes.values[this.net.loss], rows.length) / rows.length;
  }

  get rate() {
    const factors = this.page.schedules[this.settings.schedule];
    return this.settings.lr * (factors ? factors[Math.min(this.steps, factors.length - 1)] : 1);
  }

  // Compute the new parameters and the new state from the gradient by the rule of the optimizer.
  updated() {
    const { rule, state, p } = this,
      graph = this.steps ? rule.next : rule.first;
    if (!this.rules.has(graph))
      this.rules.set(graph, new Lanes(new Engine.Graph(graph.nodes.map(Engine.unpacked), graph.roots[0]), p.length));
    const lanes = this.rules.get(graph);
    const scalars = { lr: this.rate, weight_decay: this.settings.decay, t: this.steps + 1 };
    const arrays = { p, g: this.gradient, ...state };
    lanes.graph.nodes.forEach((node, k) => {
      if (node.op) return;
      if (node.name in scalars) lanes.fill(k, scalars[node.name]);
      else lanes.values[k].set(arrays[node.name]);
    });
    lanes.forward();
    const [root, ...others] = graph.roots.map(k => Float64Array.from(lanes.values[k]));
    return { p: root, state: Object.fromEntries(graph.names.map((name, i) => [name, others[i]])) };
  }

  // One training step; returns whether the loss is finite.
  step() {
    const loss = this.pass();
    return this.finish(loss);
  }

  finish(loss) {
    const { p, state } = this.updated();
    p.forEach((x, i) => (this.update[i] = x - this.p[i]));
    this.p = p;
    this.state = { ...this.state, ...state };
    this.losses.push(loss);
    this.steps++;
    this.at += this.size;
    if (this.at >= this.set.train) {
      this.at = 0;
      this.epoch++;
      this.order = this.orders.epoch(this.set.train);
      this.history.push(this.measured());
    }
    return Number.isFinite(loss);
  }

  // Loss, and accuracy or nothing, of training and validation.
  measured() {
    const of = lanes => {
      if (!lanes) return {};
      this.setParameters(lanes);
      lanes.forward();
      const correct = Array.from({ length: lanes.count }, (_, i) => Number(this.isCorrect(lanes, i)));
      return {
        loss: sumOf(lanes.values[this.net.loss], lanes.count) / lanes.count,
        accuracy: this.set.classes ? sumOf(correct, lanes.count) / lanes.count : undefined,
      };
    };
    return {
      step: this.steps,
      train: of(this.trainLanes),
      valid: of(this.validLanes && this.withStatistics(this.validLanes)),
    };
  }

  isCorrect(lanes, lane) {
    const outputs = this.net.outputs.map(k => lanes.values[k][lane]),
      targets = this.net.t.map(k => lanes.values[k][lane]);
    if (outputs.length > 1) return targets[outputs.indexOf(Math.max(...outputs))] === 1;
    const middle = this.settings.loss === "HingeLoss" || this.settings.loss === "BCEWithLogitsLoss" ? 0 : 0.5;
    return outputs[0] > middle === targets[0] > 0.5;
  }

  // For each layer: the size of the last update and of the gradient, relative to the weights.
  ratios() {
    return this.net.layers.map((_, l) => {
      const rms = array => {
        let sum = 0,
          count = 0;
        this.places.forEach(({ layer, input }, i) => {
          if (layer !== l || input < 0) return;
          sum += array[i] ** 2;
          count++;
        });
        return Math.sqrt(sum / count);
      };
      return { update: rms(this.update) / (rms(this.p) || 1), gradient: rms(this.gradient) };
    });
  }
}

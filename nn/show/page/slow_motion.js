// One training step in phases: the batch, the layers forward, the loss, the layers backward, the update.
function phases() {
  const count = trainer.net.layers.length,
    layers = Array.from({ length: count }, (_, l) => l);
  return [
    { kind: "batch" },
    ...layers.map(l => ({ kind: "forward", layer: l })),
    { kind: "loss" },
    ...layers.reverse().map(l => ({ kind: "backward", layer: l })),
    { kind: "update" },
  ];
}

function slow() {
  pause();
  if (state.diverged) return;
  if (!state.slow) {
    const loss = trainer.pass();
    const rows = trainer.passed;
    if (!rows.includes(state.row)) state.row = rows[0];
    state.slow = { phases: phases(), at: -1, loss, lanes: example() };
  }
  const { slow } = state;
  slow.at++;
  if (slow.at >= slow.phases.length) {
    finishSlow();
    refresh();
    say(`Step ${trainer.steps} is complete. Press Slow motion for the next one.`);
    return;
  }
  tell(slow.phases[slow.at]);
  refresh();
}

function tell({ kind, layer }) {
  const { slow } = state,
    { net } = trainer,
    { lanes } = slow,
    total = slow.phases.length;
  const name = l => (l === net.layers.length - 1 ? "the output layer" : `layer ${placeInModel(l)}`);
  const nodes = l => (l ? net.layers[l - 1].outs : net.x);
  const values = last => (l, i) => (l <= last ? signed(lanes.values[nodes(l)[i]][0]) : "");
  const gradients = from => (l, i) => (l >= from ? signed(lanes.gradients[nodes(l)[i]][0]) : "");
  slow.layer = kind === "forward" || kind === "backward" ? layer : undefined;
  slow.shows = kind === "backward" ? "gradient" : "weight";
  let text;
  if (kind === "batch") {
    slow.nodeText = values(0);
    text = `the batch has ${trainer.passed.length} points, drawn with a ring. Point ${state.row + 1} is followed: its inputs are ${net.x
      .slice(0, 4)
      .map(k => signed(lanes.values[k][0]))
      .join(", ")}.`;
  } else if (kind === "forward") {
    slow.nodeText = values(layer + 1);
    text = `forward through ${name(layer)}. Each neuron adds its inputs times their weights, and its bias${layer === net.layers.length - 1 ? "" : `, and applies ${trainer.settings.activation.replace("_", " ")}`}.`;
  } else if (kind === "loss") {
    slow.nodeText = values(net.layers.length);
    text = `the loss of point ${state.row + 1} is ${show(lanes.values[net.loss][0])}; the mean over the batch is ${show(slow.loss)}.`;
  } else if (kind === "backward") {
    slow.nodeText = gradients(layer + 1);
    text = `backward through ${name(layer)}. Boxes show ∂L/∂h of point ${state.row + 1}; edges show ∂L/∂w, the mean over the batch.`;
  } else {
    const { p } = trainer.updated();
    p.forEach((x, i) => (trainer.update[i] = x - trainer.p[i]));
    slow.shows = "update";
    slow.nodeText = null;
    const largest = trainer.update.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    text = `${trainer.settings.optimizer} computes the update of each weight from its gradient, with rate ${show(trainer.rate)}. The largest change is ${show(largest)}.`;
  }
  say(`Phase ${slow.at + 1} of ${total}: ${text}`);
}

function finishSlow() {
  const { loss } = state.slow;
  state.slow = null;
  if (!trainer.finish(loss)) state.diverged = true;
}

// The page: controls, the loop of the training, slow motion and derivations.
const page = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const show = x =>
  !Number.isFinite(x)
    ? String(x)
    : x !== 0 && (Math.abs(x) < 1e-3 || Math.abs(x) >= 1e5)
      ? x.toExponential(1).replace("e+", "e")
      : String(Number(x.toPrecision(3)));
const signed = x => show(x).replace("-", "−");

// ------------------------------------------------------------------------------------------------- settings
const choices = names => names.map(name => [name, name.replace("_", " ")]);
const ownActivation = page.model.activation === "identity" ? "tanh" : page.model.activation;
const CONTROLS = [
  { key: "set", label: "Data", choices: choices(Object.keys(page.sets)), standard: page.first },
  { key: "noise", label: "Noise", least: 0, most: 2, step: 0.05, standard: 0.1 },
  { key: "hidden", label: "Hidden units", text: true, standard: page.model.sizes.slice(1, -1).join(",") },
  { key: "activation", label: "Activation", choices: choices(Object.keys(page.activations)), standard: ownActivation },
  { key: "residual", label: "Skip connections", check: true, standard: 0 },
  {
    key: "init",
    label: "Initial weights",
    choices: [["automatic", "automatic"], ["xavier", "Xavier"], ["he", "He"], ["lecun", "LeCun"], ["large", "large: 3 × normal"], ["zeros", "zeros"]],
    standard: "automatic",
  },
  { key: "loss", label: "Loss", choices: [], standard: "" },
  { key: "optimizer", label: "Optimizer", choices: choices(Object.keys(page.optimizers)), standard: "Adam" },
  { key: "lr", label: "Learning rate", least: 0, most: 1000, step: "any", standard: page.optimizers.Adam.lr },
  { key: "schedule", label: "Schedule", choices: [["constant", "constant"], ...choices(Object.keys(page.schedules))], standard: "constant" },
  { key: "batch", label: "Batch size", least: 1, most: 2000, step: 1, standard: 10 },
  { key: "decay", label: "Weight decay (L2)", least: 0, most: 10, step: "any", standard: 0 },
  { key: "seed", label: "Seed", least: 0, most: 9999, step: 1, standard: 0 },
];
const fields = {};
const standards = Object.fromEntries(CONTROLS.map(({ key, standard }) => [key, standard]));

function lossesFor(set) {
  if (set.classes > 2) return ["CrossEntropyLoss", "MSELoss"];
  return Object.keys(page.losses).filter(name => set.classes || page.losses[name].targets === "values");
}

function offerLosses() {
  const { loss, set } = fields,
    names = lossesFor(page.sets[set.value]),
    before = loss.value;
  loss.replaceChildren(...names.map(name => el("option", { value: name }, name)));
  loss.value = names.includes(before) ? before : names[0];
}

function buildSettings() {
  for (const { key, label, choices: options, text, check, least, most, step } of CONTROLS) {
    const id = `set-${key}`;
    let field;
    if (options) field = el("select", { id }, ...options.map(([value, words]) => el("option", { value }, words)));
    else if (check) field = el("input", { id, type: "checkbox" });
    else if (text) field = el("input", { id, type: "text", spellcheck: "false", placeholder: "8,8" });
    else field = el("input", { id, type: "number", min: least, max: most, step });
    fields[key] = field;
    $("settings").append(el("label", { for: id }, label), field);
    field.addEventListener("change", () => {
      if (key === "set") offerLosses();
      if (key === "optimizer") fields.lr.value = page.optimizers[field.value].lr;
      restart(`${label} changed.`);
    });
  }
  $("settings").addEventListener("submit", event => event.preventDefault());
}

function setFields(values) {
  for (const { key, check, standard } of CONTROLS) {
    const value = key in values ? values[key] : standard;
    if (check) fields[key].checked = Boolean(Number(value));
    else if (key !== "loss") fields[key].value = value;
    if (key !== "loss" && !check && fields[key].value === "" && standard !== "") fields[key].value = standard;
    if (key === "set") offerLosses();
  }
  if (values.loss) fields.loss.value = values.loss;
  if (!fields.loss.value) offerLosses();
  if (values.optimizer && !("lr" in values) && page.optimizers[fields.optimizer.value])
    fields.lr.value = page.optimizers[fields.optimizer.value].lr;
}

// The values of the controls, or a message about the first one that is invalid.
function readSettings() {
  const found = {};
  for (const { key, label, check, text, choices: options, least, most } of CONTROLS) {
    const { value, checked } = fields[key];
    if (check) found[key] = checked;
    else if (options) found[key] = value;
    else if (text) {
      const sizes = value.split(/[\s,]+/).filter(Boolean).map(Number);
      if (sizes.length > 24 || sizes.some(size => !(Number.isInteger(size) && size > 0 && size <= 64)))
        return `${label} must be up to 24 integers from 1 to 64, such as 8,8.`;
      found[key] = sizes;
    } else {
      const number = value.trim() === "" ? NaN : Number(value);
      if (!(number >= least && number <= most)) return `${label} must be a number from ${least} to ${most}.`;
      found[key] = key === "batch" || key === "seed" ? Math.round(number) : number;
    }
  }
  const set = page.sets[found.set],
    sizes = [set.x[0].length, ...found.hidden, set.classes > 2 ? set.classes : 1];
  const count = sizes.slice(1).reduce((sum, size, l) => sum + size * (sizes[l] + 1), 0);
  if (count > 4000) return `This network has ${count} parameters; the page trains up to 4000.`;
  return found;
}

// ------------------------------------------------------------------------------------------------- training
let trainer, responses;
const state = { playing: false, selected: null, row: 0, slow: null, frame: 0, epochTarget: null, diverged: false };
const still = matchMedia("(prefers-reduced-motion: reduce)");
const field = new Field($("field"));
const picture = new NetworkPicture($("network"), (layer, neuron) => {
  const same = state.selected && state.selected.layer === layer && state.selected.neuron === neuron;
  state.selected = same ? null : { layer, neuron };
  draw();
  detail();
});

const say = text => {
  if ($("say").textContent !== text) $("say").textContent = text;
};

function restart(message = "") {
  const settings = readSettings();
  const isValid = typeof settings !== "string";
  $("settings-error").textContent = isValid ? "" : settings;
  if (!isValid) return;
  trainer = new Trainer(settings, page.sets[settings.set], page);
  responses = new Responses(trainer);
  Object.assign(state, { slow: null, diverged: false, row: Math.min(state.row, trainer.rows.length - 1) });
  if (state.selected && !(trainer.net.layers[state.selected.layer] || { outs: [] }).outs[state.selected.neuron])
    state.selected = null;
  pause();
  picture.layout(trainer);
  refresh();
  say(`${message} The network has sizes ${trainer.net.sizes.join("-")}: ${trainer.p.length} parameters at their initial values.`.trim());
}

function advance() {
  if (state.slow) finishSlow();
  if (!trainer.step()) {
    state.diverged = true;
    pause();
    say(`The loss is no longer finite after ${trainer.steps} steps: lower the learning rate and reset.`);
  }
}

function pause() {
  state.playing = false;
  $("play").textContent = "Train";
}

function play() {
  if (state.diverged) {
    say("The loss is no longer finite: reset first.");
    return;
  }
  state.playing = true;
  $("play").textContent = "Pause";
  say("Training.");
  requestAnimationFrame(tick);
}

// Train for a few milliseconds in each frame, so that the page stays responsive.
function tick(now) {
  if (!state.playing) return;
  const mode = Number($("speed").value),
    perEpoch = Math.ceil(trainer.set.train / trainer.size);
  if (mode === 1) {
    const end = performance.now() + 7;
    do advance();
    while (state.playing && performance.now() < end);
  } else if (mode === 0) advance();
  else {
    state.due = Math.min(perEpoch, (state.due || 0) + (perEpoch * Math.min(100, now - (state.last || now))) / 1000);
    for (; state.due >= 1 && state.playing; state.due--) advance();
  }
  state.last = now;
  state.frame++;
  // with reduced motion, twice in a second
  if (!still.matches || now - (state.drawn || 0) > 500) {
    state.drawn = now;
    draw();
    if (still.matches || state.frame % 8 === 0) panels();
  }
  if (state.playing) requestAnimationFrame(tick);
  else refresh();
}

function refresh() {
  draw();
  panels();
  detail();
}

// The values that colour the edges.
function edgeValues() {
  const kind = state.slow ? state.slow.shows : $("edges").value;
  return kind === "gradient" ? trainer.gradient : kind === "update" ? trainer.update : trainer.p;
}

function draw() {
  if (!responses.image) responses.compute();
  field.draw(trainer, responses, state.row, state.slow ? trainer.passed : []);
  const { slow } = state;
  picture.draw(trainer, responses, Array.from(edgeValues()), {
    selected: state.selected,
    active: slow ? slow.layer : undefined,
    example: responses.image ? example() : null,
    nodeText: slow ? slow.nodeText : null,
    edgeText: slow && slow.layer !== undefined ? i => signed(edgeValues()[i]) : null,
  });
  picture.mark(state.selected);
  const measured = trainer.history[trainer.history.length - 1];
  $("count").textContent = `step ${trainer.steps}, epoch ${trainer.epoch}`;
  const words = (name, { loss, accuracy }) =>
    loss === undefined ? "" : `${name}: loss ${show(loss)}${accuracy === undefined ? "" : `, ${(100 * accuracy).toFixed(0)} % correct`}`;
  $("measures").textContent = [words("training", measured.train), words("validation", measured.valid)].filter(Boolean).join("; ");
}

function panels() {
  const every = Math.ceil(trainer.history.length / 300),
    past = trainer.history.filter((_, i, all) => i % every === 0 || i === all.length - 1);
  const points = part => past.filter(one => one[part].loss !== undefined).map(one => [one.step, one[part].loss]);
  const last = trainer.history[trainer.history.length - 1];
  $("chart").replaceChildren(
    ...lineChart([{ points: points("train") }, { points: points("valid"), class: "valid-line" }], {
      x: "steps",
      y: "loss",
      label: `Loss over ${trainer.steps} steps: training ${show(last.train.loss)}${last.valid.loss === undefined ? "" : `, validation ${show(last.valid.loss)}`}`,
      log: $("log").checked,
      show,
      id: "history",
    }),
  );
  const rows = trainer.ratios().map(({ gradient, update }, l) =>
    el("tr", {}, el("td", {}, String(l + 1)), el("td", {}, trainer.steps || state.slow ? show(gradient) : "–"), el("td", {}, trainer.steps ? show(update) : "–")),
  );
  $("layers").tBodies[0].replaceChildren(...rows);
  if (!state.playing) $("losses").textContent = trainer.losses.slice(0, 50).join("\n");
  $("field").setAttribute("aria-label", `Data and prediction: ${trainer.rows.length} points; point ${state.row + 1} is selected`);
}

// ------------------------------------------------------------------------------------------------ one example
// Lanes with the forward and the backward pass of the selected point alone.
function example() {
  const lanes = new Lanes(trainer.net.graph, 1);
  trainer.put(lanes, 0, state.row);
  trainer.setParameters(lanes);
  lanes.forward();
  lanes.backward();
  return lanes;
}

// Use points that were pasted as lines of comma-separated numbers, the target last; all are for training.
function useOwn() {
  const lines = $("own").value.split(/\n/).map(text => text.trim()).filter(Boolean);
  const rows = lines.map(text => text.split(/[,;\s]+/).map(Number));
  const width = rows.length ? rows[0].length : 0;
  const wrong = rows.findIndex(row => row.length !== width || !row.every(Number.isFinite));
  if (rows.length < 2 || width < 2 || wrong >= 0) {
    $("own-error").textContent =
      wrong > 0 || width >= 2
        ? `Line ${wrong + 1} must have ${width} finite numbers, as the first line has: ${lines[wrong]}`
        : "Write at least two lines such as 0.5,-1.2,1: inputs, and the class or value last.";
    return;
  }
  $("own-error").textContent = "";
  const y = rows.map(row => row[width - 1]);
  const areClasses = y.every(value => Number.isInteger(value) && value >= 0 && value < 10);
  page.sets.own = {
    x: rows.map(row => row.slice(0, -1)),
    y,
    classes: areClasses ? Math.max(2, Math.max(...y) + 1) : 0,
    train: rows.length,
  };
  if (![...fields.set.options].some(option => option.value === "own"))
    fields.set.append(el("option", { value: "own" }, "own data"));
  fields.set.value = "own";
  offerLosses();
  restart(`${rows.length} points.`);
}

// Append a point at a place of the field to the own data, which begin with those that are shown.
function addPoint(x, y, label) {
  const at = ([low, high], part) => low + part * (high - low);
  const point = [at(responses.x, x / field.width), at(responses.y, 1 - y / field.height)].map(value => value.toFixed(3));
  const isOwn = trainer.settings.set === "own";
  if (!isOwn) $("own").value = trainer.rows.map((row, i) => [...row.map(value => value.toFixed(3)), trainer.set.y[i]].join(",")).join("\n");
  $("own").value += `\n${point.join(",")},${label}`;
  useOwn();
}

const line = (...parts) => el("p", { class: "working" }, parts.join(" "));

function detail() {
  if (!state.selected) {
    $("detail-title").textContent = "Derivation";
    $("detail").replaceChildren(el("p", { class: "hint" }, "Select a neuron to see how its output and the gradients of its weights are computed."));
    return;
  }
  const { layer, neuron } = state.selected,
    { net } = trainer,
    lanes = example(),
    own = net.layers[layer];
  const value = k => lanes.values[k][0],
    gradient = k => lanes.gradients[k][0];
  const inputs = layer ? net.layers[layer - 1].outs : net.x,
    z = own.sums[neuron],
    h = own.outs[neuron],
    isLast = layer === net.layers.length - 1;
  const weights = own.weights[neuron],
    shown = weights.slice(0, 6);
  const bracket = x => (x < 0 ? `(${signed(x)})` : signed(x));
  const products = shown.map((k, j) => `${j ? bracket(value(k)) : signed(value(k))}·${bracket(value(inputs[j]))}`).join(" + ");
  const more = weights.length > shown.length ? " + …" : "";
  $("detail-title").textContent = `Derivation of ${neuronName(trainer, layer, neuron)}, for point ${state.row + 1}`;
  const found = [line("z = Σ w·a + b =", products + more, "+", bracket(value(own.biases[neuron])), "=", signed(value(z)))];
  if (!isLast) {
    const users = net.layers[layer + 1];
    const terms = users.sums.slice(0, 4).map((k, i) => `${i ? bracket(value(users.weights[i][neuron])) : signed(value(users.weights[i][neuron]))}·${bracket(gradient(k))}`).join(" + ");
    const slope = gradient(h) ? gradient(z) / gradient(h) : 0;
    found.push(line(`h = ${trainer.settings.activation.replace("_", " ")}(z) =`, signed(value(h))));
    found.push(line("∂L/∂h = Σ w·∂L/∂z of the next layer =", terms + (users.sums.length > 4 ? " + …" : ""), trainer.settings.residual ? "+ what the skip connection passes on" : "", "=", signed(gradient(h))));
    found.push(line("∂L/∂z = ∂L/∂h · ∂h/∂z =", signed(gradient(h)), "·", bracket(slope), "=", signed(gradient(z))));
  } else found.push(line("L =", signed(value(net.loss)) + ", target", signed(value(net.t[neuron])) + ", ∂L/∂z =", signed(gradient(z))));
  const place = new Map(trainer.places.map(({ k }, i) => [k, i]));
  const row = (title, k, a) =>
    el("tr", {}, ...[title, signed(value(k)), `${signed(gradient(z))}·${bracket(a)} = ${signed(gradient(k))}`, signed(trainer.gradient[place.get(k)]), signed(trainer.update[place.get(k)])].map((text, i) => el(i ? "td" : "th", i ? {} : { scope: "row" }, text)));
  const head = ["Parameter", "value", "∂L/∂w = ∂L/∂z · a", "mean of the last batch", "last update"].map(text => el("th", { scope: "col" }, text));
  found.push(
    el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...weights.map((k, j) => row(`w${j + 1}`, k, value(inputs[j]))), row("b", own.biases[neuron], 1))),
    el("p", { class: "hint" }, "The gradient of a batch is the mean over its points, before the step; the other values are those of the selected point now."),
  );
  $("detail").replaceChildren(...found);
}

// ------------------------------------------------------------------------------------------------ slow motion
// The phases of one training step: the batch, the layers forward, the loss, the layers backward, the update.
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
  const name = l => (l === net.layers.length - 1 ? "the output layer" : `layer ${l + 1}`);
  const nodes = l => (l ? net.layers[l - 1].outs : net.x);
  const values = last => (l, i) => (l <= last ? signed(lanes.values[nodes(l)[i]][0]) : "");
  const gradients = from => (l, i) => (l >= from ? signed(lanes.gradients[nodes(l)[i]][0]) : "");
  slow.layer = kind === "forward" || kind === "backward" ? layer : undefined;
  slow.shows = kind === "backward" ? "gradient" : "weight";
  let text;
  if (kind === "batch") {
    slow.nodeText = values(0);
    text = `the batch has ${trainer.passed.length} points, drawn with a ring. Point ${state.row + 1} is followed: its inputs are ${net.x.slice(0, 4).map(k => signed(lanes.values[k][0])).join(", ")}.`;
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

// ------------------------------------------------------------------------------------------- links and Python
function changedSettings() {
  const settings = readSettings();
  if (typeof settings === "string") return {};
  const plain = { ...settings, hidden: settings.hidden.join(","), residual: Number(settings.residual) };
  const first = lossesFor(page.sets[settings.set])[0];
  return Object.fromEntries(Object.entries(plain).filter(([key, value]) => value !== (key === "loss" ? first : standards[key])));
}

const fragmentOf = settings => "#" + new URLSearchParams(settings);

function offer(text, what) {
  $("text").hidden = false;
  $("text").value = text;
  $("text").select();
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(() => say(`${what} copied.`), () => say(`${what} selected: copy it.`));
  else say(`${what} selected: copy it.`);
}

const PYTHON_LOSS = { CrossEntropyLoss: "nn.CrossEntropyLoss()" };
function pythonScript() {
  const { settings, set, net, rule } = trainer,
    isMany = set.classes > 2;
  const options = Object.entries(rule.options).map(([key, value]) => `, ${key}=${value === true ? "True" : value}`).join("");
  const number = x => String(x);
  const rows = trainer.rows.slice(0, set.train),
    targets = set.y.slice(0, set.train).map((y, i) => (isMany && settings.loss === "CrossEntropyLoss" ? y : trainer.targets[i]));
  const weights = trainer.net.layers.map((_, l) => {
    const of = (i, isBias) => trainer.places.flatMap((place, k) => (place.layer === l && place.neuron === i && place.input < 0 === isBias ? [trainer.first[k]] : []));
    const width = net.sizes[l + 1],
      units = Array.from({ length: width }, (_, i) => i);
    return `    (${JSON.stringify(units.map(i => of(i, false)))},\n     ${JSON.stringify(units.flatMap(i => of(i, true)))}),`;
  });
  const schedule = page.schedules[settings.schedule];
  return [
    "import numpy as np",
    "import nn",
    "import optim",
    "",
    `x = np.array(${JSON.stringify(rows)}, float)`,
    `y = np.array(${JSON.stringify(targets)}, ${isMany && settings.loss === "CrossEntropyLoss" ? "int" : "float"})`,
    "initial = [  # weight and bias of each layer",
    ...weights,
    "]",
    `model = nn.MLP(${net.sizes[0]}, ${JSON.stringify(net.sizes.slice(1))}, activation=${JSON.stringify(settings.activation)}${settings.residual ? ", residual=True" : ""}, rng=0)`,
    "layers = [module for module in model.modules() if isinstance(module, nn.Linear)]",
    "for layer, (weight, bias) in zip(layers, initial):",
    "    layer.weight.data, layer.bias.data = np.array(weight, float), np.array(bias, float)",
    `optimizer = optim.${rule.name}(model.parameters(), lr=${number(settings.lr)}, weight_decay=${number(settings.decay)}${options})`,
    ...(schedule ? [`factors = ${JSON.stringify(schedule)}  # ${settings.schedule}`, "scheduler = optim.lr_scheduler.LambdaLR(optimizer, lambda t: factors[min(t, len(factors) - 1)])"] : []),
    `history = nn.training.fit(`,
    `    model, ${PYTHON_LOSS[settings.loss] || `nn.${settings.loss}()`}, optimizer, (x, y), epochs=${Math.max(trainer.epoch, 50)}, batch_size=${settings.batch}, rng=${settings.seed},`,
    ...(schedule ? ['    scheduler={"step": scheduler},'] : []),
    ")",
    'print("loss:", history["loss"][-1])',
    "",
  ].join("\n");
}

function buildExperiments() {
  const has = set => !set || set in page.sets;
  for (const { title, question, settings, look } of EXPERIMENTS.filter(one => has(one.settings.set || "moons"))) {
    const full = { set: "moons", ...settings };
    const link = el("a", { href: fragmentOf(full) }, title);
    link.addEventListener("click", event => {
      event.preventDefault();
      setFields(full);
      restart(`${title}.`);
      $("question").replaceChildren(question, " ", el("details", {}, el("summary", {}, "What to look for"), look));
      try {
        history.replaceState(null, "", fragmentOf(full));
      } catch {
        // a page in a frame without an address
      }
    });
    $("experiments").append(el("li", {}, link, `: ${question}`));
  }
  if (!$("experiments").children.length) $("experiments-title").parentElement.hidden = true;
}

// ------------------------------------------------------------------------------------------------------ start
const actions = {
  play: () => (state.playing ? (pause(), refresh(), say(`Paused after ${trainer.steps} steps: ${$("measures").textContent}.`)) : play()),
  step: () => {
    pause();
    if (state.diverged) return;
    advance();
    refresh();
    if (!state.diverged) say(`Step ${trainer.steps}: the loss of the batch was ${show(trainer.losses[trainer.losses.length - 1])}.`);
  },
  epoch: () => {
    pause();
    if (state.diverged) return;
    const target = trainer.epoch + 1;
    const slice = () => {
      const end = performance.now() + 12;
      while (trainer.epoch < target && !state.diverged && performance.now() < end) advance();
      if (trainer.epoch < target && !state.diverged && !state.playing) requestAnimationFrame(slice);
      else {
        refresh();
        if (!state.diverged) say(`Epoch ${trainer.epoch}: ${$("measures").textContent}.`);
      }
    };
    slice();
  },
  slow,
  reset: () => restart("Reset."),
};
for (const [id, action] of Object.entries(actions)) $(id).addEventListener("click", action);
$("use-own").addEventListener("click", useOwn);
$("edges").addEventListener("change", draw);
$("log").addEventListener("change", panels);
$("share").addEventListener("click", () => offer(location.href.split("#")[0] + fragmentOf(changedSettings()), "Link"));
$("python").addEventListener("click", () => offer(pythonScript(), "Script"));
function follow(row) {
  state.row = row;
  if (state.slow) {
    state.slow.lanes = example();
    tell(state.slow.phases[state.slow.at]);
  } else say(`Point ${row + 1}: target ${signed(page.sets[trainer.settings.set].y[row])}, loss ${show(example().values[trainer.net.loss][0])}.`);
  refresh();
}
$("field").addEventListener("click", event => {
  const box = $("field").getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top],
    label = $("clicks").value;
  if (label === "" || trainer.net.x.length !== 2) follow(field.nearest(x, y));
  else addPoint(x, y, label);
});
$("field").addEventListener("keydown", event => {
  const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!by) return;
  event.preventDefault();
  event.stopPropagation();
  const count = trainer.rows.length;
  follow((state.row + by + count) % count);
});
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, summary")) return;
  const isButton = event.target.closest("button, a") && event.key === " ";
  const action = { " ": "play", ArrowRight: "step", e: "epoch", s: "slow", r: "reset" }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action || isButton) return;
  event.preventDefault();
  actions[action]();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (palette.clear(), refresh()));
new ResizeObserver(() => {
  if (!trainer || !$("network").clientWidth || $("network").clientWidth === picture.width) return;
  picture.layout(trainer);
  draw();
}).observe($("network"));
function fromFragment() {
  setFields(Object.fromEntries(new URLSearchParams(location.hash.slice(1))));
  restart();
}
window.addEventListener("hashchange", fromFragment);
buildSettings();
buildExperiments();
fromFragment();

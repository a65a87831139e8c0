// The playground: training in slices between the frames, what is drawn, buttons and keys.
let trainer, responses;
const state = { playing: false, selected: null, row: 0, slow: null, frame: 0, cost: 0, diverged: false };
// The edges move in each frame; responses change in every third, and the panels in another one, every twelfth.
const RESPONSES = 3,
  PANELS = 12;
const still = matchMedia("(prefers-reduced-motion: reduce)");
const field = new Field($("field"));
const picture = new NetworkPicture($("network"), (layer, neuron, input) => {
  const chosen = { layer, neuron, input },
    same = state.selected && Object.keys(chosen).every(key => state.selected[key] === chosen[key]);
  state.selected = same ? null : chosen;
  draw();
  detail();
  if (state.selected && input !== undefined) say(`${$("detail-title").textContent}.`);
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
  $("axes").textContent = responses.image ? "" : axesOf(responses);
  fields.noise.disabled = !trainer.set.noise;
  Object.assign(state, {
    slow: null,
    diverged: false,
    followed: false,
    row: Math.min(state.row, trainer.rows.length - 1),
  });
  if (state.selected && !(trainer.net.layers[state.selected.layer] || { outs: [] }).outs[state.selected.neuron])
    state.selected = null;
  $("clicks").parentElement.hidden = trainer.net.x.length !== 2 || trainer.set.classes !== 2;
  pause();
  picture.layout(trainer);
  refresh();
  say(
    `${message} The network has sizes ${trainer.net.sizes.join("-")}: ${trainer.p.length} parameters at their initial values.`.trim(),
  );
}

// What the axes of the field show.
function axesOf({ x, y, isLine }) {
  const between = ([low, high]) => `${signed(low)} to ${signed(high)}`;
  if (isLine) return `Horizontal: the input, ${between(x)}; vertical: the output.`;
  const others = trainer.net.x.length > 2 ? "; the other inputs have their means" : "";
  return `Horizontal: input 1, ${between(x)}; vertical: input 2, ${between(y)}${others}.`;
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

// Train in each frame for the time that drawing leaves of a sixtieth of a second.
function tick(now) {
  if (!state.playing) return;
  const mode = Number($("speed").value),
    perEpoch = Math.ceil(trainer.set.train / trainer.size);
  if (mode === 1) {
    const end = performance.now() + Math.max(2, 9 - state.cost);
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
    const began = performance.now();
    draw(still.matches || state.frame % RESPONSES === 0);
    state.cost = performance.now() - began;
    if (still.matches || state.frame % PANELS === 1) panels();
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

// Draw the network; and unless only the edges changed much, the responses of its neurons and the field.
function draw(whole = true) {
  if (whole) {
    if (!responses.image) responses.compute();
    field.draw(trainer, responses, state.row, state.slow ? trainer.passed : []);
  }
  const { slow } = state;
  picture.draw(trainer, responses, edgeValues(), {
    selected: state.selected,
    active: slow ? slow.layer : undefined,
    example: responses.image ? example() : null,
    nodeText: slow ? slow.nodeText : state.followed && !state.playing ? followedText() : null,
    edgeText: slow && slow.layer !== undefined ? i => signed(edgeValues()[i]) : null,
  });
  picture.mark(state.selected);
  const measured = trainer.history[trainer.history.length - 1];
  $("count").textContent = `step ${trainer.steps}, epoch ${trainer.epoch}`;
  const words = (name, { loss, accuracy }) =>
    loss === undefined
      ? ""
      : `${name}: loss ${show(loss)}${accuracy === undefined ? "" : `, ${(100 * accuracy).toFixed(0)} % correct`}`;
  $("measures").textContent = [words("training", measured.train), words("validation", measured.valid)]
    .filter(Boolean)
    .join("; ");
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
  const rows = trainer
    .ratios()
    .map(({ gradient, update }, l) =>
      el(
        "tr",
        {},
        el("td", {}, `${placeInModel(l)} Linear`),
        el("td", {}, trainer.steps || state.slow ? show(gradient) : "–"),
        el("td", {}, trainer.steps ? show(update) : "–"),
      ),
    );
  $("layers").tBodies[0].replaceChildren(...rows);
  if (!state.playing) $("losses").textContent = trainer.losses.slice(0, 50).join("\n");
  $("field").setAttribute(
    "aria-label",
    `Data and prediction: ${trainer.rows.length} points; point ${state.row + 1} is selected`,
  );
}

// The start of the page.
const actions = {
  play: () =>
    state.playing
      ? (pause(), refresh(), say(`Paused after ${trainer.steps} steps: ${$("measures").textContent}.`))
      : play(),
  step: () => {
    pause();
    if (state.diverged) return;
    advance();
    refresh();
    if (!state.diverged)
      say(`Step ${trainer.steps}: the loss of the batch was ${show(trainer.losses[trainer.losses.length - 1])}.`);
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
$("edges").addEventListener("change", () => draw());
$("log").addEventListener("change", panels);
$("share").addEventListener("click", share);
$("python").addEventListener("click", () => offer(pythonScript(), "Script"));
// The value and the gradient of each neuron for the selected example.
function followedText() {
  const { values, gradients } = example(),
    { net } = trainer;
  return (l, i) => {
    const k = l ? net.layers[l - 1].outs[i] : net.x[i];
    return [values, ...(l ? [gradients] : [])].map(of => signed(of[k][0]));
  };
}

function follow(row) {
  state.followed = !(state.followed && state.row === row);
  state.row = row;
  if (state.slow) {
    state.slow.lanes = example();
    tell(state.slow.phases[state.slow.at]);
  } else
    say(
      `Point ${row + 1}: target ${signed(page.sets[trainer.settings.set].y[row])}, loss ${show(example().values[trainer.net.loss][0])}.${state.followed ? " Boxes show its activations and, below, their gradients ∂L/∂h." : ""}`,
    );
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
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, summary"))
    return;
  const isButton = event.target.closest("button, a") && event.key === " ";
  const action = { " ": "play", ArrowRight: "step", e: "epoch", s: "slow", r: "reset" }[
    event.key.length === 1 ? event.key.toLowerCase() : event.key
  ];
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
  const given = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  setFields(given);
  if (given.own) {
    $("own").value = given.own;
    useOwn();
    if (page.sets.own) setFields(given);
  }
  restart();
  if (!trainer) {
    const problem = $("settings-error").textContent;
    setFields({});
    restart();
    $("settings-error").textContent = `The link is invalid. ${problem}`;
  }
  const experiment = EXPERIMENTS.find(one => linkOf(one) === location.hash);
  if (experiment) ask(experiment);
}
addEventListener("hashchange", fromFragment);
buildSettings();
buildExperiments();
fromFragment();

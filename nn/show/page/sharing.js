// Links to the settings, scripts for Python, and the list of experiments.
function changedSettings() {
  const settings = readSettings();
  if (typeof settings === "string") return {};
  const [residual, norm] = [settings.residual, settings.norm].map(Number);
  const plain = { ...settings, hidden: settings.hidden.join(","), residual, norm };
  const first = lossesFor(page.sets[settings.set])[0];
  return Object.fromEntries(
    Object.entries(plain).filter(([key, value]) => value !== (key === "loss" ? first : standards[key])),
  );
}

const fragmentOf = settings => "#" + new URLSearchParams(settings);

function offer(text, what) {
  $("text").hidden = false;
  $("text").value = text;
  $("text").select();
  if (navigator.clipboard)
    navigator.clipboard.writeText(text).then(
      () => say(`${what} copied.`),
      () => say(`${what} selected: copy it.`),
    );
  else say(`${what} selected: copy it.`);
}

const MOST_TEXT = 8000; // characters of one's own data in a link
function share() {
  const own = trainer.settings.set === "own" ? $("own").value : "",
    fits = own.length <= MOST_TEXT;
  const settings = { ...changedSettings(), ...(own && fits ? { own } : {}) };
  offer(
    location.href.split("#")[0] + fragmentOf(settings),
    fits ? "Link" : "Link without your points, which are too many,",
  );
}

const PYTHON_LOSS = { CrossEntropyLoss: "nn.CrossEntropyLoss()" };
function pythonScript() {
  const { settings, set, net, rule } = trainer,
    isMany = set.classes > 2;
  const options = Object.entries(rule.options)
    .map(([key, value]) => `, ${key}=${value === true ? "True" : value}`)
    .join("");
  const number = x => String(x);
  const rows = trainer.rows.slice(0, set.train),
    targets = set.y
      .slice(0, set.train)
      .map((y, i) => (isMany && settings.loss === "CrossEntropyLoss" ? y : trainer.targets[i]));
  const weights = trainer.net.layers.map((_, l) => {
    const of = (i, isBias) =>
      trainer.places.flatMap((place, k) =>
        place.layer === l && place.neuron === i && place.input < 0 === isBias ? [trainer.first[k]] : [],
      );
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
    `model = nn.MLP(${net.sizes[0]}, ${JSON.stringify(net.sizes.slice(1))}, activation=${JSON.stringify(settings.activation)}${settings.residual ? ", residual=True" : ""}${settings.norm ? ', norm="batch"' : ""}, rng=0)`,
    ...(settings.norm
      ? [
          "for module in model.modules():",
          "    if isinstance(module, nn.BatchNorm1d):  # without trained factors",
          "        module.requires_grad_(False)",
        ]
      : []),
    "layers = [module for module in model.modules() if isinstance(module, nn.Linear)]",
    "for layer, (weight, bias) in zip(layers, initial):",
    "    layer.weight.data, layer.bias.data = np.array(weight, float), np.array(bias, float)",
    `optimizer = optim.${rule.name}([p for p in model.parameters() if p.requires_grad], lr=${number(settings.lr)}, weight_decay=${number(settings.decay)}${options})`,
    ...(schedule
      ? [
          `factors = ${JSON.stringify(schedule)}  # ${settings.schedule}`,
          "scheduler = optim.lr_scheduler.LambdaLR(optimizer, lambda t: factors[min(t, len(factors) - 1)])",
        ]
      : []),
    `history = nn.training.fit(`,
    `    model, ${PYTHON_LOSS[settings.loss] || `nn.${settings.loss}()`}, optimizer, (x, y), epochs=${Math.max(trainer.epoch, 50)}, batch_size=${settings.batch}, rng=${settings.seed},`,
    ...(schedule ? ['    scheduler={"step": scheduler},'] : []),
    ")",
    'print("loss:", history["loss"][-1])',
    "",
  ].join("\n");
}

const linkOf = experiment => fragmentOf({ set: "moons", ...experiment.settings });

function ask({ question, look }) {
  $("question").replaceChildren(question, " ", el("details", {}, el("summary", {}, "What to look for"), look));
}

function buildExperiments() {
  for (const experiment of EXPERIMENTS.filter(({ settings }) => (settings.set || "moons") in page.sets)) {
    const link = el("a", { href: linkOf(experiment) }, experiment.title);
    link.addEventListener("click", event => {
      event.preventDefault();
      setFields({ set: "moons", ...experiment.settings });
      restart(`${experiment.title}.`);
      ask(experiment);
      try {
        history.pushState(null, "", linkOf(experiment)); // the button of the browser goes back
      } catch {
        // a page in a frame without an address
      }
    });
    $("experiments").append(el("li", {}, link, `: ${experiment.question}`));
  }
  if (!$("experiments").children.length) $("experiments-title").parentElement.hidden = true;
}

// The page of `play`: its state, the modes watch, predict and solve, and the controls.
const D = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const { show, plain } = Terms;
const INTERVAL = 1100; // milliseconds of a step at normal speed
const EXAMPLES = [
  ["A neuron", "tanh(w1*x1 + w2*x2 + b)", { w1: -3, x1: 2, w2: 1, x2: 0, b: 6.88 }],
  ["A product and a sum", "(a*b + c)*d", { a: 2, b: -3, c: 10, d: -2 }],
  ["One value used twice", "x*x + sin(x)*x", { x: 3 }],
  ["Squared error", "(w*x + b - t)**2", { w: 0.5, x: 2, b: -1, t: 3 }],
  ["Logistic loss", "-log(sigmoid(t*(w*x + b)))", { t: 1, w: 0.8, x: -1.5, b: 0.2 }],
  ["Softmax of three", "log(exp(a) + exp(b) + exp(c)) - a", { a: 1, b: 2, c: 0.5 }],
  ["A dead ReLU", "(relu(w*x + b) - t)**2", { w: -1, x: 2, b: 0.5, t: 1 }],
  [
    "Two hidden units",
    "(v1*tanh(w11*x1 + w12*x2 + b1) + v2*tanh(w21*x1 + w22*x2 + b2) - t)**2",
    { v1: 0.7, w11: 0.5, x1: 1, w12: -0.4, x2: 2, b1: 0.1, v2: -0.6, w21: -0.3, w22: 0.8, b2: 0, t: 1 },
  ],
  ["A valley", "(1 - x)**2 + 5*(y - x**2)**2", { x: -1, y: 1.5 }],
];

// Everything about the current graph; `load` replaces it.
let graph,
  names,
  byName,
  writer,
  forward,
  forwardAt,
  arriving,
  roles,
  scalar,
  start,
  values,
  pass,
  why = "",
  formulaShown = "";
let step = 0,
  chosen = 0,
  timer = null,
  mode = "watch",
  past = [],
  quiz = null;

const view = new GraphView($("view"), $("map"), {
  choose: k => {
    if (chosen !== k) {
      chosen = k;
      paint();
    }
  },
  toggle: (frame, opened) => {
    paint();
    announce(`${frame.title} is ${opened ? "open" : "closed"}.`);
  },
  lock: k => setRole(k, roles[k] === "parameter" ? "input" : "parameter"),
});
const leaves = new Panels.Leaves($("leaves"), { set: setLeaf, role: setRole });
const total = () => forward.length + 1 + graph.steps.length;
const done = () => Math.max(0, step - forward.length - 1);
const title = k => `d${names[graph.root]}/d${names[k]}`;
const local = j => `∂${names[graph.steps[j][0]]}/∂${names[graph.steps[j][2]]}`;

function load(made, { groups = [], given = new Map(), reason = "", recordedTitle = null } = {}) {
  graph = made;
  why = reason;
  names = Network.nameNodes(graph);
  byName = new Map(names.map((name, k) => [name, k]));
  writer = new Terms.Writer(graph, names);
  forward = graph.nodes.flatMap((node, k) => (node.op ? [k] : []));
  forwardAt = new Array(graph.size).fill(-1);
  forward.forEach((k, i) => {
    forwardAt[k] = i;
  });
  arriving = graph.nodes.map(() => []);
  graph.steps.forEach(([, , argument], j) => arriving[argument].push(j));
  roles = Network.roles(graph, names).map((role, k) => (role && given.get(names[k])) || role);
  start = graph.start();
  values = graph.forward(start.slice());
  scalar = graph.scalar;
  pass = graph.backward(values);
  step = 0;
  chosen = graph.root;
  past = [];
  const heading = recordedTitle || [
    "=",
    Terms.name(names[graph.root]),
    ...[writer.whole(graph.root) || writer.made(graph.root)].filter(() => !graph.isLeaf(graph.root)),
  ];
  $("title").replaceChildren(Terms.formula(...(heading[0] === "=" ? heading.slice(1) : [heading])));
  document.title = `${cut(plain(heading), 60)} – the chain rule, step by step`;
  view.svg.setAttribute("aria-label", `Graph of ${graph.size} nodes`);
  const tree = Network.frameTree(graph, groups);
  view.show(graph, names, writer, tree);
  $("frames").hidden = !tree.frames.length;
  $("frames").textContent = "Open all";
  $("modes").title = scalar ? "" : "Predict and solve are for graphs of scalars";
  leaves.show(graph, names, values, why);
  $("slider").max = total();
  pause();
  setMode(mode);
}

// ---------------------------------------------------------------------------------------------------- state
function gradient(k) {
  if (step <= forward.length) return undefined;
  if (k === graph.root) return 1;
  const reached = arriving[k].filter(j => j < done());
  if (!reached.length || (mode === "solve" && reached.length < arriving[k].length)) return undefined;
  return pass.steps[reached[reached.length - 1]].total;
}

function state() {
  const at = done(),
    asked = question(),
    F = forward.length;
  const edge = asked ? (asked.total ? null : asked.steps[0]) : at > 0 && mode !== "solve" ? at - 1 : null;
  const ends = asked
    ? asked.total
      ? [graph.steps[asked.steps[0]][2]]
      : [0, 2].map(i => graph.steps[edge][i])
    : edge !== null
      ? [0, 2].map(i => graph.steps[edge][i])
      : step === F + 1
        ? [graph.root]
        : [];
  return {
    values,
    steps: pass.steps,
    roles,
    chosen,
    done: at,
    edge,
    ends,
    gradient,
    scalar,
    shares: scalar && mode !== "solve", // beside the edges of fan-outs
    asks: Boolean(quiz), // derivations then do not show the rules of later steps
    computed: k => graph.isLeaf(k) || forwardAt[k] < Math.min(step, F),
    complete: k =>
      step > F && (k === graph.root || (arriving[k].length > 0 && arriving[k][arriving[k].length - 1] < at)),
    computing: step > 0 && step <= F ? forward[step - 1] : -1,
    tag: tagLines(edge, asked),
  };
}

function tagLines(edge, asked) {
  if (edge === null) return [];
  const { up, local: factor, share } = pass.steps[edge];
  if (asked) return ["?"];
  return scalar
    ? [`${show(up)} × ${show(factor)}`, `= ${show(share)}`]
    : [`gradient ${show(share) || "of one number"}`];
}

function paint() {
  const now = state();
  view.paint(now);
  leaves.paint(now);
  $("say").textContent = describe(now);
  $("slider").value = step;
  $("slider").setAttribute("aria-valuetext", $("say").textContent);
  $("count").textContent = `${step} / ${total()}`;
  for (const id of ["first", "back"]) $(id).disabled = step === 0;
  for (const id of ["next", "last"]) $(id).disabled = step >= farthest();
  $("play").disabled = Boolean(quiz);
  paintQuestion();
  const parts = { graph, names, writer, state: now, scalar, byName, view };
  $("detail-title").textContent = `Derivation of ${names[chosen]}`;
  $("detail").replaceChildren(...Panels.derivation(chosen, parts), ...(scalar ? [] : Panels.matrices(chosen, parts)));
  paintLoss();
}

// Describe the current step in words, also for screen readers.
function describe({ computing, edge }) {
  const rootName = names[graph.root],
    F = forward.length;
  if (question()) return questionText();
  if (step === 0)
    return `The values of the leaves are given. The next steps compute ${rootName} forward, then its gradient backward.`;
  if (computing >= 0)
    return `Forward ${step} of ${F}: ${names[computing]} = ${plain(writer.made(computing)).replaceAll(" * ", " · ").replaceAll("-", "−")} = ${show(values[computing]) || "one number"}`;
  if (step === F + 1) return `The backward pass starts at ${rootName}: d${rootName}/d${rootName} = 1`;
  if (edge === null) return step === total() ? "All gradients are complete." : "";
  const [user, , target] = graph.steps[edge],
    result = pass.steps[edge];
  let text = `Backward ${edge + 1} of ${graph.steps.length}: from ${names[user]} to ${names[target]}. `;
  if (scalar) {
    const own = arriving[target],
      more = own[own.length - 1] > edge;
    text += `Upstream × local = ${show(result.up)} × ${show(result.local)} = ${show(result.share)}; ${title(target)} ${more ? "is" : "="} ${show(result.total)}${more ? " so far" : ""}.`;
  } else
    text += `The contribution to the gradient of ${names[target]} has shape (${show(result.share) || "one number"}).`;
  return text + (step === total() ? " The gradient is complete." : "");
}

// ------------------------------------------------------------------------------------------ predict and solve
function setMode(wanted) {
  mode = scalar && graph.steps.length ? wanted : "watch";
  document.querySelector(`input[name=mode][value=${mode}]`).checked = true;
  for (const input of document.querySelectorAll("input[name=mode]")) input.disabled = !scalar || !graph.steps.length;
  quiz =
    mode === "watch"
      ? null
      : {
          list: mode === "solve" ? Answers.gradients(graph) : Answers.contributions(graph),
          at: 0,
          right: 0,
          tries: 0,
          help: 0,
        };
  $("feedback").hidden = true;
  if (quiz) {
    pause();
    quiz.help = mode === "predict" ? 2 : 0; // the first question is a worked example, the later ones give less
    go(pending());
  } else go(Math.min(step, total()));
}

// The step at which the current question is asked.
function pending() {
  const asked = quiz.list[quiz.at];
  return asked ? forward.length + 1 + asked.steps[asked.steps.length - 1] : total();
}
const farthest = () => (quiz ? pending() : total());
const question = () => (quiz && step === pending() && quiz.at < quiz.list.length ? quiz.list[quiz.at] : null);

function questionText() {
  const asked = question(),
    target = graph.steps[asked.steps[0]][2],
    number = `Question ${quiz.at + 1} of ${quiz.list.length}: `;
  if (mode === "solve") return `${number}what is ${title(target)}?${help(asked)}`;
  if (asked.total)
    return `${number}the contributions of all ${asked.steps.length} paths to ${names[target]} are known. What is their sum?${help(asked)}`;
  return `${number}what does the edge from ${names[graph.steps[asked.steps[0]][0]]} to ${names[target]} contribute?${help(asked)}`;
}

// As much help as the current question has: 0 none, 1 the rule, 2 the values.
function help({ steps, total: whole }) {
  if (!quiz.help) return "";
  if (whole && steps.length > 1)
    return ` ${quiz.help > 1 ? `Add ${steps.map(j => show(pass.steps[j].share)).join(" + ")}.` : "Add the contributions of all paths."}`;
  const [user, position] = graph.steps[steps[0]],
    { up, local: factor } = pass.steps[steps[0]],
    rule = writer.rule(user, position);
  const text = ` ${names[user]} = ${plain(writer.made(user))}, so ${local(steps[0])} = ${rule ? plain(rule) : show(factor)}`;
  return (
    quiz.help > 1
      ? `${text} = ${show(factor)}; multiply it by ${title(user)} = ${show(up)}.`
      : `${text}; multiply it by ${title(user)}.`
  ).replaceAll(" * ", " · ");
}

function paintQuestion() {
  const asked = question();
  $("question").hidden = !quiz;
  $("descent").hidden = Boolean(why || quiz);
  if (!quiz) return;
  for (const id of ["answer", "hint", "reveal"]) $(id).disabled = !asked;
  const first = asked && asked.steps[0];
  $("asked").textContent = !asked
    ? ""
    : asked.total
      ? `${title(graph.steps[first][2])} =`
      : `${title(graph.steps[first][0])} × ${local(first)} =`;
  $("score").textContent = `${quiz.right} of ${quiz.at} at the first attempt`;
}

function feedback(text, right) {
  $("feedback").hidden = false;
  $("feedback").className = right ? "right" : "wrong";
  $("feedback").textContent = text;
}

function answer() {
  const asked = question(),
    text = $("answer").value.trim().replace("−", "-").replace(",", ".");
  if (!asked) return;
  if (text === "" || !Number.isFinite(Number(text))) {
    feedback("Enter a number, such as -0.25.", false);
    return;
  }
  const [key, operation] = Answers.diagnose(graph, pass, asked, Number(text));
  if (key !== "right") {
    quiz.tries++;
    feedback(D.diagnoses[key].replace("{operation}", operation), false);
    $("answer").select();
    return;
  }
  feedback(`${D.diagnoses.right} ${$("asked").textContent} ${show(Answers.expected(asked, pass.steps))}.`, true);
  if (!quiz.tries) quiz.right++;
  advance();
}

function advance() {
  quiz.at++;
  quiz.tries = 0;
  quiz.help = mode === "predict" ? Math.max(0, 2 - quiz.at) : 0;
  $("answer").value = "";
  go(pending());
  if (!question())
    feedback(`${$("feedback").textContent} Finished: ${quiz.right} of ${quiz.list.length} at the first attempt.`, true);
  else $("answer").focus({ preventScroll: true });
}

$("question").addEventListener("submit", event => {
  event.preventDefault();
  answer();
});
$("hint").addEventListener("click", () => {
  quiz.help = Math.min(2, quiz.help + 1);
  quiz.tries++;
  paint();
});
$("reveal").addEventListener("click", () => {
  quiz.tries++;
  feedback(`${$("asked").textContent} ${show(Answers.expected(question(), pass.steps))}`, false);
  advance();
});

// --------------------------------------------------------------------------------------- leaves and descent
function recompute() {
  values = graph.forward(values);
  pass = graph.backward(values);
}

function setLeaf(k, x, i = 0) {
  values[k] = Engine.replaced(values[k], i, x);
  past = [];
  recompute();
  if (quiz) setMode(mode);
  else paint();
}

function setRole(k, role) {
  roles[k] = role;
  paint();
  announce(
    `${names[k]} is ${role === "parameter" ? "a parameter: descent changes it" : "locked: descent does not change it"}.`,
  );
}

function descend(times) {
  const rate = Number($("rate").value),
    moved = graph.leaves.filter(k => roles[k] === "parameter" && graph.differentiable[k]);
  if ($("rate").value === "" || !Number.isFinite(rate) || rate <= 0) {
    setText($("loss"), "Enter a positive learning rate.");
    $("rate").focus();
    return;
  }
  if (!moved.length) {
    setText($("loss"), "All leaves are locked: unlock a parameter.");
    return;
  }
  if (!past.length) past = [values[graph.root]];
  for (let i = 0; i < times && Number.isFinite(values[graph.root]); i++) {
    moved.forEach(k => {
      values[k] = Engine.descended(values[k], pass.gradients[k], rate);
    });
    recompute();
    past.push(values[graph.root]);
  }
  if (quiz) {
    setMode(mode);
    return;
  }
  step = total();
  paint();
}

function reset() {
  values = start.slice();
  past = [];
  recompute();
  if (quiz) setMode(mode);
  else paint();
}

function paintLoss() {
  if (why) return;
  const rootName = names[graph.root],
    moved =
      past.length > 1
        ? ` after ${past.length - 1} step${past.length > 2 ? "s" : ""} downhill, from ${show(past[0])}`
        : "";
  const diverged = Number.isFinite(values[graph.root]) || past.length < 2 ? "" : "; the learning rate is too large";
  setText(
    $("loss"),
    step >= forward.length || past.length ? `${rootName} = ${show(values[graph.root])}${moved}${diverged}` : "",
  );
  const positive = past.length > 1 && past[0] > 0;
  $("log").disabled = !positive;
  $("curve").hidden = past.length < 2;
  $("chart").replaceChildren(...Panels.curve(past, rootName, positive && $("log").checked));
}

// ----------------------------------------------------------------------------------------------- controls
function go(to) {
  step = Math.max(0, Math.min(farthest(), to));
  if (step === total()) pause();
  const at = done(),
    F = forward.length,
    asked = question(),
    edge = asked ? asked.steps[asked.steps.length - 1] : at - 1;
  if (step > 0 && step <= F) chosen = forward[step - 1];
  else if (asked || at > 0) chosen = graph.steps[edge][2];
  else if (step) chosen = graph.root;
  paint();
  if (step > 0) {
    const boxes = [chosen, ...(asked || at > 0 ? [graph.steps[edge][0]] : [])].map(k => view.placeOf(k));
    for (const box of boxes.reverse()) view.reveal(box);
  }
}
function announce(text) {
  $("say").textContent = text;
}
function pause() {
  clearInterval(timer);
  timer = null;
  $("play").textContent = "Play";
  $("play").setAttribute("aria-pressed", "false");
}
function toggle() {
  if (timer) {
    pause();
    return;
  }
  if (step === total()) step = 0;
  $("play").textContent = "Pause";
  $("play").setAttribute("aria-pressed", "true");
  timer = setInterval(() => go(step + 1), INTERVAL / Number($("speed").value));
  go(step + 1);
}
addEventListener("beforeprint", () => view.whole());
addEventListener("afterprint", () => view.fit());
const act = {
  first: () => go(0),
  back: () => go(step - 1),
  next: () => go(step + 1),
  last: () => go(farthest()),
  play: toggle,
};
for (const id in act)
  $(id).addEventListener("click", () => {
    if (id !== "play") pause();
    act[id]();
  });
$("slider").addEventListener("input", () => {
  pause();
  go(Number($("slider").value));
});
$("speed").addEventListener("change", () => {
  if (timer) {
    pause();
    toggle();
  }
});
for (const input of document.querySelectorAll("input[name=mode]"))
  input.addEventListener("change", () => setMode(input.value));
$("descend").addEventListener("click", () => descend(1));
$("descend10").addEventListener("click", () => descend(10));
$("reset").addEventListener("click", reset);
$("log").addEventListener("change", paintLoss);
$("zoom-in").addEventListener("click", () => view.zoom(1.3));
$("zoom-out").addEventListener("click", () => view.zoom(1 / 1.3));
$("frames").addEventListener("click", () => {
  const opened = view.toggleAll();
  $("frames").textContent = opened ? "Close all" : "Open all";
  paint();
});
$("fit").addEventListener("click", () => view.fit());
document.addEventListener("keydown", event => {
  if (event.target.matches("input, select") || event.ctrlKey || event.altKey || event.metaKey) return;
  const zoom = { "+": 1.3, "=": 1.3, "-": 1 / 1.3 }[event.key];
  if (zoom) view.zoom(zoom);
  if (event.key === "0") view.fit();
  const wanted = { ArrowRight: "next", ArrowLeft: "back", Home: "first", End: "last", " ": "play" }[event.key];
  if (!wanted || (wanted === "play" && (event.target.matches("button") || quiz))) return;
  event.preventDefault();
  if (wanted !== "play") pause();
  act[wanted]();
});

// ------------------------------------------------------------------------------------- formulas and links
// Show the graph of a formula; `given` are values and `wanted` roles by name.  Return whether it is valid.
function showFormula(text, given, wanted) {
  const error = $("formula-error");
  try {
    load(new Engine.Graph(Parser.parse(text, given)), { given: wanted });
    formulaShown = text;
    error.hidden = true;
    $("formula").removeAttribute("aria-invalid");
    $("formula").value = text;
    return true;
  } catch (problem) {
    if (!(problem instanceof Parser.ExpressionError)) throw problem;
    error.hidden = false;
    $("formula").setAttribute("aria-invalid", "true");
    error.textContent = `${text}\n${" ".repeat(problem.column - 1)}^\n${problem.message}`;
    return false;
  }
}
const byLeaf = of => new Map(graph.leaves.filter(k => typeof of[k] !== "object").map(k => [names[k], of[k]]));

$("formula-form").addEventListener("submit", event => {
  event.preventDefault();
  showFormula($("formula").value, why ? new Map() : byLeaf(values), byLeaf(roles));
});
EXAMPLES.forEach(([text], i) => $("examples").append(el("option", { value: i }, text)));
$("examples").addEventListener("change", () => {
  const example = EXAMPLES[$("examples").value];
  if (example) showFormula(example[1], new Map(Object.entries(example[2])));
  $("examples").value = "";
});

// A link contains the formula, the values, the roles, the mode and the step.
function link() {
  const parts = new URLSearchParams(formulaShown ? { formula: formulaShown } : {});
  for (const k of why ? [] : graph.leaves) parts.append("value", `${names[k]}=${Engine.elements(values[k]).join(" ")}`);
  for (const k of graph.leaves) if (roles[k] !== "parameter") parts.append("role", `${names[k]}=${roles[k]}`);
  parts.set("mode", mode);
  parts.set("step", step);
  return `${location.href.split("#")[0]}#${parts}`;
}
function followLink() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const pairs = (key, read) => {
    const split = parts
      .getAll(key)
      .map(text => [text.slice(0, text.lastIndexOf("=")), text.slice(text.lastIndexOf("=") + 1)]);
    return new Map(split.map(([name, text]) => [name, read(text)]).filter(([, x]) => x !== undefined));
  };
  const lists = pairs("value", text => {
    const numbers = text.trim().split(/\s+/).map(Number);
    return numbers.every(Number.isFinite) ? numbers : undefined;
  });
  const given = new Map([...lists].map(([name, numbers]) => [name, numbers[0]]));
  const wanted = pairs("role", text => Panels.ROLES.find(role => role === text));
  if (parts.get("formula")) {
    if (!showFormula(parts.get("formula"), given, wanted)) return;
  } else if (!why) {
    graph.leaves.forEach(k => {
      const numbers = lists.get(names[k]);
      if (numbers && numbers.length === Engine.elements(values[k]).length)
        values[k] = numbers.reduce((value, x, i) => Engine.replaced(value, i, x), values[k]);
      if (wanted.has(names[k])) roles[k] = wanted.get(names[k]);
    });
    recompute();
  }
  if (["watch", "predict", "solve"].includes(parts.get("mode"))) setMode(parts.get("mode"));
  if (!quiz) go(Number(parts.get("step")) || 0);
}
$("share").addEventListener("click", async () => {
  const text = link(),
    box = $("link");
  try {
    history.replaceState(null, "", text);
  } catch {
    /* a frame without an address of its own */
  }
  box.hidden = false;
  box.value = text;
  box.select();
  try {
    if (window !== window.top) throw new Error("a frame may not write to the clipboard");
    await navigator.clipboard.writeText(text);
    $("shared").textContent = "The link is copied.";
  } catch {
    $("shared").textContent = "Copy the link from the box.";
  }
});

const ofArrays = D.scalars ? Engine.ArrayGraph : Engine.Recording;
load(D.steps ? new ofArrays(D) : new Engine.Graph(D.nodes.map(Engine.unpacked)), {
  groups: D.groups,
  reason: D.why,
  recordedTitle: D.title,
});
$("formula").value = formulaShown = Terms.typed(graph, names) || "";
if (location.hash.length > 1) followLink();
addEventListener("hashchange", followLink);

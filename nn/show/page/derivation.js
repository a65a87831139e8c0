// One example: its passes, the derivation of a neuron, and data of the user.
// Lanes with the forward and the backward pass of the selected point alone.
function example() {
  const lanes = trainer.withStatistics(new Lanes(trainer.net.graph, 1));
  trainer.put(lanes, 0, state.row);
  trainer.setParameters(lanes);
  lanes.forward();
  lanes.backward();
  return lanes;
}

// Use points that were pasted as lines of comma-separated numbers, the target last; all are for training.
function useOwn() {
  const lines = $("own")
    .value.split(/\n/)
    .map(text => text.trim())
    .filter(Boolean);
  const table = lines.map(text => text.split(/\s*[,;\t]\s*|\s+/).map(cell => (cell === "" ? NaN : Number(cell))));
  const skipped = table.length && table[0].every(Number.isNaN) ? 1 : 0, // the names of the columns
    rows = table.slice(skipped),
    width = rows.length ? rows[0].length : 0;
  const wrong = rows.findIndex(row => row.length !== width || !row.every(Number.isFinite));
  if (rows.length < 2 || width < 2 || wrong >= 0) {
    $("own-error").textContent =
      rows.length > 1 && width > 1
        ? `Line ${wrong + skipped + 1} must have ${width} finite numbers: ${cut(lines[wrong + skipped], 60)}`
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
  const point = [at(responses.x, x / field.width), at(responses.y, 1 - y / field.height)].map(value =>
    value.toFixed(3),
  );
  const isOwn = trainer.settings.set === "own";
  if (!isOwn)
    $("own").value = trainer.rows
      .map((row, i) => [...row.map(value => value.toFixed(3)), trainer.set.y[i]].join(","))
      .join("\n");
  $("own").value += `\n${point.join(",")},${label}`;
  useOwn();
}

// The command that shows a neuron in the player, for the selected point: `g` is the gradient that arrives at it.
function playerCommand({ weights, inputs, bias, arriving, activation }) {
  const sum = [...weights.map((_, j) => `w${j + 1}*a${j + 1}`), "b"].join(" + ");
  const values = [
    ...weights.map((x, j) => `w${j + 1}=${x}`),
    ...inputs.map((x, j) => `a${j + 1}=${x}`),
    `b=${bias}`,
    `g=${arriving}`,
  ];
  const fixed = [...inputs.map((_, j) => `a${j + 1}`), "g"].join(",");
  return `python -m autograd play "g*${activation}(${sum})" ${values.join(" ")} --fixed ${fixed} --open`;
}

const line = (...parts) => el("p", { class: "working" }, parts.join(" "));

function detail() {
  if (!state.selected) {
    $("detail-title").textContent = "Derivation";
    $("detail").replaceChildren(
      el("p", { class: "hint" }, "Select a neuron or a weight to see how its output and its gradient are computed."),
    );
    return;
  }
  const { layer, neuron, input } = state.selected,
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
  const products = shown
    .map((k, j) => `${j ? bracket(value(k)) : signed(value(k))}·${bracket(value(inputs[j]))}`)
    .join(" + ");
  const more = weights.length > shown.length ? " + …" : "";
  $("detail-title").textContent = `Derivation of ${neuronName(trainer, layer, neuron)}, for point ${state.row + 1}`;
  const found = [
    line("z = Σ w·a + b =", products + more, "+", bracket(value(own.biases[neuron])), "=", signed(value(z))),
  ];
  if (!isLast) {
    const users = net.layers[layer + 1];
    const terms = users.sums
      .slice(0, 4)
      .map(
        (k, i) =>
          `${i ? bracket(value(users.weights[i][neuron])) : signed(value(users.weights[i][neuron]))}·${bracket(gradient(k))}`,
      )
      .join(" + ");
    const slope = gradient(h) ? gradient(z) / gradient(h) : 0;
    found.push(
      line(
        `h = ${trainer.settings.activation.replace("_", " ")}(${trainer.settings.norm ? "(z - mean) / deviation" : "z"}) =`,
        signed(value(h)),
      ),
    );
    found.push(
      line(
        "∂L/∂h = Σ w·∂L/∂z of the next layer =",
        terms + (users.sums.length > 4 ? " + …" : ""),
        trainer.settings.residual ? "+ what the skip connection passes on" : "",
        "=",
        signed(gradient(h)),
      ),
    );
    found.push(line("∂L/∂z = ∂L/∂h · ∂h/∂z =", signed(gradient(h)), "·", bracket(slope), "=", signed(gradient(z))));
  } else
    found.push(
      line(
        "L =",
        signed(value(net.loss)) + ", target",
        signed(value(net.t[neuron])) + ", ∂L/∂z =",
        signed(gradient(z)),
      ),
    );
  if (input !== undefined) {
    const a = value(inputs[input]),
      name = `w${input + 1}`;
    $("detail-title").textContent =
      `Derivation of weight ${name} of ${neuronName(trainer, layer, neuron)}, for point ${state.row + 1}`;
    found.push(
      line(`z contains ${name}·a${input + 1}, so ∂z/∂${name} = a${input + 1} =`, signed(a)),
      line(
        `∂L/∂${name} = ∂L/∂z · ∂z/∂${name} =`,
        signed(gradient(z)),
        "·",
        bracket(a),
        "=",
        signed(gradient(weights[input])),
      ),
    );
  }
  const place = new Map(trainer.places.map(({ k }, i) => [k, i]));
  const row = (title, k, a) =>
    el(
      "tr",
      k === weights[input] ? { class: "chosen" } : {},
      ...[
        title,
        signed(value(k)),
        `${signed(gradient(z))}·${bracket(a)} = ${signed(gradient(k))}`,
        signed(trainer.gradient[place.get(k)]),
        signed(trainer.update[place.get(k)]),
      ].map((text, i) => el(i ? "td" : "th", i ? {} : { scope: "row" }, text)),
    );
  const head = ["Parameter", "value", "∂L/∂w = ∂L/∂z · a", "mean of the last batch", "last update"].map(text =>
    el("th", { scope: "col" }, text),
  );
  found.push(
    el(
      "table",
      {},
      el("thead", {}, el("tr", {}, ...head)),
      el("tbody", {}, ...weights.map((k, j) => row(`w${j + 1}`, k, value(inputs[j]))), row("b", own.biases[neuron], 1)),
    ),
    el(
      "p",
      { class: "hint" },
      "The gradient of a batch is the mean over its points, before the step; the other values are those of the selected point now.",
    ),
  );
  if (!trainer.settings.norm && !trainer.settings.residual) {
    const button = el("button", { id: "player", type: "button" }, "Copy command of the player");
    const command = playerCommand({
      weights: weights.map(value),
      inputs: inputs.map(value),
      bias: value(own.biases[neuron]),
      arriving: gradient(isLast ? z : h),
      activation: isLast ? "" : trainer.settings.activation,
    });
    button.addEventListener("click", () => offer(command, "Command"));
    found.push(button);
  }
  $("detail").replaceChildren(...found);
}

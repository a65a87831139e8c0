// The settings of the playground: their controls, their values and what is invalid.
const page = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const show = x =>
  !Number.isFinite(x)
    ? String(x)
    : x !== 0 && (Math.abs(x) < 1e-3 || Math.abs(x) >= 1e5)
      ? x.toExponential(1).replace("e+", "e")
      : String(Number(x.toPrecision(3)));
const signed = x => show(x).replace("-", "−");

const choices = names => names.map(name => [name, name.replace("_", " ")]);
const ownActivation = page.model.activation === "identity" ? "tanh" : page.model.activation;
const CONTROLS = [
  { key: "set", label: "Data", choices: choices(Object.keys(page.sets)), standard: page.first },
  { key: "noise", label: "Noise", least: 0, most: 2, step: 0.05, standard: 0.1 },
  { key: "hidden", label: "Hidden units", text: true, standard: page.model.sizes.slice(1, -1).join(",") },
  { key: "activation", label: "Activation", choices: choices(Object.keys(page.activations)), standard: ownActivation },
  { key: "residual", label: "Skip connections", check: true, standard: 0 },
  { key: "norm", label: "Batch normalization", check: true, standard: 0 },
  {
    key: "init",
    label: "Initial weights",
    choices: [
      ["automatic", "automatic"],
      ["xavier", "Xavier"],
      ["he", "He"],
      ["lecun", "LeCun"],
      ["large", "large: 3 × normal"],
      ["zeros", "zeros"],
    ],
    standard: "automatic",
  },
  { key: "loss", label: "Loss", choices: [], standard: "" },
  { key: "optimizer", label: "Optimizer", choices: choices(Object.keys(page.optimizers)), standard: "Adam" },
  { key: "lr", label: "Learning rate", least: 0, most: 1000, step: "any", standard: page.optimizers.Adam.lr },
  {
    key: "schedule",
    label: "Schedule",
    choices: [["constant", "constant"], ...choices(Object.keys(page.schedules))],
    standard: "constant",
  },
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
  for (const { key, label, check, text, choices: options, least, most, step } of CONTROLS) {
    const { value, checked } = fields[key];
    if (check) found[key] = checked;
    else if (options) found[key] = value;
    else if (text) {
      const sizes = value
        .split(/[\s,]+/)
        .filter(Boolean)
        .map(Number);
      if (sizes.length > 64 || sizes.some(size => !(Number.isInteger(size) && size > 0 && size <= 64)))
        return `${label} must be up to 64 integers from 1 to 64, such as 8,8.`;
      found[key] = sizes;
    } else {
      const number = value.trim() === "" ? NaN : Number(value);
      if (!(number >= least && number <= most) || (step === 1 && !Number.isInteger(number)))
        return `${label} must be ${step === 1 ? "an integer" : "a number"} from ${least} to ${most}.`;
      found[key] = number;
    }
  }
  const set = page.sets[found.set],
    sizes = [set.x[0].length, ...found.hidden, set.classes > 2 ? set.classes : 1];
  const count = sizes.slice(1).reduce((sum, size, l) => sum + size * (sizes[l] + 1), 0);
  if (count > 4000) return `This network has ${count} parameters; the page trains up to 4000.`;
  return found;
}

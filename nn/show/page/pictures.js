// The pictures of the playground: the network with the responses of its neurons, and the data with the predictions.
const MOST_SHOWN = 12; // neurons of a layer
const BLUE = [40, 110, 255],
  RED = [235, 90, 40];
const TARGET_COLORS = [
  "#d9480f",
  "#1668c7",
  "#2b8a3e",
  "#9c36b5",
  "#e8a600",
  "#0b7285",
  "#a61e4d",
  "#5c940d",
  "#495057",
  "#7048e8",
];

// The colours of the page, read once for a light and once for a dark screen.
const palette = new Map();
function styleOf(name) {
  if (!palette.has(name)) palette.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  return palette.get(name);
}

// A canvas with the resolution of the screen; coordinates are those of the page.
function prepared(canvas, width, height) {
  const ratio = Math.min(3, window.devicePixelRatio || 1);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

// The responses of all neurons over the plane of two inputs, or along one; other inputs have their mean.
class Responses {
  constructor(trainer) {
    const { rows, net } = trainer;
    this.trainer = trainer;
    this.isLine = net.x.length === 1;
    const width = Math.sqrt(net.x.length);
    this.image = width >= 4 && Number.isInteger(width) ? width : 0; // pixels in a row, if the inputs are an image
    this.side = this.isLine ? 120 : Math.max(12, Math.min(32, Math.floor(Math.sqrt(600000 / net.graph.size))));
    const range = j => {
      const values = rows.map(row => row[j]),
        low = Math.min(...values),
        high = Math.max(...values),
        pad = (high - low || 1) * 0.12;
      return [low - pad, high + pad];
    };
    this.x = range(0);
    this.y = this.isLine ? [] : range(1);
    const { side } = this,
      count = this.isLine ? side : side * side;
    this.lanes = new Lanes(net.graph, count);
    net.x.forEach((k, j) => {
      const mean = rows.reduce((sum, row) => sum + row[j], 0) / rows.length;
      for (let i = 0; i < count; i++) this.lanes.values[k][i] = j > 1 ? mean : this.coordinate(i, j);
    });
    this.pixels = new ImageData(side, this.isLine ? 1 : side);
    this.maps = new Map(); // canvases by the node that they show
    this.version = 0;
  }

  coordinate(i, j) {
    const { side } = this,
      [low, high] = j ? this.y : this.x,
      place = j ? side - 1 - Math.floor(i / side) : i % side;
    return low + ((place + 0.5) * (high - low)) / side;
  }

  compute() {
    this.trainer.setParameters(this.lanes);
    this.trainer.withStatistics(this.lanes).forward();
    this.version++;
  }

  // A canvas of one pixel for each point, painted again after each `compute`.
  kept(key, paint) {
    if (!this.maps.has(key)) this.maps.set(key, el("canvas", { width: this.side, height: this.pixels.height }));
    const canvas = this.maps.get(key);
    if (canvas.version !== this.version) {
      paint();
      canvas.getContext("2d").putImageData(this.pixels, 0, 0);
      canvas.version = this.version;
    }
    return canvas;
  }

  // Blue where a node is positive, red where it is negative.
  map(k, middle = 0, opacity = 230) {
    return this.kept(`${k}/${opacity}`, () => {
      const values = this.lanes.values[k];
      let largest = 1e-12;
      for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i] - middle));
      for (let i = 0; i < values.length; i++) {
        const x = (values[i] - middle) / Math.min(largest, 4);
        this.pixel(i, x > 0 ? BLUE : RED, opacity * Math.min(1, Math.abs(x)));
      }
    });
  }

  // The weights of a neuron of the first layer as an image, each pixel a weight.
  weights(neuron) {
    const { places, p } = this.trainer;
    const values = places.flatMap((place, i) =>
      place.layer === 0 && place.neuron === neuron && place.input >= 0 ? [p[i]] : [],
    );
    return this.picture(values, Math.max(...values.map(Math.abs)));
  }

  // An image of signed values, a pixel each.
  picture(values, largest) {
    const canvas = el("canvas", { width: this.image, height: this.image }),
      context = canvas.getContext("2d");
    values.forEach((value, i) => {
      context.fillStyle = heatColor(value, largest || 1);
      context.fillRect(i % this.image, Math.floor(i / this.image), 1, 1);
    });
    return canvas;
  }

  // The class with the largest output.
  classes(outputs) {
    return this.kept("classes", () => {
      const count = this.lanes.count,
        colors = TARGET_COLORS.map(color => [1, 3, 5].map(at => parseInt(color.slice(at, at + 2), 16)));
      for (let i = 0; i < count; i++) {
        let best = 0;
        outputs.forEach((k, c) => (best = this.lanes.values[k][i] > this.lanes.values[outputs[best]][i] ? c : best));
        this.pixel(i, colors[best % colors.length], 110);
      }
    });
  }

  pixel(i, color, alpha) {
    const { data } = this.pixels;
    data[4 * i] = color[0];
    data[4 * i + 1] = color[1];
    data[4 * i + 2] = color[2];
    data[4 * i + 3] = alpha;
  }
}

// The data and what the network predicts.
class Field {
  constructor(canvas) {
    this.canvas = canvas;
  }

  draw(trainer, responses, chosen, inBatch) {
    const width = this.canvas.clientWidth || 320,
      height = Math.min(width, innerWidth < 2600 ? 420 : 760);
    Object.assign(this, { trainer, responses, width, height });
    const context = prepared(this.canvas, width, height);
    if (responses.image) {
      this.gallery(context, chosen, inBatch);
      return;
    }
    if (responses.isLine) this.curve(context);
    else {
      context.imageSmoothingEnabled = true;
      const { outputs } = trainer.net;
      const middle = trainer.settings.loss === "MSELoss" && trainer.set.classes ? 0.5 : 0;
      const map = outputs.length > 1 ? responses.classes(outputs) : responses.map(outputs[0], middle, 130);
      context.drawImage(map, 0, 0, width, height);
    }
    const key = [width, height, chosen, ...inBatch, styleOf("--ink")].join();
    if (this.pointsOf !== trainer || this.key !== key) {
      this.points = this.points || el("canvas", {});
      this.drawPoints(prepared(this.points, width, height), chosen, new Set(inBatch));
      Object.assign(this, { pointsOf: trainer, key });
    }
    context.drawImage(this.points, 0, 0, width, height);
  }

  // The points change with the selection and the batch only, and are kept as a picture.
  drawPoints(context, chosen, batch) {
    this.trainer.rows.forEach((_, i) => {
      const [x, y] = this.place(i),
        isTrain = i < this.trainer.set.train;
      context.beginPath();
      context.arc(x, y, batch.has(i) ? 6 : 4, 0, 2 * Math.PI);
      context.fillStyle = this.color(i);
      context.globalAlpha = isTrain ? 1 : 0.45;
      context.fill();
      context.strokeStyle = i === chosen || batch.has(i) ? styleOf("--ink") : styleOf("--back");
      context.lineWidth = i === chosen ? 4 : batch.has(i) ? 2 : 1;
      context.stroke();
      context.globalAlpha = 1;
    });
  }

  // Images in rows, with a frame that shows whether the prediction is correct; `shown` has their rows.
  gallery(context, chosen, inBatch) {
    const { trainer, responses, width } = this,
      inRow = 10,
      pitch = width / inRow;
    const { train } = trainer.set,
      most = inRow * Math.floor(this.height / pitch);
    const rows = trainer.rows.map((_, i) => i),
      tested = rows.slice(train, train + most / 2),
      first = [...new Set([...inBatch, chosen, ...rows.slice(0, train)])].filter(i => i < train);
    this.shown = [...first.slice(0, most - tested.length), ...tested];
    this.images = this.images && this.images.of === trainer ? this.images : Object.assign(new Map(), { of: trainer });
    context.imageSmoothingEnabled = false;
    this.shown.forEach((row, n) => {
      const [x, y] = [(n % inRow) * pitch, Math.floor(n / inRow) * pitch];
      if (!this.images.has(row)) this.images.set(row, responses.picture(trainer.rows[row], 1));
      context.globalAlpha = row < train ? 1 : 0.7;
      context.drawImage(this.images.get(row), x + 4, y + 4, pitch - 8, pitch - 8);
      const lanes = row < train ? trainer.trainLanes : trainer.validLanes,
        isCorrect = trainer.isCorrect(lanes, row < train ? row : row - train);
      context.strokeStyle = row === chosen ? styleOf("--ink") : styleOf(isCorrect ? "--good" : "--bad");
      context.lineWidth = row === chosen || inBatch.includes(row) ? 3.5 : isCorrect ? 1 : 2.5;
      context.strokeRect(x + 2, y + 2, pitch - 4, pitch - 4);
    });
    context.globalAlpha = 1;
  }

  color(i) {
    const { classes, y } = this.trainer.set;
    if (classes) return TARGET_COLORS[y[i] % TARGET_COLORS.length];
    return this.responses.isLine ? styleOf("--faint") : y[i] > 0 ? TARGET_COLORS[1] : TARGET_COLORS[0];
  }

  place(i) {
    const { trainer, responses, width, height } = this,
      row = trainer.rows[i],
      [low, high] = responses.x;
    const [bottom, top] = responses.isLine ? this.range : responses.y;
    const vertical = responses.isLine ? trainer.targets[i][0] : row[1];
    return [((row[0] - low) / (high - low)) * width, height - ((vertical - bottom) / (top - bottom)) * height];
  }

  curve(context) {
    const { trainer, responses, width, height } = this,
      targets = trainer.targets.map(([t]) => t);
    const low = Math.min(...targets),
      high = Math.max(...targets),
      pad = (high - low || 1) * 0.3;
    this.range = [low - pad, high + pad];
    const values = responses.lanes.values[trainer.net.outputs[0]];
    context.beginPath();
    values.forEach((value, i) => {
      const y = height - ((value - this.range[0]) / (this.range[1] - this.range[0])) * height;
      context.lineTo(((i + 0.5) / values.length) * width, Math.max(-height, Math.min(2 * height, y)));
    });
    context.strokeStyle = styleOf("--forward");
    context.lineWidth = 3;
    context.stroke();
  }

  // The row of the point nearest to a place on the canvas.
  nearest(x, y) {
    if (this.responses.image) {
      const pitch = this.width / 10,
        place = Math.floor(x / pitch) + 10 * Math.floor(y / pitch);
      return this.shown[Math.min(place, this.shown.length - 1)];
    }
    let best = 0,
      least = Infinity;
    this.trainer.rows.forEach((_, i) => {
      const [px, py] = this.place(i),
        distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < least) [best, least] = [i, distance];
    });
    return best;
  }
}

// Layers are numbered as in `model[i]` and in drawings, in which activations and normalizations are layers too.
const placeInModel = l => (trainer.settings.norm ? 3 : 2) * l;
function layerCaption(l, count) {
  if (count <= 6) return `${placeInModel(l)} Linear`;
  return count > 30 && l % 5 ? "" : String(placeInModel(l));
}

// The neurons, with an edge for every weight.
class NetworkPicture {
  constructor(host, choose) {
    this.host = host;
    this.choose = choose;
    this.canvas = el("canvas", { "aria-hidden": "true" });
    host.append(this.canvas);
    this.buttons = [];
    this.curves = [];
    this.canvas.addEventListener("click", event => {
      const box = this.canvas.getBoundingClientRect();
      const edge = this.nearest(event.clientX - box.left, event.clientY - box.top);
      if (edge) choose(edge.layer, edge.neuron, edge.input);
    });
  }

  // The edge within a few pixels of a place.
  nearest(x, y) {
    let found = null,
      least = 6;
    for (const { place, from, to } of this.curves)
      for (let i = 0; i <= 24; i++) {
        const s = i / 24,
          away = Math.hypot(
            from[0] + (to[0] - from[0]) * (1.5 * s * (1 - s) + s ** 3) - x,
            from[1] + (to[1] - from[1]) * (3 * s * s - 2 * s ** 3) - y,
          );
        if (away < least) [found, least] = [place, away];
      }
    return found;
  }

  // Place the neurons; inputs are layer 0.
  layout(trainer) {
    const { sizes } = trainer.net,
      shown = sizes.map(count => Math.min(count, MOST_SHOWN)),
      most = Math.max(...shown);
    const width = this.host.clientWidth || 360,
      gap = width / sizes.length;
    this.box = Math.max(10, Math.min(innerWidth < 2600 ? 40 : 72, gap * 0.42));
    const pitch = Math.max(22, this.box * 1.3);
    this.height = Math.max(150, most * pitch + 30);
    this.width = width;
    this.shown = shown;
    this.places = shown.map((count, l) =>
      Array.from({ length: count }, (_, i) => [
        gap * (l + 0.5),
        (this.height - 20) / 2 + (i - (count - 1) / 2) * pitch,
      ]),
    );
    this.buttons.forEach(button => button.remove());
    this.buttons = this.places.slice(1).flatMap((column, l) =>
      column.map(([x, y], i) => {
        const button = el("button", { class: "neuron", type: "button", "data-layer": l, "data-neuron": i });
        button.setAttribute("aria-label", `${neuronName(trainer, l, i)}: show its derivation`);
        Object.assign(button.style, {
          left: `${x - this.box / 2}px`,
          top: `${y - this.box / 2}px`,
          width: `${this.box}px`,
          height: `${this.box}px`,
        });
        button.addEventListener("click", () => this.choose(l, i));
        button.addEventListener("keydown", event => {
          const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
          if (!by) return;
          event.preventDefault();
          const { layer, neuron, input = -1 } = this.selected || {},
            count = trainer.net.layers[l].weights[i].length + 1, // the neuron itself, then its weights
            at = layer === l && neuron === i ? input + 1 : 0,
            next = (at + by + count) % count;
          this.choose(l, i, next ? next - 1 : undefined);
        });
        this.host.append(button);
        return button;
      }),
    );
  }

  mark(selected) {
    this.selected = selected;
    for (const button of this.buttons) {
      const { layer, neuron } = button.dataset;
      const isChosen = Boolean(selected) && Number(layer) === selected.layer && Number(neuron) === selected.neuron;
      button.setAttribute("aria-pressed", String(isChosen));
    }
  }

  // `values` colours the edges; `numbers` has the text of neurons ("layer/neuron") and of edges of one layer.
  draw(trainer, responses, values, { selected, active, nodeText, edgeText, example }) {
    this.example = example;
    const context = prepared(this.canvas, this.width, this.height),
      { box, places } = this;
    const largestOf = isBias =>
      trainer.places.reduce(
        (most, { input }, i) => (input < 0 === isBias && Math.abs(values[i]) > most ? Math.abs(values[i]) : most),
        1e-12,
      );
    const [largest, largestBias] = [largestOf(false), largestOf(true)];
    context.lineCap = "round";
    const labels = [];
    this.curves = [];
    trainer.places.forEach((place, i) => {
      const { layer, neuron, input } = place;
      const to = places[layer + 1][neuron],
        from = input < 0 ? null : places[layer][input];
      if (!to) return;
      const strength = Math.min(1, Math.abs(values[i]) / (input < 0 ? largestBias : largest)),
        color = values[i] >= 0 ? "40,110,255" : "235,90,40";
      if (input < 0) {
        context.fillStyle = `rgb(${color})`;
        const length = (values[i] >= 0 ? 1 : -1) * Math.max(1, (strength * box) / 2);
        context.fillRect(to[0], to[1] + box / 2 + 2, length, 4);
        return;
      }
      if (!from) return;
      context.globalAlpha = active === undefined || active === layer ? 1 : 0.25;
      context.strokeStyle = `rgba(${color},${(0.15 + 0.85 * strength).toFixed(3)})`;
      context.lineWidth = 0.6 + 3.4 * strength;
      context.beginPath();
      const [x1, y1, x2, y2] = [from[0] + box / 2, from[1], to[0] - box / 2, to[1]],
        middle = (x1 + x2) / 2;
      this.curves.push({ place, from: [x1, y1], to: [x2, y2] });
      if (selected && selected.layer === layer && selected.neuron === neuron && selected.input === input)
        Object.assign(context, { strokeStyle: styleOf("--ink"), lineWidth: 4 });
      context.moveTo(x1, y1);
      context.bezierCurveTo(middle, y1, middle, y2, x2, y2);
      context.stroke();
      const isNamed =
        !selected || selected.layer !== layer
          ? places[layer].length * places[layer + 1].length <= 24
          : selected.neuron === neuron;
      if (edgeText && active === layer && isNamed) {
        const at = 0.3 + 0.4 * ((neuron + 0.5) / places[layer + 1].length);
        labels.push([x1 + (x2 - x1) * at, y1 + (y2 - y1) * (3 * at * at - 2 * at ** 3), edgeText(i)]);
      }
    });
    context.globalAlpha = 1;
    this.drawNeurons(context, trainer, responses, nodeText);
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "center";
    for (const [x, y, text] of labels) this.write(context, x, y + 4, text);
  }

  drawNeurons(context, trainer, responses, nodeText) {
    const { box, places } = this;
    context.textAlign = "center";
    context.font = "11px system-ui, sans-serif";
    places.forEach((column, l) => {
      column.forEach(([x, y], i) => {
        const k = l ? trainer.net.layers[l - 1].outs[i] : trainer.net.x[i];
        context.fillStyle = styleOf("--back");
        context.fillRect(x - box / 2, y - box / 2, box, box);
        if (responses.image) this.image(context, responses, l, i, k, x, y);
        else if (!responses.isLine) context.drawImage(responses.map(k), x - box / 2, y - box / 2, box, box);
        else this.line(context, responses.lanes.values[k], x - box / 2, y - box / 2);
        context.strokeStyle = styleOf("--line");
        context.lineWidth = 1;
        context.strokeRect(x - box / 2, y - box / 2, box, box);
        const found = [(nodeText && nodeText(l, i)) || []].flat(),
          lines = box < 24 ? found.slice(0, 1) : found;
        lines.forEach((text, at) => {
          const color = styleOf(lines.length < 2 ? "--ink" : at ? "--backward" : "--forward");
          this.write(context, x, y + 4 + 14 * (at - (lines.length - 1) / 2), text, color);
        });
      });
      const more = trainer.net.sizes[l] - column.length,
        title = l === 0 ? "inputs" : l === places.length - 1 ? "output" : layerCaption(l - 1, places.length);
      context.fillStyle = styleOf("--faint");
      context.fillText(more ? `${title}, +${more}` : title, column[0][0], this.height - 5);
    });
  }

  // For images, a box shows the weights of the first layer, and elsewhere the value for the selected example.
  image(context, responses, l, i, k, x, y) {
    const { box } = this;
    context.imageSmoothingEnabled = false;
    if (l === 1) context.drawImage(responses.weights(i), x - box / 2, y - box / 2, box, box);
    else {
      context.fillStyle = heatColor(this.example.values[k][0], l === 0 ? 1 : 2);
      context.fillRect(x - box / 2, y - box / 2, box, box);
    }
    context.imageSmoothingEnabled = true;
  }

  line(context, values, left, top) {
    let low = Infinity,
      high = -Infinity;
    for (const value of values) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    context.beginPath();
    values.forEach((value, i) =>
      context.lineTo(
        left + (i / (values.length - 1)) * this.box,
        top + this.box - 2 - ((value - low) / (high - low || 1)) * (this.box - 4),
      ),
    );
    context.strokeStyle = styleOf("--forward");
    context.lineWidth = 1.5;
    context.stroke();
  }

  write(context, x, y, text, color = styleOf("--ink")) {
    context.lineWidth = 4;
    context.strokeStyle = styleOf("--back");
    context.strokeText(text, x, y);
    context.fillStyle = color;
    context.fillText(text, x, y);
  }
}

const neuronName = (trainer, layer, neuron) =>
  layer === trainer.net.layers.length - 1
    ? trainer.net.outputs.length > 1
      ? `output ${neuron + 1}`
      : "the output"
    : `neuron ${neuron + 1} of layer ${placeInModel(layer)}`;

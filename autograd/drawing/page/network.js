// Names and frames of networks: w11, b1 and h1 in neurons and layers, from the paths of their parameters.
const Network = (() => {
  const { isNode, operations } = Engine;
  const NEURON = /^(?:(.*?)\.)?neurons\.(\d+)\.(?:w\.(\d+)|b)$/; // nn.scalar: layers.0.neurons.2.w.1
  const DENSE = /^(?:(.*?)\.)?(?:weight|bias)\[(\d+)(?:, (\d+))?\]$/; // scalars of nn.Linear: 0.weight[2, 1]
  const SHORT = /^(w|b)([⁰¹²³⁴-⁹]*)(\d)(\d)?$/; // names given here, or by a teacher: w11, w²13, b1
  const INPUT = /^x\[(?:(\d+), )?(\d+)\]$/;
  const raised = n => Array.from(String(n), digit => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");
  const lowered = text => Array.from(text, digit => "⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(digit)).join("");
  const natural = new Intl.Collator("en", { numeric: true });

  // The place of a parameter in its network: {layer, neuron, input}, `input` undefined for a bias; or null.
  function placeOf(name = "") {
    const neuron = NEURON.exec(name),
      dense = DENSE.exec(name),
      short = SHORT.exec(name);
    if (neuron) return { layer: neuron[1] || "", neuron: Number(neuron[2]), input: neuron[3] };
    if (dense) return { layer: dense[1] || "", neuron: Number(dense[2]), input: dense[3] };
    if (!short || (short[1] === "w") === (short[4] === undefined)) return null;
    return {
      layer: `layer ${lowered(short[2]) || 1}`,
      neuron: short[3] - 1,
      input: short[4] && short[4] - 1,
      short: true,
    };
  }

  // The places of all parameters; w11 and b1 belong to a network if there are weights of its neuron.
  function placesOf(graph) {
    const places = graph.nodes.map(node => (node.op ? null : placeOf(node.name)));
    const weighted = new Set(
      places.flatMap(place => (place && place.input !== undefined ? [`${place.layer}/${place.neuron}`] : [])),
    );
    return places.map(place => (place && weighted.has(`${place.layer}/${place.neuron}`) ? place : null));
  }

  // Find the neuron of each node: that of its parameters, then of the results that are computed inside of it.
  function neurons(graph) {
    const places = placesOf(graph);
    const layers = [...new Set(places.filter(Boolean).map(place => place.layer))].sort(natural.compare);
    const found = places.map(place => place && `${layers.indexOf(place.layer)}/${place.neuron}`);
    const depth = key => Number(key.split("/")[0]);
    graph.nodes.forEach((node, k) => {
      if (!node.op) return;
      const args = node.args.filter(isNode).map(([a]) => a),
        weights = args.filter(a => places[a]).map(a => found[a]);
      const inner = args.filter(a => graph.nodes[a].op).map(a => found[a]);
      if (weights.length) found[k] = weights.sort((a, b) => depth(b) - depth(a))[0];
      else if (inner.length === args.length && inner[0] && inner.every(key => key === inner[0])) {
        const activation = args.length === 1 && operations[node.op].operands.length === 1;
        if (activation || (args.length > 1 && args[0] !== args[1])) found[k] = inner[0];
      }
    });
    return { places, layers, found };
  }

  // The results of a neuron or another group that are used outside of it.
  const outputs = (graph, members) => {
    const inside = new Set(members);
    return members.filter(
      k => graph.nodes[k].op && (k === graph.root || graph.users[k].some(([user]) => !inside.has(user))),
    );
  };

  // Give every node a name: its own, that of its place in a network, or a letter with a number.
  function nameNodes(graph) {
    const names = new Array(graph.size),
      taken = new Set();
    const give = (k, text) => {
      let name = text;
      for (let copy = 2; taken.has(name); copy++) name = `${text}'${copy}`;
      taken.add((names[k] = name));
    };
    const network = graph instanceof Engine.Graph ? neurons(graph) : { places: [], layers: [], found: [] };
    const { places, layers, found } = network,
      wide = new Map();
    places.forEach(place => {
      if (place)
        wide.set(place.layer, Math.max(wide.get(place.layer) || 0, place.neuron + 1, Number(place.input || 0) + 1));
    });
    const layerOf = key => {
      const l = Number(key.split("/")[0]);
      return l ? raised(l + 1) : "";
    };
    const rows = new Set(graph.nodes.map(node => (INPUT.exec(node.name || "") || [])[1]).filter(Boolean));
    graph.nodes.forEach((node, k) => {
      const place = places[k],
        input = INPUT.exec(node.name || "");
      if (place && place.short) give(k, node.name);
      else if (place) {
        const index = [place.neuron, place.input].filter(i => i !== undefined).map(i => Number(i) + 1);
        give(
          k,
          `${place.input === undefined ? "b" : "w"}${layerOf(found[k])}${index.join(wide.get(place.layer) > 9 ? "," : "")}`,
        );
      } else if (input)
        give(k, `x${[...(rows.size > 1 ? [input[1]] : []), input[2]].map(i => Number(i) + 1).join("")}`);
      else if (node.name) give(k, node.name);
    });
    for (const [key, members] of byKey(found)) {
      const [out, ...others] = outputs(
        graph,
        members.filter(k => graph.nodes[k].op),
      );
      if (out === undefined || others.length || names[out]) continue;
      const [l, j] = key.split("/").map(Number),
        alone = found.every(other => !other || other === key || !other.startsWith(`${l}/`));
      const result = l === layers.length - 1 && (l > 0 || alone); // of the last layer
      give(out, result ? `y${alone ? "" : j + 1}` : `h${layerOf(key)}${j + 1}`);
      const [before] = graph.nodes[out].args.filter(isNode);
      if (graph.nodes[out].args.length === 1 && before && !names[before[0]])
        give(before[0], `z${layerOf(key)}${j + 1}`);
    }
    const counts = { x: 1, v: 1 };
    graph.nodes.forEach((node, k) => {
      if (names[k]) return;
      if (k === graph.root && node.op && !taken.has("L")) {
        give(k, "L");
        return;
      }
      const letter = node.op ? "v" : "x";
      while (taken.has(letter + counts[letter])) counts[letter]++;
      give(k, letter + counts[letter]++);
    });
    return names;
  }

  const byKey = keys => Engine.grouped(keys.flatMap((key, k) => (key ? [[key, k]] : [])));

  // The frames around the nodes: {path, title, frames, boxes, members}.  `groups` are those recorded from a model.
  function frameTree(graph, groups = []) {
    const root = { path: "", title: "", frames: [], boxes: [], members: [] };
    const add = (parent, path, title) => {
      const frame = { path, title, frames: [], boxes: [], members: [], parent };
      parent.frames.push(frame);
      return frame;
    };
    let owner = k => root;
    if (groups.length) {
      const frames = [];
      groups.forEach(({ title, parent }, i) =>
        frames.push(add(parent < 0 ? root : frames[parent], `group${i}`, title)),
      );
      owner = k => (graph.nodes[k].group === undefined ? root : frames[graph.nodes[k].group]);
    } else if (graph instanceof Engine.Graph) {
      const { found, layers } = neurons(graph),
        frames = new Map();
      layers.forEach((_, l) => {
        const keys = [...byKey(found).keys()].filter(key => key.startsWith(`${l}/`)).sort(natural.compare),
          count = keys.length;
        const layer = add(root, `layer${l + 1}`, `Layer ${l + 1}: ${count} neuron${count === 1 ? "" : "s"}`);
        keys.forEach(key =>
          frames.set(
            key,
            count === 1
              ? layer
              : add(
                  layer,
                  `layer${l + 1}/neuron${Number(key.split("/")[1]) + 1}`,
                  `Neuron ${Number(key.split("/")[1]) + 1}`,
                ),
          ),
        );
      });
      owner = k => (found[k] ? frames.get(found[k]) : root);
    }
    for (let k = 0; k < graph.size; k++) {
      owner(k).boxes.push(k);
      for (let frame = owner(k); frame; frame = frame.parent) frame.members.push(k);
    }
    const prune = frame => {
      frame.frames = frame.frames.filter(inner => inner.members.length);
      frame.frames.forEach(prune);
    };
    prune(root);
    return root;
  }

  // The role of each leaf: parameter, input, target or constant.  Descent changes parameters.
  function roles(graph, names) {
    const marked = graph.nodes.some(node => node.fixed || node.data);
    const model = graph.leaves.some(k => /^[wb][\d²-⁹_,]*$/i.test(names[k]));
    return graph.nodes.map((node, k) => {
      if (node.op) return null;
      const target = /^(t|y|target|label)[\d_]*$/i.test(names[k]),
        input = /^x[\d_]*$/i.test(names[k]);
      if (node.fixed) return target ? "target" : "input";
      if (node.data) return target ? "target" : input || node.name ? "input" : "constant";
      return !marked && model && (target || input) ? (target ? "target" : "input") : "parameter";
    });
  }

  return { frameTree, nameNodes, outputs, roles };
})();

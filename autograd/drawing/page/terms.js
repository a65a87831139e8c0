// Numbers and formulas: terms are nested lists, as `autograd.explaining.typeset` defines them, written in MathML or text.
const Terms = (() => {
  const { WORDS, f, isNode, number, operations } = Engine;
  const BINDS = { "=": 0, "+": 10, "-": 10, "*": 20, "/": 20, "@": 20, times: 20, odot: 20, "**": 30 };
  const SIGNS = {
    "*": "·",
    times: "×",
    odot: "⊙",
    "-": "−",
    "@": "\u2062",
    "==": "=",
    "!=": "≠",
    ">=": "≥",
    "<=": "≤",
  };
  const INFIX = new Set(["+", "-", "*", "/", "**"]),
    COMPARISONS = new Set(["==", "!=", ">", ">=", "<", "<="]);
  const MINUS = 15,
    ATOM = 99;

  // ------------------------------------------------------------------------------------------------ numbers
  // A number with four significant digits, or the shape of an array.
  function show(x) {
    if (x === undefined || x === null) return "";
    if (typeof x === "object") return x.shape.length ? x.shape.join(" × ") : "";
    if (typeof x === "string" && !(x in WORDS)) return x;
    x = number(x);
    if (!Number.isFinite(x)) return Number.isNaN(x) ? "nan" : x > 0 ? "∞" : "−∞";
    let text = String(Number(x.toPrecision(4)));
    if (/e/.test(text) || (x !== 0 && Math.abs(x) < 1e-4))
      text = x
        .toExponential(3)
        .replace(/\.?0+e/, "e")
        .replace("e+", "e");
    return text.replace(/-/g, "−");
  }
  const isScientific = x => /e/.test(show(x));

  // ------------------------------------------------------------------------------------------- building terms
  const name = text => ["name", text],
    value = x => ["number", x];
  const isNumber = (t, x) => typeof t === "number" && (x === undefined || t === x);

  // A program with its constants folded: [operation, operands, options], a number, or ["name", text].
  function folded(program, given) {
    if (typeof program === "string") return program in given ? given[program] : number(program);
    if (!Array.isArray(program)) return program;
    const [op, , params] = program,
      args = program[1].map(part => folded(part, given)),
      options = params.map(part => folded(part, given));
    const [x, y] = args,
      one = { add: 0, multiply: 1 }[op];
    if (args.every(part => isNumber(part)) && options.every(part => isNumber(part)))
      return number(f[op](...args, ...options));
    if (op === "where" && isNumber(x)) return x ? y : args[2];
    if (op === "logical_and" && (isNumber(x, 0) || isNumber(y, 0))) return 0;
    if (op === "logical_or" && (isNumber(x, 0) || isNumber(y, 0))) return isNumber(x, 0) ? y : x;
    if (one !== undefined && (isNumber(x, one) || isNumber(y, one))) return isNumber(x, one) ? y : x;
    if (((op === "divide" || op === "power") && isNumber(y, 1)) || (op === "subtract" && isNumber(y, 0))) return x;
    return [op, args, options];
  }

  function written(program) {
    if (isNumber(program)) return value(program);
    if (program[0] === "name" || program[0] === "number") return program;
    const [op, args, options] = program;
    return operation(
      op,
      args.map(written),
      options.map(x => (isNumber(x) ? x : NaN)),
    );
  }

  // One operation on operands that are terms.
  function operation(op, terms, params = []) {
    const { symbol, call, options } = operations[op];
    if (terms.length === 2 && (INFIX.has(symbol) || COMPARISONS.has(symbol)) && op !== "product_if_taken")
      return [symbol, ...terms];
    if (symbol === "neg") return ["neg", terms[0]];
    const defaults = Object.entries(options);
    const shown = params.flatMap((x, i) =>
      number(x) === number(defaults[i][1]) ? [] : [["raw", `${defaults[i][0]}=${show(x)}`]],
    );
    return ["call", call, ...terms, ...shown];
  }

  // The terms of a graph whose nodes have names.
  class Writer {
    constructor(graph, names) {
      this.graph = graph;
      this.names = names;
    }

    operand(k, position) {
      const operand = this.graph.nodes[k].args[position];
      return isNode(operand) ? name(this.names[operand[0]]) : value(operand);
    }

    // The operation that computed a node.
    made(k) {
      const node = this.graph.nodes[k];
      if (!node.op) return null;
      return (
        node.term ||
        operation(
          node.op,
          node.args.map((_, i) => this.operand(k, i)),
          node.params,
        )
      );
    }

    // The local derivative of an edge.
    rule(k, position) {
      if (this.graph instanceof Engine.Recording) return this.graph.ruleOf(k, position);
      const { op, args } = this.graph.nodes[k],
        params = this.graph.parameters(k),
        { options, rules } = operations[op];
      const given = { y: name(this.names[k]), g: 1 };
      args.forEach((operand, i) => {
        given["x" + i] = isNode(operand) ? name(this.names[operand[0]]) : number(operand);
      });
      Object.keys(options).forEach((key, i) => {
        given[key] = params[i];
      });
      return rules[position] === null ? null : written(folded(rules[position].program, given));
    }

    // The formula of a node in terms of the leaves, or null if it has more than `most` operations and operands.
    whole(k, most = 60) {
      let left = most;
      const visit = j => {
        if (--left < 0) return null;
        const node = this.graph.nodes[j];
        if (!node.op) return name(this.names[j]);
        const parts = node.args.map(operand => (isNode(operand) ? visit(operand[0]) : value(operand)));
        return left < 0 ? null : operation(node.op, parts, node.params);
      };
      return this.graph.nodes[k].term ? null : visit(k);
    }
  }

  // ------------------------------------------------------------------------------------------------ brackets
  const negative = t => t[0] === "neg" || (t[0] === "number" && (number(t[1]) < 0 || Object.is(number(t[1]), -0)));
  const binds = t =>
    negative(t) ? MINUS : t[0] === "number" && isScientific(t[1]) ? BINDS.times : t[0] in BINDS ? BINDS[t[0]] : ATOM;
  function bracketed(sign, t, place) {
    const inner = binds(t),
      outer = BINDS[sign];
    if (sign === "=") return false;
    if (inner === MINUS) return place > 0 || sign === "**";
    if (sign === "**") return place === 0 && inner <= outer;
    return inner < outer || (place > 0 && inner === outer && ("-@".includes(sign) || "-@".includes(t[0])));
  }

  // ---------------------------------------------------------------------------------------------------- text
  // A term as a formula that can be typed, as in Python.
  function plain(t) {
    const [head, ...parts] = t;
    if (head === "number") return show(parts[0]).replace(/−/g, "-");
    if (head === "name" || head === "raw") return parts[0];
    if (head === "neg") return `-${binds(parts[0]) >= 20 ? plain(parts[0]) : `(${plain(parts[0])})`}`;
    if (head === "call") return `${parts[0]}(${parts.slice(1).map(plain).join(", ")})`;
    if (!(head in BINDS))
      return parts.map(part => (Array.isArray(part) ? plain(part) : part)).join(` ${SIGNS[head] || head} `);
    const inner = parts.map((part, i) =>
      bracketed(head, part, i) || (head === "/" && i && binds(part) <= 20) ? `(${plain(part)})` : plain(part),
    );
    return inner.join(head === "**" ? "**" : ` ${head} `);
  }

  // The formula of a graph as text that parses to the same graph; null if it would be long, or would repeat a result.
  function typed(graph, names) {
    const shared = graph.nodes.some((node, k) => node.op && graph.users[k].length > 1);
    if (shared || graph.size > 300 || graph instanceof Engine.Recording) return null;
    const digits = x => (Number.isFinite(number(x)) ? String(number(x)) : null);
    const signs = { add: "+", subtract: "-", multiply: "*", divide: "/", power: "**" };
    const visit = operand => {
      if (!isNode(operand)) return digits(operand);
      const node = graph.nodes[operand[0]];
      if (!node.op) return names[operand[0]];
      const parts = [...node.args, ...(node.params || [])].map(visit);
      if (parts.includes(null)) return null;
      return node.op in signs
        ? `(${parts.join(` ${signs[node.op]} `)})`
        : node.op === "negative"
          ? `(-${parts[0]})`
          : `${node.op}(${parts.join(", ")})`;
    };
    const text = visit([graph.root]);
    if (!text || text.length > 2000 || graph.leaves.some(k => !/^[\p{L}_][\p{L}\p{N}_]*$/u.test(names[k]))) return null;
    return tidied(text, graph);
  }

  // The same text with the fewest brackets: each pair is removed if the result parses to the same graph.
  function tidied(text, graph) {
    const shape = nodes =>
      JSON.stringify(nodes.map(node => [node.op || node.name || "", node.args, node.params || []]));
    const parsed = candidate => {
      try {
        return shape(Parser.parse(candidate).map((node, k) => ({ ...node, name: node.op ? "" : node.name })));
      } catch {
        return "";
      }
    };
    const wanted = parsed(text);
    for (let at = 0; at < text.length && graph.size < 60; at++) {
      if (text[at] !== "(" || /[\w\p{L}]/u.test(text[at - 1] || "")) continue;
      let depth = 0,
        end = at;
      for (; end < text.length; end++) {
        if (text[end] === "(") depth++;
        if (text[end] === ")" && --depth === 0) break;
      }
      const shorter = text.slice(0, at) + text.slice(at + 1, end) + text.slice(end + 1);
      if (parsed(shorter) === wanted) {
        text = shorter;
        at--;
      }
    }
    return text;
  }

  // -------------------------------------------------------------------------------------------------- MathML
  const ML = "http://www.w3.org/1998/Math/MathML";
  const ml = (tag, ...children) => {
    const node = document.createElementNS(ML, tag);
    node.append(...children);
    return node;
  };
  function mark(text, stretches = true) {
    const node = ml("mo", text);
    node.setAttribute("lspace", "0");
    node.setAttribute("rspace", "0");
    if (!stretches) node.setAttribute("stretchy", "false");
    return node;
  }
  // Brackets grow with fractions and matrices; around anything else they would only be taller than the line.
  function fence(node, left = "(", right = ")") {
    const tall = node.matches("mfrac, mtable") || node.querySelector("mfrac, mtable");
    return ml("mrow", mark(left, tall), node, mark(right, tall));
  }
  const LAYER = { "¹": "1", "²": "2", "³": "3", "⁴": "4", "⁵": "5", "⁶": "6", "⁷": "7", "⁸": "8", "⁹": "9", "⁰": "0" };
  const NAME = /^([A-Za-z]+|[α-ωΑ-Ω])([⁰¹²³⁴-⁹]*)_?([\d,]+)$/;

  function mathName(text) {
    const match = NAME.exec(text);
    if (!match) return ml("mi", text);
    const [, letters, layer, index] = match,
      digits = Array.from(layer, c => LAYER[c]).join("");
    return digits
      ? ml("msubsup", ml("mi", letters), ml("mn", index), ml("mrow", mark("("), ml("mn", digits), mark(")")))
      : ml("msub", ml("mi", letters), ml("mn", index));
  }
  function mathNumber(x) {
    const [digits, power] = show(x).split("e");
    if (power === undefined) return ml("mn", digits);
    return ml("mrow", ml("mn", digits), ml("mo", "×"), ml("msup", ml("mn", "10"), ml("mn", power)));
  }
  const rows = (table, cell) =>
    fence(ml("mtable", ...table.map(row => ml("mtr", ...row.map(x => ml("mtd", ml("mn", cell(x))))))), "[", "]");

  // A term in MathML, as `autograd.explaining.typeset` writes it; names are text, never markup.
  function maths(t) {
    const head = t[0];
    if (head === "name") return mathName(t[1]);
    if (head === "number") return typeof t[1] === "object" ? ml("mtext", show(t[1])) : mathNumber(t[1]);
    if (head === "raw") return ml("mtext", t[1]);
    if (head === "array") return rows(t[1], x => x.replace("-", "−"));
    const parts = t.slice(1).map(part => (Array.isArray(part) ? maths(part) : ml("mtext", part)));
    if (head === "d" || head === "partial") {
      const sign = () => ml("mi", head === "d" ? "d" : "∂");
      return ml("mfrac", ml("mrow", sign(), parts[0]), ml("mrow", sign(), parts[1]));
    }
    if (head === "/") return ml("mfrac", parts[0], parts[1]);
    if (head === "neg") return ml("mrow", ml("mo", "−"), binds(t[1]) >= 20 ? parts[0] : fence(parts[0]));
    if (head === "call") {
      const inside = ml("mrow", ...parts.slice(1).flatMap((part, i) => (i ? [ml("mo", ","), part] : [part])));
      if (t[1] === "exp") return ml("msup", ml("mi", "e"), inside);
      if (t[1] === "sqrt") return ml("msqrt", inside);
      if (t[1] === "absolute") return fence(inside, "|", "|");
      return ml("mrow", ml("mi", t[1] === "sigmoid" ? "σ" : t[1]), fence(inside));
    }
    if (head === "**" || head === "transpose" || head === "index") {
      const base = binds(t[1]) >= ATOM ? parts[0] : fence(parts[0]);
      if (head === "index") return ml("msub", base, fence(parts[1], "[", "]"));
      return ml("msup", base, head === "**" ? parts[1] : ml("mi", "⊤"));
    }
    if (!(head in BINDS)) return fence(ml("mrow", parts[0], ml("mo", SIGNS[head] || head), parts[1]), "[", "]");
    const row = [];
    parts.forEach((part, i) => {
      if (i) row.push(ml("mo", SIGNS[head] || head));
      row.push(bracketed(head, t[i + 1], i) ? fence(part) : part);
    });
    return ml("mrow", ...row);
  }

  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  // A chain of equal terms as one formula, without repetitions.
  function formula(...sides) {
    const distinct = sides.filter((side, i) => side && (i === 0 || !same(side, sides[i - 1])));
    return ml("math", maths(distinct.length > 1 ? ["=", ...distinct] : distinct[0]));
  }
  // The same term with values in place of names.
  function withValues(t, valueOf) {
    if (t[0] === "name") return valueOf(t[1]) === undefined ? t : value(valueOf(t[1]));
    return [t[0], ...t.slice(1).map(part => (Array.isArray(part) ? withValues(part, valueOf) : part))];
  }

  return { Writer, formula, name, plain, show, typed, value, withValues };
})();

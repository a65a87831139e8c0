// The formulas that a user types, parsed to the same graph as `autograd.cli.parsing` records.
const Parser = (() => {
  const { f, operations, isNode } = Engine;
  const LONGEST = 2000,
    MOST_NODES = 500,
    DEEPEST = 100;
  const SHORT = { abs: "absolute", max: "maximum", min: "minimum", pow: "power", ln: "log" };
  const INFIX = { "+": ["add", 10], "-": ["subtract", 10], "*": ["multiply", 20], "/": ["divide", 20] };
  const UNARY = 25,
    POWER = 30;
  const KEYWORDS = new Set(
    (
      "False None True and as assert async await break class continue def del elif else except finally for from " +
      "global if import in is lambda nonlocal not or pass raise return try while with yield"
    ).split(" "),
  );
  const TOKEN =
    / *(?:(?<number>(?:\d(?:_?\d)*\.?(?:\d(?:_?\d)*)?|\.\d(?:_?\d)*)(?:[eE][+-]?\d(?:_?\d)*)?)|(?<name>[\p{L}_][\p{L}\p{M}\p{N}_]*)|(?<sign>\*\*|[-+*\/(),]))/uy;

  const callable = name => {
    const known = Object.hasOwn(SHORT, name) ? SHORT[name] : name;
    return Object.hasOwn(operations, known) && !known.endsWith("_if_taken") ? known : null;
  };
  const signature = name => {
    const { operands, options } = operations[callable(name)];
    return `${name}(${[...operands, ...Object.entries(options).map(([key, value]) => `${key}=${value}`)].join(", ")})`;
  };

  class ExpressionError extends Error {
    constructor(message, column) {
      super(message);
      this.column = column;
    }
  }

  // Names are normalized as in Python, except for the raised numbers of layers, as in w²11.
  const normalized = text => text.replace(/[^⁰¹²³⁴-⁹]+/g, part => part.normalize("NFKC"));

  // The tokens of a text; columns count characters from 1.
  function tokens(text) {
    const found = [],
      column = index => Array.from(text.slice(0, index)).length + 1;
    TOKEN.lastIndex = 0;
    for (let at = 0; at < text.length;) {
      const match = TOKEN.exec(text);
      if (!match) {
        const rest = text.slice(at).replace(/^ +/, ""),
          spaces = text.length - at - rest.length;
        if (!rest) break;
        const [character] = Array.from(rest);
        const instead =
          character === "^"
            ? "; a power is written **"
            : character === "="
              ? "; write the value of a variable into its box"
              : "";
        throw new ExpressionError(`the character '${character}' is not allowed${instead}`, column(at + spaces));
      }
      at = TOKEN.lastIndex;
      const { number, name, sign } = match.groups;
      found.push({
        kind: number !== undefined ? "number" : name !== undefined ? "name" : sign,
        text: normalized(number ?? name ?? sign),
        column: column(at - (number ?? name ?? sign).length),
      });
    }
    return [...found, { kind: "end", text: "", column: Array.from(text.trimEnd()).length + 1 }];
  }

  // The syntax tree: {kind: "number" | "name" | "call" | "negative" | "positive", text, parts, column}.
  class Reader {
    constructor(text) {
      this.tokens = tokens(text);
      this.at = 0;
      this.count = 0;
    }

    get next() {
      return this.tokens[this.at];
    }

    node(kind, text, parts, column) {
      const depth = 1 + Math.max(0, ...parts.map(part => part.depth));
      if (++this.count > MOST_NODES)
        throw new ExpressionError(`the formula has more than ${MOST_NODES} operations and operands`, column);
      if (depth > DEEPEST) throw new ExpressionError(`the formula is nested more than ${DEEPEST} deep`, column);
      return { kind, text, parts, column, depth };
    }

    expect(kind, open = null) {
      if (this.next.kind !== kind) {
        if (open && this.next.kind === "end") throw new ExpressionError("'(' was never closed", open.column);
        const { text, column } = this.next,
          before = this.tokens[this.at - 1];
        if (before && before.kind === "number" && this.next.kind === "name") {
          throw new ExpressionError(
            `'${before.text}${text}' is not a number; a product is written ${before.text}*${text}`,
            column,
          );
        }
        if (before && before.kind === "name" && callable(before.text) && kind !== ")") {
          throw new ExpressionError(`${before.text} is called with parentheses: ${before.text}(...)`, column);
        }
        throw new ExpressionError(text ? `'${text}' is not expected here` : "the formula ends too early", column);
      }
      return this.tokens[this.at++];
    }

    whole() {
      const tree = this.expression(0);
      this.expect("end");
      return tree;
    }

    expression(least) {
      if (this.level > 4 * DEEPEST) throw new ExpressionError("the formula is nested too deeply", this.next.column);
      this.level = (this.level || 0) + 1;
      let left = this.prefix();
      for (;;) {
        const { kind, column } = this.next;
        if (kind === "**" && POWER >= least) {
          this.at++;
          left = this.node("call", "power", [left, this.expression(UNARY)], left.column);
        } else if (Object.hasOwn(INFIX, kind) && INFIX[kind][1] >= least) {
          this.at++;
          left = this.node("call", INFIX[kind][0], [left, this.expression(INFIX[kind][1] + 1)], left.column);
        } else {
          this.level--;
          return left;
        }
      }
    }

    prefix() {
      const { kind, text, column } = this.next;
      if (kind === "-" || kind === "+") {
        this.at++;
        return this.node(kind === "-" ? "negative" : "positive", text, [this.expression(UNARY)], column);
      }
      if (kind === "(") {
        this.at++;
        const open = this.tokens[this.at - 1],
          inside = this.expression(0);
        this.expect(")", open);
        return inside;
      }
      if (kind === "number") {
        this.at++;
        if (/^0[\d_]*[1-9]/.test(text) && !/[.eE]/.test(text))
          throw new ExpressionError("leading zeros are not allowed in a number", column);
        return this.node("number", text, [], column);
      }
      const name = this.expect("name");
      if (this.next.kind !== "(") return this.node("name", text, [], column);
      const open = this.tokens[this.at++],
        parts = [];
      while (this.next.kind !== ")") {
        parts.push(this.expression(0));
        if (this.next.kind === ")") break;
        if (this.next.kind !== "end") this.expect(",");
        else this.expect(")", open);
      }
      this.expect(")", open);
      this.count++; // the name of the operation, as in Python's syntax tree
      return this.node("call", name.text, parts, column);
    }
  }

  // Records the nodes of a syntax tree, operands before results.
  class Recorder {
    constructor(values) {
      this.values = values;
      this.nodes = [];
      this.known = new Map();
    }

    operand(tree) {
      const { kind, text, parts } = tree;
      if (kind === "number") return this.constant(tree);
      if (kind === "name") return this.variable(tree);
      if (kind === "positive") return this.operand(parts[0]);
      if (kind === "negative" && parts[0].kind === "number") return -this.constant(parts[0]);
      if (kind === "negative") return this.applied("negative", [this.operand(parts[0])], [], tree);
      const name = callable(text);
      if (!name) throw new ExpressionError(`unknown operation '${text}'`, tree.column);
      const { operands, options } = operations[name],
        defaults = Object.values(options);
      if (parts.length < operands.length || parts.length > operands.length + defaults.length) {
        throw new ExpressionError(
          `${signature(text)} was called with ${parts.length} argument${parts.length === 1 ? "" : "s"}`,
          tree.column,
        );
      }
      const given = parts.map((part, i) => {
        const value = this.operand(part);
        if (i >= operands.length && isNode(value)) throw new ExpressionError("an option must be a number", part.column);
        return value;
      });
      const params = [...given.slice(operands.length), ...defaults.slice(given.length - operands.length)];
      return this.applied(name, given.slice(0, operands.length), params, tree);
    }

    constant({ text, column }) {
      const value = Number(text.replaceAll("_", ""));
      if (!Number.isFinite(value))
        throw new ExpressionError(`the number ${text.slice(0, 20)} is too large for a float`, column);
      return value;
    }

    variable({ text, column }) {
      if (!this.known.has(text)) {
        if (KEYWORDS.has(text)) throw new ExpressionError(`'${text}' is a keyword of Python`, column);
        if (callable(text) && !this.values.has(text)) {
          throw new ExpressionError(`${text} is an operation; call it: ${signature(text)}`, column);
        }
        this.known.set(text, this.nodes.length);
        this.nodes.push({ name: text, value: this.values.has(text) ? this.values.get(text) : this.fresh() });
      }
      return [this.known.get(text)];
    }

    // A value for a new variable.
    fresh() {
      return [2, -3, 0.5, 1, -1, 1.5][this.known.size % 6];
    }

    applied(op, args, params, { column }) {
      if (args.some(isNode)) {
        this.nodes.push({ op, args, params });
        return [this.nodes.length - 1];
      }
      const value = f[op](...args, ...params);
      if (!Number.isFinite(value)) throw new ExpressionError(`${op}(${args.join(", ")}) cannot be computed`, column);
      return value;
    }
  }

  // Return the nodes of a formula such as "tanh(a*b + c)", the root last.  `values` maps
  // names to numbers; new variables get values of their own.
  function parse(text, values = new Map(), name = "f") {
    const [, title, formula] = /^(?:\s*([\p{L}_][\p{L}\p{N}_]*)\s*=(?!=))?([^]*)$/u.exec(text);
    const skipped = Array.from(text).length - Array.from(formula).length;
    try {
      if (!formula.trim()) throw new ExpressionError("the formula is empty; write one such as tanh(a*b + c)", 1);
      if (Array.from(formula).length > LONGEST)
        throw new ExpressionError(`the formula has more than ${LONGEST} characters`, LONGEST + 1);
      const recorder = new Recorder(values),
        tree = new Reader(formula).whole(),
        root = recorder.operand(tree);
      if (!isNode(root)) throw new ExpressionError("the formula is a constant; use a variable, as in x**2", 1);
      const last = recorder.nodes[root[0]];
      if (last.op && !recorder.known.has(title || name)) last.name = title || name;
      return recorder.nodes;
    } catch (error) {
      if (error instanceof ExpressionError) error.column += skipped;
      throw error;
    }
  }

  return { ExpressionError, parse };
})();

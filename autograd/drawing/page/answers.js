// Questions about the steps of a backward pass, and diagnoses of wrong answers, as in `autograd.explaining.answers`.
const Answers = (() => {
  const { f, operations } = Engine;
  const TOLERANCE = 0.005,
    ALMOST = 0.05;
  const close = (answer, value, tolerance = TOLERANCE) =>
    answer === value ||
    (Number.isFinite(value) &&
      Math.abs(answer - value) <= Math.max(tolerance * Math.max(Math.abs(answer), Math.abs(value)), 1e-9));
  const sum = values => values.reduce((total, x) => total + x, 0);

  // The positions of the steps that contribute to each node.
  const arriving = graph => Engine.grouped(graph.steps.map(([, , argument], j) => [argument, j]));

  // A question for each step, and one for the sum after the last of several contributions: {steps, total}.
  function contributions(graph) {
    const paths = arriving(graph);
    return graph.steps.flatMap(([, , argument], j) => {
      const own = paths.get(argument),
        last = own.length > 1 && own[own.length - 1] === j;
      return [{ steps: [j], total: false }, ...(last ? [{ steps: own, total: true }] : [])];
    });
  }

  // A question for the gradient of each node, in the order in which the gradients become complete.
  const gradients = graph =>
    [...arriving(graph).values()]
      .map(steps => ({ steps, total: true }))
      .sort((a, b) => a.steps[a.steps.length - 1] - b.steps[b.steps.length - 1]);

  const expected = (question, results) => {
    const last = results[question.steps[question.steps.length - 1]];
    return question.total ? last.total : last.share;
  };

  function* mistakes(graph, pass, { steps, total }) {
    const results = steps.map(j => pass.steps[j]),
      answer = expected({ steps, total }, pass.steps);
    yield ["right", answer];
    yield ["sign", -answer];
    yield ["upstream", sum(results.map(result => result.local))];
    yield ["local", sum(results.map(result => result.up))];
    if (steps.length > 1) {
      for (let i = 0; i < results.length; i++) {
        yield ["path", results[i].share];
        yield ["path", sum(results.slice(0, i + 1).map(result => result.share))];
      }
      return;
    }
    const [{ up, local, total: soFar }] = results,
      [user, position] = graph.steps[steps[0]];
    yield ["sum", soFar];
    for (const [j, [other, place]] of graph.steps.entries()) {
      if (other === user && place !== position) yield ["swapped", up * pass.steps[j].local];
    }
    yield ["value", up * pass.values[user]];
    yield ["added", up + local];
  }

  function* otherOperations(graph, pass, [step, ...more]) {
    const [user] = graph.steps[step],
      { op, args } = graph.nodes[user];
    if (more.length || args.length > 1) return;
    const x = pass.values[args[0][0]];
    for (const [name, { operands, options, rules }] of Object.entries(operations)) {
      if (name === op || operands.length !== 1 || !rules[0]) continue;
      const params = Object.values(options),
        y = f[name](x, ...params);
      yield [name, pass.steps[step].up * rules[0].pull(y, x, ...params)];
    }
  }

  // Return [the key of the diagnosis, the operation that it names].
  function diagnose(graph, pass, question, answer) {
    for (const [key, value] of mistakes(graph, pass, question)) if (close(answer, value)) return [key, ""];
    for (const [name, value] of otherOperations(graph, pass, question.steps))
      if (close(answer, value)) return ["operation", name];
    return [close(answer, expected(question, pass.steps), ALMOST) ? "rounded" : "wrong", ""];
  }

  return { contributions, diagnose, expected, gradients };
})();

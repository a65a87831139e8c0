// Layout of graphs: columns from the leaves to the result, and frames around groups.
//
// The method is that of Sugiyama, Tagawa & Toda 1981: assign columns, order each column to reduce crossings, then choose
// heights that keep the edges straight.  The contents of an open frame are laid out first, and the frame is then one
// box of the level around it, so frames never overlap.
const Layout = (() => {
  const GAP_X = 64,
    GAP_Y = 22,
    GAP_THIN = 14,
    MARGIN = 12,
    FRAME = 16,
    TITLE = 26,
    SWEEPS = 8;
  const LONGEST = 12; // columns that an edge may pass with a point of its own in each; longer ones are drawn across
  const mean = values => values.reduce((sum, x) => sum + x, 0) / values.length;

  // The column of each item: one after its last argument, and an item without arguments just before its first user.
  function ranks(count, edges) {
    const after = Array.from({ length: count }, () => []),
      missing = new Array(count).fill(0),
      rank = new Array(count).fill(0);
    for (const [tail, head] of edges) {
      after[tail].push(head);
      missing[head]++;
    }
    const starts = missing.map(m => m === 0),
      ready = [...missing.keys()].filter(k => starts[k]),
      done = new Array(count).fill(false);
    for (let visited = 0; visited < count; visited++) {
      if (!ready.length) ready.push(done.indexOf(false)); // a cycle, which only groups can have, is cut here
      const k = ready.pop();
      done[k] = true;
      for (const head of after[k]) {
        if (done[head]) continue;
        rank[head] = Math.max(rank[head], rank[k] + 1);
        if (--missing[head] === 0) ready.push(head);
      }
    }
    for (let k = 0; k < count; k++) {
      if (starts[k] && after[k].length) rank[k] = Math.max(0, Math.min(...after[k].map(head => rank[head])) - 1);
    }
    return rank;
  }

  // The number of pairs of edges that cross between neighbouring columns, counted with a binary indexed tree.
  function crossings(columns, after, place) {
    let total = 0;
    for (const column of columns) {
      const ends = column.flatMap(item => after[item].map(other => place[other]).sort((a, b) => a - b));
      const size = Math.max(0, ...ends) + 2,
        tree = new Int32Array(size);
      ends.forEach((end, seen) => {
        let upTo = 0;
        for (let i = end + 1; i > 0; i -= i & -i) upTo += tree[i];
        total += seen - upTo;
        for (let i = end + 1; i < size; i += i & -i) tree[i]++;
      });
    }
    return total;
  }

  // The items of each column from top to bottom, by repeated sorting by barycenters.
  function ordered(rank, before, after, sweeps) {
    const columns = Array.from({ length: Math.max(0, ...rank) + 1 }, () => []),
      place = [];
    rank.forEach((column, item) => {
      place[item] = columns[column].push(item) - 1;
    });
    let best = columns.map(column => column.slice()),
      fewest = crossings(columns, after, place);
    for (let sweep = 0; sweep < sweeps && fewest > 0; sweep++) {
      const forward = sweep % 2 === 0,
        neighbours = forward ? before : after;
      for (const column of forward ? columns : columns.slice().reverse()) {
        const wanted = new Map(
          column.map(item => [item, neighbours[item].length ? mean(neighbours[item].map(n => place[n])) : place[item]]),
        );
        column.sort((a, b) => wanted.get(a) - wanted.get(b));
        column.forEach((item, i) => {
          place[item] = i;
        });
      }
      const count = crossings(columns, after, place);
      if (count < fewest) {
        best = columns.map(column => column.slice());
        fewest = count;
      }
    }
    return best;
  }

  // Heights in the given order, far enough apart, with the least squared distance from `wanted`.  After subtraction of
  // the space above each item this is isotonic regression by pooling adjacent violators (Ayer et al. 1955).
  function spaced(column, wanted, tall) {
    const above = [0];
    for (let i = 1; i < column.length; i++) {
      const boxes = tall[column[i - 1]] + tall[column[i]];
      above.push(above[i - 1] + boxes / 2 + (boxes ? GAP_Y : GAP_THIN));
    }
    const pools = [];
    wanted.forEach((at, i) => {
      let level = at - above[i],
        size = 1;
      while (pools.length && pools[pools.length - 1][0] > level) {
        const [other, count] = pools.pop();
        level = (level * size + other * count) / (size + count);
        size += count;
      }
      pools.push([level, size]);
    });
    const levels = pools.flatMap(([level, size]) => new Array(size).fill(level));
    return levels.map((level, i) => level + above[i]);
  }

  // A smooth path through points, horizontal at each of them.
  function curve(points) {
    let [x, y] = points[0],
      text = `M${x.toFixed(1)} ${y.toFixed(1)}`;
    for (const [toX, toY] of points.slice(1)) {
      const half = (toX - x) / 2;
      text += `C${(x + half).toFixed(1)} ${y.toFixed(1)} ${(toX - half).toFixed(1)} ${toY.toFixed(1)} ${toX.toFixed(1)} ${toY.toFixed(1)}`;
      [x, y] = [toX, toY];
    }
    return text;
  }

  // Place boxes {width, height} connected by edges [tail, head]: the left sides and middles of the boxes, the points
  // that each edge passes, and the size.
  function flat(boxes, edges) {
    const count = boxes.length,
      rank = ranks(count, edges),
      tall = boxes.map(box => box.height),
      chains = [];
    const before = Array.from({ length: count }, () => []),
      after = Array.from({ length: count }, () => []);
    for (const [tail, head] of edges) {
      const chain = [tail];
      if (rank[head] - rank[tail] <= LONGEST) {
        for (let column = rank[tail] + 1; column < rank[head]; column++) {
          chain.push(rank.push(column) - 1);
          tall.push(0);
          before.push([]);
          after.push([]);
        }
        chain.push(head);
        for (let i = 1; i < chain.length; i++) {
          after[chain[i - 1]].push(chain[i]);
          before[chain[i]].push(chain[i - 1]);
        }
      } else chain.push(head);
      chains.push(chain);
    }
    const sweeps = rank.length > 4000 ? 2 : SWEEPS,
      columns = ordered(rank, before, after, sweeps),
      y = [];
    const set = (column, wanted) =>
      spaced(column, wanted, tall).forEach((at, i) => {
        y[column[i]] = at;
      });
    columns.forEach(column =>
      set(
        column,
        column.map(() => 0),
      ),
    );
    for (let sweep = 0; sweep < 3 * sweeps; sweep++) {
      for (const column of sweep % 2 ? columns.slice().reverse() : columns) {
        set(
          column,
          column.map(item => {
            const near = [...before[item], ...after[item]];
            return near.length ? mean(near.map(n => y[n])) : y[item];
          }),
        );
      }
    }
    const top = y.reduce((least, at, item) => Math.min(least, at - tall[item] / 2), Infinity);
    const starts = [];
    let x = MARGIN;
    columns.forEach((column, i) => {
      starts.push(x);
      x +=
        Math.max(0, ...column.filter(item => item < count).map(item => boxes[item].width)) +
        (i + 1 < columns.length ? GAP_X : MARGIN);
    });
    const middle = item => y[item] - top + MARGIN;
    return {
      places: boxes.map((box, k) => [starts[rank[k]], middle(k)]),
      bends: chains.map(chain =>
        chain.slice(1, -1).flatMap(item => {
          const column = rank[item],
            right = column + 1 < starts.length ? starts[column + 1] - GAP_X : starts[column];
          return [
            [starts[column], middle(item)],
            [Math.max(right, starts[column]), middle(item)],
          ];
        }),
      ),
      width: x,
      height: Math.max(0, ...boxes.map((box, k) => middle(k) + box.height / 2)) + MARGIN,
    };
  }

  // Place boxes in nested frames.  A frame is {path, title, frames, boxes}; `boxes` are positions in the list of sizes.
  // Returns for each box its place {x, y, width, height}, with y in the middle; the places of the frames by path; a path
  // and a point for the label of each edge; and the size.
  function nested(sizes, edges, root) {
    const places = [],
      frames = new Map(),
      bends = edges.map(() => []);
    const owner = new Array(sizes.length);
    function inside(frame, around) {
      for (const box of frame.boxes) owner[box] = [...around, frame];
      for (const inner of frame.frames) inside(inner, [...around, frame]);
    }
    inside(root, []);
    const level = edges.map(([tail, head]) => {
      let depth = 0;
      while (owner[tail][depth + 1] && owner[tail][depth + 1] === owner[head][depth + 1]) depth++;
      return depth;
    });
    function place(frame, depth) {
      const inner = frame.frames.map(child => place(child, depth + 1));
      const items = [
        ...frame.boxes.map(box => sizes[box]),
        ...inner.map(({ width, height }) => ({
          width: width + 2 * FRAME - 2 * MARGIN,
          height: height + FRAME + TITLE - 2 * MARGIN,
        })),
      ];
      const index = new Map([
        ...frame.boxes.map((box, i) => [box, i]),
        ...frame.frames.map((child, i) => [child, frame.boxes.length + i]),
      ]);
      const at = box => index.get(owner[box][depth + 1] || box),
        mine = [];
      edges.forEach(([tail, head], e) => {
        if (level[e] === depth && owner[tail][depth] === frame) mine.push(e);
      });
      const found = flat(
        items,
        mine.map(e => [at(edges[e][0]), at(edges[e][1])]),
      );
      mine.forEach((e, i) => {
        bends[e] = found.bends[i].map(([x, y]) => ({ x, y, frame }));
      });
      const offset = (child, i) => {
        const k = frame.boxes.length + i,
          [x, y] = found.places[k];
        return [x + FRAME - MARGIN, y - items[k].height / 2 + TITLE - MARGIN];
      };
      return { frame, inner, width: found.width, height: found.height, places: found.places, items, offset };
    }
    const whole = place(root, 0),
      origin = new Map();
    (function absolute(node, x, y) {
      origin.set(node.frame, [x, y]);
      node.frame.boxes.forEach((box, i) => {
        places[box] = { x: x + node.places[i][0], y: y + node.places[i][1], ...sizes[box] };
      });
      node.inner.forEach((inner, i) => {
        const [dx, dy] = node.offset(inner, i),
          k = node.frame.boxes.length + i,
          [left, middle] = node.places[k],
          { width, height } = node.items[k];
        frames.set(inner.frame.path, { x: x + left, y: y + middle - height / 2, width, height });
        absolute(inner, x + dx, y + dy);
      });
    })(whole, 0, 0);
    const entering = Engine.grouped(edges.map(([, head], e) => [head, e]));
    const paths = [],
      middles = [];
    edges.forEach(([tail, head], e) => {
      const from = places[tail],
        to = places[head],
        ports = entering.get(head),
        step = Math.min(14, (to.height - 16) / ports.length);
      const end = [to.x - 3, to.y + step * (ports.indexOf(e) - (ports.length - 1) / 2)];
      const points = [
        [from.x + from.width, from.y],
        ...bends[e].map(({ x, y, frame }) => [x + origin.get(frame)[0], y + origin.get(frame)[1]]),
        end,
      ];
      paths.push(curve(points));
      const last = points[points.length - 2];
      middles.push([(last[0] + end[0]) / 2, (last[1] + end[1]) / 2]);
    });
    return { places, frames, paths, middles, width: whole.width, height: whole.height };
  }

  return { nested };
})();

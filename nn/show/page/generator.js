// NumPy's `default_rng(seed)`: a SeedSequence (O'Neill 2015) seeds PCG64 (O'Neill 2014, XSL-RR with 128 bits of state).
class Generator {
  constructor(seed) {
    const MASK = 0xffffffffn,
      seeds = [];
    for (let rest = BigInt(seed); rest || !seeds.length; rest >>= 32n) seeds.push(Number(rest & MASK));
    const hash = (start, factor) => {
      let constant = start;
      return value => {
        value ^= constant;
        constant = Math.imul(constant, factor);
        value = Math.imul(value, constant);
        return value ^ (value >>> 16);
      };
    };
    const mixed = hash(0x43b0d7e5, 0x931e8875),
      pool = [0, 1, 2, 3].map(i => mixed(seeds[i] || 0));
    for (let from = 0; from < 4; from++)
      for (let to = 0; to < 4; to++)
        if (from !== to) {
          const x = (Math.imul(0xca01f9dd, pool[to]) - Math.imul(0x4973f715, mixed(pool[from]))) | 0;
          pool[to] = x ^ (x >>> 16);
        }
    const spread = hash(0x8b51f9dd, 0x58f38ded),
      words = Array.from({ length: 8 }, (_, i) => BigInt(spread(pool[i % 4]) >>> 0));
    const [a, b, c, d] = [0, 2, 4, 6].map(i => words[i] | (words[i + 1] << 32n));
    this.increment = BigInt.asUintN(128, (((c << 64n) | d) << 1n) | 1n);
    this.state = this.increment + ((a << 64n) | b);
    this.step();
    this.saved = null; // the upper half of the last 64 bits
  }

  step() {
    this.state = BigInt.asUintN(128, this.state * 0x2360ed051fc65da44385df649fccf645n + this.increment);
  }

  bits64() {
    this.step();
    const mixed = BigInt.asUintN(64, (this.state >> 64n) ^ this.state),
      turn = this.state >> 122n;
    return BigInt.asUintN(64, (mixed >> turn) | (mixed << (64n - turn)));
  }

  bits32() {
    const { saved } = this;
    this.saved = null;
    if (saved !== null) return saved;
    const bits = this.bits64();
    this.saved = bits >> 32n;
    return bits & 0xffffffffn;
  }

  // An integer up to `most`: as many bits as it has, drawn again while they are more.
  upTo(most) {
    const mask = 2 ** (32 - Math.clz32(most)) - 1;
    for (;;) {
      const found = Number(this.bits32() & BigInt(mask));
      if (found <= most) return found;
    }
  }

  permutation(count) {
    const order = Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 0; i--) {
      const j = this.upTo(i);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  uniform() {
    return Number(this.bits64() >> 11n) / 2 ** 53;
  }

  normal() {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  // The order of the rows in the next epoch of a `DataLoader`, which draws a key for it.
  epoch(count) {
    return new Generator(this.bits64() >> 1n).permutation(count);
  }
}

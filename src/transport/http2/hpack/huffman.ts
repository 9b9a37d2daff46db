import { codeBits, codes, EOS } from './huffman-code.js';

/** More bits of padding, or other bits than ones, are an error (RFC 7541, 5.2). */
const PADDING_BITS_MAX = 7;

/*
 * The decoder is a state machine fed with nibbles; a state is an inner node of the code tree. One step emits at most one octet,
 * because no code is shorter than five bits:
 *
 *      bit 17    16     15 ... 8   7 ... 0
 *      invalid  emits   octet      next state
 */
const EMITS = 1 << 16;
const INVALID = 1 << 17;
const NIBBLES = 16;

type Tree = { zero: Tree | number | null; one: Tree | number | null; state: number; isPadding: boolean };

const { steps, mayEnd } = buildMachine();

/**
 * Decodes `source[start, end)` into `target`; the result is the decoded length, -1 = not a Huffman string. What does not fit
 * into `target` is counted and not kept.
 */
export function decodeHuffman(source: Uint8Array, start: number, end: number, target: Uint8Array): number {
  let state = 0;
  let length = 0;
  for (let at = start; at < end; at++) {
    const octet = source[at]!;
    const high = steps[state * NIBBLES + (octet >> 4)]!;
    if ((high & EMITS) !== 0) target[length++] = high >> 8;
    const low = steps[(high & 0xff) * NIBBLES + (octet & 0xf)]!;
    if ((low & EMITS) !== 0) target[length++] = low >> 8;
    if (((high | low) & INVALID) !== 0) return -1;
    state = low & 0xff;
  }
  return mayEnd[state] === 1 ? length : -1;
}

export function huffmanLength(source: Uint8Array): number {
  let bits = 0;
  for (const octet of source) bits += codeBits[octet]!;
  return Math.ceil(bits / 8);
}

export function encodeHuffman(source: Uint8Array): Buffer {
  const target = Buffer.alloc(huffmanLength(source), 0xff);
  let bitAt = 0;
  for (const octet of source) {
    for (let bit = codeBits[octet]! - 1; bit >= 0; bit--, bitAt++) {
      if (((codes[octet]! >>> bit) & 1) === 0) target[bitAt >> 3]! &= ~(0x80 >> (bitAt & 7));
    }
  }
  return target;
}

function buildMachine(): { steps: Uint32Array; mayEnd: Uint8Array } {
  const nodes = buildTree();
  const table = new Uint32Array(nodes.length * NIBBLES);
  for (const node of nodes) {
    for (let nibble = 0; nibble < NIBBLES; nibble++)
      table[node.state * NIBBLES + nibble] = step(nodes[0]!, node, nibble);
  }
  return { steps: table, mayEnd: Uint8Array.from(nodes, (node) => (node.isPadding ? 1 : 0)) };
}

/** All inner nodes, the root first. */
function buildTree(): Tree[] {
  const nodes: Tree[] = [{ zero: null, one: null, state: 0, isPadding: true }];
  for (let symbol = 0; symbol < codeBits.length; symbol++) addCode(nodes, symbol, codes[symbol]!, codeBits[symbol]!);
  return nodes;
}

function addCode(nodes: Tree[], symbol: number, code: number, bits: number): void {
  let node = nodes[0]!;
  for (let bit = bits - 1; bit > 0; bit--) {
    const side = ((code >>> bit) & 1) === 0 ? 'zero' : 'one';
    node[side] ??= newNode(nodes, node.isPadding && side === 'one' && bits - bit <= PADDING_BITS_MAX);
    node = node[side] as Tree;
  }
  node[(code & 1) === 0 ? 'zero' : 'one'] = symbol;
}

function newNode(nodes: Tree[], isPadding: boolean): Tree {
  const node: Tree = { zero: null, one: null, state: nodes.length, isPadding };
  nodes.push(node);
  return node;
}

function step(root: Tree, from: Tree, nibble: number): number {
  let node = from;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const next = ((nibble >> bit) & 1) === 0 ? node.zero : node.one;
    if (next === EOS || next === null) return INVALID;
    if (typeof next === 'number') emitted = EMITS | (next << 8);
    node = typeof next === 'number' ? root : next;
  }
  return emitted | node.state;
}

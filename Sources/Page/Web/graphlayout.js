// Places the nodes of the service graph in layers from left to right; places are kept between refreshes. No DOM access.
//
// A place is a cell of a grid. A node keeps its place; a new node gets a free cell near its neighbours; a removed node
// keeps its cell, as a ghost, for two refreshes. Only `layOut` moves all nodes.

const ROWS = 13;
const MOST_LAYERS = 8;

/** Layers by longest path, ignoring edges that would close a cycle. */
export function layers(ids, edges) {
  const next = new Map(ids.map((id) => [id, []]));
  const incoming = new Map(ids.map((id) => [id, 0]));
  for (const {source, dest} of edges) {
    if (source === dest || !next.has(source) || !next.has(dest)) continue;
    next.get(source).push(dest);
    incoming.set(dest, incoming.get(dest) + 1);
  }
  const order = [...ids].sort((a, b) => incoming.get(a) - incoming.get(b) || (a < b ? -1 : 1));
  const finished = [];
  const state = new Map();
  const forward = new Map(ids.map((id) => [id, []]));
  for (const first of order) {
    if (state.has(first)) continue;
    const stack = [[first, 0]];
    state.set(first, 1);
    while (stack.length > 0) {
      const top = stack.at(-1);
      const [id, place] = top;
      if (place >= next.get(id).length) {
        stack.pop();
        state.set(id, 2);
        finished.push(id);
        continue;
      }
      top[1] += 1;
      const to = next.get(id)[place];
      if (state.get(to) === 1) continue;
      forward.get(id).push(to);
      if (!state.has(to)) {
        state.set(to, 1);
        stack.push([to, 0]);
      }
    }
  }
  const layer = new Map(ids.map((id) => [id, 0]));
  for (const id of finished.reverse())
    for (const to of forward.get(id)) layer.set(to, Math.max(layer.get(to), layer.get(id) + 1));
  return layer;
}

/** Layers by shortest path from nodes without incoming edges, or else from those with the most outgoing edges. */
export function steps(ids, edges) {
  const next = new Map(ids.map((id) => [id, []]));
  const called = new Set();
  for (const {source, dest} of edges) {
    if (source === dest || !next.has(source) || !next.has(dest)) continue;
    next.get(source).push(dest);
    called.add(dest);
  }
  const layer = new Map();
  const order = [...ids].sort((a, b) => next.get(b).length - next.get(a).length || (a < b ? -1 : 1));
  let row = ids.filter((id) => !called.has(id));
  for (;;) {
    if (row.length === 0) row = order.filter((id) => !layer.has(id)).slice(0, ROWS);
    if (row.length === 0) return layer;
    for (let depth = 0; row.length > 0; depth += 1) {
      for (const id of row) layer.set(id, Math.min(depth, MOST_LAYERS - 1));
      row = [...new Set(row.flatMap((id) => next.get(id)))].filter((id) => !layer.has(id));
    }
  }
}

/**
 * Returns new cells for all nodes: `Map` from id to `{column, row}`. `key(id)` is the text that sorts nodes without
 * edges.
 */
export function layOut(ids, edges, key = (id) => id) {
  let layer = layers(ids, edges);
  // If every node calls every other one, the longest path contains all nodes; shortest paths give fewer layers.
  if (Math.max(0, ...layer.values()) >= MOST_LAYERS) layer = steps(ids, edges);
  const rows = [];
  for (const id of [...ids].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : a < b ? -1 : 1)))
    (rows[layer.get(id)] ??= []).push(id);
  const list = rows.filter(Boolean);
  const around = neighbours(edges);
  for (let sweep = 0; sweep < 6; sweep += 1) {
    const place = new Map();
    for (const row of list) row.forEach((id, index) => place.set(id, row.length > 1 ? index / (row.length - 1) : 0.5));
    const down = sweep % 2 === 0;
    for (const row of down ? list : [...list].reverse()) {
      const middle = new Map(row.map((id) => {
        const near = (around.get(id) ?? []
        ).filter((other) => (down ? layer.get(other) < layer.get(id) : layer.get(other) > layer.get(id)));
        return [
          id, near.length > 0 ? near.reduce((sum, other) => sum + place.get(other), 0) / near.length : place.get(id)
        ];
      }));
      row.sort((a, b) => middle.get(a) - middle.get(b) || (key(a) < key(b) ? -1 : 1));
      row.forEach((id, index) => place.set(id, row.length > 1 ? index / (row.length - 1) : 0.5));
    }
  }
  return cells(list);
}

function cells(list) {
  const places = new Map();
  const tallest = Math.min(ROWS, Math.max(1, ...list.map((row) => row.length)));
  let column = 0;
  for (const row of list) {
    const wide = Math.ceil(row.length / ROWS);
    const tall = Math.ceil(row.length / wide);
    const top = Math.floor((tallest - tall) / 2);
    row.forEach((id, index) => places.set(id, {column: column + Math.floor(index / tall), row: top + (index % tall)}));
    column += wide;
  }
  return places;
}

function neighbours(edges) {
  const around = new Map();
  for (const {source, dest} of edges) {
    if (source === dest) continue;
    around.set(source, [...(around.get(source) ?? []), dest]);
    around.set(dest, [...(around.get(dest) ?? []), source]);
  }
  return around;
}

/** The places of nodes, kept between refreshes. */
export class Places {
  constructor() {
    this.cells = new Map();
    this.missing = new Map();
    this.grouping = null;
  }

  /**
   * Updates the cells of these nodes: places all nodes again if the grouping has changed, else only new ones. Each call
   * counts as a refresh; ghosts are in `missing`.
   */
  update(ids, edges, grouping, key) {
    if (this.grouping !== grouping || this.cells.size === 0) {
      this.grouping = grouping;
      this.cells = layOut(ids, edges, key);
      this.missing = new Map();
      return;
    }
    const now = new Set(ids);
    for (const id of [...this.cells.keys()]) {
      if (now.has(id))
        this.missing.delete(id);
      else {
        this.missing.set(id, (this.missing.get(id) ?? 0) + 1);
        if (this.missing.get(id) > 2) {
          this.missing.delete(id);
          this.cells.delete(id);
        }
      }
    }
    const around = neighbours(edges);
    const calls = new Map();
    for (const {source, dest} of edges) calls.set(dest, source);
    const taken = new Set([...this.cells.values()].map(({column, row}) => `${column},${row}`));
    for (const id of [...ids].filter((one) => !this.cells.has(one)).sort()) {
      const near = (around.get(id) ?? []).map((other) => this.cells.get(other)).filter(Boolean);
      const side = calls.has(id) ? 1 : -1;
      const column = near.length > 0 ?
        Math.max(0, Math.round(near.reduce((sum, one) => sum + one.column, 0) / near.length) + side) :
        0;
      const row = near.length > 0 ? Math.round(near.reduce((sum, one) => sum + one.row, 0) / near.length) : 0;
      const cell = freeCell(taken, column, row);
      taken.add(`${cell.column},${cell.row}`);
      this.cells.set(id, cell);
    }
  }

  /** Removes all places; the next update places all nodes again. */
  forget() {
    this.cells = new Map();
  }
}

function freeCell(taken, column, row) {
  for (let distance = 0;; distance += 1) {
    for (const [dc, dr] of around(distance)) {
      const cell = {column: column + dc, row: row + dr};
      if (cell.column >= 0 && cell.row >= 0 && !taken.has(`${cell.column},${cell.row}`)) return cell;
    }
  }
}

/** Returns the cells at a distance, those of the same column first. */
function around(distance) {
  if (distance === 0) return [[0, 0]];
  const list = [];
  for (let dc = 0; dc <= distance; dc += 1) {
    for (const dr of dc === distance ? range(distance) : [-distance, distance]) {
      list.push([dc, dr]);
      if (dc > 0) list.push([-dc, dr]);
    }
  }
  return list;
}

function range(distance) {
  return Array.from({length: 2 * distance + 1}, (_, index) => index - distance);
}

// Geometry of the service graph: boxes and edges. No DOM access.

/** The sizes of a grid cell and of a node's box in it. */
export const CELL = {
  width: 264,
  height: 60
};
export const BOX = {
  width: 184,
  height: 38
};

/**
 * Returns the view that shows all points. If its scale would be below `least` (1 is the original size), the view shows
 * `first`: centred if it fits, else from its first point on. Without `first`, it shows the left edge. Other parts are
 * reached by panning.
 */
export function fit(points, width, height, least = 0.12, first = []) {
  if (points.length === 0) return {x: 0, y: 0, k: 1};
  const {left, right, top, bottom, k} = extent(points, width, height, least);
  const along = (low, high, room, side, edge) => {
    const middle = room / 2 - ((low + high) / 2) * k;
    if ((high - low) * k <= room + 1) return middle;
    if (first.length === 0) return side === "x" ? -low * k : middle;
    const [least, most] = [Math.min, Math.max].map((pick) => pick(...first.map((one) => one[side])));
    const isWhole = (most - least + 2 * edge) * k <= room;
    const wanted = isWhole ? room / 2 - ((least + most) / 2) * k : (edge - first[0][side]) * k;
    return Math.max(room - high * k, Math.min(-low * k, wanted));
  };
  return {
    k,
    x: along(left, right, width, "x", BOX.width / 2 + 8),
    y: along(top, bottom, height, "y", BOX.height / 2 + 8),
  };
}

/** Returns the height of a drawing in such a view, at least the height of its buttons. */
export function fittingHeight(points, width, height, least = 0.12) {
  if (points.length === 0) return height;
  const {top, bottom, k} = extent(points, width, height, least);
  return Math.min(height, Math.max(240, Math.ceil((bottom - top) * k) + 40));
}

function extent(points, width, height, least) {
  const left = Math.min(...points.map((one) => one.x)) - BOX.width / 2 - 20;
  const right = Math.max(...points.map((one) => one.x)) + BOX.width / 2 + 20;
  const top = Math.min(...points.map((one) => one.y)) - BOX.height / 2 - 20;
  const bottom = Math.max(...points.map((one) => one.y)) + BOX.height / 2 + 44;
  const k = Math.min(1.15, Math.max(least, Math.min(width / (right - left), height / (bottom - top))));
  return {left, right, top, bottom, k};
}

/** Returns the path of an edge between two boxes, its middle, and possible label positions, best first. */
export function curve(from, to, isSelf) {
  const [a, b, c, d] = bends(from, to, isSelf);
  const at = (t) => {
    const u = 1 - t;
    const mix = (side) => u ** 3 * a[side] + 3 * u * u * t * b[side] + 3 * u * t * t * c[side] + t ** 3 * d[side];
    return {x: mix("x"), y: mix("y")};
  };
  const above = ({x, y}) => ({x, y: y - 5});
  const text = ({x, y}) => `${x},${y}`;
  return {
    path: `M${text(a)}C${text(b)} ${text(c)} ${text(d)}`,
    middle: at(0.5),
    points: [
      0.5, 0.43, 0.57, 0.36, 0.64, 0.29, 0.71, 0.22, 0.78, 0.16, 0.84, 0.12, 0.88, 0.08, 0.92
    ].map((t) => above(at(t))),
  };
}

/** Returns the four points of an edge's curve: between the sides if it goes to the right, else below the boxes. */
function bends(from, to, isSelf) {
  const half = BOX.width / 2;
  if (isSelf) {
    const y = from.y - BOX.height / 2;
    return [{x: from.x - 20, y}, {x: from.x - 30, y: y - 26}, {x: from.x + 30, y: y - 26}, {x: from.x + 20, y}];
  }
  if (to.x > from.x) {
    const [a, b] = [from.x + half, to.x - half];
    const bend = Math.max(24, (b - a) / 2);
    return [{x: a, y: from.y}, {x: a + bend, y: from.y}, {x: b - bend, y: to.y}, {x: b, y: to.y}];
  }
  const low = Math.max(from.y, to.y) + BOX.height + 18;
  const [start, end] = [from.y + BOX.height / 2, to.y + BOX.height / 2];
  return [{x: from.x, y: start}, {x: from.x, y: low}, {x: to.x, y: low}, {x: to.x, y: end}];
}

/** Whether two boxes overlap. */
export function overlaps(a, b) {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** Zooms a view around a fixed point of the screen. */
export function zoomed(view, factor, x, y) {
  const k = Math.min(2.5, Math.max(0.1, view.k * factor));
  return {k, x: x - ((x - view.x) / view.k) * k, y: y - ((y - view.y) / view.k) * k};
}

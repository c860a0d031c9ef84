// Geometry of the service graph: boxes and edges. No document here.

/** A cell of the grid, and a node's box within it. */
export const CELL = {
  width: 252,
  height: 60
};
export const BOX = {
  width: 184,
  height: 38
};

/**
 * The view that shows all points; where that would be smaller than `least` (1 is as drawn), it shows the beginning on
 * the left, and the rest is reached by panning.
 */
export function fit(points, width, height, least = 0.12) {
  if (points.length === 0) return {x: 0, y: 0, k: 1};
  const {left, right, top, bottom, k} = extent(points, width, height, least);
  const isWhole = (right - left) * k <= width + 1;
  return {k, x: isWhole ? width / 2 - ((left + right) / 2) * k : -left * k, y: height / 2 - ((top + bottom) / 2) * k};
}

/** The height that a drawing needs in such a view, at least that of its buttons. */
export function fittingHeight(points, width, height, least = 0.12) {
  if (points.length === 0) return height;
  const {top, bottom, k} = extent(points, width, height, least);
  return Math.min(height, Math.max(240, Math.ceil((bottom - top) * k) + 40));
}

function extent(points, width, height, least) {
  const left = Math.min(...points.map((one) => one.x)) - BOX.width / 2 - 20;
  const right = Math.max(...points.map((one) => one.x)) + BOX.width / 2 + 20;
  const top = Math.min(...points.map((one) => one.y)) - BOX.height / 2 - 20;
  const bottom = Math.max(...points.map((one) => one.y)) + BOX.height / 2 + 20;
  const k = Math.min(1.15, Math.max(least, Math.min(width / (right - left), height / (bottom - top))));
  return {left, right, top, bottom, k};
}

/** The path of an edge from a box to a box, its middle, and the points where a label may stand, best first. */
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
    points: [0.5, 0.36, 0.64, 0.22, 0.78, 0.12, 0.88].map((t) => above(at(t))),
  };
}

/** The four points of the curve of an edge: to the right from side to side, else below the boxes. */
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

/** Whether two boxes have points in common. */
export function overlaps(a, b) {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** A view that is closer or farther, with a point of the screen that stays where it is. */
export function zoomed(view, factor, x, y) {
  const k = Math.min(2.5, Math.max(0.1, view.k * factor));
  return {k, x: x - ((x - view.x) / view.k) * k, y: y - ((y - view.y) / view.k) * k};
}

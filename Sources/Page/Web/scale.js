// Scales and ticks of the drawings. No DOM access.

/** Returns a round number at or above a value; from 1 on below twice the value, so that half of a drawing is used. */
export function niceCeiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 2, 3, 4, 5, 6, 8, 10])
    if (value <= step * power * (1 + 1e-9)) return step * power;
  return 10 * power;
}

const STEPS =
  [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];

/**
 * Returns at most `most` times for an axis from `since` to `until` (Unix seconds): round times of the time zone that is
 * `offset` seconds east of UTC.
 */
export function timeTicks(since, until, most, offset = 0) {
  const last = STEPS.at(-1);
  const longer = Math.ceil((until - since) / most / last) * last;
  const step = STEPS.find((one) => (until - since) / one <= most) ?? longer;
  const ticks = [];
  for (let at = Math.ceil((since + offset) / step) * step - offset; at <= until; at += step) ticks.push(at);
  return {step, ticks};
}

/** Returns a point for every interval of a range: `zero` if `points` has none. */
export function filled(points, since, until, interval, zero) {
  const byTime = new Map(points.map((point) => [point.time, point]));
  const all = [];
  for (let time = Math.floor(since / interval) * interval; time < until && all.length < 2000; time += interval) {
    all.push(byTime.get(time) ?? zero(time));
  }
  return all;
}

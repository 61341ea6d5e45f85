/** The middle of some samples, and how far they lie from it: `spread` is the median absolute deviation over the median. */
export function summarise(samples) {
  const middle = median(samples);
  const deviation = median(samples.map((sample) => Math.abs(sample - middle)));
  return {
    median: middle,
    spread: middle === 0 ? 0 : deviation / Math.abs(middle),
    best: Math.min(...samples),
    worst: Math.max(...samples),
    samples,
  };
}

export function median(samples) {
  const sorted = samples.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

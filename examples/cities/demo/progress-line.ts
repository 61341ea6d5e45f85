import type { WriteStream } from 'node:tty';

/** How often the line is drawn anew, so that the seconds in it count on, in milliseconds. */
const REDRAW = 100;

/**
 * Shows one live line while `work` goes on, and ends it with the result that `work` names. Without a terminal: a plain
 * line for each step and each quarter of one.
 */
export async function withProgressLine<T>(
  title: string,
  work: (line: ProgressLine) => Promise<[result: string, value: T]>,
): Promise<T> {
  const line = new ProgressLine(title, process.stdout);
  try {
    const [result, value] = await work(line);
    line.end(result);
    return value;
  } finally {
    line.close();
  }
}

export class ProgressLine {
  private readonly start = performance.now();
  private readonly timer: NodeJS.Timeout | undefined;
  private text = '';
  private lastPrinted = '';

  constructor(
    private readonly title: string,
    private readonly output: WriteStream,
  ) {
    if (output.isTTY) this.timer = setInterval(() => this.redraw(), REDRAW);
  }

  /** `total` 0: the step has no parts. */
  show(step: string, done = 0, total = 0): void {
    this.text = `${step}${bar(done, total)}`;
    if (!this.output.isTTY) this.print(step, Math.floor((done / total) * 4) * 25);
  }

  end(result: string): void {
    this.text = result;
    if (this.output.isTTY) this.redraw();
    else this.output.write(this.line());
    this.output.write('\n');
  }

  close(): void {
    clearInterval(this.timer);
  }

  private redraw(): void {
    this.output.write(`\r\x1b[K${this.line()}`);
  }

  private line(): string {
    return `${this.title}: ${this.text} (${((performance.now() - this.start) / 1_000).toFixed(1)} s)`;
  }

  private print(step: string, percent: number): void {
    const key = Number.isNaN(percent) ? step : `${percent} %`;
    if (key === this.lastPrinted || percent === 0) return;
    this.lastPrinted = key;
    this.output.write(`${this.title}: ${Number.isNaN(percent) ? step : `${step}, ${percent} %`}\n`);
  }
}

function bar(done: number, total: number): string {
  if (total === 0) return '';
  const filled = Math.round((done / total) * 24);
  return ` ${'█'.repeat(filled)}${'░'.repeat(24 - filled)} ${done.toLocaleString('en')} of ${total.toLocaleString('en')}`;
}

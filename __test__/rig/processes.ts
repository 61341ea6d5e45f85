/** Node processes of one's own that talk in lines: what they print on stdout comes as lines, what we send is their stdin. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface ScriptOptions {
  cwd?: string;
  env?: Record<string, string>;
  args?: readonly string[];
  execArgv?: readonly string[];
}

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
}

/** Starts `node file`. */
export function runFile(file: string, options: ScriptOptions = {}): Script {
  return new Script([...(options.execArgv ?? []), file, ...(options.args ?? [])], options);
}

/** Starts `node --eval source`, as CommonJS unless `type` says `module`. */
export function runSource(source: string, options: ScriptOptions & { type?: 'module' | 'commonjs' } = {}): Script {
  const type = `--input-type=${options.type ?? 'commonjs'}`;
  return new Script([...(options.execArgv ?? []), type, '--eval', source, ...(options.args ?? [])], options);
}

export class Script {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: string[] = [];
  readonly #waiting: ((line: string | undefined) => void)[] = [];
  readonly #closed: Promise<Ending>;
  #ended = false;
  #stderr = '';

  constructor(argv: readonly string[], { cwd, env }: ScriptOptions) {
    this.#child = spawn(process.execPath, argv, { cwd, env: { ...process.env, ...env } });
    createInterface(this.#child.stdout).on('line', (line) => {
      const next = this.#waiting.shift();
      if (next === undefined) this.#lines.push(line);
      else next(line);
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.#child.stdin.on('error', () => {}); // the process has ended: `exit` tells
    this.#closed = once(this.#child, 'close').then(([code, signal]) => {
      this.#ended = true;
      this.#waiting.splice(0).forEach((next) => next(undefined));
      return { code: code as number | null, signal: signal as NodeJS.Signals | null, stderr: this.#stderr };
    });
    process.once('exit', this.#killOnExit);
    void this.#closed.finally(() => process.off('exit', this.#killOnExit));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** The next line it prints; fails when it ends without one. */
  async line(): Promise<string> {
    const line =
      this.#lines.shift() ??
      (this.#ended ? undefined : await new Promise<string | undefined>((resolve) => this.#waiting.push(resolve)));
    if (line === undefined) throw new Error(`the process ended without another line\n${this.#stderr}`);
    return line;
  }

  send(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** Sends a line and waits for the next one. */
  ask(line: string): Promise<string> {
    this.send(line);
    return this.line();
  }

  endInput(): void {
    this.#child.stdin.end();
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#child.kill(signal);
  }

  /** Resolves when it has ended by itself. After `within` milliseconds it is killed and this fails. */
  async exit(within = 15_000): Promise<Ending> {
    const timer = setTimeout(() => this.kill(), within);
    const ending = await this.#closed;
    clearTimeout(timer);
    if (ending.signal === 'SIGKILL') throw new Error(`the process did not end within ${within} ms\n${ending.stderr}`);
    return ending;
  }

  readonly #killOnExit = (): void => void this.#child.kill('SIGKILL');
}

/** Law 5: the clock of one process is stepped by an hour (libfaketime); values live as long as they should, everywhere. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Unforced } from '../runner/member.mjs';

const LIBRARY = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`)
  .find((file) => existsSync(file));
const HOUR = 3_600;
const SHORT = 400;
const LONG = 60_000;
/** What is short must be gone by then, also where a store looks for dead entries now and then. */
const GONE = 1_000;

/** The first member's clock follows a file. The monotonic clock, as in life, is not stepped. */
function environment(arena, index) {
  if (index !== 0) return {};
  if (LIBRARY === undefined) throw new Unforced('libfaketime is not installed');
  arena.clockFolder ??= mkdtempSync(path.join(tmpdir(), 'litmus-clock-'));
  step(arena, 0);
  return {
    LD_PRELOAD: LIBRARY,
    FAKETIME_TIMESTAMP_FILE: clockFile(arena),
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}

const clockFile = (arena) => path.join(arena.clockFolder, 'clock');
const step = (arena, seconds) => writeFileSync(clockFile(arena), seconds < 0 ? `${seconds}s` : `+${seconds}s`);

const stepped = (name, seconds) => ({
  name: `clock/${name}`,
  title: `The clock of one process is stepped by ${seconds > 0 ? '+' : '−'}1 h while values live`,
  law: 5,
  batch: 50,
  arena: { env: environment, onClose: (arena) => rmSync(arena.clockFolder, { recursive: true, force: true }) },
  async repeat(arena, keys) {
    const [a, b] = arena.members;
    const faults = keys.map(() => undefined);
    const expect = async (key, index, member, value, when) => {
      const got = (await member.get(key)) ?? undefined;
      if (got !== value) faults[index] ??= `${member.name} read ${JSON.stringify(got)} ${when}`;
    };
    const all = (work) => Promise.all(keys.map(work));
    await all((key) => arena.held(`${key}short`, 'v', [a, b], { ttl: SHORT }));
    step(arena, seconds);
    const stepSeen = await a.run(() => Date.now());
    if (Math.abs(stepSeen - Date.now() - seconds * 1_000) > 60_000) throw new Unforced('the clock was not stepped');
    await all((key) => a.set(`${key}by A`, 'v', { ttl: LONG }));
    await all((key) => b.set(`${key}by B`, 'v', { ttl: LONG }));
    for (const member of [a, b]) {
      await all((key, index) =>
        expect(`${key}by A`, index, member, 'v', 'of a value that A wrote after the step, for a minute'),
      );
      await all((key, index) =>
        expect(`${key}by B`, index, member, 'v', 'of a value that B wrote after the step, for a minute'),
      );
    }
    await all((key) => a.set(`${key}shorter`, 'v', { ttl: SHORT }));
    await all((key) => b.get(`${key}shorter`));
    await sleep(SHORT + GONE);
    for (const member of [a, b]) {
      await all((key, index) => expect(`${key}short`, index, member, undefined, 'of a value that should have ended'));
      await all((key, index) => expect(`${key}shorter`, index, member, undefined, 'of a value that should have ended'));
    }
    step(arena, 0);
    return faults;
  },
});

export const clocks = [stepped('one-hour-forward', HOUR), stepped('one-hour-back', -HOUR)];

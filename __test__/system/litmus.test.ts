import { describe, expect, it } from 'vitest';
import { cases, commandOf, loadSystem, runCase } from '../../benches/litmus/index.mjs';
import { startProxy } from '../rig/proxy';
import { startRedis } from '../rig/redis';

// The forced races of `make litmus` that are quick, a few repetitions each, so that a regression is seen at once.

const REPETITIONS = 5;

/** These need no long fault. */
const QUICK = [
  'invalidate-during-load/',
  'set-racing-load/',
  'read-racing-change/',
  'silence/bus-cut',
  'silence/message-lost',
  'silence/reconnect-between-read-and-reply',
  'blocked-event-loop/',
  'lease/one-load-in-four-processes',
  'lease/evicted-in-mid-load',
  'lease/worker-terminated-in-mid-load',
  'lease/worker-terminated-in-mid-fill',
  'two-deletes-and-a-set/',
  'replies/doubled',
  'replies/swapped',
  'replies/in-pieces',
  'loaders/calls-itself',
  'loaders/null-is-a-value',
  'values/not-shared',
  'foreign/multi-key-push',
  'foreign/more-keys-than-the-tracking-table',
  'foreign/bytes-of-another-key',
];

const quick = cases.filter(({ name }) => QUICK.some((start) => name.startsWith(start)));

describe('a forced schedule', () => {
  it.each(quick.map((litmus) => [litmus.name, litmus] as const))('%s', async (_, litmus) => {
    const system = await loadSystem('turbocache');
    const verdict = await runCase({
      litmus,
      system,
      rig: { startProxy, startRedis },
      repetitions: REPETITIONS,
      quick: true,
    });
    expect(verdict).toMatchObject({ state: 'held', held: REPETITIONS, violated: 0 });
  });

  it('of every name above exists', () => {
    for (const start of QUICK) expect(cases.some(({ name }) => name.startsWith(start))).toBe(true);
  });
});

/** A "cache" that keeps whatever it has seen for ever, in each process for itself. */
const BROKEN = new URL('litmus-broken-system.mjs', import.meta.url).href;

describe('a run', () => {
  it.each([
    [{ quick: false, repetitions: 1_000, peerRepetitions: 100, jobs: 1 }, 'make litmus'],
    [{ quick: false, repetitions: 1_000, peerRepetitions: 10, jobs: 4 }, 'make litmus PEERS=10 JOBS=4'],
    [{ quick: true, repetitions: 50, peerRepetitions: 3, jobs: 1 }, 'make litmus QUICK=1 REPETITIONS=50'],
  ])('%o is made again by the command that is published with it', (stage, command) => {
    expect(commandOf(stage)).toBe(command);
  });
});

describe('the suite', () => {
  const play = async (name: string) => {
    const litmus = cases.find((each) => each.name === name)!;
    const system = await loadSystem(BROKEN);
    return runCase({ litmus, system, rig: { startProxy, startRedis }, repetitions: 2, quick: true });
  };

  it('finds what is wrong with a cache that is never told anything', async () => {
    expect(await play('invalidate-during-load/other-process')).toMatchObject({
      state: 'violated',
      violated: 2,
      examples: [expect.stringContaining('loaded before'), expect.anything()],
    });
    expect(await play('values/not-shared')).toMatchObject({ state: 'violated', violated: 2 });
  });

  it('takes a cache at its word that a loader which asks for its own key fails at once', async () => {
    expect(await play('loaders/calls-itself')).toMatchObject({
      state: 'violated',
      violated: 2,
      examples: [expect.stringContaining('the loader got a value'), expect.anything()],
    });
  });

  it('says why a case is not for a system', async () => {
    expect(await play('invalidate-during-load/tag')).toMatchObject({
      state: 'not applicable',
      reason: 'it has no tags',
    });
  });

  it('does not count what it could not force', async () => {
    expect(await play('read-racing-change/delete-told-first')).toMatchObject({
      state: 'not forced',
      held: 0,
      violated: 0,
      reason: expect.stringContaining('no reply to hold came'),
    });
  });
});

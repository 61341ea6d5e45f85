/** The runner says when it may not compare, instead of a ratio. `node --test benches/node` */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { PEERS } from './peers/packages.mjs';
import { runRefusals } from './runner/refusal.mjs';
import { measure } from './runner/rounds.mjs';
import { summarise } from './runner/spread.mjs';
import { verdict } from './runner/verdict.mjs';
import { installedVersions, versionFaults } from './runner/versions.mjs';
import { WrongValue } from './runner/wrong-value.mjs';

const entrant =
  (name, value, run = () => {}) =>
  async () => ({ name, run, read: async () => value });

/** Read by the processes of the contestants, too. */
export const scenarios = [
  {
    name: 'honesty',
    title: 'one is honest, the others are not',
    module: import.meta.url,
    expected: () => ({ id: 1 }),
    entrants: [
      entrant('honest', { id: 1 }),
      entrant('liar', { id: '1' }),
      entrant('late liar', { id: 1 }, () => {
        throw new WrongValue('2 came instead of 1');
      }),
      entrant('broken', { id: 1 }, () => process.exit(3)),
    ],
  },
];

const quiet = { load: [0.5], cores: 2 };
const contestant = (name, ...samples) => ({ name, figures: { wall: summarise(samples) } });
const target = { scenario: 'hit', ours: 'ours', peers: ['peer'], atMost: 1.1, figure: 'wall' };
const state = (...contestants) => verdict(target, [{ name: 'hit', columns: { wall: 'ns' }, contestants }]).state;

// Processes of the contestants import this file for its scenarios only.
if (process.argv[1] === new URL(import.meta.url).pathname) {
  it('a contestant that hands back a wrong value, or dies, has no figures that count', async () => {
    const { contestants } = await measure(scenarios[0], { rounds: 2, milliseconds: 1 });
    const faults = Object.fromEntries(contestants.map(({ name, fault }) => [name, fault]));
    assert.deepEqual(faults, {
      honest: undefined,
      liar: 'returned a wrong value: {"id":"1"} came for 0',
      'late liar': 'returned a wrong value: 2 came instead of 1',
      broken: 'ended with 3 in warmUp',
    });
  });

  it('a target with a peer that was wrong is refused', () => {
    assert.equal(
      state(contestant('ours', 1, 1, 1), { ...contestant('peer', 2), fault: 'returned a wrong value' }),
      'refused',
    );
  });

  it('a target is refused when the rounds of either side spread beyond the bound', () => {
    const steady = [100, 101, 102, 99, 100];
    const wild = [100, 160, 50, 40, 200];
    assert.equal(state(contestant('ours', ...steady), contestant('peer', ...steady)), 'pass');
    assert.equal(state(contestant('ours', ...wild), contestant('peer', ...steady)), 'refused');
    assert.equal(state(contestant('ours', ...steady), contestant('peer', ...wild)), 'refused');
  });

  it('rounds that spread beyond the bound make a verdict where it is the same whichever are compared, and no ratio', () => {
    const [slow, wild] = [
      [200, 420, 800, 210, 900],
      [100, 180, 60, 40, 170],
    ];
    const columns = { wall: 'ns' };
    const found = (mine, its, atMost = target.atMost) => {
      const contestants = [contestant('ours', ...mine), ...(its ? [contestant('peer', ...its)] : [])];
      const wanted = { ...target, atMost, peers: its ? target.peers : [] };
      return verdict(wanted, [{ name: 'hit', columns, contestants }]);
    };
    assert.deepEqual([found(slow, wild).state, found(slow, wild).isOfEachRound], ['fail', true]);
    assert.equal(found(wild, slow).state, 'pass');
    assert.equal(found(slow, [100, 300, 60, 40, 170]).state, 'refused');
    assert.equal(found(slow, undefined, 900).state, 'pass');
    assert.equal(found(slow, undefined, 899).state, 'refused');
    assert.equal(found(slow, undefined, 199).state, 'fail');
    const disturbed = { ...contestant('peer', ...wild), disturbed: 0.3 };
    assert.equal(state(contestant('ours', ...slow), disturbed), 'refused');
  });

  it('a target is refused when other processes took a part of the machine', () => {
    const disturbed = { ...contestant('peer', 100, 100, 100), disturbed: 0.3 };
    assert.equal(state(contestant('ours', 100, 100, 100), disturbed), 'refused');
  });

  it('a bound that is missed is refused when the machine alone takes much of it, and one that is kept is kept', () => {
    const bounded = { ...target, peers: [], atMost: 100, floor: 'machine' };
    const found = (mine, its) => {
      const contestants = [contestant('ours', mine, mine, mine), contestant('machine', its, its, its)];
      return verdict(bounded, [{ name: 'hit', columns: { wall: 'ns' }, contestants }]).state;
    };
    assert.deepEqual([found(101, 50), found(101, 51), found(100, 51)], ['fail', 'refused', 'pass']);
  });

  it('a ratio above its target fails', () => {
    assert.equal(state(contestant('ours', 112, 112, 112), contestant('peer', 100, 100, 100)), 'fail');
  });

  it('a run is refused when an installed version is not the pinned one, or the lockfile knows another', () => {
    assert.deepEqual(runRefusals({ machine: quiet, versionFaults: versionFaults(PEERS) }), []);
    const installed = { ...installedVersions(PEERS), 'lru-cache': '10.0.0' };
    assert.equal(runRefusals({ machine: quiet, versionFaults: versionFaults(PEERS, { installed }) }).length, 1);
    assert.equal(
      versionFaults(['redis'], { lock: { packages: { 'node_modules/redis': { version: '6.0.0' } } } }).length,
      1,
    );
  });

  it('a run is refused on a machine that has more to do than it has cores', () => {
    assert.equal(runRefusals({ machine: { load: [2.01], cores: 2 }, versionFaults: [] }).length, 1);
  });
}

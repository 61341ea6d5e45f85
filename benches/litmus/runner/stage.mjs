/** How much a run does: the defaults, and the command that does the same again. */

/** What `--quick` and a whole run do when nothing else is said. */
export const defaultsOf = ({ quick }) => ({
  repetitions: quick ? 20 : 1_000,
  peerRepetitions: quick ? 3 : 100,
  jobs: 1,
});

/** The variables of `make litmus` and what of a run they set. */
const VARIABLES = { REPETITIONS: 'repetitions', PEERS: 'peerRepetitions', JOBS: 'jobs' };

/** The command that made a run of all cases and all systems. */
export function commandOf(stage) {
  const defaults = defaultsOf(stage);
  const said = Object.entries(VARIABLES).filter(([, name]) => stage[name] !== defaults[name]);
  const quick = stage.quick ? ['QUICK=1'] : [];
  return ['make litmus', ...quick, ...said.map(([variable, name]) => `${variable}=${stage[name]}`)].join(' ');
}

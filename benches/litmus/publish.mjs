/**
 * Makes the table of docs/benchmarks/litmus.md from a run of the suite.
 *
 *     node benches/litmus/publish.mjs [benches/results/litmus-….json]
 *
 * Only from a run of all cases and all systems of this repository; a quick one is labelled as such.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cases } from './cases/all.mjs';
import { tableOf } from './runner/page.mjs';
import { SYSTEMS } from './runner/systems.mjs';

const latest = new URL('../results/litmus-latest.json', import.meta.url);
const run = JSON.parse(readFileSync(process.argv[2] ?? latest, 'utf8'));

const have = new Set(run.results.map(({ name }) => name));
const missing = [
  ...cases.map(({ name }) => name).filter((name) => !have.has(name)),
  ...SYSTEMS.filter((name) => !run.systems.includes(name)),
];
if (missing.length > 0) {
  console.error(`Not published: ${missing.join(', ')} missing.`);
  process.exit(2);
}

const page = new URL('../../docs/benchmarks/litmus.md', import.meta.url);
const [before, , after] = readFileSync(page, 'utf8').split(/(?<=<!-- verdicts -->\n)|(?=<!-- end of verdicts -->)/);
writeFileSync(page, `${before}${tableOf(run)}${after}`);
console.log('docs/benchmarks/litmus.md is new; look at it before you commit it.');

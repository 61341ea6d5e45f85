/**
 * Makes docs/benchmarks from a run: the picture, and the figures in the page between its marks.
 *
 *     node benches/node/publish.mjs [benches/results/….json]
 *
 * Only from an accepted run of all scenarios; a quick one is labelled as such.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { figuresOf } from './publish/page.mjs';
import { picture } from './publish/picture.mjs';
import { scenarios } from './scenarios/all.mjs';

const docs = new URL('../../docs/benchmarks/', import.meta.url);
const run = JSON.parse(readFileSync(process.argv[2] ?? new URL('../results/latest.json', import.meta.url), 'utf8'));

const have = new Set(run.results.map(({ name }) => name));
const missing = scenarios.filter(({ name, isOptional }) => !have.has(name) && !(run.stage.quick && isOptional));
const reasons = [...run.refusals, ...missing.map(({ name }) => `${name} is missing`)];
if (reasons.length > 0) {
  console.error(`Not published: ${reasons.join('; ')}.`);
  process.exit(2);
}

const page = new URL('README.md', docs);
const [before, , after] = readFileSync(page, 'utf8').split(/(?<=<!-- figures -->\n)|(?=<!-- end of figures -->)/);
writeFileSync(page, `${before}${figuresOf(run)}${after}`);
writeFileSync(new URL('benchmarks.svg', docs), picture(run));
console.log('docs/benchmarks is new; look at it before you commit it.');

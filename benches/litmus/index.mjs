export { cases } from './cases/all.mjs';
export { runCase } from './runner/run-case.mjs';
export { commandOf } from './runner/stage.mjs';
export { loadSystem } from './runner/systems.mjs';

/**
 * A member: a process, or a worker thread of one, that holds one cache of the system under test and does what the runner
 * says. Everything that happens is a message; nothing is decided here.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const orders = isMainThread ? JSON.parse(process.argv[2]) : workerData;
const system = await import(orders.system);
const cache = await system.open(orders.place);

/** Loaders that wait for the runner, by the number of their load. */
const held = new Map();
const workers = new Map();
/** What the runner has been asked, by number. */
const questions = new Map();
let asked = 0;
/** What functions of the runner may keep between two calls. */
const scope = { cache, system, place: orders.place, ask };

const tell = isMainThread ? (message) => process.send(message) : (message) => parentPort.postMessage(message);
if (isMainThread) process.on('message', obey);
else parentPort.on('message', obey);
tell({ event: 'ready' });

function obey(order) {
  if (order.worker !== undefined && order.what !== 'start worker')
    return workers.get(order.worker)?.postMessage(order.order);
  switch (order.what) {
    case 'call':
      return void answer(order.id, () => cache[order.method](...order.args));
    case 'run':
      return void answer(order.id, () => (0, eval)(`(${order.source})`)(scope, ...order.args));
    case 'load':
      return void load(order);
    case 'finish':
      return finish(order);
    case 'told':
      return told(order);
    case 'start worker':
      return startWorker(order.worker);
  }
}

async function answer(id, work) {
  try {
    tell({ event: 'answer', id, value: await work() });
  } catch (error) {
    tell({ event: 'answer', id, error: plain(error) });
  }
}

/** Begins `getOrSet`; its loader tells that it was called, and then waits for `finish`. */
async function load({ id, method, key, options }) {
  const loader = () =>
    new Promise((resolve, reject) => {
      held.set(id, { resolve, reject });
      tell({ event: 'called', id });
    });
  await answer(id, () => cache[method](key, loader, options));
}

function finish({ id, value, error }) {
  const loader = held.get(id);
  held.delete(id);
  if (error === undefined) loader?.resolve(value);
  else loader?.reject(new Error(error));
}

/** Asks the runner something, as a loader asks its database. */
function ask(question) {
  const id = ++asked;
  tell({ event: 'ask', id, question });
  return new Promise((resolve) => questions.set(id, resolve));
}

function told({ id, value }) {
  questions.get(id)?.(value);
  questions.delete(id);
}

function startWorker(number) {
  const worker = new Worker(new URL(import.meta.url), { workerData: orders });
  workers.set(number, worker);
  worker.on('message', (message) => tell({ event: 'of worker', worker: number, message }));
  worker.on('error', (error) =>
    tell({ event: 'of worker', worker: number, message: { event: 'gone', why: String(error) } }),
  );
  worker.on('exit', () =>
    tell({ event: 'of worker', worker: number, message: { event: 'gone', why: 'it has ended' } }),
  );
  scope[`worker ${number}`] = worker;
}

/** An error as data, with its code. */
function plain(error) {
  if (!(error instanceof Error)) return { name: typeof error, message: String(error) };
  return { name: error.name, message: error.message, code: error.code };
}

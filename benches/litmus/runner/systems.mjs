/** The systems that are compared; others bring an adapter of their own, see README.md. */
export const OWN = 'turbocache';
export const SYSTEMS = [OWN, 'bentocache', 'cacheable', 'cache-manager'];

/** An adapter by its name here, or by its URL. */
export async function loadSystem(name) {
  const url = SYSTEMS.includes(name) ? new URL(`../systems/${name}.mjs`, import.meta.url).href : name;
  const adapter = await import(url);
  if (typeof adapter.open !== 'function' || typeof adapter.name !== 'string') {
    throw new TypeError(`${url} is no adapter: it must export name and open(place), see benches/litmus/README.md`);
  }
  return { lacks: {}, packages: [], ...adapter, url };
}

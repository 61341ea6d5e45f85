/** An adapter of the litmus suite for a `Map` in each process: nobody is ever told anything. */
export const name = 'a Map';
export const lacks = { tags: 'it has no tags', bus: 'it has no messages between processes' };
/** A promise that it does not keep. */
export const failsAtOnce = true;

export async function open() {
  const map = new Map();
  return {
    get: async (key) => map.get(key),
    set: async (key, value) => void map.set(key, value),
    delete: async (key) => map.delete(key),
    async getOrSet(key, loader) {
      if (!map.has(key)) map.set(key, await loader());
      return map.get(key);
    },
    close: async () => {},
  };
}

/** Law 2: a value that is set while a loader runs is newer than what the loader has read. */
const racing = (name, title, writer) => ({
  name: `set-racing-load/${name}`,
  title,
  law: 2,
  async repeat(arena, key) {
    const [a, b] = arena.members;
    const load = await a.loading(key);
    await writer({ a, b }).set(key, 'new');
    load.finish('old');
    await load.result;
    return arena.agree(key, (value) => value === 'new');
  },
});

export const setRacingLoad = [
  racing('same-process', 'A value is set in the same process while a loader runs', ({ a }) => a),
  racing('other-process', 'A value is set in another process while a loader runs', ({ b }) => b),
];

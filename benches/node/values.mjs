/** What is cached: an object of ten fields, 249 bytes as JSON, and larger ones for the scenarios about size. */
export const KEYS = 1_024;
export const TTL = 3_600_000;

export const keyOf = (index) => `user:${index}`;
export const keys = Array.from({ length: KEYS }, (_, index) => keyOf(index));

export const userOf = (id) => ({
  id,
  name: `User ${id}`,
  email: `user${id}@example.org`,
  roles: ['reader', 'writer'],
  address: { street: 'Long 17', city: 'Somewhere', zip: '12345' },
  createdAt: '2026-01-01T00:00:00.000Z',
  updatedAt: '2026-01-02',
  locale: 'en',
  score: 0.75,
  active: true,
});

/** A user with a list of orders behind him, `bytes` long as JSON, give or take an order. */
export function userOfSize(id, bytes) {
  const user = { ...userOf(id), orders: [] };
  const length = JSON.stringify(user).length;
  const order = (index) => ({
    order: id * 1_000 + index,
    sku: `article-${(index * 7_919) % 10_007}`,
    cents: index * 37,
  });
  for (let size = length; size < bytes; size += JSON.stringify(user.orders.at(-1)).length + 1) {
    user.orders.push(order(user.orders.length));
  }
  return user;
}

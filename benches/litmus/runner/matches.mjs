/** Which messages a fault is for. A key is unique: whatever mentions it is about it, however a system names its entries. */

export const mentions = (key) => (words) => words.some((word) => word.includes(key));

const READS = new Set(['GET', 'MGET', 'GETEX', 'HGET', 'HMGET', 'HGETALL', 'EVAL', 'EVALSHA', 'EXISTS']);

/** A request that reads the key, or the reply to it. Scripts count: no case reads while it writes. */
export const reads = (key) => (words) => READS.has(words[0]?.toUpperCase()) && mentions(key)(words);

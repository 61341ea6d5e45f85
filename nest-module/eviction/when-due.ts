/** The one door for evictions that application code causes: at once, or after the commit of its transaction. */
import type { RegisteredCache } from '../registry/cache-registry';
import { type Eviction, evict } from './eviction';
import { currentTransaction, type OpenTransaction } from './transaction';

/** Outside a transaction it resolves when the entries are gone; inside one, when the eviction is noted. */
export async function evictWhenDue(
  registered: RegisteredCache,
  eviction: Eviction,
  transaction: OpenTransaction | undefined = currentTransaction(),
): Promise<void> {
  if (transaction?.note(registered, eviction) !== true) await evict(registered, eviction);
}

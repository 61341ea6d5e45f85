/** The promise of a plain request: a failing remote tier is not the caller's failure (law 9), everything else is. */
import type { Answer } from './answer';
import type { Waiting } from './completions';
import type { TurboCacheError } from './errors';
import { Status } from './native';
import { errorCodeOf, errorOf } from './native-errors';
import type { RemoteWatch } from './remote-watch';

export class Reply<T> implements Waiting {
  constructor(
    private readonly read: (answer: Answer) => T,
    private readonly ifRemoteFails: T,
    private readonly watch: RemoteWatch | undefined,
    private readonly resolve: (value: T) => void,
    private readonly reject: (error: unknown) => void,
  ) {}

  settle(answer: Answer): void {
    if (answer.status === Status.Error) return this.fail(answer);
    try {
      this.resolve(this.read(answer));
    } catch (error) {
      this.reject(error);
    }
  }

  abandon(error: TurboCacheError): void {
    this.reject(error);
  }

  private fail(answer: Answer): void {
    if (errorCodeOf(answer) !== 'E_TURBOCACHE_REMOTE') return this.reject(errorOf(answer));
    this.watch?.failed(answer.value().toString());
    this.resolve(this.ifRemoteFails);
  }
}

/** Sessions as objects over the binary's plain functions, which name them by numbers. */
import type { NativeBinding, NativeFunctions, NativeSession, ReadStatus } from './native';

export function bindSessions(native: NativeFunctions): NativeBinding {
  return {
    defaultOptions: () => native.defaultOptions(),
    layout: () => native.layout(),
    open: (options, buffers, onWake) => new BoundSession(native, native.open(options, buffers, onWake)),
  };
}

class BoundSession implements NativeSession {
  constructor(
    private readonly native: NativeFunctions,
    private readonly id: number,
  ) {}

  clashes(): string[] {
    return this.native.clashes(this.id);
  }

  openNamespace(path: string, serializerId: number): number {
    return this.native.openNamespace(this.id, path, serializerId);
  }

  namespaceIndex(namespaceId: number): number {
    return this.native.namespaceIndex(this.id, namespaceId);
  }

  read(namespaceId: number, key: string): ReadStatus {
    return this.native.read(this.id, namespaceId, key);
  }

  leaseHere(namespaceId: number, key: string): void {
    this.native.leaseHere(this.id, namespaceId, key);
  }

  submit(requests: Uint8Array, bytes: number, count: number): number {
    return this.native.submit(this.id, requests, bytes, count);
  }

  drain(): number {
    return this.native.drain(this.id);
  }

  takeLarge(requestId: number): Uint8Array {
    return this.native.takeLarge(this.id, requestId);
  }

  adapterReply(batchId: number, items: Uint8Array | null, error: string | null): void {
    this.native.adapterReply(this.id, batchId, items, error);
  }

  stats(): string {
    return this.native.stats(this.id);
  }

  close(): void {
    this.native.close(this.id);
  }

  end(): void {
    this.native.end(this.id);
  }
}

/** Where the binding comes from. Not exported by the package: only a test puts another one in its place. */
import { loadNative } from './load-native';
import type { NativeBinding } from './native';

let replacement: NativeBinding | undefined;

export function binding(): NativeBinding {
  return replacement ?? loadNative();
}

/** For tests: managers made from now on use this binding; `undefined` brings the real one back. */
export function replaceBinding(other: NativeBinding | undefined): void {
  replacement = other;
}

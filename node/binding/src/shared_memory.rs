//! Memory that JavaScript allocated and both sides use. All `unsafe` of the boundary's memory is in this file and in
//! `words.rs`.

use crate::words::Words;
use napi::bindgen_prelude::{Int32Array, Uint8Array};
use turbocache::engine::generation::{MIRROR_WORDS, Mirror};

/// The mirror of one isolate: words of a SharedArrayBuffer that Rust's threads store into.
pub struct SharedWords(Words);

impl SharedWords {
    /// The words of the array; `None` when it is too short. The caller keeps the array alive until the mirror is
    /// unregistered: after that no thread stores into it (`GenerationTable::unregister` waits for those that do).
    pub fn new(array: &mut Int32Array) -> Option<Self> {
        // SAFETY: only the address is taken; no reference to the words outlives this line.
        let words = unsafe { array.as_mut() };
        (words.len() >= MIRROR_WORDS).then(|| {
            // SAFETY: a SharedArrayBuffer is made to be written by other threads, and JavaScript reads it with `Atomics`; an
            // Int32Array is aligned; alive, because the session holds a reference to the array and unregisters the
            // mirror before it lets go, also when its environment ends (`workers.test.ts` ends workers in every state).
            Self(unsafe { Words::new(words.as_mut_ptr().cast(), words.len()) })
        })
    }
}

impl Mirror for SharedWords {
    fn store(&self, index: usize, value: u32) {
        self.0.store(index, value);
    }

    fn advance(&self, index: usize) {
        self.0.advance(index);
    }
}

/// A buffer that Rust writes only while JavaScript waits in a native call.
pub struct HostBuffer {
    array: Uint8Array,
}

impl HostBuffer {
    /// Keeps the array alive as long as itself.
    pub fn new(array: Uint8Array) -> Self {
        Self { array }
    }

    /// The bytes, for the length of one native call.
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the array is an ordinary ArrayBuffer of this isolate, and JavaScript does not run while a native call
        // on its thread does: nobody else reads or writes it. The client never transfers it.
        unsafe { self.array.as_mut() }
    }
}

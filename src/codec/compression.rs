//! zstd for large values, kept only when it makes them smaller. A stored size above the limit is refused before a byte is
//! allocated for it, so that a bomb is a miss.

use crate::options::CompressionOptions;

/// Ids of compressions in the envelope.
pub const NONE: u8 = 0;
/// zstd.
pub const ZSTD: u8 = 1;

/// The compressed bytes, when compressing is wanted and pays.
pub fn compress(payload: &[u8], options: Option<&CompressionOptions>) -> Option<Vec<u8>> {
    let options = options.filter(|options| payload.len() >= options.threshold)?;
    zstd_compress(payload, options.level).filter(|compressed| compressed.len() < payload.len())
}

/// The original bytes of what [`compress`] made; `None` when they are not exactly `raw_length` long.
pub fn decompress(stored: &[u8], raw_length: usize) -> Option<Vec<u8>> {
    zstd_decompress(stored, raw_length).filter(|raw| raw.len() == raw_length)
}

#[cfg(feature = "zstd")]
use contexts::{zstd_compress, zstd_decompress};

#[cfg(not(feature = "zstd"))]
fn zstd_compress(_: &[u8], _: i32) -> Option<Vec<u8>> {
    None
}

#[cfg(not(feature = "zstd"))]
fn zstd_decompress(_: &[u8], _: usize) -> Option<Vec<u8>> {
    None
}

/// What zstd works with, one of each kind a thread: making one takes 22 µs, a value of 5 KB 5 to 10.
#[cfg(feature = "zstd")]
mod contexts {
    use std::cell::RefCell;
    use zstd::bulk::{Compressor, Decompressor};

    /// One that has grown beyond this (high levels, large values) is not kept.
    const KEPT: usize = 2 << 20;

    thread_local! {
        /// With its level.
        static COMPRESSOR: RefCell<Option<(i32, Compressor<'static>)>> = const { RefCell::new(None) };
        static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
    }

    pub fn zstd_compress(payload: &[u8], level: i32) -> Option<Vec<u8>> {
        let known = COMPRESSOR.take().filter(|(at, _)| *at == level);
        let mut compressor = match known {
            Some((_, compressor)) => compressor,
            None => Compressor::new(level).ok()?,
        };
        let compressed = compressor.compress(payload).ok()?;
        if compressor.context_mut().sizeof() <= KEPT {
            COMPRESSOR.set(Some((level, compressor)));
        }
        Some(compressed)
    }

    pub fn zstd_decompress(stored: &[u8], raw_length: usize) -> Option<Vec<u8>> {
        let known = DECOMPRESSOR.take();
        let mut decompressor = known.map_or_else(Decompressor::new, Ok).ok()?;
        let raw = decompressor.decompress(stored, raw_length).ok()?;
        DECOMPRESSOR.set(Some(decompressor));
        Some(raw)
    }
}

#[cfg(all(test, feature = "zstd"))]
mod tests {
    use super::*;

    fn options(level: i32) -> CompressionOptions {
        CompressionOptions { threshold: 0, level }
    }

    fn text(length: usize) -> Vec<u8> {
        b"one after another ".iter().copied().cycle().take(length).collect()
    }

    #[test]
    fn what_one_thread_compresses_in_turn_comes_back_whatever_its_size_and_level() {
        for (level, length) in [(1, 2_000), (19, 300_000), (1, 300_000), (19, 2_000), (1, 2_000)] {
            let raw = text(length);
            let stored = compress(&raw, Some(&options(level))).expect("it repeats itself");
            assert_eq!(
                decompress(&stored, length).as_deref(),
                Some(&raw[..]),
                "{level}, {length}"
            );
        }
    }

    #[test]
    fn damaged_bytes_leave_nothing_behind() {
        let raw = text(5_000);
        let stored = compress(&raw, Some(&options(1))).expect("it repeats itself");
        for cut in [0, 3, stored.len() / 2, stored.len() - 1] {
            assert_eq!(decompress(&stored[..cut], raw.len()), None);
            assert_eq!(decompress(&stored, raw.len() - 1), None);
            assert_eq!(decompress(&stored, raw.len()).as_deref(), Some(&raw[..]), "{cut}");
        }
    }
}

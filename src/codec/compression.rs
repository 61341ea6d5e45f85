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
fn zstd_compress(payload: &[u8], level: i32) -> Option<Vec<u8>> {
    zstd::bulk::compress(payload, level).ok()
}

#[cfg(feature = "zstd")]
fn zstd_decompress(stored: &[u8], raw_length: usize) -> Option<Vec<u8>> {
    zstd::bulk::decompress(stored, raw_length).ok()
}

#[cfg(not(feature = "zstd"))]
fn zstd_compress(_: &[u8], _: i32) -> Option<Vec<u8>> {
    None
}

#[cfg(not(feature = "zstd"))]
fn zstd_decompress(_: &[u8], _: usize) -> Option<Vec<u8>> {
    None
}

//! A limit on the time that something may take, in which a pause of this whole process hardly counts: a machine that stands
//! still (a snapshot, a migration, a stopped process) says nothing about the store that was asked. Its answer comes a moment
//! after the pause, and a plain timer would be faster.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;
use tokio::time::error::Elapsed;

/// The limit is counted in at most so many parts, one timer after the other. A pause lies within one of them, and costs no more.
const PARTS: u128 = 8;
/// No part is shorter: a timer may fire a millisecond late, and each part adds its own.
const SHORTEST: Duration = Duration::from_millis(16);

/// The output of `future`, if it comes within `limit`.
///
/// # Errors
/// When it does not. A pause of the process counts at most an eighth of `limit` (or 32 ms), however long it was.
pub async fn within<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let parts = (limit.as_millis() / SHORTEST.as_millis()).clamp(1, PARTS) as u32;
    for _ in 1..parts {
        if let Ok(output) = tokio::time::timeout(limit / parts, &mut future).await {
            return Ok(output);
        }
    }
    tokio::time::timeout(limit / parts, future).await
}

#[cfg(test)]
mod tests;

//! What was told lately, so that it can be found out whether the remote tier has lost it: a replica was promoted that had not
//! got everything, or the server came back with what it had saved a while ago.
//!
//! Each change is followed by its frame in the log, on the same way to the replicas. So if a frame is there, the changes
//! that it tells of are; if it is not, they may be lost. The frames of some seconds are remembered, one's own and those
//! that were heard: the process that made a change may be gone with the server.

use crate::event::LogId;
use crate::tier::LOG_LENGTH;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};

/// How long a frame is remembered, by the clock that gave it its place, in milliseconds: longer than a replica lags behind.
const WINDOW: u64 = 10_000;
/// Frames remembered at most.
const FRAMES: usize = 10_000;

/// See the module.
#[derive(Default)]
pub struct Witness {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    frames: BTreeMap<LogId, Bytes>,
    /// The last one that is not remembered any more. Everything up to here was there.
    base: Option<LogId>,
}

/// What the log has lost.
#[derive(Debug, PartialEq, Eq)]
pub enum Loss {
    /// These frames at most.
    Frames(Vec<Bytes>),
    /// More than is remembered.
    Unknown,
}

impl Witness {
    /// A frame stands at this place of the log.
    pub fn saw(&self, id: LogId, frame: Bytes) {
        let mut seen = self.seen.lock();
        if seen.base.is_some_and(|base| id <= base) {
            return;
        }
        seen.frames.insert(id, frame);
        let newest = seen.frames.last_key_value().map_or(id, |(id, _)| *id);
        while let Some(oldest) = seen.frames.first_entry() {
            let id = *oldest.key();
            if id.millis.saturating_add(WINDOW) >= newest.millis && seen.frames.len() <= FRAMES {
                break;
            }
            seen.frames.pop_first();
            seen.base = Some(id);
        }
    }

    /// What was there up to here is not its business.
    pub fn begin(&self, id: LogId) {
        let mut seen = self.seen.lock();
        seen.frames.retain(|seen, _| *seen > id);
        seen.base = Some(id);
    }

    /// Where the log has to be read from to know what it has lost.
    pub fn from(&self) -> Option<LogId> {
        self.seen.lock().base
    }

    /// What a log has lost that begins with `first` and has these places since [`Witness::from`], or all of them if it begins
    /// later. One that is as long as logs become has been trimmed: what is older than its first frame is not lost for that.
    pub fn loss(&self, first: Option<LogId>, there: &BTreeSet<LogId>, length: usize) -> Loss {
        let seen = self.seen.lock();
        let Some(base) = seen.base else {
            return Loss::Frames(Vec::new());
        };
        // Older frames are there, and this one is not: it was not trimmed, and nobody knows what else is missing.
        if first.is_some_and(|first| first <= base) && !there.contains(&base) {
            return Loss::Unknown;
        }
        let trimmed = |id: &LogId| length >= LOG_LENGTH && first.is_some_and(|first| *id < first);
        let lost = seen.frames.iter().filter(|(id, _)| !there.contains(id) && !trimmed(id));
        Loss::Frames(lost.map(|(_, frame)| frame.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(millis: u64) -> LogId {
        LogId { millis, count: 0 }
    }

    fn frame(millis: u64) -> Bytes {
        Bytes::from(millis.to_string())
    }

    /// Remembers the frames of these milliseconds, after that of 1.
    fn witness(frames: impl IntoIterator<Item = u64>) -> Witness {
        let witness = Witness::default();
        witness.begin(id(1));
        frames
            .into_iter()
            .for_each(|millis| witness.saw(id(millis), frame(millis)));
        witness
    }

    fn there(frames: impl IntoIterator<Item = u64>) -> BTreeSet<LogId> {
        frames.into_iter().map(id).collect()
    }

    fn lost(frames: impl IntoIterator<Item = u64>) -> Loss {
        Loss::Frames(frames.into_iter().map(frame).collect())
    }

    #[test]
    fn frames_that_are_not_there_are_lost() {
        let witness = witness([2, 3, 4]);
        assert_eq!(witness.from(), Some(id(1)));
        assert_eq!(witness.loss(Some(id(1)), &there([1, 2, 3, 4]), 4), lost([]));
        assert_eq!(witness.loss(Some(id(1)), &there([1, 2, 9]), 3), lost([3, 4]));
    }

    #[test]
    fn a_log_that_ends_before_all_that_is_remembered_has_lost_nobody_knows_what() {
        let witness = witness([2, 3]);
        assert_eq!(witness.loss(Some(id(0)), &there([9]), 2), Loss::Unknown);
    }

    #[test]
    fn a_log_that_was_trimmed_has_lost_nothing_and_one_that_was_deleted_may_have_lost_what_is_remembered() {
        let witness = witness([2, 3, 4]);
        assert_eq!(witness.loss(Some(id(3)), &there([3]), LOG_LENGTH), lost([4]));
        assert_eq!(witness.loss(Some(id(3)), &there([3, 4]), 2), lost([2]));
        assert_eq!(witness.loss(None, &there([]), 0), lost([2, 3, 4]));
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let witness = witness([2, 500, WINDOW + 501]);
        assert_eq!(witness.from(), Some(id(500)));
        witness.saw(id(3), frame(3));
        assert_eq!(witness.loss(Some(id(1)), &there([500]), 1), lost([WINDOW + 501]));
    }

    #[test]
    fn no_more_frames_are_remembered_than_fit() {
        let witness = Witness::default();
        witness.begin(LogId::START);
        for count in 1..=FRAMES as u64 + 5 {
            witness.saw(LogId { millis: 1, count }, frame(count));
        }
        assert_eq!(witness.from(), Some(LogId { millis: 1, count: 5 }));
    }
}

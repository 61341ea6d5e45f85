//! What was told lately, so that it can be found out whether the remote tier has lost it: a replica was promoted that had not
//! got everything, or the server came back with what it had saved a while ago.
//!
//! Each change is followed by its frame in the log, on the same way to the replicas. So if a frame is there, the changes
//! that it tells of are; if it is not, they may be lost. The frames of some seconds are remembered, one's own and those
//! that were heard: the process that made a change may be gone with the server.
//!
//! What the log refuses moves the mark. Of that only the last mark is remembered: if it has gone back, something is lost, and
//! nobody knows what.

use crate::event::{LogId, Place};
use crate::tier::{LOG_LENGTH, LOG_PAGE};
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound::{Excluded, Included};

/// How long a frame is remembered, by the clock that gave it its place, in milliseconds: longer than a replica lags behind.
const WINDOW: u64 = 10_000;
/// Frames remembered at most.
const FRAMES: usize = 10_000;
/// Incarnations that have ended, remembered at most.
const INCARNATIONS: usize = 64;

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
    /// What was refused last, if nothing was logged since: where the log ended, and the mark.
    refused: Option<(LogId, u64)>,
    /// Something was lost that is not remembered.
    blind: bool,
    /// Incarnations that have ended, the last ones.
    left: VecDeque<u64>,
}

/// Where the log and the mark stood when they were seen last. Who reads them later finds them there, or something is lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct End {
    frame: Option<LogId>,
    mark: Option<u64>,
}

impl End {
    /// Whether nothing was seen.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the mark stood higher than this.
    pub fn is_above(&self, mark: u64) -> bool {
        self.mark.is_some_and(|seen| mark < seen)
    }
}

/// What the log has lost.
#[derive(Debug, PartialEq, Eq)]
pub enum Loss {
    /// These frames at most.
    Frames(Vec<(LogId, Bytes)>),
    /// More than is remembered.
    Unknown,
}

impl Witness {
    /// A frame was published with this behind it.
    pub fn told(&self, place: &Place, frame: &Bytes) {
        match *place {
            Place::Logged { before, id } => {
                self.seen.lock().base.get_or_insert(before);
                self.saw(id, frame.clone());
            }
            Place::Refused { end, mark, .. } => {
                let mut seen = self.seen.lock();
                seen.refused = seen.refused.max(Some((end, mark)));
            }
            Place::Unknown => {}
        }
    }

    /// A frame stands at this place of the log.
    pub fn saw(&self, id: LogId, frame: Bytes) {
        let mut seen = self.seen.lock();
        if seen.base.is_some_and(|base| id <= base) {
            return;
        }
        seen.frames.insert(id, frame);
        // It was appended behind what was refused, so it would be lost with that.
        seen.refused = seen.refused.filter(|(end, _)| id <= *end);
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

    /// More was lost than is remembered.
    pub fn lose_sight(&self) {
        let mut seen = self.seen.lock();
        seen.blind = true;
        seen.refused = None;
    }

    /// The incarnation has ended: somebody has cleared everything, or it was emptied.
    pub fn left(&self, incarnation: u64) {
        let left = &mut self.seen.lock().left;
        if incarnation != 0 && !left.contains(&incarnation) {
            left.truncate(INCARNATIONS - 1);
            left.push_front(incarnation);
        }
    }

    /// Whether the incarnation had ended.
    pub fn has_left(&self, incarnation: u64) -> bool {
        self.seen.lock().left.contains(&incarnation)
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

    /// Whether a page of the log, read from `from` on, lacks a frame that stood there when its end was asked for.
    pub fn misses(&self, end: End, from: LogId, page: &[(LogId, Bytes)]) -> bool {
        let full = page.len() >= LOG_PAGE;
        let last = page.last().map(|(id, _)| *id);
        let Some(newest) = end.frame else { return false };
        if !full && last < Some(newest) {
            return true;
        }
        let upto = last.filter(|_| full).unwrap_or(newest).min(newest);
        let seen = self.seen.lock();
        from < upto
            && seen
                .frames
                .range((Excluded(from), Included(upto)))
                .any(|(id, _)| lacks(page, *id))
    }

    /// To be asked before the log is read.
    pub fn end(&self) -> End {
        let seen = self.seen.lock();
        End {
            frame: seen.frames.last_key_value().map(|(id, _)| *id).or(seen.base),
            mark: seen.refused.map(|(_, mark)| mark),
        }
    }

    /// What a log has lost that begins with `first` and has these places since [`Witness::from`], or all of them if it begins
    /// later. One that is as long as logs become has been trimmed: what is older than its first frame is not lost for that.
    /// From here on what is lost counts as told; what is there may be lost yet.
    pub fn settle(&self, first: Option<LogId>, there: &BTreeSet<LogId>, length: usize) -> Loss {
        let mut seen = self.seen.lock();
        let frames = std::mem::take(&mut seen.frames);
        let blind = std::mem::take(&mut seen.blind);
        // Older frames are there, and this one is not: it was not trimmed, and nobody knows what else is missing.
        let lacks_base = |base: LogId| first.is_some_and(|first| first <= base) && !there.contains(&base);
        if blind || seen.base.is_none_or(lacks_base) {
            let known = !blind && seen.base.is_none();
            seen.base = Some(there.last().copied().unwrap_or(LogId::START));
            return if known { Loss::Frames(Vec::new()) } else { Loss::Unknown };
        }
        let trimmed = |id: &LogId| length >= LOG_LENGTH && first.is_some_and(|first| *id < first);
        let (there, lost): (BTreeMap<_, _>, BTreeMap<_, _>) = frames
            .into_iter()
            .filter(|(id, _)| !trimmed(id))
            .partition(|(id, _)| there.contains(id));
        seen.frames = there;
        Loss::Frames(lost.into_iter().collect())
    }
}

fn lacks(page: &[(LogId, Bytes)], id: LogId) -> bool {
    page.binary_search_by_key(&id, |(id, _)| *id).is_err()
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
        Loss::Frames(frames.into_iter().map(|millis| (id(millis), frame(millis))).collect())
    }

    #[test]
    fn frames_that_are_not_there_are_lost() {
        let seen = || witness([2, 3, 4]);
        assert_eq!(seen().from(), Some(id(1)));
        assert_eq!(seen().settle(Some(id(1)), &there([1, 2, 3, 4]), 4), lost([]));
        assert_eq!(seen().settle(Some(id(1)), &there([1, 2, 9]), 3), lost([3, 4]));
    }

    #[test]
    fn a_log_that_ends_before_all_that_is_remembered_has_lost_nobody_knows_what() {
        let witness = witness([2, 3]);
        assert_eq!(witness.settle(Some(id(0)), &there([9]), 2), Loss::Unknown);
    }

    #[test]
    fn a_log_that_was_trimmed_has_lost_nothing_and_one_that_was_deleted_may_have_lost_what_is_remembered() {
        let seen = || witness([2, 3, 4]);
        assert_eq!(seen().settle(Some(id(3)), &there([3]), LOG_LENGTH), lost([4]));
        assert_eq!(seen().settle(Some(id(3)), &there([3, 4]), 2), lost([2]));
        assert_eq!(seen().settle(None, &there([]), 0), lost([2, 3, 4]));
    }

    #[test]
    fn what_was_lost_once_is_not_missed_again() {
        let witness = witness([2, 3]);
        assert_eq!(witness.end().frame, Some(id(3)));
        assert_eq!(witness.settle(Some(id(1)), &there([1, 2]), 2), lost([3]));
        assert_eq!(witness.end().frame, Some(id(2)), "a log that ends there is whole");
        assert_eq!(witness.settle(Some(id(1)), &there([1, 2]), 2), lost([]));
    }

    #[test]
    fn what_was_there_once_may_be_lost_yet() {
        let witness = witness([2, 3]);
        assert_eq!(witness.settle(Some(id(1)), &there([1, 2]), 2), lost([3]));
        assert_eq!(witness.settle(None, &there([]), 0), lost([2]));
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let witness = witness([2, 500, WINDOW + 501]);
        assert_eq!(witness.from(), Some(id(500)));
        witness.saw(id(3), frame(3));
        assert_eq!(witness.settle(Some(id(1)), &there([500]), 1), lost([WINDOW + 501]));
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

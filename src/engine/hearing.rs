//! What has been heard, and whether anything is missing (law 4). Decides; reads and applies nothing.
//!
//! Every logged frame is published with its own place in the log and the place before it. What has been applied is the log up
//! to `place`, without a hole. A frame whose predecessor stands at `place` is the next one; any other shows that something
//! is missing: it is applied all the same, and the log is read from `place` on. What is heard while the log is being read is
//! remembered as a run, so that the two ends meet.
//!
//! A frame that the log refuses is published with the mark that it has moved, and the mark before. Who reads the log looks
//! whether the mark has moved further than he has heard; who does not, because it refuses him, hears it from his own frames. What
//! he has missed so stands nowhere.
//!
//! The frame at `place` must still be in the log when it is read. If it is not, the log was trimmed past it, emptied, or
//! is another one: then nobody knows what was missed.

use crate::event::{Frame, LogId, Stream};
use bytes::Bytes;
use std::collections::HashMap;

/// Places remembered while the log is being read; more, and the log is read again.
const RUN: usize = 10_000;
/// Senders of unlogged frames that are remembered.
const SENDERS: usize = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub struct Hearing {
    /// The log is applied up to here; `None` until its end is known.
    place: Option<LogId>,
    /// What was heard behind a gap: the place before its first frame, and its places.
    run: Option<(LogId, Vec<LogId>)>,
    /// The mark, as far as it was heard to move; `None` until it is known.
    mark: Option<u64>,
    /// Sequence number that is to come next from senders who can move no mark either, by sender and session.
    unlogged: HashMap<(u64, u32), u64>,
}

/// What a frame that was heard says about those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was applied already.
    Known,
    /// Nothing is missing before it.
    Next,
    /// Something is missing before it, and may stand in the log.
    Gap,
    /// Something is missing before it, and stands nowhere.
    Hole,
}

/// What a page of the log shows.
#[derive(Debug, PartialEq, Eq)]
pub enum Page {
    /// These frames were missing, and no others.
    Complete(Vec<(LogId, Bytes)>),
    /// These were, and there are more.
    More(Vec<(LogId, Bytes)>),
    /// The log does not hold what was missing.
    Lost,
}

impl Hearing {
    /// The log is applied up to here.
    pub fn place(&self) -> Option<LogId> {
        self.place
    }

    /// The log ends here now, and whatever was told before counts as applied.
    pub fn begin(&mut self, place: LogId) {
        self.place = Some(place);
        self.join_run();
    }

    /// Nothing is known about the log any more but where the mark stands.
    pub fn begin_anew(&mut self, mark: u64) {
        self.forget();
        self.mark = Some(mark);
    }

    /// Nothing is known about the log any more.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Whether the frame at this place was applied already.
    pub fn knows(&self, id: LogId) -> bool {
        let heard = |(_, ids): &(LogId, Vec<LogId>)| ids.binary_search(&id).is_ok();
        self.place.is_some_and(|place| id <= place) || self.run.as_ref().is_some_and(heard)
    }

    /// A logged frame was heard and applied: somebody's, or one's own.
    pub fn logged(&mut self, before: LogId, id: LogId) -> Verdict {
        match self.place {
            _ if self.knows(id) => return Verdict::Known,
            Some(place) if before == place => {
                self.place = Some(id);
                self.run = None;
                return Verdict::Next;
            }
            _ => {}
        }
        match &mut self.run {
            Some((_, ids)) if ids.last() == Some(&before) && ids.len() < RUN => ids.push(id),
            run => *run = Some((before, vec![id])),
        }
        if self.place.is_some() {
            Verdict::Gap
        } else {
            Verdict::Next
        }
    }

    /// A frame that the log has refused was heard and applied: somebody's, or one's own. It moved the mark from `before`, when the
    /// log ended at `end`.
    pub fn refused(&mut self, end: LogId, before: u64, mark: u64) -> Verdict {
        let known = self.mark;
        self.mark = known.max(Some(mark));
        match known {
            Some(known) if mark <= known => Verdict::Known,
            Some(known) if before == known => match self.place {
                Some(place) if place < end && !self.knows(end) => Verdict::Gap,
                _ => Verdict::Next,
            },
            _ => Verdict::Hole,
        }
    }

    /// The mark stands here now; whether somebody has moved it who was not heard.
    pub fn marked(&mut self, mark: u64) -> bool {
        let known = self.mark;
        self.mark = known.max(Some(mark));
        known.unwrap_or(0) < mark
    }

    /// The log ends here, and is not read; whether all of it is known. From here on it counts as that.
    pub fn reaches(&mut self, end: LogId) -> bool {
        let known = self.place;
        self.place = known.max(Some(end));
        self.run = None;
        known.is_some_and(|place| end <= place)
    }

    /// A frame that stands nowhere, and has no mark, was heard.
    pub fn unlogged(&mut self, frame: &Frame) -> Verdict {
        if frame.stream != Stream::Unlogged {
            return Verdict::Next;
        }
        if self.unlogged.len() >= SENDERS {
            // Who speaks next counts as new: better than to grow for ever.
            self.unlogged.clear();
        }
        let next = self
            .unlogged
            .entry((frame.sender, frame.session))
            .or_insert(frame.first);
        let verdict = match *next {
            next if frame.first > next => Verdict::Hole,
            next if frame.next <= next && frame.next != frame.first => Verdict::Known,
            _ => Verdict::Next,
        };
        *next = (*next).max(frame.next);
        verdict
    }

    /// The log was read from `from` on; `full` when there may be more.
    pub fn read(&mut self, from: LogId, frames: &[(LogId, Bytes)], full: bool) -> Page {
        let Some(place) = self.place else {
            return Page::Lost;
        };
        if frames.first().map(|(id, _)| *id) != Some(from) {
            return Page::Lost;
        }
        let end = frames.last().map_or(from, |(id, _)| *id);
        let missing: Vec<_> = frames.iter().filter(|(id, _)| !self.knows(*id)).cloned().collect();
        self.place = Some(place.max(end));
        self.join_run();
        match &self.run {
            None if !full => Page::Complete(missing),
            _ => Page::More(missing),
        }
    }

    /// Has the log caught up with the run, the two become one.
    fn join_run(&mut self) {
        let (Some(place), Some((before, ids))) = (self.place, &self.run) else {
            return;
        };
        if *before == place || ids.binary_search(&place).is_ok() {
            self.place = ids.last().copied().max(self.place);
            self.run = None;
        } else if ids.last().is_some_and(|last| *last <= place) {
            self.run = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(count: u64) -> LogId {
        LogId { millis: 1, count }
    }

    fn page(ids: impl IntoIterator<Item = u64>) -> Vec<(LogId, Bytes)> {
        ids.into_iter().map(|count| (id(count), Bytes::new())).collect()
    }

    fn at(count: u64) -> Hearing {
        let mut hearing = Hearing::default();
        hearing.begin(id(count));
        hearing
    }

    fn unlogged(first: u64, next: u64) -> Frame {
        Frame {
            sender: 1,
            session: 1,
            stream: Stream::Unlogged,
            first,
            next,
            incarnation: 0,
            counter: 0,
            changes: Vec::new(),
        }
    }

    #[test]
    fn frames_in_a_row_are_next_and_a_second_hearing_is_known() {
        let mut hearing = at(1);
        assert_eq!(hearing.logged(id(1), id(2)), Verdict::Next);
        assert_eq!(hearing.logged(id(2), id(3)), Verdict::Next);
        assert_eq!(hearing.logged(id(2), id(3)), Verdict::Known);
        assert_eq!(hearing.place(), Some(id(3)));
    }

    #[test]
    fn a_gap_is_filled_from_the_log_and_what_was_heard_is_not_applied_twice() {
        let mut hearing = at(1);
        assert_eq!(hearing.logged(id(3), id(4)), Verdict::Gap);
        assert_eq!(hearing.place(), Some(id(1)));
        assert_eq!(hearing.read(id(1), &page(1..=4), false), Page::Complete(page(2..=3)));
        assert_eq!(hearing.place(), Some(id(4)));
    }

    #[test]
    fn frames_heard_while_the_log_is_read_join_its_end() {
        let mut hearing = at(1);
        assert_eq!(hearing.logged(id(3), id(4)), Verdict::Gap);
        assert_eq!(hearing.logged(id(4), id(5)), Verdict::Gap);
        assert_eq!(hearing.read(id(1), &page(1..=4), false), Page::Complete(page(2..=3)));
        assert_eq!(hearing.place(), Some(id(5)));
        assert_eq!(hearing.logged(id(5), id(6)), Verdict::Next);
    }

    #[test]
    fn a_second_gap_while_the_log_is_read_has_it_read_again() {
        let mut hearing = at(1);
        assert_eq!(hearing.logged(id(2), id(3)), Verdict::Gap);
        assert_eq!(hearing.logged(id(4), id(5)), Verdict::Gap);
        assert_eq!(hearing.read(id(1), &page(1..=3), false), Page::More(page([2, 3])));
        assert_eq!(hearing.read(id(3), &page(3..=5), false), Page::Complete(page([4])));
        assert_eq!(hearing.place(), Some(id(5)));
    }

    #[test]
    fn a_full_page_is_not_the_end() {
        let mut hearing = at(1);
        assert_eq!(hearing.read(id(1), &page(1..=3), true), Page::More(page(2..=3)));
        assert_eq!(hearing.read(id(3), &page(3..=4), false), Page::Complete(page([4])));
    }

    #[test]
    fn a_log_without_the_place_is_lost() {
        for frames in [page([]), page([2, 3])] {
            assert_eq!(at(1).read(id(1), &frames, false), Page::Lost);
        }
    }

    #[test]
    fn the_first_frame_of_an_emptied_log_is_not_the_next() {
        let mut hearing = at(5);
        assert_eq!(hearing.logged(LogId::START, id(9)), Verdict::Gap);
        assert_eq!(hearing.read(id(5), &page([9]), false), Page::Lost);
        let mut hearing = at(5);
        // A replica that had not got everything was promoted: its log ended earlier.
        assert_eq!(hearing.logged(id(3), id(9)), Verdict::Gap);
        assert_eq!(hearing.read(id(5), &page([9]), false), Page::Lost);
    }

    #[test]
    fn what_was_heard_before_the_beginning_joins_it() {
        let mut hearing = Hearing::default();
        assert_eq!(hearing.logged(id(1), id(2)), Verdict::Next);
        hearing.begin(id(1));
        assert_eq!(hearing.place(), Some(id(2)));
    }

    #[test]
    fn a_mark_that_was_moved_unheard_shows_a_hole() {
        let mut hearing = at(1);
        assert!(hearing.marked(5), "nothing is known of who has moved it");
        assert_eq!(hearing.refused(id(1), 5, 6), Verdict::Next);
        assert!(!hearing.marked(6));
        assert_eq!(hearing.refused(id(1), 7, 8), Verdict::Hole);
        assert_eq!(hearing.refused(id(1), 8, 9), Verdict::Next);
        assert!(hearing.marked(11));
        assert_eq!(hearing.refused(id(1), 10, 11), Verdict::Known, "it was on its way");
        assert!(!hearing.marked(11));
        assert_eq!(
            hearing.refused(id(1), 0, 20),
            Verdict::Hole,
            "the mark was lost, and began anew"
        );
        assert_eq!(hearing.refused(id(2), 20, 21), Verdict::Gap, "the log has more");
    }

    #[test]
    fn a_log_that_has_refused_nothing_has_no_mark() {
        let mut hearing = at(1);
        assert!(!hearing.marked(0));
        assert_eq!(hearing.refused(id(1), 0, 7), Verdict::Next);
        assert_eq!(
            Hearing::default().refused(id(1), 0, 7),
            Verdict::Hole,
            "nothing is known"
        );
    }

    #[test]
    fn who_does_not_read_the_log_hears_how_far_it_reaches() {
        let mut hearing = Hearing::default();
        assert!(!hearing.reaches(id(3)));
        assert_eq!(hearing.logged(id(3), id(4)), Verdict::Next);
        assert!(hearing.reaches(id(4)));
        assert_eq!(hearing.logged(id(5), id(6)), Verdict::Gap);
        assert!(!hearing.reaches(id(6)));
        assert!(hearing.reaches(id(6)));
    }

    #[test]
    fn unlogged_frames_show_a_hole_by_their_numbers() {
        let mut hearing = Hearing::default();
        assert_eq!(
            hearing.unlogged(&unlogged(7, 8)),
            Verdict::Next,
            "nothing is known before"
        );
        assert_eq!(hearing.unlogged(&unlogged(8, 9)), Verdict::Next);
        assert_eq!(hearing.unlogged(&unlogged(8, 9)), Verdict::Known);
        assert_eq!(hearing.unlogged(&unlogged(9, 9)), Verdict::Next, "a heartbeat");
        assert_eq!(
            hearing.unlogged(&unlogged(10, 10)),
            Verdict::Hole,
            "a heartbeat behind a lost one"
        );
        assert_eq!(hearing.unlogged(&unlogged(10, 11)), Verdict::Next);
        assert_eq!(hearing.unlogged(&unlogged(12, 13)), Verdict::Hole);
    }
}

//! What was told lately, so that it can be found out whether the remote tier has lost it: a replica was promoted that had not
//! got everything, or the server came back with what it had saved a while ago.
//!
//! Two things show that: the log lacks a frame when it is read, or a later frame was appended behind one that is older than what
//! is remembered (the log is torn there). The second shows at once, and also to whoever has not read the log since.
//!
//! Each change is followed by its frame in the log, on the same way to the replicas. So if a frame is there, the changes
//! that it tells of are; if it is not, they may be lost. The frames of some seconds are remembered, one's own and those
//! that were heard: the process that made a change may be gone with the server.
//!
//! Where the remote tier is several servers (a Redis Cluster), the log goes with the namespace's state, and most changes of keys
//! go another way. When a server is replaced, the log may have everything, and the changes may be lost all the same: those of
//! all keys that are remembered are in doubt.
//!
//! What the log refuses moves the mark. Of that only the last mark is remembered: if it has gone back, something is lost, and
//! nobody knows what.

use crate::event::{LogId, Place};
use crate::tier::{LOG_LENGTH, LOG_PAGE};
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound::{Excluded, Included, Unbounded};

/// How long a frame is remembered, by the clock that gave it its place, in milliseconds: longer than a replica lags behind.
const WINDOW: u64 = 10_000;
/// The same where the log goes on while another server is gone: it takes that long, and longer, until the server is given up, its
/// replica is promoted, and that is noticed.
const SCATTERED_WINDOW: u64 = 60_000;
/// Frames remembered at most; twice as many while it is found out what is lost.
const FRAMES: usize = 10_000;
/// Incarnations that have ended, remembered at most.
const INCARNATIONS: usize = 64;

/// See the module.
#[derive(Default)]
pub struct Witness {
    /// See [`crate::tier::RemoteTier::is_scattered`].
    is_scattered: bool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    frames: BTreeMap<LogId, Told>,
    /// The last one that is not remembered any more. Everything up to here was there.
    base: Option<LogId>,
    /// What was refused last, if nothing was logged since: where the log ended, and the mark.
    refused: Option<(LogId, u64)>,
    /// Something was lost that is not remembered.
    blind: bool,
    /// Incarnations that have ended, the last ones.
    left: VecDeque<u64>,
    /// How often a server was replaced beside the log, and how often that is settled.
    suspicions: u64,
    settled: u64,
    /// Up to here something was told lately that is not remembered: there were too many, or the log has refused it.
    forgotten: Option<LogId>,
    /// How often the log was found torn.
    tears: u64,
    /// Until it is settled what the log has lost nothing is forgotten.
    held: bool,
}

/// A frame, and the place before it where that is known.
struct Told {
    before: Option<LogId>,
    frame: Bytes,
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

/// What was found in a log.
pub struct Found<'a> {
    /// Its first frame.
    pub first: Option<LogId>,
    /// Its places since [`Witness::from`], or all of them if it begins later.
    pub there: &'a BTreeSet<LogId>,
    /// How many.
    pub length: usize,
    /// The last frame that was remembered before it was read. Others may have been told since.
    pub end: Option<LogId>,
}

/// What the log has lost.
#[derive(Debug, PartialEq, Eq)]
pub enum Loss {
    /// These frames at most.
    Frames {
        /// They are not there.
        gone: Vec<(LogId, Bytes)>,
        /// They are there, and what they tell of keys may be lost.
        doubtful: Vec<Bytes>,
    },
    /// More than is remembered.
    Unknown,
}

impl Witness {
    /// Of a remote tier that is one server, or is scattered over several.
    pub fn new(is_scattered: bool) -> Self {
        Self {
            is_scattered,
            ..Self::default()
        }
    }

    /// A frame was published with this behind it; whether that fits what is remembered.
    pub fn told(&self, place: &Place, frame: &Bytes) -> bool {
        match *place {
            Place::Logged { before, id } => {
                self.seen.lock().base.get_or_insert(before);
                self.saw(Some(before), id, frame)
            }
            Place::Refused { end, mark, .. } => {
                let mut seen = self.seen.lock();
                seen.refused = seen.refused.max(Some((end, mark)));
                true
            }
            Place::Unknown => true,
        }
    }

    /// These follow one another in the log; whether that fits what is remembered.
    pub fn saw_page(&self, page: &[(LogId, Bytes)]) -> bool {
        let befores = std::iter::once(None).chain(page.iter().map(|(id, _)| Some(*id)));
        let fit = page
            .iter()
            .zip(befores)
            .map(|((id, frame), before)| self.saw(before, *id, frame));
        fit.fold(true, |all, fits| all & fits)
    }

    /// The log was found torn by somebody who does not settle that.
    pub fn tear(&self) {
        self.seen.lock().tears += 1;
    }

    /// From here on nothing is forgotten until it is settled what the log has lost. The last frame that is remembered.
    pub fn hold(&self) -> Option<LogId> {
        let mut seen = self.seen.lock();
        seen.held = true;
        seen.frames.last_key_value().map(|(id, _)| *id)
    }

    /// How often that has happened.
    pub fn tears(&self) -> u64 {
        self.seen.lock().tears
    }

    /// A frame stands at this place of the log.
    fn saw(&self, before: Option<LogId>, id: LogId, frame: &Bytes) -> bool {
        let mut seen = self.seen.lock();
        if seen.base.is_some_and(|base| id <= base) {
            return true;
        }
        // Two frames cannot have one place: of one of them nobody will know what it told.
        let displaced = seen.frames.get(&id).is_some_and(|told| told.frame != *frame);
        let fits = !displaced && seen.fits(before, id);
        seen.blind |= displaced;
        seen.held |= !fits;
        let known = seen.frames.get(&id).and_then(|told| told.before);
        let told = Told {
            before: before.or(known),
            frame: frame.clone(),
        };
        seen.frames.insert(id, told);
        // It was appended behind what was refused, so it would be lost with that.
        if seen.refused.is_some_and(|(end, _)| end < id) {
            seen.refused = None;
            seen.forgotten = Some(id);
        }
        let newest = seen.frames.last_key_value().map_or(id, |(id, _)| *id);
        let most = if seen.held { 2 * FRAMES } else { FRAMES };
        while let Some(oldest) = seen.frames.first_entry() {
            let id = *oldest.key();
            let is_late = seen.held || id.millis.saturating_add(self.window()) >= newest.millis;
            if is_late && seen.frames.len() <= most {
                break;
            }
            seen.frames.pop_first();
            seen.base = Some(id);
            seen.blind |= seen.held;
            if is_late {
                seen.forgotten = seen.forgotten.max(Some(id));
            }
        }
        fits
    }

    fn window(&self) -> u64 {
        if self.is_scattered { SCATTERED_WINDOW } else { WINDOW }
    }

    /// A server was replaced beside the one that has the log.
    pub fn suspect(&self) {
        self.seen.lock().suspicions += 1;
    }

    /// How often that has happened.
    pub fn suspicions(&self) -> u64 {
        self.seen.lock().suspicions
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

    /// What the log has lost in which this was found. One that is as long as logs become has been trimmed: what is older than its
    /// first frame is not lost for that. From here on what is lost counts as told; what is there may be lost yet. So many suspicions are
    /// settled by it.
    pub fn settle(&self, log: &Found<'_>, suspicions: u64) -> Loss {
        let Found {
            first,
            there,
            length,
            end,
        } = *log;
        let mut seen = self.seen.lock();
        let suspected = std::mem::replace(&mut seen.settled, suspicions) != suspicions;
        let has_forgotten = seen.has_forgotten(self.window());
        let frames = std::mem::take(&mut seen.frames);
        let blind = std::mem::take(&mut seen.blind);
        seen.held = false;
        // Older frames are there, and this one is not: it was not trimmed, and nobody knows what else is missing.
        let lacks_base = |base: LogId| first.is_some_and(|first| first <= base) && !there.contains(&base);
        if blind || seen.base.is_none_or(lacks_base) {
            let known = !blind && seen.base.is_none();
            seen.base = Some(there.last().copied().unwrap_or(LogId::START));
            let nothing = Loss::Frames {
                gone: Vec::new(),
                doubtful: Vec::new(),
            };
            return if known { nothing } else { Loss::Unknown };
        }
        let trimmed = |id: &LogId| length >= LOG_LENGTH && first.is_some_and(|first| *id < first);
        let (there, lost): (BTreeMap<_, _>, BTreeMap<_, _>) = frames
            .into_iter()
            .filter(|(id, _)| !trimmed(id))
            .partition(|(id, _)| there.contains(id) || Some(*id) > end);
        let doubtful = if suspected {
            there.values().map(|told| told.frame.clone()).collect()
        } else {
            Vec::new()
        };
        seen.frames = there;
        if suspected && has_forgotten {
            seen.forgotten = None;
            return Loss::Unknown;
        }
        Loss::Frames {
            gone: lost.into_iter().map(|(id, told)| (id, told.frame)).collect(),
            doubtful,
        }
    }
}

impl Seen {
    /// Whether nothing that is remembered stood between this frame and the one before it, and the one behind it was appended
    /// to a log that had it.
    fn fits(&self, before: Option<LogId>, id: LogId) -> bool {
        let below = self.frames.range(..id).next_back().map(|(id, _)| *id);
        let above = self.frames.range((Excluded(id), Unbounded)).next();
        let is_next = before.is_none_or(|before| below.or(self.base) <= Some(before));
        let is_followed = above
            .and_then(|(_, told)| told.before)
            .is_none_or(|before| id <= before);
        is_next && is_followed
    }

    /// Whether something was told in the last milliseconds that is not remembered.
    fn has_forgotten(&self, window: u64) -> bool {
        let newest = self.frames.last_key_value().map_or(0, |(id, _)| id.millis);
        self.refused.is_some()
            || self
                .forgotten
                .is_some_and(|id| id.millis.saturating_add(window) >= newest)
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
            .for_each(|millis| saw(&witness, id(millis), &frame(millis)));
        witness
    }

    /// It is read in the log, alone.
    fn saw(witness: &Witness, id: LogId, frame: &Bytes) {
        assert!(witness.saw(None, id, frame));
    }

    /// An audit finds these.
    fn found(witness: &Witness, first: Option<LogId>, there: &BTreeSet<LogId>, length: usize) -> Loss {
        let end = witness.hold();
        let log = Found {
            first,
            there,
            length,
            end,
        };
        witness.settle(&log, witness.suspicions())
    }

    fn settle(witness: &Witness, first: Option<LogId>, there: impl IntoIterator<Item = u64>) -> Loss {
        let there: BTreeSet<_> = there.into_iter().map(id).collect();
        found(witness, first, &there, there.len())
    }

    /// The same in a log that is as long as logs become.
    fn settle_long(witness: &Witness, first: Option<LogId>, there: impl IntoIterator<Item = u64>) -> Loss {
        found(witness, first, &there.into_iter().map(id).collect(), LOG_LENGTH)
    }

    fn lost(frames: impl IntoIterator<Item = u64>) -> Loss {
        Loss::Frames {
            gone: frames.into_iter().map(|millis| (id(millis), frame(millis))).collect(),
            doubtful: Vec::new(),
        }
    }

    fn doubtful(frames: impl IntoIterator<Item = u64>) -> Loss {
        Loss::Frames {
            gone: Vec::new(),
            doubtful: frames.into_iter().map(frame).collect(),
        }
    }

    #[test]
    fn frames_that_are_not_there_are_lost() {
        let seen = || witness([2, 3, 4]);
        assert_eq!(seen().from(), Some(id(1)));
        assert_eq!(settle(&seen(), Some(id(1)), [1, 2, 3, 4]), lost([]));
        assert_eq!(settle(&seen(), Some(id(1)), [1, 2, 9]), lost([3, 4]));
    }

    #[test]
    fn a_frame_that_was_appended_to_a_log_without_what_is_remembered_shows_that_it_is_torn() {
        let told = |witness: &Witness, before, millis| {
            let [before, id] = [before, millis].map(id);
            witness.told(&Place::Logged { before, id }, &frame(millis))
        };
        let seen = || {
            let witness = witness([]);
            assert!(
                told(&witness, 1, 3) && told(&witness, 3, 5),
                "each follows the one before"
            );
            witness
        };
        assert!(told(&seen(), 5, 6));
        assert!(told(&seen(), 6, 7), "what is between was not heard yet");
        assert!(told(&seen(), 1, 3), "heard twice");
        assert!(!told(&seen(), 3, 6), "5 is gone");
        assert!(!told(&seen(), 0, 9), "all are gone, and what was before them");
        assert!(!told(&seen(), 3, 4), "5 was appended behind 3");
        assert!(
            !seen().told(
                &Place::Logged {
                    before: id(3),
                    id: id(5)
                },
                &frame(9)
            ),
            "another one has its place"
        );
        let witness = witness([]);
        assert!(told(&witness, 5, 6));
        assert!(told(&witness, 1, 3), "an answer came late");
        assert!(
            !told(&witness, 3, 4) || !told(&witness, 3, 5),
            "one of two has the place"
        );
    }

    #[test]
    fn of_two_frames_at_one_place_one_is_lost_and_nobody_knows_what_it_told() {
        let witness = witness([2]);
        let before = id(1);
        assert!(!witness.told(&Place::Logged { before, id: id(2) }, &frame(9)));
        assert_eq!(settle(&witness, Some(id(1)), [1, 2]), Loss::Unknown);
    }

    #[test]
    fn what_is_told_while_it_is_found_out_is_not_lost() {
        let witness = witness([2, 3]);
        let end = witness.hold();
        saw(&witness, id(4), &frame(4));
        let there = [1, 2].map(id).into();
        let log = Found {
            first: Some(id(1)),
            there: &there,
            length: 2,
            end,
        };
        assert_eq!(witness.settle(&log, 0), lost([3]));
        assert_eq!(witness.end().frame, Some(id(4)), "and may be lost yet");
    }

    #[test]
    fn nothing_is_forgotten_while_it_is_found_out_what_is_lost() {
        let witness = witness([2, 3]);
        witness.hold();
        let later = [WINDOW + 3, 2 * WINDOW + 4];
        assert!(!witness.saw_page(&[1, 2, later[0], later[1]].map(|millis| (id(millis), frame(millis)))));
        assert_eq!(settle(&witness, Some(id(1)), [1, 2, later[0], later[1]]), lost([3]));
        saw(&witness, id(2 * WINDOW + 5), &frame(5));
        assert_eq!(witness.from(), Some(id(later[0])), "from then on it is");
        // Nor when it is the frame itself that shows it.
        let witness = self::witness([3]);
        let before = id(WINDOW);
        assert!(witness.told(
            &Place::Logged {
                before,
                id: id(WINDOW + 2)
            },
            &frame(WINDOW + 2)
        ));
        let torn = Place::Logged {
            before: id(2),
            id: id(2 * WINDOW + 9),
        };
        assert!(!witness.told(&torn, &frame(6)));
        assert_eq!(witness.end().frame, Some(id(2 * WINDOW + 9)));
        assert_eq!(
            settle(&witness, Some(id(1)), [1, 2, 2 * WINDOW + 9]),
            lost([3, WINDOW + 2])
        );
    }

    #[test]
    fn a_page_of_the_log_shows_that_it_is_torn() {
        let page = |frames: &[u64]| -> Vec<_> { frames.iter().map(|millis| (id(*millis), frame(*millis))).collect() };
        assert!(witness([2, 4]).saw_page(&page(&[2, 3, 4, 5])));
        assert!(!witness([2, 4]).saw_page(&page(&[2, 3, 5])));
        assert!(witness([2, 4]).saw_page(&page(&[4, 5])));
        assert!(witness([2, 4]).saw_page(&page(&[])));
    }

    #[test]
    fn a_log_that_ends_before_all_that_is_remembered_has_lost_nobody_knows_what() {
        let witness = witness([2, 3]);
        assert_eq!(settle(&witness, Some(id(0)), [9]), Loss::Unknown);
    }

    #[test]
    fn a_log_that_was_trimmed_has_lost_nothing_and_one_that_was_deleted_may_have_lost_what_is_remembered() {
        let seen = || witness([2, 3, 4]);
        assert_eq!(settle_long(&seen(), Some(id(3)), [3]), lost([4]));
        assert_eq!(settle(&seen(), Some(id(3)), [3, 4]), lost([2]));
        assert_eq!(settle(&seen(), None, []), lost([2, 3, 4]));
    }

    #[test]
    fn what_was_lost_once_is_not_missed_again() {
        let witness = witness([2, 3]);
        assert_eq!(witness.end().frame, Some(id(3)));
        assert_eq!(settle(&witness, Some(id(1)), [1, 2]), lost([3]));
        assert_eq!(witness.end().frame, Some(id(2)), "a log that ends there is whole");
        assert_eq!(settle(&witness, Some(id(1)), [1, 2]), lost([]));
    }

    #[test]
    fn what_was_there_once_may_be_lost_yet() {
        let witness = witness([2, 3]);
        assert_eq!(settle(&witness, Some(id(1)), [1, 2]), lost([3]));
        assert_eq!(settle(&witness, None, []), lost([2]));
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let witness = witness([2, 500, WINDOW + 501]);
        assert_eq!(witness.from(), Some(id(500)));
        saw(&witness, id(3), &frame(3));
        assert_eq!(settle(&witness, Some(id(1)), [500]), lost([WINDOW + 501]));
    }

    #[test]
    fn no_more_frames_are_remembered_than_fit() {
        let witness = Witness::default();
        witness.begin(LogId::START);
        for count in 1..=FRAMES as u64 + 5 {
            saw(&witness, LogId { millis: 1, count }, &frame(count));
        }
        assert_eq!(witness.from(), Some(LogId { millis: 1, count: 5 }));
    }

    #[test]
    fn beside_a_server_that_was_replaced_what_is_there_is_in_doubt_once() {
        let witness = Witness::new(true);
        witness.begin(id(1));
        [2, 3]
            .into_iter()
            .for_each(|millis| saw(&witness, id(millis), &frame(millis)));
        let settle = || settle(&witness, Some(id(1)), [1, 2, 3]);
        assert_eq!(settle(), doubtful([]));
        witness.suspect();
        assert_eq!(settle(), doubtful([2, 3]));
        assert_eq!(settle(), doubtful([]));
    }

    #[test]
    fn where_the_log_goes_on_frames_are_remembered_until_a_failover_is_over() {
        let witness = Witness::new(true);
        witness.begin(id(1));
        for millis in [2, WINDOW + 3, SCATTERED_WINDOW] {
            saw(&witness, id(millis), &frame(millis));
        }
        assert_eq!(witness.from(), Some(id(1)));
        saw(&witness, id(SCATTERED_WINDOW + 3), &frame(4));
        assert_eq!(witness.from(), Some(id(2)));
    }

    #[test]
    fn what_was_told_lately_and_is_not_remembered_leaves_nothing_that_counts_beside_a_server_that_was_replaced() {
        let settle = |witness: &Witness| {
            witness.suspect();
            let from = witness.from().expect("it has begun");
            let there: BTreeSet<_> = witness.seen.lock().frames.keys().copied().chain([from]).collect();
            found(witness, Some(from), &there, there.len())
        };
        let witness = Witness::new(true);
        witness.begin(LogId::START);
        for count in 1..=FRAMES as u64 + 1 {
            saw(&witness, LogId { millis: 1, count }, &frame(count));
        }
        assert_eq!(settle(&witness), Loss::Unknown);
        let witness = Witness::new(true);
        witness.begin(id(1));
        let refused = Place::Refused {
            end: id(1),
            before: 0,
            mark: 7,
        };
        witness.told(&refused, &frame(1));
        assert_eq!(settle(&witness), Loss::Unknown);
        saw(&witness, id(2), &frame(2));
        assert_eq!(settle(&witness), Loss::Unknown, "it was told a moment ago");
        saw(&witness, id(SCATTERED_WINDOW + 3), &frame(3));
        assert_eq!(settle(&witness), doubtful([3]));
    }
}

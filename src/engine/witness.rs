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

    /// The log was found torn by its reader.
    pub fn tear(&self) {
        self.seen.lock().tears += 1;
    }

    /// How often that has happened.
    pub fn tears(&self) -> u64 {
        self.seen.lock().tears
    }

    /// From here on nothing is forgotten until it is settled what the log has lost. The last frame that is remembered.
    pub fn hold(&self) -> Option<LogId> {
        let mut seen = self.seen.lock();
        seen.held = true;
        seen.frames.last_key_value().map(|(id, _)| *id)
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
        // In one step: no audit ends between the two.
        seen.held |= !fits;
        seen.tears += u64::from(!fits);
        seen.remember(before, id, frame, self.window());
        fits
    }

    /// These follow one another in a log of which it is settled what it has lost.
    pub fn add_page(&self, page: &[(LogId, Bytes)]) {
        let befores = std::iter::once(None).chain(page.iter().map(|(id, _)| Some(*id)));
        let mut seen = self.seen.lock();
        for ((id, frame), before) in page.iter().zip(befores) {
            if seen.base.is_none_or(|base| base < *id) {
                seen.remember(before, *id, frame, self.window());
            }
        }
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

    /// The log cannot be read, and it will not be known what it has lost. Nothing counts that was there.
    pub fn give_up(&self, suspicions: u64) {
        let mut seen = self.seen.lock();
        seen.settled = suspicions;
        seen.held = false;
        seen.blind = false;
        seen.frames.clear();
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

    /// What a log has lost of which these pages were read: all of it, or what begins it and what follows [`Witness::from`]. `end`: the last
    /// frame that was remembered before; others may have been told since. A log that is as long as logs become has been trimmed: what is
    /// older than its first frame is not lost for that. From here on what is lost counts as told; what is there may be lost yet. So many
    /// suspicions are settled by it.
    pub fn settle(&self, pages: &[Vec<(LogId, Bytes)>], end: Option<LogId>, suspicions: u64) -> Loss {
        let there: BTreeSet<LogId> = pages.iter().flatten().map(|(id, _)| *id).collect();
        let (first, length) = (there.first().copied(), there.len());
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
            // Also what stands in the log and was not heard.
            let unheard = pages.iter().flatten().filter(|(id, _)| seen.base < Some(*id)).cloned();
            let remembered = there.iter().map(|(id, told)| (*id, told.frame.clone()));
            unheard
                .chain(remembered)
                .collect::<BTreeMap<_, _>>()
                .into_values()
                .collect()
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
    /// Forgets what is older than the window by the clock of the log, and what is too much.
    fn remember(&mut self, before: Option<LogId>, id: LogId, frame: &Bytes, window: u64) {
        let known = self.frames.get(&id).and_then(|told| told.before);
        let told = Told {
            before: before.or(known),
            frame: frame.clone(),
        };
        self.frames.insert(id, told);
        // It was appended behind what was refused, so it would be lost with that.
        if self.refused.is_some_and(|(end, _)| end < id) {
            self.refused = None;
            self.forgotten = Some(id);
        }
        let newest = self.frames.last_key_value().map_or(id, |(id, _)| *id);
        let most = if self.held { 2 * FRAMES } else { FRAMES };
        while let Some(oldest) = self.frames.first_entry() {
            let id = *oldest.key();
            let is_late = self.held || id.millis.saturating_add(window) >= newest.millis;
            if is_late && self.frames.len() <= most {
                break;
            }
            self.frames.pop_first();
            self.base = Some(id);
            self.blind |= self.held;
            if is_late {
                self.forgotten = self.forgotten.max(Some(id));
            }
        }
    }

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
#[path = "witness_tests.rs"]
mod tests;

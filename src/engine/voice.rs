//! What an engine says: changes become numbered frames, which leave at the end of the batch that holds the changes. What
//! nobody heard, or perhaps nobody, is said again, in a new session: the numbers of the one before lead nowhere.

use crate::engine::witness::Witness;
use crate::event::{Change, Frame, Place, Stream};
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A frame ends with the change that makes it longer than this, in bytes. It bounds the log, which is bounded in frames.
const FRAME: usize = 1_024;
/// Changes that wait to be said; more become one that says that everything is old.
const WAITING: usize = 10_000;

/// See the module.
pub struct Voice {
    sender: u64,
    witness: Arc<Witness>,
    state: Mutex<State>,
    /// Incarnation and counter of the namespace state, for the frames.
    known: [AtomicU64; 2],
}

struct State {
    session: u32,
    stream: Stream,
    next: u64,
    /// What was said and perhaps not heard. In any order: each makes something old.
    waiting: VecDeque<Change>,
}

/// What a batch says.
#[derive(Default)]
pub struct Speech {
    /// In their order.
    pub frames: Vec<Bytes>,
    /// Nobody need hear them.
    pub hints: Vec<Bytes>,
    session: u32,
    /// What the frames say.
    changes: Vec<Change>,
}

impl Speech {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.hints.is_empty()
    }
}

impl Voice {
    /// The voice of an engine, known by this number. What stands in the log the witness is told.
    pub fn new(sender: u64, witness: Arc<Witness>) -> Self {
        Self {
            sender,
            witness,
            state: Mutex::new(State {
                session: 0,
                stream: Stream::Logged,
                next: 0,
                waiting: VecDeque::new(),
            }),
            known: Default::default(),
        }
    }

    /// Its number.
    pub fn sender(&self) -> u64 {
        self.sender
    }

    /// Whether the log takes what it says, as far as is known.
    pub fn is_logged(&self) -> bool {
        self.state.lock().stream == Stream::Logged
    }

    /// The namespace state as last seen.
    pub fn knows(&self, incarnation: u64, counter: u64) {
        self.known[0].store(incarnation, Ordering::Relaxed);
        self.known[1].store(counter, Ordering::Relaxed);
    }

    /// Makes frames of these changes; `beat` makes one also when there is none. Those that wait come along in front of
    /// them, unless there is little hope: `along`.
    pub fn speak(&self, changes: Vec<Change>, beat: bool, along: bool) -> Speech {
        let mut state = self.state.lock();
        let (told, hints): (Vec<_>, Vec<_>) = changes.into_iter().partition(Change::is_invalidation);
        let hints = (!hints.is_empty()).then(|| self.frame(0, Stream::Hint, 0..0, hints));
        let along = if along { state.waiting.len() } else { 0 };
        if told.is_empty() && !beat && along == 0 {
            let hints = hints.into_iter().collect();
            return Speech {
                hints,
                ..Speech::default()
            };
        }
        let changes: Vec<Change> = state.waiting.drain(..along).chain(told).collect();
        let (session, stream) = (state.session, state.stream);
        let mut frames = Vec::new();
        let mut rest = &changes[..];
        while !rest.is_empty() || (beat && frames.is_empty()) {
            let (now, later) = rest.split_at(fitting(rest));
            let first = state.next;
            state.next += now.len() as u64;
            frames.push(self.frame(session, stream, first..state.next, now.to_vec()));
            rest = later;
        }
        Speech {
            frames,
            hints: hints.into_iter().collect(),
            session,
            changes,
        }
    }

    /// What became of a speech: the places of its frames, or `None` when perhaps nobody heard them. In the order in which
    /// the speeches were made. Whether they fit what is remembered of the log.
    pub fn told(&self, speech: Speech, places: Option<&[Place]>) -> bool {
        if speech.frames.is_empty() {
            return true;
        }
        let mut state = self.state.lock();
        let Some(places) = places.filter(|places| places.len() == speech.frames.len()) else {
            state.leave(speech.session);
            state.waiting.extend(speech.changes);
            if state.waiting.len() > WAITING {
                state.waiting.clear();
                state.waiting.push_back(Change::Clear { path: "".into() });
            }
            return true;
        };
        let told = speech.frames.iter().zip(places);
        let fits = told.map(|(frame, place)| self.witness.told(place, frame));
        let fits = fits.fold(true, |all, fits| all & fits);
        let logged = places.iter().all(Place::is_logged);
        match state.stream {
            Stream::Unlogged if logged && state.session == speech.session => {
                state.leave(speech.session);
                state.stream = Stream::Logged;
                // Who did not hear what was not logged will not find it: all is old.
                state.waiting.push_back(Change::Clear { path: "".into() });
            }
            Stream::Logged if !logged => {
                state.leave(speech.session);
                state.stream = Stream::Unlogged;
            }
            _ => {}
        }
        fits
    }

    fn frame(&self, session: u32, stream: Stream, numbers: std::ops::Range<u64>, changes: Vec<Change>) -> Bytes {
        let frame = Frame {
            sender: self.sender,
            session,
            stream,
            first: numbers.start,
            next: numbers.end,
            incarnation: self.known[0].load(Ordering::Relaxed),
            counter: self.known[1].load(Ordering::Relaxed),
            changes,
        };
        frame.encode().into()
    }
}

impl State {
    /// Begins a new session, unless that has been done.
    fn leave(&mut self, session: u32) {
        if self.session == session {
            self.session = self.session.wrapping_add(1);
            self.next = 0;
        }
    }
}

/// How many of the changes make one frame.
fn fitting(changes: &[Change]) -> usize {
    let mut bytes = 0;
    let full = changes.iter().position(|change| {
        bytes += size(change);
        bytes >= FRAME
    });
    full.map_or(changes.len(), |last| last + 1)
}

fn size(change: &Change) -> usize {
    match change {
        Change::Key { path, key, .. } | Change::Filled { path, key } | Change::Freed { path, key } => {
            11 + path.len() + key.len()
        }
        Change::Pattern { path, pattern } => 11 + path.len() + pattern.len(),
        Change::Tags { fields } => 3 + fields.iter().map(|field| 4 + field.len()).sum::<usize>(),
        Change::Clear { path } => 7 + path.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::KeyChange;
    use crate::event::LogId;

    fn delete(key: &str) -> Change {
        Change::Key {
            how: KeyChange::Delete,
            path: "".into(),
            key: key.into(),
        }
    }

    fn read(speech: &Speech) -> Vec<Frame> {
        speech
            .frames
            .iter()
            .map(|frame| Frame::decode(frame).unwrap())
            .collect()
    }

    fn logged(before: u64, id: u64) -> Place {
        let [before, id] = [before, id].map(|count| LogId { millis: 1, count });
        Place::Logged { before, id }
    }

    #[test]
    fn changes_of_one_batch_share_frames_and_are_numbered() {
        let voice = Voice::new(7, Arc::default());
        let long = "x".repeat(500);
        let speech = voice.speak((0..5).map(|_| delete(&long)).collect(), false, true);
        let numbers: Vec<_> = read(&speech).iter().map(|frame| (frame.first, frame.next)).collect();
        assert_eq!(numbers, [(0, 3), (3, 5)], "a frame ends behind 1,024 bytes");
        let speech = voice.speak(vec![delete("k")], false, true);
        assert_eq!(read(&speech)[0].first, 5);
        assert!(voice.speak(Vec::new(), false, true).is_empty());
    }

    #[test]
    fn what_perhaps_nobody_heard_is_said_again_first_and_in_a_new_session() {
        let voice = Voice::new(7, Arc::default());
        let lost = voice.speak(vec![delete("a")], false, true);
        voice.told(lost, None);
        assert!(
            voice.speak(Vec::new(), false, false).is_empty(),
            "where there is no hope nothing comes along"
        );
        let speech = voice.speak(vec![delete("b")], false, true);
        let frames = read(&speech);
        assert_eq!((frames[0].session, frames[0].first, frames[0].next), (1, 0, 2));
        assert_eq!(frames[0].changes, [delete("a"), delete("b")]);
        voice.told(speech, Some(&[logged(1, 2)]));
        assert!(voice.speak(Vec::new(), false, true).is_empty());
    }

    #[test]
    fn two_batches_that_fail_begin_one_session_and_keep_what_they_said() {
        let voice = Voice::new(7, Arc::default());
        let (first, second) = (
            voice.speak(vec![delete("a")], false, true),
            voice.speak(vec![delete("b")], false, true),
        );
        voice.told(first, None);
        voice.told(second, None);
        let frame = &read(&voice.speak(Vec::new(), false, true))[0];
        assert_eq!((frame.session, frame.changes.len()), (1, 2));
    }

    #[test]
    fn more_than_can_wait_becomes_everything() {
        let voice = Voice::new(7, Arc::default());
        for _ in 0..3 {
            let many = (0..WAITING / 2).map(|n| delete(&n.to_string())).collect();
            voice.told(voice.speak(many, false, true), None);
        }
        let said: Vec<_> = read(&voice.speak(Vec::new(), false, true))
            .into_iter()
            .flat_map(|frame| frame.changes)
            .collect();
        assert_eq!(said[0], Change::Clear { path: "".into() });
    }

    #[test]
    fn a_log_that_refuses_makes_frames_unlogged_and_one_that_takes_them_again_hears_that_all_is_old() {
        let voice = Voice::new(7, Arc::default());
        voice.told(voice.speak(Vec::new(), true, true), Some(&[Place::Unknown]));
        assert!(!voice.is_logged());
        let speech = voice.speak(vec![delete("a")], false, true);
        assert_eq!(read(&speech)[0].stream, Stream::Unlogged);
        voice.told(speech, Some(&[logged(1, 2)]));
        let frame = &read(&voice.speak(Vec::new(), false, true))[0];
        assert_eq!(
            (frame.stream, &frame.changes[..]),
            (Stream::Logged, &[Change::Clear { path: "".into() }][..])
        );
    }

    #[test]
    fn hints_count_nothing() {
        let voice = Voice::new(7, Arc::default());
        let filled = Change::Filled {
            path: "".into(),
            key: "k".into(),
        };
        let speech = voice.speak(vec![filled, delete("k")], false, true);
        assert_eq!((speech.frames.len(), speech.hints.len()), (1, 1));
        assert_eq!(Frame::decode(&speech.hints[0]).unwrap().stream, Stream::Hint);
        assert_eq!(read(&speech)[0].next, 1);
    }
}

//! What others say: heard on the engine's own task, and applied before the next message is looked at (law 3). What was not
//! heard is read in the log, which is looked at once in a while in any case: a lost last message has none behind it that
//! would show the gap.

use crate::bus::Heard;
use crate::clock::Millis;
use crate::engine::Engine;
use crate::engine::hearing::{Hearing, Page, Verdict};
use crate::engine::outbox::{BatchState, Cause, Done};
use crate::engine::witness::End;
use crate::error::{Error, Result};
use crate::event::{Change, Frame, LogId, Message, Place, Stream};
use crate::pattern::Pattern;
use crate::tier::{LOG_PAGE, RemoteReply, RemoteRequest};
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::{mpsc, watch};

/// How often the log is asked what was told last, in milliseconds. The question also shows a dead connection, an emptied
/// or another server, and that it is back, before a caller finds out.
pub(super) const ASK: u64 = 400;
/// How long the answer may take before what is held is not trusted any more (law 4): with [`ASK`] and a tick of the
/// housekeeping less than a second.
const PATIENCE: u64 = 450;
/// While the remote tier answers and the bus cannot be heard, others change things and nobody tells: what is held is dropped
/// so often. Where it has not answered since the last time, nothing can have come from it.
const UNHEARD: u64 = 850;
/// How often an engine that has nothing to tell says that it is there, in milliseconds: a log to which nobody appends for a day goes, and
/// one that is gone has been lost.
const BEAT: u64 = 3_600_000;
const NEVER: u64 = u64::MAX;

/// The engine's ear.
pub(super) struct Inbound {
    hearing: Mutex<Hearing>,
    /// The subscription stands.
    listening: AtomicBool,
    /// One of [`Log`].
    log: AtomicU8,
    /// The log is being read.
    reading: AtomicBool,
    /// When the oldest question was asked that has no answer, or [`NEVER`].
    asked: AtomicU64,
    /// When everything was dropped because of it, or [`NEVER`].
    dropped: AtomicU64,
    /// When this engine said last that it is there.
    said: AtomicU64,
    /// The remote tier has answered something since.
    answered: AtomicBool,
    /// Incarnation of the remote tier when everything was known last.
    pub(super) incarnation: AtomicU64,
    /// It is being found out what the remote tier has lost. Held while a doubt begins or ends.
    pub(super) auditing: Mutex<bool>,
}

/// Whether the log can be used. Without it a lost message shows only by what the next one says of those before it, and a
/// connection that was lost costs all that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Log {
    Unknown = 0,
    Readable = 1,
    /// It refuses what is appended.
    Closed = 2,
    /// It refuses to be read. Asked again with the next subscription.
    Hidden = 3,
}

impl Default for Inbound {
    fn default() -> Self {
        Self {
            hearing: Mutex::default(),
            listening: AtomicBool::new(false),
            log: AtomicU8::new(Log::Unknown as u8),
            reading: AtomicBool::new(false),
            asked: AtomicU64::new(NEVER),
            dropped: AtomicU64::new(NEVER),
            said: AtomicU64::default(),
            answered: AtomicBool::new(false),
            incarnation: AtomicU64::new(0),
            auditing: Mutex::default(),
        }
    }
}

impl Inbound {
    /// Whether messages are heard, and a missing one would be noticed.
    pub fn is_heard(&self) -> bool {
        self.listening.load(Ordering::SeqCst) && self.log() != Log::Unknown
    }

    fn log(&self) -> Log {
        match self.log.load(Ordering::SeqCst) {
            1 => Log::Readable,
            2 => Log::Closed,
            3 => Log::Hidden,
            _ => Log::Unknown,
        }
    }

    fn set_log(&self, log: Log) {
        self.log.store(log as u8, Ordering::SeqCst);
    }

    /// The remote tier has answered. Called before anything of the answer is kept: what is kept of it later was captured
    /// before the next drop, which refuses it, or is known to that.
    pub fn remote_answered(&self) {
        // Mostly it is set: then the line of the cache is not written.
        if !self.answered.load(Ordering::SeqCst) {
            self.answered.store(true, Ordering::SeqCst);
        }
    }

    /// Everything up to the last question is known.
    fn caught_up(&self) {
        self.asked.store(NEVER, Ordering::SeqCst);
        self.dropped.store(NEVER, Ordering::SeqCst);
    }
}

impl Engine {
    pub(super) fn start_listening(self: &Arc<Self>) {
        if !self.bus.is_there() {
            return;
        }
        let (sink, heard) = mpsc::unbounded_channel();
        self.bus.listen(sink);
        self.runtime
            .spawn(listen(Arc::downgrade(self), heard, self.ending.subscribe()));
        self.ask_log(self.clock.now());
    }

    fn hear(self: &Arc<Self>, heard: Heard) {
        match heard {
            Heard::Message(bytes) => match Frame::heard(&bytes) {
                Some(Message::Frame(frame, place)) => {
                    let fits = self.witness.told(&place, &Frame::bytes(bytes));
                    self.hear_frame(frame, place);
                    if !fits {
                        self.find_torn();
                    }
                }
                // It makes something old, and nobody here understands what.
                Some(Message::OtherVersion) => {
                    tracing::debug!("a message on the bus is of another version");
                    self.drop_unheard();
                }
                None => tracing::debug!(bytes = bytes.len(), "a message on the bus was not understood"),
            },
            Heard::Listening => {
                self.inbound.listening.store(true, Ordering::SeqCst);
                self.listening_changed();
                if self.inbound.log() == Log::Hidden {
                    self.inbound.set_log(Log::Unknown);
                }
            }
            Heard::Lost => {
                self.inbound.listening.store(false, Ordering::SeqCst);
                self.listening_changed();
            }
        }
    }

    /// What is said, or was, while nobody listens is in the log. Without one it is unknown (law 4).
    fn listening_changed(self: &Arc<Self>) {
        match self.inbound.log() {
            Log::Readable => self.read_log(),
            // Everything is dropped when it is known.
            Log::Unknown => {}
            Log::Closed | Log::Hidden => self.drop_unheard(),
        }
    }

    fn hear_frame(self: &Arc<Self>, frame: Frame, place: Place) {
        let own = frame.sender == self.voice.sender();
        let unread = matches!(self.inbound.log(), Log::Closed | Log::Hidden);
        if own && frame.stream != Stream::Hint && unread {
            // Whoever hears himself has heard the others: all that was said before.
            self.inbound.caught_up();
        }
        let hearing = &self.inbound.hearing;
        let verdict = match place {
            Place::Logged { before, id } => {
                // Applied before it counts as heard: nobody shall believe that everything is.
                if !own && !hearing.lock().knows(id) {
                    self.apply_frame(frame);
                }
                hearing.lock().logged(before, id)
            }
            Place::Refused { end, before, mark } => {
                if !own {
                    self.apply_frame(frame);
                }
                hearing.lock().refused(end, before, mark)
            }
            Place::Unknown => {
                let verdict = hearing.lock().unlogged(&frame);
                if !own && verdict != Verdict::Known {
                    self.apply_frame(frame);
                }
                verdict
            }
        };
        let beyond = unread && place.end().is_some_and(|end| !hearing.lock().reaches(end));
        match verdict {
            Verdict::Known | Verdict::Next if !beyond => {}
            Verdict::Gap if !unread => {
                self.counters.bus_gaps.add();
                self.read_log();
            }
            _ => {
                self.counters.bus_gaps.add();
                self.drop_unheard();
            }
        }
    }

    fn apply_frame(self: &Arc<Self>, frame: Frame) {
        // A sender of another incarnation may be behind, or ahead: the next answer of the remote tier tells.
        let known = self.last_state.lock().incarnation;
        if known != 0 && known == frame.incarnation {
            // Of the same one: it changes only the counter, whatever was seen before.
            self.saw_incarnation(0, frame.incarnation, frame.counter);
        }
        for change in frame.changes {
            self.apply(change);
        }
    }

    fn apply(self: &Arc<Self>, change: Change) {
        let counts = change.is_invalidation();
        match change {
            Change::Key { path, key, .. } => {
                // A namespace that nobody here has opened holds nothing.
                if let Some(namespace) = self.namespaces.find(&path) {
                    self.drop_key(&namespace, &key);
                    self.wake_waiters(&namespace, &key);
                }
            }
            Change::Filled { path, key } | Change::Freed { path, key } => {
                if let Some(namespace) = self.namespaces.find(&path) {
                    self.wake_waiters(&namespace, &key);
                    self.wake_lock(&namespace, &key);
                }
            }
            Change::Pattern { path, pattern } => self.purge_as_told(&path, &pattern),
            Change::Tags { fields } => self.apply_raised(&fields),
            Change::Clear { path } => self.drop_held(&path),
        }
        // Behind it: who sees the number sees the change, too.
        if counts {
            self.counters.events_received.add();
        }
    }

    /// Asks what was told last: the log, or where there is none, for an echo of one's own voice, which also shows the others
    /// how far its numbers have come.
    pub(super) fn ask_log(self: &Arc<Self>, now: Millis) {
        // The oldest question counts.
        let _ = self
            .inbound
            .asked
            .compare_exchange(NEVER, now.0, Ordering::SeqCst, Ordering::SeqCst);
        if self.recovery.doubts_all() {
            self.audit();
        }
        if self.inbound.log() == Log::Readable {
            self.read_log();
            if self.voice.is_logged() && now.since(Millis(self.inbound.said.load(Ordering::SeqCst))) < BEAT {
                return;
            }
        }
        self.inbound.said.store(now.0, Ordering::SeqCst);
        self.ask_voice();
    }

    /// Says that this engine is there, and sees whether the log takes that.
    fn ask_voice(self: &Arc<Self>) {
        let engine = Arc::clone(self);
        let done = Box::new(move |state: &BatchState, reply: Result<RemoteReply>| {
            engine.saw_state(state);
            if let Ok(RemoteReply::Told(places)) = reply {
                engine.begin_hearing(places.last().copied().unwrap_or(Place::Unknown));
            }
        });
        self.outbox.beat(done);
    }

    /// One's own frame stands at the end of the log: from here on nothing will be missed. Refused: nothing will be missed as
    /// long as the subscription stands.
    fn begin_hearing(self: &Arc<Self>, place: Place) {
        let inbound = &self.inbound;
        match (place, inbound.log()) {
            (Place::Logged { id, .. }, Log::Unknown | Log::Closed) => {
                inbound.hearing.lock().begin(id);
                if self.witness.from().is_none() {
                    self.witness.begin(id);
                }
                // Of what was told before, nobody knows what was heard.
                self.drop_held("");
                inbound.set_log(Log::Readable);
                inbound.caught_up();
                self.read_log();
            }
            (Place::Refused { .. } | Place::Unknown, log @ (Log::Unknown | Log::Readable)) => {
                tracing::warn!("the log of the bus takes nothing: a lost connection costs what is held in memory");
                // Who has read it knows how far it reached, and where the mark stood: the next message shows whether more was said.
                if log == Log::Unknown {
                    self.drop_held("");
                }
                inbound.set_log(Log::Closed);
            }
            _ => {}
        }
    }

    /// What the first batch after a failure begins with: whether the log still holds what it held, and the mark stands where it
    /// stood. Only then the other answers are believed.
    pub(super) fn opening(self: &Arc<Self>, cause: Cause) -> Option<(RemoteRequest, Done)> {
        let (engine, end) = (Arc::clone(self), self.witness.end());
        let place = self.inbound.hearing.lock().place();
        if place.is_none() && end.is_unknown() {
            return None;
        }
        // Before the batches that are sent beside this one: the server of the log may be slower than theirs.
        if cause == Cause::Succession && self.outbox.is_scattered() {
            self.suspect(self.inbound.log() != Log::Hidden);
        }
        let from = place.or_else(|| self.witness.from()).unwrap_or(LogId::START);
        let done = move |state: &BatchState, reply: Result<RemoteReply>| {
            // Nothing of the other server has been believed yet: this is where the one before stood.
            if !engine.recovery.doubts_all() {
                let before = engine.last_state.lock().incarnation;
                engine.inbound.incarnation.store(before, Ordering::SeqCst);
            }
            engine.saw_state(state);
            match reply {
                Ok(RemoteReply::Log(frames, mark)) if place.is_some() => engine.hear_log(from, end, frames, mark),
                Ok(RemoteReply::Log(frames, mark)) if engine.has_lost(end, from, &frames, mark) => {
                    engine.lose_place(end, mark);
                }
                _ => {}
            }
            if engine.recovery.doubts_all() {
                engine.audit();
            }
        };
        Some((RemoteRequest::ReadLog { from }, Box::new(done)))
    }

    /// Reads what follows in the log; once at a time.
    fn read_log(self: &Arc<Self>) {
        let Some(from) = self.inbound.hearing.lock().place() else {
            return;
        };
        if self.inbound.reading.swap(true, Ordering::SeqCst) {
            return;
        }
        let (engine, end) = (Arc::clone(self), self.witness.end());
        let done = Box::new(move |state: &BatchState, reply: Result<RemoteReply>| {
            engine.saw_state(state);
            engine.inbound.reading.store(false, Ordering::SeqCst);
            match reply {
                Ok(RemoteReply::Log(frames, mark)) => engine.hear_log(from, end, frames, mark),
                // The others of the batch were answered: the log it is that is refused.
                Err(error) if state.incarnation != 0 => engine.lose_log(&error),
                _ => {}
            }
        });
        self.outbox.push(RemoteRequest::ReadLog { from }, None, done).run();
    }

    /// Whether a page of the log, and the mark, lack what stood there before they were read.
    fn has_lost(&self, end: End, from: LogId, page: &[(LogId, Bytes)], mark: u64) -> bool {
        self.witness.misses(end, from, page) || end.is_above(mark)
    }

    /// `end`: as it was before the log was read.
    fn hear_log(self: &Arc<Self>, from: LogId, end: End, frames: Vec<(LogId, Bytes)>, mark: u64) {
        let page = if self.has_lost(end, from, &frames, mark) || !self.witness.saw_page(&frames) {
            Page::Lost
        } else {
            let full = frames.len() >= LOG_PAGE;
            self.inbound.hearing.lock().read(from, &frames, full)
        };
        let (missing, complete) = match page {
            Page::Complete(missing) => (missing, true),
            Page::More(missing) => (missing, false),
            Page::Lost => return self.lose_place(end, mark),
        };
        if self.inbound.hearing.lock().marked(mark) {
            // What the log has refused stands nowhere. The next one shall be heard: then this engine knows it, too.
            self.drop_unheard();
            self.ask_voice();
        }
        for (_, bytes) in missing {
            match Frame::decode(&bytes) {
                Some(frame) if frame.sender == self.voice.sender() => {}
                Some(frame) => {
                    let count = frame.changes.len();
                    (0..count).for_each(|_| self.counters.events_replayed.add());
                    self.apply_frame(frame);
                }
                None => self.drop_unheard(),
            }
        }
        if complete {
            self.inbound.caught_up();
            if !self.recovery.doubts_all() {
                let incarnation = self.last_state.lock().incarnation;
                self.inbound.incarnation.store(incarnation, Ordering::SeqCst);
            }
        } else {
            self.read_log();
        }
    }

    /// Trimmed, emptied, another server: what was missed is unknown. It begins anew.
    fn lose_place(self: &Arc<Self>, end: End, mark: u64) {
        if end.is_above(mark) {
            self.witness.lose_sight();
        }
        self.tear();
        self.inbound.hearing.lock().begin_anew(mark);
        self.inbound.set_log(Log::Unknown);
        self.drop_unheard();
        self.audit();
        self.ask_log(self.clock.now());
    }

    fn lose_log(&self, error: &Error) {
        tracing::warn!(%error, "the log of the bus cannot be read: a lost connection costs what is held in memory");
        self.inbound.set_log(Log::Hidden);
        self.inbound.hearing.lock().forget();
        self.drop_unheard();
    }

    /// Something was said, or may have been, that nobody here has heard: nothing that is held counts (law 4).
    pub(super) fn drop_unheard(&self) {
        self.counters.bus_drops.add();
        self.drop_held("");
    }

    /// Drops what is held when nothing has proved for too long that everything was heard.
    pub(super) fn doubt(&self, now: Millis) {
        let inbound = &self.inbound;
        let asked = inbound.asked.load(Ordering::SeqCst);
        if asked == NEVER || now.since(Millis(asked)) < PATIENCE {
            return;
        }
        let dropped = inbound.dropped.load(Ordering::SeqCst);
        let again = now.since(Millis(dropped)) >= UNHEARD && inbound.answered.load(Ordering::SeqCst);
        if dropped == NEVER || again {
            inbound.dropped.store(now.0, Ordering::SeqCst);
            inbound.answered.store(false, Ordering::SeqCst);
            self.drop_unheard();
        }
    }
}

impl Engine {
    /// A pattern that cannot be read here comes from a newer version: all that it may mean is dropped.
    fn purge_as_told(self: &Arc<Self>, path: &str, pattern: &str) {
        let Some(namespace) = self.namespaces.find(path) else {
            return;
        };
        match Pattern::parse(pattern) {
            Ok(pattern) => drop(self.runtime.spawn(self.purge(&namespace, &Arc::new(pattern)))),
            Err(_) => self.drop_held(path),
        }
    }
}

/// Ends with the engine, and so does the bus, which sees that nobody receives any more.
async fn listen(engine: Weak<Engine>, mut heard: mpsc::UnboundedReceiver<Heard>, mut ending: watch::Receiver<bool>) {
    loop {
        let heard = tokio::select! {
            biased;
            _ = ending.wait_for(|ending| *ending) => return,
            heard = heard.recv() => heard,
        };
        match (heard, engine.upgrade()) {
            (Some(heard), Some(engine)) => engine.hear(heard),
            _ => return,
        }
    }
}

//! A log that does not hold what it held, or another server beside the one that has the log: the remote tier may have lost
//! changes that it had acknowledged (see `witness`). They are made again, or, if nobody knows how many there are, everything
//! in it counts as old. Until that is settled nothing that it says is believed.

use crate::engine::Engine;
use crate::engine::outbox::BatchState;
use crate::engine::recovery::{KEYS, Missed};
use crate::engine::witness::Loss;
use crate::error::Result;
use crate::event::{Change, Frame, KeyChange, LogId};
use crate::tier::{LOG_PAGE, RemoteReply, RemoteRequest};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What is known of the log so far.
struct Audit {
    /// The incarnation whose values may have come back.
    incarnation: u64,
    /// How often a server was replaced before it began.
    suspicions: u64,
    /// How often the log was found torn before it began.
    tears: u64,
    /// The last frame that was remembered when it began.
    end: Option<LogId>,
    /// What was read, from its beginning on. Some of it may not have been heard yet.
    pages: Vec<Vec<(LogId, Bytes)>>,
}

impl Engine {
    /// Finds out what was lost; once at a time, and again as long as it was in vain.
    pub(super) fn audit(self: &Arc<Self>) {
        if !std::mem::replace(&mut *self.inbound.auditing.lock(), true) {
            self.audit_anew();
        }
    }

    fn audit_anew(self: &Arc<Self>) {
        let audit = Audit {
            incarnation: self.inbound.incarnation.load(Ordering::SeqCst),
            suspicions: self.witness.suspicions(),
            tears: self.witness.tears(),
            end: self.witness.hold(),
            pages: Vec::new(),
        };
        self.audit_from(audit, LogId::START);
    }

    /// Another server answers for some of the keys, and the log is elsewhere. Where it cannot be read, nobody knows what was told
    /// lately.
    pub(super) fn suspect(&self, is_readable: bool) {
        let before = self.last_state.lock().incarnation;
        if !is_readable {
            return self.abandon(before);
        }
        if !self.recovery.doubts_all() {
            self.inbound.incarnation.store(before, Ordering::SeqCst);
        }
        self.witness.suspect();
        self.recovery.doubt_all();
    }

    /// The log lacks what stood in it, and what was said on the bus shows that.
    pub(super) fn find_torn(self: &Arc<Self>) {
        self.tear();
        self.drop_unheard();
        self.audit();
    }

    /// An audit that runs begins anew, and the doubt does not end with it.
    pub(super) fn tear(&self) {
        let _turn = self.inbound.auditing.lock();
        self.witness.tear();
        self.recovery.doubt_all();
    }

    fn audit_from(self: &Arc<Self>, audit: Audit, from: LogId) {
        let engine = Arc::clone(self);
        let done = Box::new(move |state: &BatchState, reply: Result<RemoteReply>| {
            engine.saw_state(state);
            match reply {
                Ok(RemoteReply::Log(frames, _)) => engine.audit_page(audit, from, frames),
                // The others of the batch were answered: it will not be known.
                Err(_) if state.incarnation != 0 => {
                    engine.abandon(state.incarnation);
                    engine.witness.give_up(audit.suspicions);
                    engine.end_audit(&audit);
                }
                _ => *engine.inbound.auditing.lock() = false,
            }
        });
        self.outbox.push(RemoteRequest::ReadLog { from }, None, done).run();
    }

    fn audit_page(self: &Arc<Self>, mut audit: Audit, from: LogId, page: Vec<(LogId, Bytes)>) {
        let ids = || page.iter().map(|(id, _)| *id);
        let (full, last) = (page.len() >= LOG_PAGE, ids().last());
        let since = self.witness.from();
        let jumps = from == LogId::START && full && ids().next() <= since;
        audit.pages.push(page);
        match (last, since) {
            // What lies between the beginning and the frames in question is of no interest.
            (Some(last), Some(since)) if jumps && last < since => self.audit_from(audit, since),
            (Some(last), _) if full && last > from => self.audit_from(audit, last),
            _ => self.settle(&audit),
        }
    }

    fn settle(self: &Arc<Self>, audit: &Audit) {
        let now = self.last_state.lock().incarnation;
        let loss = self.witness.settle(&audit.pages, audit.end, audit.suspicions);
        audit.pages.iter().for_each(|page| self.witness.add_page(page));
        match loss {
            Loss::Unknown => self.abandon(now),
            // The clear that ended it is lost, whether anybody here has heard of it or not.
            Loss::Frames { .. } if self.witness.has_left(now) => self.abandon(now),
            Loss::Frames { gone, doubtful } => {
                self.make_doubtful_again(&doubtful, now);
                // One that nobody here understands may have told anything.
                if gone.iter().any(|(_, bytes)| Frame::decode(bytes).is_none()) {
                    self.abandon(now);
                }
                let frames = gone.iter().filter_map(|(id, bytes)| Some((*id, Frame::decode(bytes)?)));
                // One that began since has none of the values before it; one that had ended may have all of them.
                let first = audit.pages.iter().flatten().map(|(id, _)| *id).next();
                let begun_since = |id: LogId| first.is_some_and(|first| first > id);
                let known = |(id, frame): &(LogId, Frame)| {
                    [audit.incarnation, frame.incarnation].contains(&now) || !begun_since(*id)
                };
                for change in frames.filter(known).flat_map(|(_, frame)| frame.changes) {
                    self.counters.changes_lost.add();
                    self.make_again(change, now);
                }
            }
        }
        self.end_audit(audit);
    }

    /// Ends the doubt, unless one more server was replaced meanwhile, or it was another log that was read.
    fn end_audit(self: &Arc<Self>, audit: &Audit) {
        {
            let mut auditing = self.inbound.auditing.lock();
            if (self.witness.suspicions(), self.witness.tears()) == (audit.suspicions, audit.tears) {
                self.recovery.end_doubt();
                *auditing = false;
                return;
            }
        }
        self.audit_anew();
    }

    /// These stand in the log, and what they tell of keys may be lost. What they tell of tags and namespaces stands where the log
    /// does.
    fn make_doubtful_again(&self, frames: &[Bytes], incarnation: u64) {
        let changes = frames
            .iter()
            .filter_map(|frame| Frame::decode(frame))
            .flat_map(|frame| frame.changes);
        let of_keys = |change: &Change| matches!(change, Change::Key { .. } | Change::Pattern { .. });
        let changes: Vec<_> = changes.filter(of_keys).collect();
        // More than the recovery remembers. It would clear everything, and so would each process in its turn.
        if changes.len() > KEYS {
            return self.abandon(incarnation);
        }
        for change in changes {
            self.make_again(change, incarnation);
        }
    }

    fn make_again(&self, change: Change, incarnation: u64) {
        match change {
            Change::Key { how, path, key } => {
                let namespace = self.namespaces.open(&self.table, &path);
                let generation = self.table.generation(self.table.key_slot(namespace.id, &key));
                let missed = match how {
                    KeyChange::Expire => Missed::Expiry,
                    KeyChange::Set | KeyChange::Delete => Missed::Value,
                };
                self.missed_key(&namespace, &key, generation, missed, false);
            }
            // Where the clocks of two servers differ, the counter may have gone back: what was stamped with a lost one would outlive the
            // next raise.
            Change::Tags { .. } | Change::Clear { .. } => self.abandon(incarnation),
            Change::Pattern { path, .. } if path.is_empty() => self.abandon(incarnation),
            Change::Pattern { path, .. } => {
                let fields = vec![crate::engine::namespaces::clear_field(&path)];
                self.missed_raise(&RemoteRequest::Raise { fields }, &Change::Clear { path });
            }
            Change::Filled { .. } | Change::Freed { .. } => {}
        }
    }

    /// Everything of this incarnation counts as old, unless another one has begun.
    fn abandon(&self, incarnation: u64) {
        tracing::warn!("the remote tier has lost changes: what it holds counts as old");
        let change = Change::Clear { path: "".into() };
        self.missed_raise(&RemoteRequest::Abandon { incarnation }, &change);
        self.drop_held("");
    }
}

//! The requests of one turn: read from the client's buffer, given to the engine in their order.

use crate::answer::{Answer, Value};
use crate::errors;
use crate::host::Host;
use crate::layout::{HEADER, Status};
use std::borrow::Cow;
use std::sync::Arc;
use turbocache::clock::FOREVER;
use turbocache::engine::{FillOutcome, Found, LeaseId, Progress, ProgressTold, Space, TagOptions, Write};
use turbocache::entry::Lifetime;
use turbocache::payload::Fetched;
use turbocache::{Error, ErrorKind, Result};

mod op {
    pub const GET: u32 = 1;
    pub const LOOKUP: u32 = 2;
    pub const SET: u32 = 3;
    pub const DELETE: u32 = 4;
    pub const HAS: u32 = 5;
    pub const EXPIRE: u32 = 6;
    pub const FILL: u32 = 7;
    pub const RELEASE: u32 = 8;
    pub const CLEAR: u32 = 9;
    pub const INVALIDATE_TAGS: u32 = 10;
    pub const ENTRY: u32 = 11;
    pub const DELETE_PATTERN: u32 = 12;
    pub const LOCK: u32 = 13;
    pub const UNLOCK: u32 = 14;
    pub const RENEW: u32 = 15;
}

const REFRESH: u32 = 1;
const FAILED: u32 = 2;
const UNKEPT: u32 = 4;
const PROGRESS: u32 = 8;
const SOFT: u32 = 16;
const ALL: u32 = 32;
const DEFAULTS: u32 = 64;

/// One request, still in the client's buffer.
struct Request<'a> {
    op: u32,
    id: u32,
    namespace: u32,
    flags: u32,
    lifetime: Lifetime,
    lease: LeaseId,
    memory_ttl: Option<u64>,
    key: &'a str,
    value: &'a [u8],
    tags: Vec<&'a str>,
}

impl Request<'_> {
    /// A read for a caller who keeps nothing.
    fn is_unkept(&self) -> bool {
        self.op == op::GET && self.flags & UNKEPT != 0
    }

    fn is_read_with(&self, other: &Self) -> bool {
        other.is_unkept() && self.namespace == other.namespace && self.memory_ttl == other.memory_ttl
    }
}

/// Executes `count` requests. Reads of values that nobody keeps go to the engine together, when nothing else stands between them.
pub fn execute(host: &Arc<Host>, spaces: &[Space], mut bytes: &[u8], count: u32) -> Result<()> {
    let mut reads: Vec<Request<'_>> = Vec::new();
    for _ in 0..count {
        let (request, rest) = read(bytes).ok_or_else(|| Error::new(ErrorKind::Argument, "a request is cut off"))?;
        bytes = rest;
        if reads.first().is_some_and(|first| !first.is_read_with(&request)) {
            read_values(host, space_of(spaces, &reads[0])?.as_ref(), &mut reads);
        }
        if request.is_unkept() {
            reads.push(request);
        } else {
            dispatch(host, space_of(spaces, &request)?.as_ref(), &request);
        }
    }
    if let Some(first) = reads.first() {
        read_values(host, space_of(spaces, first)?.as_ref(), &mut reads);
    }
    Ok(())
}

/// Where it is about, with its ttl in memory.
fn space_of<'a>(spaces: &'a [Space], request: &Request<'_>) -> Result<Cow<'a, Space>> {
    let space = spaces
        .get(request.namespace as usize)
        .ok_or_else(|| Error::new(ErrorKind::Argument, "a request names an unknown namespace"))?;
    Ok(match request.memory_ttl {
        Some(ttl) => Cow::Owned(space.with_memory_ttl(Some(ttl))),
        None => Cow::Borrowed(space),
    })
}

/// Reads the values, and leaves no request.
fn read_values(host: &Arc<Host>, space: &Space, reads: &mut Vec<Request<'_>>) {
    let keys: Vec<&str> = reads.iter().map(|request| request.key).collect();
    let ids: Vec<u32> = reads.drain(..).map(|request| request.id).collect();
    let answers = Arc::clone(host);
    space.values(
        &keys,
        Arc::new(move |index, value| answers.push(unkept(ids[index], value))),
    );
}

fn read(bytes: &[u8]) -> Option<(Request<'_>, &[u8])> {
    let (head, body) = bytes.split_at_checked(HEADER)?;
    let word = |index: usize| u32::from_le_bytes(std::array::from_fn(|at| head[index * 4 + at]));
    let float = |at: usize| f64::from_le_bytes(std::array::from_fn(|index| head[at + index]));
    let (key, rest) = body.split_at_checked(word(3) as usize)?;
    let (value, rest) = rest.split_at_checked(word(4) as usize)?;
    let (tags, _) = rest.split_at_checked(word(5) as usize)?;
    let used = (HEADER + key.len() + value.len() + tags.len()).next_multiple_of(8);
    let request = Request {
        op: word(0),
        id: word(1),
        namespace: word(2),
        flags: word(6),
        lifetime: Lifetime {
            ttl: millis(float(32)),
            grace: millis(float(40)),
        },
        lease: LeaseId(float(48) as u64),
        memory_ttl: own_millis(float(56)),
        key: std::str::from_utf8(key).ok()?,
        value,
        tags: read_tags(tags)?,
    };
    Some((request, bytes.get(used..).unwrap_or_default()))
}

fn read_tags(mut bytes: &[u8]) -> Option<Vec<&str>> {
    let mut tags = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let (tag, rest) = rest.split_at_checked(u16::from_le_bytes(*length) as usize)?;
        tags.push(std::str::from_utf8(tag).ok()?);
        bytes = rest;
    }
    Some(tags)
}

fn millis(time: f64) -> u64 {
    if time.is_finite() {
        time.max(0.0).ceil() as u64
    } else {
        FOREVER
    }
}

/// Negative: the ttl is that of all tiers.
fn own_millis(time: f64) -> Option<u64> {
    (time >= 0.0).then(|| millis(time))
}

fn dispatch(host: &Arc<Host>, space: &Space, request: &Request<'_>) {
    let (answers, id) = (Arc::clone(host), request.id);
    let write = Write {
        payload: request.value,
        serializer: space.serializer(),
        lifetime: request.lifetime,
        tags: &request.tags,
    };
    let done = |answers: Arc<Host>| Box::new(move |result| answers.push(written(id, result)));
    match request.op {
        op::GET => space.read(request.key, Box::new(move |found| answers.push(fresh(id, found)))),
        op::HAS => {
            let is_fresh = |found: Option<Found>| found.is_some_and(|found| !found.is_stale());
            let done = move |found| answers.push(Answer::new(id, Status::Done).yes(is_fresh(found)));
            space.read(request.key, Box::new(done));
        }
        op::ENTRY => space.read(request.key, Box::new(move |found| answers.push(entry(id, found)))),
        op::LOOKUP if request.flags & REFRESH != 0 => {
            space.lookup_refresh(request.key, Box::new(move |lookup| answers.push_lookup(id, lookup)));
        }
        op::LOOKUP => {
            let done = Box::new(move |lookup| answers.push_lookup(id, lookup));
            space.lookup_within(request.key, request.lifetime.ttl, done);
        }
        op::SET => space.set(request.key, write, done(answers)),
        op::DELETE => space.delete(request.key, done(answers)),
        op::EXPIRE => space.expire(request.key, done(answers)),
        op::CLEAR if request.flags & SOFT != 0 => space.clear_softly(done(answers)),
        op::CLEAR => space.clear(done(answers)),
        op::INVALIDATE_TAGS => {
            let options = TagOptions {
                all: request.flags & ALL != 0,
                soft: request.flags & SOFT != 0,
            };
            space.invalidate_tags_with(&request.tags, options, done(answers));
        }
        op::DELETE_PATTERN => delete_pattern(answers, space, request),
        op::LOCK => lock(host, space, request),
        op::UNLOCK => host.unlock(request.lease.0, done(answers)),
        op::FILL => {
            host.forget_lease(request.lease);
            space.fill(
                request.lease,
                write,
                Box::new(move |outcome| answers.push(filled(id, outcome))),
            );
        }
        op::RENEW => {
            host.forget_lease(request.lease);
            space.renew(
                request.lease,
                request.lifetime,
                &request.tags,
                Box::new(move |outcome| answers.push(filled(id, outcome))),
            );
        }
        op::RELEASE => {
            host.forget_lease(request.lease);
            let failed = request.flags & FAILED != 0;
            match request.lifetime.ttl {
                backoff if failed && backoff > 0 && backoff < FOREVER => space.back_off(request.lease, backoff),
                _ => space.release(request.lease, failed),
            }
        }
        _ => answers.push(failed(id, &Error::new(ErrorKind::Argument, "unknown request"))),
    }
}

/// The key is the pattern, the lease's place holds the batch: 0 = the default.
fn delete_pattern(answers: Arc<Host>, space: &Space, request: &Request<'_>) {
    let id = request.id;
    let batch = u32::try_from(request.lease.0).ok().filter(|batch| *batch != 0);
    let host = Arc::clone(&answers);
    let told = move |progress| host.push(counted(id, Status::Progress, progress));
    let told = (request.flags & PROGRESS != 0).then(|| Box::new(told) as ProgressTold);
    let done = move |count: Result<u64>| {
        answers.push(match count {
            Ok(deleted) => counted(id, Status::Done, Progress { scanned: 0, deleted }),
            Err(error) => failed(id, &error),
        });
    };
    space.delete_pattern(request.key, batch, told, Box::new(done));
}

/// The lease's place holds the client's number for the lock, the grace's how long to wait. The ttl is the default when it is 0,
/// the wait when the flag says so.
fn lock(host: &Arc<Host>, space: &Space, request: &Request<'_>) {
    let (id, number) = (request.id, request.lease.0);
    let Lifetime { ttl, grace: wait } = request.lifetime;
    let ttl = (ttl != 0).then_some(ttl);
    let wait = (request.flags & DEFAULTS == 0).then_some(wait);
    let (answers, loser) = (Arc::clone(host), Arc::clone(host));
    let lost = move || loser.lost_lock(number);
    let done = move |fence: Result<u64>| {
        answers.push(match fence {
            Ok(fence) => Answer {
                value: Value::Owned((fence as f64).to_le_bytes().to_vec()),
                ..Answer::new(id, Status::Done)
            },
            Err(error) => {
                answers.forget_lock(number);
                failed(id, &error)
            }
        });
    };
    host.expect_lock(number);
    if let Some(lock) = space.lock(request.key, ttl, wait, Box::new(lost), Box::new(done)) {
        host.name_lock(number, lock);
    }
}

/// Two float64: keys looked at, values removed.
fn counted(id: u32, status: Status, progress: Progress) -> Answer {
    let numbers = [progress.scanned as f64, progress.deleted as f64];
    Answer {
        value: Value::Owned(numbers.iter().flat_map(|number| number.to_le_bytes()).collect()),
        ..Answer::new(id, status)
    }
}

fn unkept(id: u32, value: Option<Fetched>) -> Answer {
    match value {
        Some(value) => Answer {
            value: Value::Fetched(value),
            ..Answer::new(id, Status::Hit)
        },
        None => Answer::new(id, Status::Miss),
    }
}

fn fresh(id: u32, found: Option<Found>) -> Answer {
    match found.filter(|found| !found.is_stale()) {
        Some(found) => Answer::found(id, found),
        None => Answer::new(id, Status::Miss),
    }
}

fn entry(id: u32, found: Option<Found>) -> Answer {
    let Some(found) = found else {
        return Answer::new(id, Status::Miss);
    };
    let mut tag_names = Vec::new();
    for name in found.entry.tags.iter().flat_map(|tags| &tags.names) {
        tag_names.extend_from_slice(&(name.len() as u16).to_le_bytes());
        tag_names.extend_from_slice(name.as_bytes());
    }
    Answer {
        tag_names,
        ..Answer::found(id, found)
    }
}

fn filled(id: u32, outcome: Result<FillOutcome>) -> Answer {
    match outcome {
        Ok(FillOutcome::Stored(found)) => {
            let stored = Answer::found(id, found).yes(true);
            Answer {
                status: Status::Done,
                value: Value::None,
                ..stored
            }
        }
        Ok(FillOutcome::Refused) => Answer::new(id, Status::Done),
        Err(error) => failed(id, &error),
    }
}

fn written(id: u32, result: Result<bool>) -> Answer {
    match result {
        Ok(there) => Answer::new(id, Status::Done).yes(there),
        Err(error) => failed(id, &error),
    }
}

fn failed(id: u32, error: &Error) -> Answer {
    let value = Value::Owned(error.to_string().into_bytes());
    Answer {
        error_code: errors::index(error.kind()),
        value,
        ..Answer::new(id, Status::Error)
    }
}

//! Changes as bytes: what one engine says at once.

use super::{Change, KeyChange, LogId};
use bytes::Bytes;
use std::fmt;

/// Other versions are not understood: who hears one drops what he holds.
const VERSION: u8 = 2;
/// Versions there were, or may be one day; a first byte above is no message of this bus at all.
const VERSIONS: std::ops::RangeInclusive<u8> = 1..=15;
const HEAD: usize = 50;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// A random number per engine: a receiver ignores its own frames.
    pub sender: u64,
    /// Counts up each time the sender does not know whether it was heard: its sequence begins anew.
    pub session: u32,
    /// How a receiver notices that he missed one.
    pub stream: Stream,
    /// Number of the first change in this session, from 0 on.
    pub first: u64,
    /// Number of the change that will follow the last one.
    pub next: u64,
    /// The namespace state as the sender knew it: its incarnation,
    pub incarnation: u64,
    /// and its counter.
    pub counter: u64,
    /// In the order in which they were made; none at all only shows the numbers.
    pub changes: Vec<Change>,
}

/// Where the frames of a session can be found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// In the log.
    Logged,
    /// Nowhere: the log refuses them. Their marks show which are missing, or where there are none, their numbers.
    Unlogged,
    /// Nowhere, and nobody need miss them: they make nothing old, and count nothing.
    Hint,
}

/// A message as it was published.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// A frame, and what is known of those before it.
    Frame(Frame, Place),
    /// Something of another version of this bus.
    OtherVersion,
}

/// What a published message says of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It stands in the log.
    Logged {
        /// The place of the frame before it.
        before: LogId,
        /// Its own.
        id: LogId,
    },
    /// The log has refused it.
    Refused {
        /// Where the log ended.
        end: LogId,
        /// The mark of the one that was refused before, 0 = of none.
        before: u64,
        /// Its own mark.
        mark: u64,
    },
    /// Nothing.
    Unknown,
}

impl Frame {
    /// The bytes of the frame, as they stand in the log.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + 64 * self.changes.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.sender.to_le_bytes());
        bytes.extend_from_slice(&self.session.to_le_bytes());
        bytes.push(match self.stream {
            Stream::Logged => 0,
            Stream::Unlogged => 1,
            Stream::Hint => 2,
        });
        for number in [self.first, self.next, self.incarnation, self.counter] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for change in &self.changes {
            encode_change(change, &mut bytes);
        }
        let length = bytes.len() as u32;
        bytes[1..5].copy_from_slice(&length.to_le_bytes());
        bytes
    }

    /// Reads a frame out of the log; `None` for anything that is not one, whatever the bytes.
    pub fn decode(bytes: &[u8]) -> Option<Frame> {
        match Frame::split(bytes)? {
            (frame, []) => Some(frame),
            _ => None,
        }
    }

    /// Reads a published message: a frame, and behind it, if it was logged, `<id before> <id>`, if it was refused, `<id of the
    /// log's last> <mark before> <mark>`.
    pub fn heard(bytes: &[u8]) -> Option<Message> {
        let version = *bytes.first()?;
        if version != VERSION {
            return (VERSIONS.contains(&version) && bytes.len() >= 18).then_some(Message::OtherVersion);
        }
        let (frame, place) = Frame::split(bytes)?;
        Some(Message::Frame(frame, Place::read(std::str::from_utf8(place).ok()?)?))
    }

    /// The bytes of the frame in a published message that holds one.
    pub fn bytes(message: Vec<u8>) -> Bytes {
        let length = message.get(1..5).and_then(|length| length.try_into().ok());
        let length = length.map_or(0, u32::from_le_bytes) as usize;
        let mut bytes = Bytes::from(message);
        bytes.truncate(length);
        bytes
    }

    /// The frame at the beginning of the bytes, and what follows it.
    fn split(bytes: &[u8]) -> Option<(Frame, &[u8])> {
        let length = u32::from_le_bytes(bytes.get(1..5)?.try_into().ok()?) as usize;
        let (frame, behind) = bytes.split_at_checked(length)?;
        let (head, mut rest) = frame.split_at_checked(HEAD)?;
        if head[0] != VERSION {
            return None;
        }
        let number = |at: usize| Some(u64::from_le_bytes(head.get(at..at + 8)?.try_into().ok()?));
        let stream = match head[17] {
            0 => Stream::Logged,
            1 => Stream::Unlogged,
            2 => Stream::Hint,
            _ => return None,
        };
        let mut changes = Vec::new();
        while !rest.is_empty() {
            changes.push(decode_change(&mut rest)?);
        }
        let frame = Frame {
            sender: number(5)?,
            session: u32::from_le_bytes(head[13..17].try_into().ok()?),
            stream,
            first: number(18)?,
            next: number(26)?,
            incarnation: number(34)?,
            counter: number(42)?,
            changes,
        };
        Some((frame, behind))
    }
}

impl Place {
    /// Where the log ends, as far as this says it.
    pub fn end(self) -> Option<LogId> {
        match self {
            Place::Logged { id, .. } => Some(id),
            Place::Refused { end, .. } => Some(end),
            Place::Unknown => None,
        }
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Place::Unknown);
        }
        let (first, rest) = text.split_once(' ')?;
        let first = LogId::parse(first)?;
        match rest.split_once(' ') {
            Some((before, mark)) => Some(Place::Refused {
                end: first,
                before: before.parse().ok()?,
                mark: mark.parse().ok()?,
            }),
            None => Some(Place::Logged {
                before: first,
                id: LogId::parse(rest)?,
            }),
        }
    }
}

impl Place {
    /// Whether it stands in the log.
    pub fn is_logged(&self) -> bool {
        matches!(self, Place::Logged { .. })
    }
}

impl fmt::Display for Place {
    /// As it stands behind a published frame.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Logged { before, id } => write!(f, "{before} {id}"),
            Place::Refused { end, before, mark } => write!(f, "{end} {before} {mark}"),
            Place::Unknown => Ok(()),
        }
    }
}

/// Kind, number of texts, and each with its length.
fn encode_change(change: &Change, bytes: &mut Vec<u8>) {
    let (kind, texts) = match change {
        Change::Key { how, path, key } => {
            let kind = match how {
                KeyChange::Set => 1,
                KeyChange::Delete => 5,
                KeyChange::Expire => 6,
            };
            (kind, vec![&**path, &**key])
        }
        Change::Filled { path, key } => (2, vec![&**path, &**key]),
        Change::Tags { fields } => (3, fields.iter().map(|field| &**field).collect()),
        Change::Clear { path } => (4, vec![&**path]),
        Change::Freed { path, key } => (8, vec![&**path, &**key]),
        Change::Pattern { path, pattern } => (7, vec![&**path, &**pattern]),
    };
    bytes.push(kind);
    // The engine allows far fewer tags in one call.
    bytes.extend_from_slice(&(texts.len().min(usize::from(u16::MAX)) as u16).to_le_bytes());
    for text in texts.into_iter().take(usize::from(u16::MAX)) {
        bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
}

fn decode_change(rest: &mut &[u8]) -> Option<Change> {
    let mut take = |count: usize| {
        let (taken, behind) = rest.split_at_checked(count)?;
        *rest = behind;
        Some(taken)
    };
    let kind = take(1)?[0];
    let count = u16::from_le_bytes(take(2)?.try_into().ok()?);
    let mut texts = Vec::new();
    for _ in 0..count {
        let length = u32::from_le_bytes(take(4)?.try_into().ok()?) as usize;
        texts.push(Box::<str>::from(std::str::from_utf8(take(length)?).ok()?));
    }
    let count = texts.len();
    let mut texts = texts.into_iter();
    let mut key = |how| {
        let (path, key) = (texts.next()?, texts.next()?);
        Some(Change::Key { how, path, key })
    };
    match (kind, count) {
        (1, 2) => key(KeyChange::Set),
        (5, 2) => key(KeyChange::Delete),
        (6, 2) => key(KeyChange::Expire),
        (2, 2) => Some(Change::Filled {
            path: texts.next()?,
            key: texts.next()?,
        }),
        (8, 2) => Some(Change::Freed {
            path: texts.next()?,
            key: texts.next()?,
        }),
        (3, 1..) => Some(Change::Tags {
            fields: texts.collect(),
        }),
        (4, 1) => Some(Change::Clear { path: texts.next()? }),
        (7, 2) => Some(Change::Pattern {
            path: texts.next()?,
            pattern: texts.next()?,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn change() -> impl Strategy<Value = Change> {
        let text = || ".{0,12}".prop_map(|text: String| text.into_boxed_str());
        let how = prop_oneof![Just(KeyChange::Set), Just(KeyChange::Delete), Just(KeyChange::Expire)];
        prop_oneof![
            (how, text(), text()).prop_map(|(how, path, key)| Change::Key { how, path, key }),
            (text(), text()).prop_map(|(path, key)| Change::Filled { path, key }),
            (text(), text()).prop_map(|(path, key)| Change::Freed { path, key }),
            proptest::collection::vec(text(), 1..4).prop_map(|fields| Change::Tags { fields }),
            text().prop_map(|path| Change::Clear { path }),
            (text(), text()).prop_map(|(path, pattern)| Change::Pattern { path, pattern }),
        ]
    }

    fn frame() -> impl Strategy<Value = Frame> {
        let stream = prop_oneof![Just(Stream::Logged), Just(Stream::Unlogged), Just(Stream::Hint)];
        let numbers = (any::<u64>(), any::<u32>(), any::<u64>(), any::<u64>(), any::<u64>());
        (stream, numbers, proptest::collection::vec(change(), 0..4)).prop_map(
            |(stream, (sender, session, first, incarnation, counter), changes)| Frame {
                sender,
                session,
                stream,
                first,
                next: first.saturating_add(changes.len() as u64),
                incarnation,
                counter,
                changes,
            },
        )
    }

    proptest! {
        #[test]
        fn a_frame_survives_its_bytes(frame in frame(), millis: u64, count: u64) {
            let bytes = frame.encode();
            prop_assert_eq!(Frame::decode(&bytes), Some(frame.clone()));
            prop_assert_eq!(Frame::heard(&bytes), Some(Message::Frame(frame.clone(), Place::Unknown)));
            let id = LogId { millis, count };
            for place in [
                Place::Logged { before: LogId::START, id },
                Place::Refused { end: id, before: millis, mark: count },
            ] {
                let bytes = [&bytes[..], place.to_string().as_bytes()].concat();
                prop_assert_eq!(Frame::decode(&bytes), None);
                prop_assert_eq!(Frame::heard(&bytes), Some(Message::Frame(frame.clone(), place)));
            }
        }

        #[test]
        fn hostile_bytes_are_no_frame_and_no_panic(bytes: Vec<u8>, frame in frame(), at: usize, with: u8) {
            let _ = (Frame::decode(&bytes), Frame::heard(&bytes));
            let mut damaged = frame.encode();
            let at = at % damaged.len();
            damaged[at] = with;
            let _ = (Frame::decode(&damaged), Frame::heard(&damaged));
            prop_assert_eq!(Frame::decode(&damaged[..at]), None);
        }
    }

    #[test]
    fn a_message_of_another_version_is_known_as_one() {
        let mut old = vec![0; 18];
        old[0] = 1;
        assert_eq!(Frame::heard(&old), Some(Message::OtherVersion));
        old[0] = 99;
        assert_eq!(Frame::heard(&old), None);
        assert_eq!(Frame::heard(&[1]), None);
    }
}

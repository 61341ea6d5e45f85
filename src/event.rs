//! What processes tell each other over the bus. Keys only, never values. `docs/spec/bus.md` describes the bytes.

/// One message: who says it, as which number since it started, and what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// A random number per engine: a receiver ignores its own messages.
    pub sender: u64,
    /// Counts up by one per sender: a gap is a lost message.
    pub sequence: u64,
    /// What happened.
    pub change: Change,
}

/// What happened. Paths are those below the root namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The key has a new value, became stale, or is gone: whatever is held of it is old.
    Key {
        /// Namespace below the root.
        path: Box<str>,
        /// The key.
        key: Box<str>,
    },
    /// A load was stored: those who wait for it can read it.
    Filled {
        /// Namespace below the root.
        path: Box<str>,
        /// The key.
        key: Box<str>,
    },
    /// Tags were invalidated, or a namespace was cleared softly: fields of the namespace state that were raised.
    Tags {
        /// `t:<path>:<tag>`, and the others that `engine::raised` reads.
        fields: Vec<Box<str>>,
    },
    /// The keys of a namespace that match a pattern are gone, those of nested ones not.
    Pattern {
        /// Namespace below the root.
        path: Box<str>,
        /// A [`Pattern`](crate::pattern::Pattern), as it was written.
        pattern: Box<str>,
    },
    /// The namespace and those nested in it were cleared.
    Clear {
        /// Namespace below the root.
        path: Box<str>,
    },
}

impl Change {
    /// Whether it makes something old.
    pub fn is_invalidation(&self) -> bool {
        !matches!(self, Change::Filled { .. })
    }
}

const VERSION: u8 = 1;

impl Event {
    /// The bytes of the message.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.push(match self.change {
            Change::Key { .. } => 1,
            Change::Filled { .. } => 2,
            Change::Tags { .. } => 3,
            Change::Clear { .. } => 4,
            Change::Pattern { .. } => 5,
        });
        bytes.extend_from_slice(&self.sender.to_le_bytes());
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        let mut text = |text: &str| {
            bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        };
        match &self.change {
            Change::Key { path, key } | Change::Filled { path, key } => {
                text(path);
                text(key);
            }
            Change::Tags { fields } => fields.iter().for_each(|field| text(field)),
            Change::Clear { path } => text(path),
            Change::Pattern { path, pattern } => {
                text(path);
                text(pattern);
            }
        }
        bytes
    }

    /// Reads a message; `None` for anything that is not one, whatever the bytes.
    pub fn decode(bytes: &[u8]) -> Option<Event> {
        let (head, mut rest) = bytes.split_at_checked(18)?;
        if head[0] != VERSION {
            return None;
        }
        let mut texts = Vec::new();
        while !rest.is_empty() {
            let (length, tail) = rest.split_at_checked(4)?;
            let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
            let (text, tail) = tail.split_at_checked(length)?;
            texts.push(Box::<str>::from(std::str::from_utf8(text).ok()?));
            rest = tail;
        }
        let mut texts = texts.into_iter();
        let change = match (head[1], texts.len()) {
            (1, 2) => Change::Key {
                path: texts.next()?,
                key: texts.next()?,
            },
            (2, 2) => Change::Filled {
                path: texts.next()?,
                key: texts.next()?,
            },
            (3, 1..) => Change::Tags {
                fields: texts.collect(),
            },
            (4, 1) => Change::Clear { path: texts.next()? },
            (5, 2) => Change::Pattern {
                path: texts.next()?,
                pattern: texts.next()?,
            },
            _ => return None,
        };
        Some(Event {
            sender: u64::from_le_bytes(head[2..10].try_into().ok()?),
            sequence: u64::from_le_bytes(head[10..18].try_into().ok()?),
            change,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn change() -> impl Strategy<Value = Change> {
        let text = || ".{0,12}".prop_map(|text: String| text.into_boxed_str());
        prop_oneof![
            (text(), text()).prop_map(|(path, key)| Change::Key { path, key }),
            (text(), text()).prop_map(|(path, key)| Change::Filled { path, key }),
            proptest::collection::vec(text(), 1..4).prop_map(|fields| Change::Tags { fields }),
            text().prop_map(|path| Change::Clear { path }),
            (text(), text()).prop_map(|(path, pattern)| Change::Pattern { path, pattern }),
        ]
    }

    proptest! {
        #[test]
        fn a_message_survives_its_bytes(sender: u64, sequence: u64, change in change()) {
            let event = Event { sender, sequence, change };
            prop_assert_eq!(Event::decode(&event.encode()), Some(event));
        }

        #[test]
        fn hostile_bytes_are_no_message_and_no_panic(bytes: Vec<u8>) {
            let _ = Event::decode(&bytes);
        }
    }
}

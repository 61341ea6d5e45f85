//! Who stands in line for which key: the first one has the lock or tries to get it, the others wait behind him.

use std::collections::{HashMap, VecDeque};

/// See the module. The callers' numbers are never used twice.
#[derive(Debug, Default)]
pub struct Lines {
    by_key: HashMap<Box<[u8]>, VecDeque<u64>>,
}

impl Lines {
    /// Goes to the end of the line; whether that is its front.
    pub fn join(&mut self, key: &[u8], caller: u64) -> bool {
        let line = self.by_key.entry(key.into()).or_default();
        line.push_back(caller);
        line.len() == 1
    }

    /// Leaves the line; who comes to its front by that.
    pub fn leave(&mut self, key: &[u8], caller: u64) -> Option<u64> {
        let line = self.by_key.get_mut(key)?;
        let was_first = line.front() == Some(&caller);
        line.retain(|other| *other != caller);
        let first = line.front().copied();
        if first.is_none() {
            self.by_key.remove(key);
        }
        first.filter(|_| was_first)
    }

    /// Who stands at the front.
    pub fn first(&self, key: &[u8]) -> Option<u64> {
        self.by_key.get(key)?.front().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_come_to_the_front_in_the_order_in_which_they_came() {
        let mut lines = Lines::default();
        assert!(lines.join(b"k", 1));
        assert!(!lines.join(b"k", 2) && !lines.join(b"k", 3));
        assert!(lines.join(b"other", 4));
        assert_eq!(lines.leave(b"k", 2), None, "who waits leaves without a word");
        assert_eq!(lines.leave(b"k", 1), Some(3));
        assert_eq!(lines.leave(b"k", 1), None, "nobody leaves twice");
        assert_eq!(lines.first(b"k"), Some(3));
        assert_eq!(lines.leave(b"k", 3), None);
        assert_eq!(lines.first(b"k"), None);
        assert!(lines.join(b"k", 5), "a line that has ended begins anew");
    }
}

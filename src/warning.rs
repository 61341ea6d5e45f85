//! What a part of the cache lacks while everything else goes on: said once, and shown for as long as it lasts.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a host would branch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WarningKind {
    /// The server refuses a command: by its access rules, or because it does not have it.
    Refused,
    /// The servers are not what the options say, or not all of them are there.
    Topology,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What a host would branch on.
    pub kind: WarningKind,
    /// What it is about: a command (`eval`), or an option (`redis.sentinel.name`). One warning stands for each.
    pub about: String,
    /// What was got, what is lost by it, and what still holds.
    pub message: String,
    /// What would be right.
    pub expected: String,
}

/// The warnings that stand. Shared by whoever notices something and whoever tells of it.
#[derive(Debug, Default)]
pub struct Warnings {
    standing: Mutex<Vec<Warning>>,
    /// Whether there is one: all that a path without a warning looks at.
    any: AtomicBool,
}

impl Warnings {
    /// From now on this is so. Logged once for as long as it stands.
    pub fn raise(&self, warning: Warning) {
        let mut standing = self.standing.lock();
        match standing.iter_mut().find(|stands| stands.about == warning.about) {
            Some(stands) => *stands = warning,
            None => {
                tracing::warn!(
                    about = warning.about,
                    expected = warning.expected,
                    "{}",
                    warning.message
                );
                standing.push(warning);
                self.any.store(true, Ordering::Relaxed);
            }
        }
    }

    /// It is over.
    pub fn clear(&self, about: &str) {
        if self.is_empty() {
            return;
        }
        let mut standing = self.standing.lock();
        let before = standing.len();
        standing.retain(|stands| stands.about != about);
        if standing.len() < before {
            tracing::info!(about, "a warning is over");
        }
        self.any.store(!standing.is_empty(), Ordering::Relaxed);
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Relaxed)
    }

    /// Those that stand, the oldest first.
    pub fn standing(&self) -> Vec<Warning> {
        self.standing.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(about: &str, message: &str) -> Warning {
        Warning {
            kind: WarningKind::Refused,
            about: about.into(),
            message: message.into(),
            expected: "another rule".into(),
        }
    }

    #[test]
    fn one_warning_stands_for_each_subject_until_it_is_over() {
        let warnings = Warnings::default();
        assert!(warnings.is_empty());
        warnings.raise(warning("eval", "first"));
        warnings.raise(warning("eval", "second"));
        warnings.raise(warning("get", "third"));
        let messages: Vec<_> = warnings.standing().into_iter().map(|warning| warning.message).collect();
        assert_eq!(messages, ["second", "third"], "the newest words of each");
        warnings.clear("eval");
        warnings.clear("never raised");
        assert!(!warnings.is_empty());
        warnings.clear("get");
        assert!(warnings.is_empty() && warnings.standing().is_empty());
    }
}

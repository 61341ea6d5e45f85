//! The one error type. Branch on [`ErrorKind`], never on the message.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// What a caller would branch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The remote tier failed, timed out, or is not tried because it failed a moment ago.
    Remote,
    /// An option that cannot be right.
    Option,
    /// An argument that cannot be right.
    Argument,
    /// A key above `max_key_bytes`.
    KeyTooLong,
    /// An encoded value above `max_value_bytes`.
    ValueTooLarge,
    /// The cache was closed.
    Closed,
    /// Named, but not there yet.
    Unsupported,
    /// The value could not be encoded or decoded.
    Serialize,
    /// A lock was not free in time.
    LockTimeout,
    /// Two handles want different options for one namespace.
    Clash,
    /// A loader needed longer than its caller waits, or than any may.
    LoaderTimeout,
    /// So many loaders run, and so many wait, that one more is turned away.
    Overloaded,
}

/// An error with its kind, what it was about, and its cause. Cheap to clone: waiters of one load share it.
#[derive(Clone)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    context: Vec<(&'static str, String)>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// `Result` with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of this kind; the message says what was asked, what was got, what would be right.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            context: Vec::new(),
            source: None,
        }
    }

    /// Adds a fact, e.g. `("option", "memory.max_bytes")`.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.context.push((name, value.to_string()));
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// What a caller would branch on.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The sentence without context and cause.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The facts, in the order in which they were added.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.context
    }

    /// Whether the same call may succeed later without a change by the caller.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Remote | ErrorKind::LoaderTimeout | ErrorKind::Overloaded
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for (index, (name, value)) in self.context.iter().enumerate() {
            write!(f, "{}{name}: {value}", if index == 0 { " (" } else { ", " })?;
        }
        if !self.context.is_empty() {
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

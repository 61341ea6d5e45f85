//! Errors of the engine as JavaScript sees them: a code, and facts as JSON.

use std::fmt::Write;
use turbocache::{Error, ErrorKind};

/// The code of a thrown error: what `error.code` is in JavaScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(&'static str);

impl AsRef<str> for Code {
    fn as_ref(&self) -> &str {
        self.0
    }
}

impl From<napi::Status> for Code {
    fn from(_: napi::Status) -> Self {
        Code("E_TURBOCACHE_ARGUMENT")
    }
}

/// An error that is thrown with a [`Code`].
pub type Thrown = napi::Error<Code>;

/// The code for JavaScript.
pub fn code(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Option => "E_TURBOCACHE_OPTION",
        ErrorKind::Clash => "E_TURBOCACHE_CLASH",
        ErrorKind::Serialize => "E_TURBOCACHE_SERIALIZE",
        kind => CODES[index(kind) as usize],
    }
}

/// Order is part of the contract: `NATIVE_ERRORS` in `native.ts`.
const CODES: [&str; 7] = [
    "E_TURBOCACHE_REMOTE",
    "E_TURBOCACHE_ARGUMENT",
    "E_TURBOCACHE_KEY_TOO_LONG",
    "E_TURBOCACHE_VALUE_TOO_LARGE",
    "E_TURBOCACHE_CLOSED",
    "E_TURBOCACHE_UNSUPPORTED",
    "E_TURBOCACHE_LOCK_TIMEOUT",
];

/// The index of the code in a completion.
pub fn index(kind: ErrorKind) -> u32 {
    match kind {
        ErrorKind::Remote => 0,
        ErrorKind::KeyTooLong => 2,
        ErrorKind::ValueTooLarge => 3,
        ErrorKind::Closed => 4,
        ErrorKind::Unsupported => 5,
        ErrorKind::LockTimeout => 6,
        _ => 1,
    }
}

/// An error to throw: its message is the JSON of message, option, got and expected.
pub fn thrown(error: &Error) -> Thrown {
    let mut json = String::from("{\"message\":");
    push_text(&mut json, error.message());
    for (name, value) in error.context() {
        let _ = write!(json, ",\"{name}\":");
        push_text(&mut json, value);
    }
    json.push('}');
    napi::Error::new(Code(code(error.kind())), json)
}

/// An argument that breaks the contract: a fault of the client, not of its user.
pub fn broken_contract(message: &str) -> Thrown {
    thrown(&Error::new(ErrorKind::Argument, message))
}

fn push_text(json: &mut String, text: &str) {
    json.push_str(&serde_json::Value::from(text).to_string());
}

//! A key on its way in: copied once, onto the stack when it is short.

use napi::bindgen_prelude::{FromNapiValue, TypeName, ValidateNapiValue};
use napi::{Error, Result, Status, ValueType, check_status, sys};

const ON_STACK: usize = 256;

/// A string argument.
pub enum KeyArgument {
    /// Short.
    Stack([u8; ON_STACK], usize),
    /// Long.
    Heap(String),
}

impl KeyArgument {
    /// The text. A string of JavaScript is valid UTF-8 after Node-API has converted it.
    pub fn as_str(&self) -> &str {
        match self {
            KeyArgument::Stack(bytes, length) => std::str::from_utf8(&bytes[..*length]).unwrap_or_default(),
            KeyArgument::Heap(text) => text,
        }
    }
}

impl TypeName for KeyArgument {
    fn type_name() -> &'static str {
        "String"
    }

    fn value_type() -> ValueType {
        ValueType::String
    }
}

impl ValidateNapiValue for KeyArgument {}

impl FromNapiValue for KeyArgument {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        let mut bytes = [0; ON_STACK];
        let mut length = 0;
        // SAFETY: env and value come from Node-API; it writes at most ON_STACK bytes, the last of them a zero.
        check_status!(unsafe {
            sys::napi_get_value_string_utf8(env, value, bytes.as_mut_ptr().cast(), ON_STACK, &mut length)
        })?;
        // A longer string is cut at a whole character of up to four bytes: near the end it may be one of those.
        if length < ON_STACK - 4 {
            return Ok(KeyArgument::Stack(bytes, length));
        }
        // SAFETY: the same value, converted to an owned string by napi.
        let text = unsafe { String::from_napi_value(env, value) }
            .map_err(|error| Error::new(Status::StringExpected, error.reason))?;
        Ok(KeyArgument::Heap(text))
    }
}

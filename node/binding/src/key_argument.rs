//! A key on its way in: copied once, onto the stack when it is short.

use napi::bindgen_prelude::{FromNapiValue, TypeName, ValidateNapiValue};
use napi::{Result, ValueType, check_status, sys};
use std::mem::MaybeUninit;

const ON_STACK: usize = 256;

/// A string argument, not yet read.
pub struct KeyArgument {
    env: sys::napi_env,
    value: sys::napi_value,
}

impl KeyArgument {
    /// Reads the text for the length of `call`.
    pub fn with<R>(&self, call: impl FnOnce(&str) -> R) -> Result<R> {
        let mut bytes = [const { MaybeUninit::<u8>::uninit() }; ON_STACK];
        let mut length = 0;
        // SAFETY: env and value are those of the running call, because a `KeyArgument` is only ever an argument; Node-API
        // writes at most ON_STACK bytes, the last of them a zero.
        check_status!(unsafe {
            sys::napi_get_value_string_utf8(self.env, self.value, bytes.as_mut_ptr().cast(), ON_STACK, &mut length)
        })?;
        // A longer string is cut at a whole character of up to four bytes: near the end it may be one of those.
        if length < ON_STACK - 4 {
            // SAFETY: Node-API has written `length` bytes.
            let written = unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast::<u8>(), length) };
            return Ok(call(std::str::from_utf8(written).unwrap_or_default()));
        }
        // SAFETY: the same value, converted to an owned string by napi.
        let text = unsafe { String::from_napi_value(self.env, self.value) }?;
        Ok(call(&text))
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
        Ok(Self { env, value })
    }
}

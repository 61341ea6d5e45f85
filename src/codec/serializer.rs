//! Encodings for Rust hosts. JavaScript encodes in V8, with the same ids.

use crate::entry::SerializerId;
use crate::error::{Error, ErrorKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How deep MessagePack may be nested: as deep as JSON. The library allows 1,024, which is more than the stack of a thread may hold.
#[cfg(feature = "msgpack")]
const DEPTH: usize = 128;

/// How values of a Rust host become bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Serializer {
    /// JSON: what a Node service reads too.
    #[default]
    Json,
    /// MessagePack with field names.
    #[cfg(feature = "msgpack")]
    MessagePack,
}

impl Serializer {
    /// The id in the envelope.
    pub fn id(self) -> SerializerId {
        match self {
            Self::Json => SerializerId::JSON,
            #[cfg(feature = "msgpack")]
            Self::MessagePack => SerializerId::MESSAGE_PACK,
        }
    }

    /// Encodes a value.
    pub fn encode<T: Serialize + ?Sized>(self, value: &T) -> Result<Vec<u8>> {
        match self {
            Self::Json => serde_json::to_vec(value).map_err(|cause| failed("encoded", cause)),
            #[cfg(feature = "msgpack")]
            Self::MessagePack => rmp_serde::to_vec_named(value).map_err(|cause| failed("encoded", cause)),
        }
    }

    /// Decodes a value.
    pub fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T> {
        match self {
            Self::Json => serde_json::from_slice(bytes).map_err(|cause| failed("decoded", cause)),
            #[cfg(feature = "msgpack")]
            Self::MessagePack => {
                let mut decoder = rmp_serde::Deserializer::from_read_ref(bytes);
                decoder.set_max_depth(DEPTH);
                T::deserialize(&mut decoder).map_err(|cause| failed("decoded", cause))
            }
        }
    }
}

fn failed(what: &str, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Serialize, format!("the value could not be {what}: {cause}")).caused_by(cause)
}

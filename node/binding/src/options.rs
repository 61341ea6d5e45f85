//! Options across the boundary: JSON of the engine's own structs, so that no option is written a second time.

use napi_derive::napi;
use serde::{Deserialize, Serialize};
use turbocache::options::{Freshness, MemoryOptions, RedisOptions, SentinelOptions};
use turbocache::{Error, ErrorKind, Options, Result};

/// The hot tier lives in JavaScript; its defaults stand here with the others.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HotOptions {
    max_entries: u32,
    max_bytes: u64,
    reads: &'static str,
}

/// How many loaders of a cache run at a time in an isolate.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BulkheadOptions {
    max_concurrent: Option<u32>,
    max_queued: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Defaults {
    #[serde(flatten)]
    freshness: Freshness,
    memory: MemoryOptions,
    hot: HotOptions,
    redis: RedisDefaults,
    compression: turbocache::options::CompressionOptions,
    bulkhead: BulkheadOptions,
    serializer: &'static str,
    max_key_bytes: usize,
    max_value_bytes: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RedisDefaults {
    connect_timeout: u64,
    command_timeout: u64,
    tracking: bool,
    required: bool,
    sentinel: SentinelDefaults,
}

#[derive(Serialize)]
struct SentinelDefaults {
    database: u32,
    tls: bool,
}

/// What the client sends.
#[derive(Deserialize)]
pub struct Wanted {
    /// A remote tier that lives in JavaScript.
    #[serde(default)]
    pub adapter: bool,
    /// The engine's options.
    #[serde(flatten)]
    pub engine: serde_json::Map<String, serde_json::Value>,
}

impl Wanted {
    /// Reads the JSON.
    pub fn parse(json: &str) -> Result<(Options, bool)> {
        let refuse = |cause: serde_json::Error| {
            Error::new(ErrorKind::Option, format!("the options were not understood: {cause}")).caused_by(cause)
        };
        let wanted: Wanted = serde_json::from_str(json).map_err(refuse)?;
        let options = serde_json::from_value(serde_json::Value::Object(wanted.engine)).map_err(refuse)?;
        Ok((options, wanted.adapter))
    }
}

/// JSON of every option with its default, in milliseconds and bytes.
#[napi(catch_unwind)]
pub fn default_options() -> String {
    let engine = Options::default();
    let redis = RedisOptions::default();
    let sentinel = SentinelOptions::default();
    let defaults = Defaults {
        freshness: Freshness::default(),
        memory: MemoryOptions::default(),
        hot: HotOptions {
            max_entries: 10_000,
            max_bytes: 32 << 20,
            reads: "copy",
        },
        redis: RedisDefaults {
            connect_timeout: redis.connect_timeout,
            command_timeout: redis.command_timeout,
            tracking: redis.tracking,
            required: false,
            sentinel: SentinelDefaults {
                database: sentinel.database,
                tls: sentinel.tls,
            },
        },
        compression: turbocache::options::CompressionOptions::default(),
        bulkhead: BulkheadOptions {
            max_concurrent: None,
            max_queued: 1_000,
        },
        serializer: "json",
        max_key_bytes: engine.max_key_bytes,
        max_value_bytes: engine.max_value_bytes,
    };
    serde_json::to_string(&defaults).unwrap_or_default()
}

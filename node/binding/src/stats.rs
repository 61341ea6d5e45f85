//! Counters as JSON: `CacheStats` of `index.d.ts` without its hot tier.

use serde::Serialize;
use turbocache::engine::{Engine, Tracking};
use turbocache::tier::RemoteState;
use turbocache::warning::{Warning, WarningKind};

#[derive(Serialize)]
struct Stats {
    memory: Memory,
    remote: Remote,
    loads: Loads,
    invalidations: Invalidations,
}

#[derive(Serialize)]
struct Memory {
    hits: u64,
    misses: u64,
    entries: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Remote {
    hits: u64,
    misses: u64,
    errors: u64,
    rejected: u64,
    retries: u64,
    state: &'static str,
    warnings: Vec<RemoteWarning>,
}

#[derive(Serialize)]
struct RemoteWarning {
    code: &'static str,
    about: String,
    message: String,
    expected: String,
}

impl From<Warning> for RemoteWarning {
    fn from(warning: Warning) -> Self {
        Self {
            code: match warning.kind {
                WarningKind::Refused => "E_TURBOCACHE_REFUSED",
                _ => "E_TURBOCACHE_TOPOLOGY",
            },
            about: warning.about,
            message: warning.message,
            expected: warning.expected,
        }
    }
}

#[derive(Serialize)]
struct Loads {
    started: u64,
    failed: u64,
    refused: u64,
}

#[derive(Serialize)]
struct Invalidations {
    sent: u64,
    received: u64,
    replayed: u64,
    gaps: u64,
    drops: u64,
    tracking: &'static str,
    foreign: u64,
    missed: u64,
    recovered: u64,
    lost: u64,
}

/// The counters of an engine.
pub fn json(engine: &Engine) -> String {
    let counters = engine.counters();
    let (entries, bytes) = engine.memory_usage();
    let stats = Stats {
        memory: Memory {
            hits: counters.memory_hits.value(),
            misses: counters.memory_misses.value(),
            entries,
            bytes,
        },
        remote: Remote {
            hits: counters.remote_hits.value(),
            misses: counters.remote_misses.value(),
            errors: counters.remote_errors.value(),
            rejected: counters.remote_rejected.value(),
            retries: engine.remote_retries(),
            state: match engine.remote_state() {
                RemoteState::None => "none",
                RemoteState::Connecting => "connecting",
                RemoteState::Up => "up",
                RemoteState::Down => "down",
            },
            warnings: engine.warnings().into_iter().map(RemoteWarning::from).collect(),
        },
        loads: Loads {
            started: counters.loads_started.value(),
            failed: counters.loads_failed.value(),
            refused: counters.loads_refused.value(),
        },
        invalidations: Invalidations {
            sent: counters.events_sent.value(),
            received: counters.events_received.value(),
            replayed: counters.events_replayed.value(),
            gaps: counters.bus_gaps.value(),
            drops: counters.bus_drops.value(),
            tracking: match engine.tracking() {
                Tracking::Off => "off",
                Tracking::On => "on",
                Tracking::Refused => "refused",
            },
            foreign: counters.foreign_changes.value(),
            missed: engine.missed_changes() as u64,
            recovered: counters.recovered.value(),
            lost: counters.changes_lost.value(),
        },
    };
    serde_json::to_string(&stats).unwrap_or_default()
}

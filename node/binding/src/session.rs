//! One isolate's access to one engine: its mirror, its buffers, its queue of answers, its leases.

use crate::adapter::{self, Batches, JavaScriptStore};
use crate::answer::Answer;
use crate::completions::Completions;
use crate::engines;
use crate::errors::{Thrown, broken_contract, thrown};
use crate::key_argument::KeyArgument;
use crate::layout::Status;
use crate::options::Wanted;
use crate::requests;
use crate::shared_memory::{HostBuffer, SharedWords};
use napi::bindgen_prelude::{BufferSlice, Env, Function, Int32Array, Uint8Array};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::runtime::Handle;
use turbocache::engine::generation::MirrorId;
use turbocache::engine::{Engine, LeaseId, Lookup, Parts, Space};
use turbocache::entry::SerializerId;
use turbocache::random::SystemRandom;
use turbocache::tier::KeyValue;
use turbocache::{Options, key};

/// Memory that JavaScript allocated; see `NativeBuffers` in `native.ts`.
#[napi(object, object_to_js = false)]
pub struct Buffers {
    pub mirror: Int32Array,
    pub read: Uint8Array,
    pub complete: Uint8Array,
}

/// What other threads need of a session. It outlives the session as long as answers are under way.
pub struct Host {
    engine: Arc<Engine>,
    completions: Arc<Completions>,
    leases: Mutex<HashSet<LeaseId>>,
}

impl Host {
    /// Queues an answer; what comes after the end of the host is dropped.
    pub fn push(&self, answer: Answer) {
        let _ = self.completions.push(answer);
    }

    /// The same for a lookup: a lease that nobody is there to take goes to the next.
    pub fn push_lookup(&self, id: u32, lookup: Lookup) {
        let answer = requests::looked_up(id, lookup);
        if let Some(lease) = answer.lease {
            self.leases.lock().insert(lease);
        }
        if let Err(refused) = self.completions.push(answer)
            && let Some(lease) = refused.lease
        {
            self.give_back(lease);
        }
    }

    /// The lease is being answered.
    pub fn forget_lease(&self, lease: LeaseId) {
        self.leases.lock().remove(&lease);
    }

    fn give_back(&self, lease: LeaseId) {
        self.forget_lease(lease);
        self.engine.release(lease, false);
    }

    /// The host is gone: others load what it was loading.
    fn end(&self) {
        self.completions.close();
        let leases = std::mem::take(&mut *self.leases.lock());
        for lease in leases {
            self.engine.release(lease, false);
        }
    }
}

/// See the module. It belongs to the isolate that opened it.
#[napi]
pub struct Session {
    host: Arc<Host>,
    batches: Arc<Batches>,
    spaces: Vec<Space>,
    buffers: SessionBuffers,
    runtime: Handle,
}

struct SessionBuffers {
    read: HostBuffer,
    complete: HostBuffer,
    large_read: Option<Vec<u8>>,
    registration: Arc<Registration>,
    /// Kept alive as long as it is registered.
    _mirror: Int32Array,
}

/// The mirror of a session in its engine's table.
struct Registration {
    engine: Arc<Engine>,
    mirror: MirrorId,
}

impl Registration {
    fn end(&self) {
        self.engine.generations().unregister(self.mirror);
    }
}

/// Opens, or for a named namespace joins, an engine.
#[napi(catch_unwind)]
pub fn open(env: Env, options: String, buffers: Buffers, on_wake: Function<'_, (), ()>) -> Result<Session, Thrown> {
    let (options, adapter) = Wanted::parse(&options).map_err(|error| thrown(&error))?;
    let runtime = engines::runtime().map_err(|error| thrown(&error))?;
    // Weak: a session that waits for nothing does not keep the process alive; the client does, while something is due.
    let wake = on_wake
        .build_threadsafe_function::<()>()
        .weak::<true>()
        .build()
        .map_err(|error| broken_contract(&format!("onWake cannot be called from threads: {}", error.reason)))?;
    let completions = Arc::new(Completions::new(Box::new(move || {
        wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
    })));
    let batches = Arc::new(Batches::new(Arc::clone(&completions)));
    let opened = if adapter {
        with_adapter(options, Arc::clone(&batches), &runtime)
    } else {
        engines::open(options, &runtime).map(|(engine, _)| engine)
    };
    let engine = opened.map_err(|error| thrown(&error))?;
    let Buffers {
        mut mirror,
        read,
        complete,
    } = buffers;
    let words = SharedWords::new(&mut mirror).ok_or_else(|| broken_contract("the mirror is too short"))?;
    let id = engine.generations().register(Arc::new(words), engine.clock().now());
    let registration = Arc::new(Registration {
        engine: Arc::clone(&engine),
        mirror: id,
    });
    let host = Arc::new(Host {
        engine,
        completions,
        leases: Mutex::default(),
    });
    // A worker that is terminated runs this before its memory goes.
    let ending = (Arc::clone(&registration), Arc::clone(&host));
    env.add_env_cleanup_hook(ending, |(registration, host)| {
        registration.end();
        host.end();
    })
    .map_err(|error| broken_contract(&error.reason))?;
    let buffers = SessionBuffers {
        read: HostBuffer::new(read),
        complete: HostBuffer::new(complete),
        large_read: None,
        registration,
        _mirror: mirror,
    };
    Ok(Session {
        host,
        batches,
        spaces: Vec::new(),
        buffers,
        runtime,
    })
}

/// An engine over a store in JavaScript. It is this session's alone: the store lives in its isolate.
fn with_adapter(options: Options, batches: Arc<Batches>, runtime: &Handle) -> turbocache::Result<Arc<Engine>> {
    let root = key::root_path(options.namespace.as_deref(), options.version.as_deref())?;
    let mut parts = Parts::local(&options, runtime.clone());
    let tier = KeyValue::new(JavaScriptStore(batches), &root, Arc::new(SystemRandom::default()));
    parts.remote = turbocache::guarded(tier, adapter::DEADLINE, &parts.clock);
    Engine::open(options, parts)
}

#[napi]
impl Session {
    /// Id of a namespace below the root.
    #[napi(catch_unwind)]
    pub fn open_namespace(&mut self, path: String, serializer_id: u32) -> Result<u32, Thrown> {
        let serializer = u8::try_from(serializer_id).map_err(|_| broken_contract("a serializer id is one byte"))?;
        self.spaces
            .push(Space::open(&self.host.engine, &path, SerializerId(serializer)));
        Ok(self.spaces.len() as u32 - 1)
    }

    /// Index in the mirror of a namespace's generation.
    #[napi(catch_unwind)]
    pub fn namespace_index(&self, namespace_id: u32) -> Result<u32, Thrown> {
        self.space(namespace_id).map(Space::index)
    }

    /// Synchronous read of L1 into the read buffer.
    #[napi(catch_unwind)]
    pub fn read(&mut self, namespace_id: u32, key: KeyArgument) -> Result<u32, Thrown> {
        let peek = self.space(namespace_id)?.peek(key.as_str());
        let capture = Some(peek.capture);
        let answer = match peek.found {
            Some(found) => Answer {
                capture,
                ..Answer::found(0, found)
            },
            None => Answer {
                capture,
                ..Answer::new(0, Status::Miss)
            },
        };
        let out = self.buffers.read.bytes();
        if answer.size() > out.len() {
            return Err(broken_contract("the read buffer is too short"));
        }
        answer.write(out);
        let status = answer.status as u32;
        if answer.is_large() {
            self.buffers.large_read = Some(answer.into_value());
        }
        Ok(status)
    }

    /// Executes the requests of a turn; the number of answers that already wait.
    #[napi(catch_unwind)]
    pub fn submit(&self, requests: &[u8], bytes: u32, count: u32) -> Result<u32, Thrown> {
        let requests = requests
            .get(..bytes as usize)
            .ok_or_else(|| broken_contract("the requests are cut off"))?;
        let mut executed = Ok(());
        let waiting = self.host.completions.without_waking(|| {
            executed = requests::execute(&self.host, &self.spaces, requests, count);
        });
        executed.map(|()| waiting).map_err(|error| thrown(&error))
    }

    /// Writes answers into the completion buffer; their number.
    #[napi(catch_unwind)]
    pub fn drain(&mut self) -> u32 {
        self.host.completions.drain(self.buffers.complete.bytes())
    }

    /// A value that did not fit: of the last read (0), or of a completion.
    #[napi(catch_unwind)]
    pub fn take_large<'env>(&mut self, env: &'env Env, request_id: u32) -> Result<BufferSlice<'env>, Thrown> {
        let value = match request_id {
            0 => self.buffers.large_read.take(),
            id => self.host.completions.take_large(id),
        };
        let value = value.ok_or_else(|| broken_contract("there is no value to take"))?;
        BufferSlice::copy_from(env, value).map_err(|error| broken_contract(&error.reason))
    }

    /// The adapter's answer to a batch.
    #[napi(catch_unwind)]
    pub fn adapter_reply(&self, batch_id: u32, items: Option<&[u8]>, error: Option<String>) {
        self.batches.reply(batch_id, items, error.as_deref());
    }

    /// JSON of the engine's counters.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> String {
        crate::stats::json(&self.host.engine)
    }

    /// Ends the session: when every write has been answered, a completion with id 0 says so, and is the last.
    #[napi(catch_unwind)]
    pub fn close(&mut self) {
        self.buffers.registration.end();
        let host = Arc::clone(&self.host);
        self.runtime.spawn(async move {
            host.engine.idle().await;
            host.push(Answer::new(0, Status::Done));
        });
    }
}

impl Session {
    fn space(&self, id: u32) -> Result<&Space, Thrown> {
        self.spaces
            .get(id as usize)
            .ok_or_else(|| broken_contract("unknown namespace"))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.buffers.registration.end();
        self.host.end();
    }
}

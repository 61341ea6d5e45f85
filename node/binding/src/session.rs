//! One isolate's access to one engine: its mirror, its buffers, its queue of answers, its leases.

use crate::adapter::{self, Batches, JavaScriptStore};
use crate::answer::Answer;
use crate::completions::Completions;
use crate::engines;
use crate::errors::{Thrown, broken_contract, thrown};
use crate::host::Host;
use crate::layout::Status;
use crate::options::Wanted;
use crate::requests;
use crate::shared_memory::{HostBuffer, SharedWords};
use napi::bindgen_prelude::{Int32Array, Uint8Array};
use napi_derive::napi;
use std::sync::Arc;
use tokio::runtime::Handle;
use turbocache::engine::generation::MirrorId;
use turbocache::engine::{Engine, Parts, Space};
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

/// See the module. It belongs to the isolate that opened it.
pub struct Session {
    host: Arc<Host>,
    batches: Arc<Batches>,
    spaces: Vec<Space>,
    clashes: Vec<String>,
    read: HostBuffer,
    complete: HostBuffer,
    large_read: Option<Vec<u8>>,
    mirror: MirrorId,
    /// Kept alive until the mirror is unregistered.
    _mirror_memory: Int32Array,
    runtime: Handle,
}

impl Session {
    /// Opens, or for a named namespace joins, an engine. `wake` is called from any thread when answers wait.
    pub fn open(options: &str, buffers: Buffers, wake: Box<dyn Fn() + Send + Sync>) -> Result<Session, Thrown> {
        let (options, adapter) = Wanted::parse(options).map_err(|error| thrown(&error))?;
        let runtime = engines::runtime().map_err(|error| thrown(&error))?;
        let completions = Arc::new(Completions::new(wake));
        let batches = Arc::new(Batches::new(Arc::clone(&completions)));
        let opened = if adapter {
            with_adapter(options, Arc::clone(&batches), &runtime).map(|engine| (engine, Vec::new()))
        } else {
            engines::open(options, &runtime)
        };
        let (engine, clashes) = opened.map_err(|error| thrown(&error))?;
        let Buffers {
            mut mirror,
            read,
            complete,
        } = buffers;
        let words = SharedWords::new(&mut mirror).ok_or_else(|| broken_contract("the mirror is too short"))?;
        let id = engine.generations().register(Arc::new(words), engine.clock().now());
        let root = Space::open(&engine, "", SerializerId::JSON);
        let host = Arc::new(Host::new(root, completions));
        Ok(Session {
            host,
            batches,
            spaces: Vec::new(),
            clashes: clashes.iter().map(|error| thrown(error).reason.to_string()).collect(),
            read: HostBuffer::new(read),
            complete: HostBuffer::new(complete),
            large_read: None,
            mirror: id,
            _mirror_memory: mirror,
            runtime,
        })
    }

    /// Id of a namespace below the root.
    pub fn open_namespace(&mut self, path: &str, serializer_id: u32) -> Result<u32, Thrown> {
        let serializer = u8::try_from(serializer_id).map_err(|_| broken_contract("a serializer id is one byte"))?;
        self.spaces
            .push(Space::open(self.host.engine(), path, SerializerId(serializer)));
        Ok(self.spaces.len() as u32 - 1)
    }

    /// What its options ask for in vain, as the JSON of an error each.
    pub fn clashes(&self) -> Vec<String> {
        self.clashes.clone()
    }

    /// A namespace.
    pub fn space(&self, id: u32) -> Result<&Space, Thrown> {
        self.spaces
            .get(id as usize)
            .ok_or_else(|| broken_contract("unknown namespace"))
    }

    /// Reads L1 into the read buffer.
    pub fn read(&mut self, namespace: u32, key: &str) -> Result<Status, Thrown> {
        let peek = self.space(namespace)?.peek(key);
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
        let out = self.read.bytes();
        if answer.size() > out.len() {
            return Err(broken_contract("the read buffer is too short"));
        }
        answer.write(out);
        let status = answer.status;
        if answer.is_large() {
            self.large_read = Some(answer.into_value());
        }
        Ok(status)
    }

    /// Takes a lease for this process alone; it and what was captured are in the read buffer.
    pub fn lease_here(&mut self, namespace: u32, key: &str) -> Result<(), Thrown> {
        let (lease, capture) = self.space(namespace)?.lease_here(key);
        self.host.remember_lease(lease);
        let answer = Answer {
            lease: Some(lease),
            capture: Some(capture),
            ..Answer::new(0, Status::Load)
        };
        answer.write(self.read.bytes());
        Ok(())
    }

    /// Executes the requests of a turn; the number of answers that already wait.
    pub fn submit(&self, requests: &[u8], count: u32) -> Result<u32, Thrown> {
        let mut executed = Ok(());
        let waiting = self.host.completions().without_waking(|| {
            executed = self
                .engine()
                .together(|| requests::execute(&self.host, &self.spaces, requests, count));
        });
        executed.map(|()| waiting).map_err(|error| thrown(&error))
    }

    /// Writes answers into the completion buffer; their number.
    pub fn drain(&mut self) -> u32 {
        self.host.completions().drain(self.complete.bytes())
    }

    /// A value that did not fit: of the last read (0), or of a completion.
    pub fn take_large(&mut self, request_id: u32) -> Option<Vec<u8>> {
        match request_id {
            0 => self.large_read.take(),
            id => self.host.completions().take_large(id),
        }
    }

    /// The batches of the adapter.
    pub fn batches(&self) -> &Batches {
        &self.batches
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        self.host.engine()
    }

    /// When every write has been answered, a completion with id 0 says so, and is the last.
    pub fn close(&self) {
        self.engine().generations().unregister(self.mirror);
        self.host.give_locks_back();
        let host = Arc::clone(&self.host);
        self.runtime.spawn(async move {
            host.engine().idle().await;
            host.push(Answer::new(0, Status::Done));
        });
    }
}

/// An engine over a store in JavaScript. It is this session's alone: the store lives in its isolate.
fn with_adapter(options: Options, batches: Arc<Batches>, runtime: &Handle) -> turbocache::Result<Arc<Engine>> {
    let root = key::root_path(options.namespace.as_deref(), options.version.as_deref())?;
    let mut parts = Parts::local(&options, runtime.clone());
    let tier = KeyValue::new(JavaScriptStore(batches), &root, Arc::new(SystemRandom::default()));
    parts.remote = turbocache::guarded(tier, adapter::DEADLINE, &parts.clock);
    Engine::open(options, parts)
}

impl Drop for Session {
    fn drop(&mut self) {
        self.engine().generations().unregister(self.mirror);
        self.host.end();
    }
}

//! A loader that asks for its own key would wait for itself for ever: it is refused instead (law 6).

use crate::engine::Space;
use crate::error::{Error, ErrorKind, Result};
use std::future::Future;
use std::sync::Arc;

tokio::task_local! {
    /// What the loader that runs in this task loads.
    static LOADING: Arc<Loading>;
}

/// A key being loaded, and the loads inside whose loaders that happens.
pub struct Loading {
    engine: usize,
    path: Box<str>,
    key: Box<str>,
    outer: Option<Arc<Loading>>,
}

impl Loading {
    /// Refuses a key whose own loader asks for it.
    pub fn enter(space: &Space, key: &str) -> Result<Arc<Self>> {
        let outer = LOADING.try_with(Arc::clone).ok();
        let loading = Self {
            engine: Arc::as_ptr(space.engine()).addr(),
            path: space.full_path().into(),
            key: key.into(),
            outer,
        };
        let mut above = loading.outer.as_deref();
        while let Some(load) = above {
            if load.engine == loading.engine && load.path == loading.path && load.key == loading.key {
                let message = "the loader asks for the key that it loads: it would wait for itself";
                return Err(Error::new(ErrorKind::Argument, message).with("key", key));
            }
            above = load.outer.as_deref();
        }
        Ok(Arc::new(loading))
    }

    /// Runs the loader as this load.
    pub async fn run<R>(self: Arc<Self>, loader: impl Future<Output = R>) -> R {
        LOADING.scope(self, loader).await
    }
}

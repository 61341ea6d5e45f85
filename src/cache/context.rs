//! What a loader is told, and may say.

use super::caller::Wait;
use crate::clock::millis;
use crate::codec::serializer::Serializer;
use crate::payload::Payload;
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What the loader of [`Cache::get_or_spawn`](crate::Cache::get_or_spawn) is told, and may say. Clones are the same.
///
/// ```
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// # let cache = turbocache::Cache::builder().build()?;
/// use std::time::Duration;
/// use turbocache::{LoadContext, LoadOptions};
///
/// let load = |context: LoadContext<String>| async move {
///     let (status, text, max_age) = (200, "a page".to_owned(), 30); // what the origin said
///     if status == 304
///         && let Some(old) = context.not_modified()
///     {
///         return Ok::<_, std::io::Error>(old);
///     }
///     context.set_ttl(Duration::from_secs(max_age));
///     context.set_tags(["pages"]);
///     Ok(text)
/// };
/// let page = cache.get_or_spawn("page:1", &LoadOptions::default(), load).await?;
/// assert_eq!(page, "a page");
/// cache.invalidate_tags(&["pages"]).await?;
/// assert_eq!(cache.get::<String>("page:1").await?, None);
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(run()).unwrap();
/// ```
pub struct LoadContext<T> {
    load: Arc<Load>,
    ended: watch::Receiver<()>,
    value: PhantomData<fn() -> T>,
}

struct Load {
    key: Box<str>,
    serializer: Serializer,
    stale: Option<Payload>,
    wait: Wait,
    choices: Mutex<Choices>,
}

/// What a loader has said about its value.
#[derive(Default)]
pub struct Choices {
    /// In milliseconds.
    pub ttl: Option<u64>,
    /// Instead of those of the options.
    pub tags: Option<Vec<String>>,
    /// It is stored nowhere.
    pub skip: bool,
    /// The old value is still right.
    pub unchanged: bool,
}

impl<T> LoadContext<T> {
    /// The context of a load that ends when the sender is dropped.
    pub(super) fn new(
        key: Box<str>,
        serializer: Serializer,
        stale: Option<Payload>,
        wait: Wait,
    ) -> (Self, watch::Sender<()>) {
        let (end, ended) = watch::channel(());
        let load = Arc::new(Load {
            key,
            serializer,
            stale,
            wait,
            choices: Mutex::default(),
        });
        let value = PhantomData;
        (Self { load, ended, value }, end)
    }

    /// What was said until now.
    pub(super) fn take_choices(&self) -> Choices {
        std::mem::take(&mut self.load.choices.lock())
    }

    /// What is loaded.
    pub fn key(&self) -> &str {
        &self.load.key
    }

    /// Nobody waits, or nobody any more: a reload behind a hit or behind an old value, or the caller's time is over, or he has
    /// gone.
    pub fn is_background(&self) -> bool {
        !self.load.wait.goes_on()
    }

    /// The ttl of what it returns, instead of the options' one. It is the longest that any tier keeps the value; `max_ttl`
    /// and `jitter` make it shorter. [`Duration::MAX`] does not end; zero is the same as [`LoadContext::skip`].
    pub fn set_ttl(&self, ttl: Duration) {
        let mut choices = self.load.choices.lock();
        match millis(ttl) {
            0 => choices.skip = true,
            ttl => choices.ttl = Some(ttl),
        }
    }

    /// The tags of what it returns, instead of the options' ones. 64 at most, of 1 to 256 bytes: others fail the load with
    /// [`ErrorKind::Argument`](crate::ErrorKind::Argument).
    pub fn set_tags(&self, tags: impl IntoIterator<Item = impl Into<String>>) {
        self.load.choices.lock().tags = Some(tags.into_iter().map(Into::into).collect());
    }

    /// What it returns goes to the caller, and is not stored.
    pub fn skip(&self) {
        self.load.choices.lock().skip = true;
    }

    /// Whether nobody can use what it brings any more; see [`LoadContext::cancelled`].
    pub fn is_cancelled(&self) -> bool {
        self.ended.has_changed().is_err()
    }

    /// Resolves when nobody can use what it brings any more: at `loader_deadline`, when the cache is closed, and when it has
    /// returned. The loader's own future is dropped then; this is for what it has begun elsewhere, with a clone.
    pub async fn cancelled(&self) {
        let mut ended = self.ended.clone();
        // Nothing is ever sent: the sender goes with the load.
        while ended.changed().await.is_ok() {}
    }
}

impl<T: DeserializeOwned> LoadContext<T> {
    /// The value that is to be replaced, if there is one and it decodes; a copy of one's own.
    pub fn stale(&self) -> Option<T> {
        self.load.serializer.decode(self.load.stale.as_ref()?).ok()
    }

    /// The old value is still right: when the loader returns now, whatever it returns, the old one gets another life and goes
    /// to the caller. It keeps its tags if neither the options nor the loader name any. Gives that value, to be returned;
    /// `None`, and nothing is said, if there is none.
    pub fn not_modified(&self) -> Option<T> {
        let old = self.stale()?;
        self.load.choices.lock().unchanged = true;
        Some(old)
    }
}

impl<T> Clone for LoadContext<T> {
    fn clone(&self) -> Self {
        Self {
            load: Arc::clone(&self.load),
            ended: self.ended.clone(),
            value: PhantomData,
        }
    }
}

impl<T> std::fmt::Debug for LoadContext<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the key: keys may name people.
        f.debug_struct("LoadContext")
            .field("is_background", &self.is_background())
            .field("has_stale", &self.load.stale.is_some())
            .finish_non_exhaustive()
    }
}

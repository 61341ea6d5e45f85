//! A remote tier out of any store that can get, set and delete: Keyv, DynamoDB, a map.
//!
//! What such a store cannot do is done here: leases live in this process (so a load is shared by this process, not by the
//! cluster), and the namespace state is read, changed and written back (two processes that invalidate tags in the same
//! moment may lose one of the two; Redis does it in one step).

use crate::codec::envelope::grace_of;
use crate::error::{Error, ErrorKind, Result};
use crate::key::{RemoteKey, state_name};
use crate::random::Random;
use crate::tier::{NamespaceState, RemoteReply, RemoteRequest, RemoteState, RemoteTier, Replies, Stored, Token, rules};
use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One request to a store.
#[derive(Debug, Clone)]
pub enum KeyValueItem {
    /// The value and its remaining life.
    Get(String),
    /// Stores a value; life in milliseconds, `None` = without end.
    Set(String, Bytes, Option<u64>),
    /// Removes a value.
    Delete(String),
}

/// One answer for each item, or the failure of all.
pub type KeyValueAnswers = Result<Vec<Option<Stored>>>;

/// A store of bytes. Answers in the order of the items: for Get the value, for Delete `Some` when there was one.
pub trait KeyValueStore: Send + Sync + 'static {
    /// Executes the items in order.
    fn execute(&self, items: Vec<KeyValueItem>) -> Pin<Box<dyn Future<Output = KeyValueAnswers> + Send + '_>>;
}

/// See the module.
pub struct KeyValue<S> {
    store: S,
    state_name: String,
    leases: Mutex<HashMap<String, Token>>,
    random: Arc<dyn Random>,
    answered: AtomicBool,
}

enum Step {
    /// Items for the store.
    Store,
    /// Decided here.
    Answer(bool),
    /// Several steps.
    More,
}

#[derive(Serialize, Deserialize, Default)]
struct SavedState {
    incarnation: u64,
    counter: u64,
    floors: HashMap<String, u64>,
    /// Rules by their list's field, see [`rules`].
    #[serde(default, skip_serializing_if = "HashMap::is_empty")]
    lists: HashMap<String, String>,
}

impl<S: KeyValueStore> KeyValue<S> {
    /// A tier for the namespaces below `root`.
    pub fn new(store: S, root: &str, random: Arc<dyn Random>) -> Self {
        let leases = Mutex::default();
        Self {
            store,
            state_name: state_name(root),
            leases,
            random,
            answered: AtomicBool::new(false),
        }
    }

    async fn one(&self, item: KeyValueItem) -> Result<Option<Stored>> {
        let mut answers = self.store.execute(vec![item]).await?;
        self.answered.store(true, Ordering::Relaxed);
        answers
            .pop()
            .ok_or_else(|| Error::new(ErrorKind::Remote, "the store gave no answer"))
    }

    async fn saved_state(&self) -> Result<SavedState> {
        match self.stored_state().await? {
            Some(state) => Ok(state),
            None => self.new_incarnation().await,
        }
    }

    async fn stored_state(&self) -> Result<Option<SavedState>> {
        let stored = self.one(KeyValueItem::Get(self.state_name.clone())).await?;
        let saved = stored.and_then(|stored| serde_json::from_slice::<SavedState>(&stored.envelope).ok());
        Ok(saved.filter(|saved| saved.incarnation != 0))
    }

    async fn new_incarnation(&self) -> Result<SavedState> {
        let fresh = SavedState {
            incarnation: self.random.next() | 1,
            ..SavedState::default()
        };
        self.save(&fresh).await?;
        // Somebody else may begin one in the same moment: what the store says afterwards counts for both.
        Ok(self.stored_state().await?.unwrap_or(fresh))
    }

    async fn save(&self, state: &SavedState) -> Result<()> {
        let bytes = serde_json::to_vec(state).map_err(|cause| {
            Error::new(ErrorKind::Serialize, "the namespace state could not be encoded").caused_by(cause)
        })?;
        self.one(KeyValueItem::Set(self.state_name.clone(), bytes.into(), None))
            .await
            .map(drop)
    }

    async fn raise(&self, fields: &[Box<str>]) -> Result<SavedState> {
        if fields.is_empty() {
            return self.new_incarnation().await;
        }
        let mut state = self.saved_state().await?;
        state.counter += 1;
        for field in fields {
            state.floors.insert(field.to_string(), state.counter);
        }
        self.save(&state).await?;
        Ok(state)
    }

    async fn raise_rule(&self, rule: &str, places: &[rules::Place]) -> Result<SavedState> {
        let mut state = self.saved_state().await?;
        state.counter += 1;
        let list_at = |field: &str| Cow::from(state.lists.get(field).map_or("", String::as_str));
        if let Some(placed) = rules::add(places, rule, state.counter, list_at) {
            if placed.folded {
                state.lists.remove(&*placed.place.list);
                state.floors.insert(placed.place.floor.to_string(), state.counter);
            } else {
                state.lists.insert(placed.place.list.to_string(), placed.text);
            }
        }
        self.save(&state).await?;
        Ok(state)
    }

    fn revoke(&self, key: &RemoteKey) {
        self.leases.lock().remove(&key.lease_name());
    }

    fn holds(&self, key: &RemoteKey, token: Token) -> bool {
        self.leases.lock().get(&key.lease_name()) == Some(&token)
    }

    /// What a request comes to; what the store has to do for it is added to `items`. Leases change here, in the order of the requests.
    fn step(&self, request: &RemoteRequest, items: &mut Vec<KeyValueItem>) -> Step {
        let mut store = |item| {
            items.push(item);
            Step::Store
        };
        match request {
            RemoteRequest::Read { key } => store(KeyValueItem::Get(key.value_name())),
            RemoteRequest::ReadBytes { keys } => {
                items.extend(keys.iter().map(|key| KeyValueItem::Get(key.value_name())));
                Step::Store
            }
            RemoteRequest::Write { key, envelope, life } => {
                self.revoke(key);
                store(KeyValueItem::Set(key.value_name(), envelope.clone(), *life))
            }
            RemoteRequest::Remove { key } => {
                self.revoke(key);
                store(KeyValueItem::Delete(key.value_name()))
            }
            RemoteRequest::Fill {
                key,
                token,
                envelope,
                life,
            } if self.give_back(key, *token) => store(KeyValueItem::Set(key.value_name(), envelope.clone(), *life)),
            RemoteRequest::Fill { .. } => Step::Answer(false),
            RemoteRequest::Renew { key, token, .. } => Step::Answer(self.holds(key, *token)),
            // Leases are those of this process, and it lives.
            RemoteRequest::ShowLife { .. } | RemoteRequest::HasLife { .. } => Step::Answer(true),
            RemoteRequest::Unlease { key, token } => Step::Answer(self.give_back(key, *token)),
            _ => Step::More,
        }
    }

    /// Ends the lease, if it is this one's.
    fn give_back(&self, key: &RemoteKey, token: Token) -> bool {
        let held = self.holds(key, token);
        if held {
            self.revoke(key);
        }
        held
    }

    /// The requests that need an answer of the store before they know what to do.
    async fn execute_one(&self, request: &RemoteRequest) -> Result<RemoteReply> {
        match request {
            RemoteRequest::State { fields } => Ok(RemoteReply::State(self.saved_state().await?.pick(fields))),
            RemoteRequest::Raise { fields } => Ok(RemoteReply::State(self.raise(fields).await?.pick(fields))),
            RemoteRequest::RaiseRule { rule, places } => {
                Ok(RemoteReply::State(self.raise_rule(rule, places).await?.pick(&[])))
            }
            RemoteRequest::Abandon { incarnation } => {
                let saved = self.saved_state().await?;
                let stays = saved.incarnation != *incarnation;
                let state = if stays { saved } else { self.new_incarnation().await? };
                Ok(RemoteReply::State(state.pick(&[])))
            }
            RemoteRequest::Expire { key } => {
                self.revoke(key);
                self.expire(key).await.map(RemoteReply::Done)
            }
            RemoteRequest::Lease {
                key,
                token,
                unless_value,
                ..
            } => {
                if *unless_value
                    && let Some(stored) = self.one(KeyValueItem::Get(key.value_name())).await?
                    && stored.is_fresh()
                {
                    return Ok(RemoteReply::Value(Some(stored)));
                }
                // The engine asks once a process: an older holder is one whose load nobody joins any more.
                self.leases.lock().insert(key.lease_name(), *token);
                Ok(RemoteReply::Granted)
            }
            RemoteRequest::TakeOver { key, token, .. } => {
                self.leases.lock().insert(key.lease_name(), *token);
                Ok(RemoteReply::Granted)
            }
            RemoteRequest::RemoveMany { keys } => self.remove_many(keys).await.map(RemoteReply::Removed),
            RemoteRequest::Lock { .. } => Err(Error::new(
                ErrorKind::Unsupported,
                "an adapter cannot set a key only where there is none, which a lock needs: expected redis, or no remote tier",
            )),
            RemoteRequest::Scan(_) => Err(Error::new(
                ErrorKind::Unsupported,
                "an adapter cannot list its keys, which deletion by pattern needs: expected redis, or no remote tier",
            )),
            _ => Err(Error::new(ErrorKind::Unsupported, "a store cannot do this")),
        }
    }

    async fn remove_many(&self, keys: &[RemoteKey]) -> Result<u64> {
        keys.iter().for_each(|key| self.revoke(key));
        let items = keys.iter().map(|key| KeyValueItem::Delete(key.value_name())).collect();
        let answers = self.store.execute(items).await?;
        Ok(answers.iter().filter(|answer| answer.is_some()).count() as u64)
    }

    async fn expire(&self, key: &RemoteKey) -> Result<bool> {
        let Some(stored) = self.one(KeyValueItem::Get(key.value_name())).await? else {
            return Ok(false);
        };
        match grace_of(&stored.envelope) {
            0 => self.one(KeyValueItem::Delete(key.value_name())).await.map(|_| true),
            grace if stored.life.is_none_or(|life| life > grace) => self
                .one(KeyValueItem::Set(key.value_name(), stored.envelope, Some(grace)))
                .await
                .map(|_| true),
            _ => Ok(false),
        }
    }

    /// Executes in order; what can go to the store together does.
    async fn execute_all(&self, batch: &[RemoteRequest]) -> Replies {
        let mut replies = Vec::with_capacity(batch.len());
        let (mut run, mut items) = (Vec::new(), Vec::new());
        for request in batch {
            match self.step(request, &mut items) {
                Step::Store => run.push(request),
                step => {
                    self.store_together(&mut run, &mut items, &mut replies).await;
                    replies.push(match step {
                        Step::Answer(yes) => Ok(RemoteReply::Done(yes)),
                        _ => self.execute_one(request).await,
                    });
                }
            }
        }
        self.store_together(&mut run, &mut items, &mut replies).await;
        replies
    }

    async fn store_together(
        &self,
        run: &mut Vec<&RemoteRequest>,
        items: &mut Vec<KeyValueItem>,
        replies: &mut Replies,
    ) {
        if run.is_empty() {
            return;
        }
        match self.store.execute(std::mem::take(items)).await {
            Ok(answers) => {
                self.answered.store(true, Ordering::Relaxed);
                let mut answers = answers.into_iter();
                let mut next = || answers.next().flatten();
                replies.extend(run.drain(..).map(|request| {
                    Ok(match request {
                        RemoteRequest::Read { .. } => RemoteReply::Value(next()),
                        RemoteRequest::ReadBytes { keys } => {
                            let bytes = |_| Ok(next().map(|stored| stored.envelope));
                            RemoteReply::Bytes(keys.iter().map(bytes).collect())
                        }
                        RemoteRequest::Remove { .. } => RemoteReply::Done(next().is_some()),
                        _ => {
                            next();
                            RemoteReply::Done(true)
                        }
                    })
                }));
            }
            Err(error) => replies.extend(run.drain(..).map(|_| Err(error.clone()))),
        }
    }
}

impl SavedState {
    fn pick(&self, fields: &[Box<str>]) -> NamespaceState {
        let floors = fields
            .iter()
            .map(|field| self.floors.get(&**field).copied().unwrap_or(0))
            .collect();
        let lists = fields.iter().filter_map(|field| self.lists.get(&**field));
        let rules = lists
            .flat_map(|list| rules::read(list))
            .map(|(count, rule)| (count, rule.into()));
        NamespaceState {
            incarnation: self.incarnation,
            counter: self.counter,
            floors,
            rules: rules.collect(),
        }
    }
}

impl<S: KeyValueStore> RemoteTier for KeyValue<S> {
    fn execute<'a>(&'a self, batch: &'a [RemoteRequest]) -> Pin<Box<dyn Future<Output = Replies> + Send + 'a>> {
        Box::pin(self.execute_all(batch))
    }

    fn state(&self) -> RemoteState {
        if self.answered.load(Ordering::Relaxed) {
            RemoteState::Up
        } else {
            RemoteState::Connecting
        }
    }
}

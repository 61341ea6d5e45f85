//! What is said on a new connection before it is used: that one wants to know of changes by others (server-assisted tracking),
//! who one is, and that the connection before this one shall do nothing any more.
//!
//! A connection that was given up may still have commands under way, in a server that was frozen or on a slow line. They would be
//! executed behind commands of the new one: an old value would come back after its removal. So the server is told to close it.

use crate::error::Result;
use crate::transport::redis::node::failed;
use crate::transport::redis::refusal::{no_pushes, refusal};
use crate::warning::Warnings;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, Pipeline, ProtocolVersion, PushInfo, PushKind, RedisResult, Value, cmd,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a server says by itself.
#[derive(Debug, PartialEq, Eq)]
pub enum Push {
    /// From here on it tells of changes by others.
    Began {
        /// It had done so before, and nobody knows what was changed between.
        again: bool,
        /// It tells of what scripts of this connection have done, too.
        tells_own: bool,
    },
    /// These keys were changed, removed, or have ended.
    Keys(Vec<Vec<u8>>),
    /// All keys are gone.
    All,
    /// The connection has ended: from here on nobody tells.
    Lost,
    /// It will not tell.
    Refused,
}

/// Who wants to know of changes, and of which.
pub struct Watch {
    /// What the names of the keys begin with; none is the beginning of another.
    pub prefixes: Vec<String>,
    /// A name of that kind under which nothing is kept.
    pub nothing: String,
    /// Called on the task of the connection, in order with its replies. It must not block.
    pub told: Box<dyn Fn(Push) + Send + Sync>,
}

/// How a server names one of its connections: number, and address of the client as the server sees it. Only both together
/// name it, for another server gives the same numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    id: String,
    address: String,
}

/// How to connect: for a server that shall tell of changes, else as ever.
pub struct Wish {
    /// Without pushes.
    pub plain: AsyncConnectionConfig,
    /// With.
    pub pushing: Option<AsyncConnectionConfig>,
    /// The connection tells of changes: its end is news.
    pub tells: Arc<AtomicBool>,
}

impl Wish {
    /// With pushes to this watch, if there is one. For one connection.
    pub fn new(plain: &AsyncConnectionConfig, watch: Option<&Arc<Watch>>) -> Self {
        let tells: Arc<AtomicBool> = Arc::default();
        let pushing = watch.map(|watch| {
            let (watch, tells) = (Arc::clone(watch), Arc::clone(&tells));
            plain.clone().set_push_sender(move |push: PushInfo| {
                match push.kind {
                    PushKind::Invalidate => read(push.data).into_iter().for_each(|push| (watch.told)(push)),
                    PushKind::Disconnection if tells.swap(false, Ordering::SeqCst) => (watch.told)(Push::Lost),
                    _ => {}
                }
                Ok::<_, redis::aio::SendError>(())
            })
        });
        Self {
            plain: plain.clone(),
            pushing,
            tells,
        }
    }

    /// Connects; whether the server can push. One that does not know the protocol for it is connected to without.
    pub async fn connect(&self, client: &Client, warnings: &Warnings) -> RedisResult<(MultiplexedConnection, bool)> {
        let mut cause = None;
        if let Some(pushing) = &self.pushing {
            let client = speaking_3(client)?;
            // A connection that ends in its first words may be a proxy's answer to an unknown one, or an accident.
            for _ in 0..2 {
                match client.get_multiplexed_async_connection_with_config(pushing).await {
                    Ok(connection) => return Ok((connection, true)),
                    Err(error) if error.is_timeout() || error.is_connection_refusal() => return Err(error),
                    Err(error) => {
                        let accident = error.is_io_error();
                        cause = Some(error);
                        if !accident {
                            break;
                        }
                    }
                }
            }
        }
        let connection = client.get_multiplexed_async_connection_with_config(&self.plain).await?;
        if let Some(cause) = cause {
            warnings.raise(no_pushes(&cause));
        }
        Ok((connection, false))
    }
}

fn speaking_3(client: &Client) -> RedisResult<Client> {
    let info = client.get_connection_info().clone();
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Client::open(info.set_redis_settings(settings))
}

/// The keys of an invalidation: several, or nothing for all.
fn read(data: Vec<Value>) -> Vec<Push> {
    let push = |value| match value {
        Value::Array(keys) => {
            let names = keys.into_iter().filter_map(|key| match key {
                Value::BulkString(name) => Some(name),
                _ => None,
            });
            Push::Keys(names.collect())
        }
        // Whatever else it may be one day: something has changed.
        _ => Push::All,
    };
    if data.is_empty() {
        return vec![Push::All];
    }
    data.into_iter().map(push).collect()
}

/// What came of a greeting.
pub struct Greeting {
    /// If the server tells.
    pub identity: Option<Identity>,
    /// It tells of changes.
    pub tracks: bool,
    /// It lets a transaction write a value aside, and rename it.
    pub transacts: bool,
}

/// Greets. What the server refuses is a warning, and the connection is used without.
pub async fn greet(
    connection: &mut MultiplexedConnection,
    watch: Option<&Watch>,
    left: &[Identity],
    warnings: &Warnings,
) -> Result<Greeting> {
    let mut words = vec![cmd("CLIENT").arg("INFO").to_owned()];
    if let Some(watch) = watch {
        let rename = cmd("RENAME").arg(&watch.nothing).arg(&watch.nothing).to_owned();
        words.extend([track(watch), cmd("MULTI"), rename, cmd("EXEC")]);
    }
    words.extend(left.iter().map(kill));
    let count = words.len();
    let mut pipeline = Pipeline::with_capacity(count);
    for word in words {
        pipeline.add_command(word);
    }
    let replies = connection.send_packed_commands(&pipeline, 0, count).await;
    let mut replies = replies.map_err(|cause| failed("unreachable", &cause))?.into_iter();
    let identity = replies.next().and_then(|info| identity(&info));
    let (mut tracks, mut transacts) = (false, false);
    if watch.is_some() {
        tracks = replies
            .next()
            .is_some_and(|reply| note("client tracking", reply, warnings));
        // It was executed: that there is nothing to rename is what it answers.
        transacts = matches!(replies.nth(2), Some(Value::Array(_)));
    }
    for reply in replies {
        note("client kill", reply, warnings);
    }
    Ok(Greeting {
        identity,
        tracks,
        transacts,
    })
}

fn kill(identity: &Identity) -> Cmd {
    let mut command = cmd("CLIENT");
    command.arg("KILL").arg("ID").arg(&identity.id);
    command.arg("ADDR").arg(&identity.address);
    command
}

fn track(watch: &Watch) -> Cmd {
    let mut command = cmd("CLIENT");
    // NOLOOP: what is changed on this connection is known.
    command.arg("TRACKING").arg("ON").arg("BCAST").arg("NOLOOP");
    for prefix in &watch.prefixes {
        command.arg("PREFIX").arg(prefix);
    }
    command
}

/// Whether it was done; a warning if it is refused for good.
fn note(command: &str, reply: Value, warnings: &Warnings) -> bool {
    match reply.extract_error() {
        Ok(_) => {
            warnings.clear(command);
            true
        }
        Err(cause) => {
            match refusal(command, &cause) {
                Some(warning) => warnings.raise(warning),
                None => tracing::debug!(%cause, command, "redis refuses it"),
            }
            false
        }
    }
}

/// `id=7 addr=127.0.0.1:50000 laddr=… …`
fn identity(info: &Value) -> Option<Identity> {
    let text = match info {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok()?,
        Value::VerbatimString { text, .. } => text,
        Value::SimpleString(text) => text,
        _ => return None,
    };
    let field = |name: &str| {
        let mut words = text.split_ascii_whitespace();
        words
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
            .map(str::to_owned)
    };
    Some(Identity {
        id: field("id")?,
        address: field("addr")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn a_push_of_many_keys_has_them_all_and_a_push_of_nothing_is_everything() {
        let keys = Value::Array(vec![bulk("a"), bulk("b")]);
        assert_eq!(read(vec![keys]), [Push::Keys(vec![b"a".to_vec(), b"b".to_vec()])]);
        assert_eq!(read(vec![Value::Nil]), [Push::All]);
        assert_eq!(read(Vec::new()), [Push::All]);
        assert_eq!(
            read(vec![Value::Int(3)]),
            [Push::All],
            "what is not understood may be anything"
        );
    }

    #[test]
    fn a_connection_is_named_by_number_and_address() {
        let info = bulk("id=7 addr=10.0.0.1:4242 laddr=10.0.0.2:6379 fd=8 name= age=0");
        let expected = Identity {
            id: "7".into(),
            address: "10.0.0.1:4242".into(),
        };
        assert_eq!(identity(&info), Some(expected));
        assert_eq!(identity(&bulk("nothing of the kind")), None);
        assert_eq!(identity(&Value::Nil), None);
    }
}

//! What is said on a new connection before it is used: that one wants to know of changes by others (server-assisted tracking),
//! who one is, and that the connection before this one shall do nothing any more.
//!
//! A connection that was given up may still have commands under way, in a server that was frozen or on a slow line. They would be
//! executed behind commands of the new one: an old value would come back after its removal. So the server is told to close it.

use crate::error::Result;
use crate::transport::redis::node::failed;
use crate::transport::redis::refusal::refusal;
use crate::warning::Warnings;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, Pipeline, ProtocolVersion, PushInfo, PushKind, RedisError, RedisResult, Value,
    cmd,
};
use std::sync::Arc;

/// What a server says by itself.
#[derive(Debug, PartialEq, Eq)]
pub enum Push {
    /// From here on it tells of changes by others. `again`: it had done so before, and nobody knows what was changed between.
    Began {
        /// See above.
        again: bool,
    },
    /// These keys were changed, removed, or have ended.
    Keys(Vec<Vec<u8>>),
    /// All keys are gone.
    All,
    /// It will not tell.
    Refused,
}

/// Who wants to know of changes, and of which.
pub struct Watch {
    /// What the names of the keys begin with; none is the beginning of another.
    pub prefixes: Vec<String>,
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
}

impl Wish {
    /// With pushes to this watch, if there is one.
    pub fn new(plain: &AsyncConnectionConfig, watch: Option<&Arc<Watch>>) -> Self {
        let pushing = watch.map(|watch| {
            let watch = Arc::clone(watch);
            plain.clone().set_push_sender(move |push: PushInfo| {
                if push.kind == PushKind::Invalidate {
                    read(push.data).into_iter().for_each(|push| (watch.told)(push));
                }
                Ok::<_, redis::aio::SendError>(())
            })
        });
        Self {
            plain: plain.clone(),
            pushing,
        }
    }

    /// Connects; whether the server can push. One that does not know the protocol for it is connected to without.
    pub async fn connect(&self, client: &Client) -> RedisResult<(MultiplexedConnection, bool)> {
        if let Some(pushing) = &self.pushing {
            match speaking_3(client)?
                .get_multiplexed_async_connection_with_config(pushing)
                .await
            {
                Ok(connection) => return Ok((connection, true)),
                Err(cause) if cause.is_timeout() || cause.is_connection_refusal() => return Err(cause),
                Err(cause) => tracing::debug!(%cause, "redis does not speak the protocol that pushes need"),
            }
        }
        let connection = client.get_multiplexed_async_connection_with_config(&self.plain).await?;
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
    /// Those that it has closed, or that are closed.
    pub closed: bool,
    /// It tells of changes.
    pub tracks: bool,
}

/// Greets. What the server refuses is a warning, and the connection is used without.
pub async fn greet(
    connection: &mut MultiplexedConnection,
    watch: Option<&Watch>,
    left: &[Identity],
    warnings: &Warnings,
) -> Result<Greeting> {
    let mut pipeline = Pipeline::with_capacity(2 + left.len());
    pipeline.add_command(cmd("CLIENT").arg("INFO").to_owned());
    pipeline.add_command(watch.map_or_else(|| cmd("PING"), track));
    for identity in left {
        let mut kill = cmd("CLIENT");
        kill.arg("KILL")
            .arg("ID")
            .arg(&identity.id)
            .arg("ADDR")
            .arg(&identity.address);
        pipeline.add_command(kill);
    }
    let lost = |cause: RedisError| failed("unreachable", &cause);
    let replies = connection
        .send_packed_commands(&pipeline, 0, 2 + left.len())
        .await
        .map_err(lost)?;
    let mut replies = replies.into_iter().map(Value::extract_error);
    let identity = match replies.next() {
        Some(Ok(info)) => identity(&info),
        _ => None,
    };
    let tracks = note("client tracking", replies.next(), warnings) && watch.is_some();
    let closed = replies.fold(true, |closed, reply| {
        note("client kill", Some(reply), warnings) && closed
    });
    Ok(Greeting {
        identity,
        closed,
        tracks,
    })
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
fn note(command: &str, reply: Option<RedisResult<Value>>, warnings: &Warnings) -> bool {
    match reply {
        Some(Ok(_)) => {
            warnings.clear(command);
            true
        }
        Some(Err(cause)) => {
            match refusal(command, &cause) {
                Some(warning) => warnings.raise(warning),
                None => tracing::debug!(%cause, command, "redis refuses it"),
            }
            false
        }
        None => false,
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

//! Sentinels: who the master is, and the news that it is another one now.

use crate::error::{Error, ErrorKind, Result};
use crate::options::SentinelOptions;
use crate::transport::redis::address::{Access, Address, connection_config, parse};
use crate::warning::{Warning, WarningKind, Warnings};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use redis::{Client, RedisError, ServerErrorKind, Value, cmd};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

const PORT: u16 = 26_379;
const NEWS: &str = "+switch-master";
/// How long the others may take to answer after the first: one of them may know of a newer master.
const OTHERS: Duration = Duration::from_millis(50);
const PING: Duration = Duration::from_millis(1_000);
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_millis(1_000);

/// See the module.
pub struct Sentinels {
    name: String,
    sentinels: Vec<Sentinel>,
    access: Access,
    connect_timeout: Duration,
    warnings: Arc<Warnings>,
    /// The newest that is known.
    master: watch::Sender<Option<Address>>,
    /// Those who watch end when this is dropped.
    _alive: watch::Sender<()>,
}

struct Sentinel {
    address: Address,
    client: Client,
    health: Mutex<Health>,
}

/// What was heard last of a Sentinel.
#[derive(Debug, Clone, PartialEq)]
enum Health {
    NotAsked,
    Fine,
    /// It does not know the master's name.
    Ignorant,
    Silent(String),
}

/// A master, and the number of the failover that made it one.
#[derive(Debug, Clone, PartialEq)]
struct Master {
    address: Address,
    epoch: u64,
}

impl Sentinels {
    /// Checks the addresses, and begins to listen to all Sentinels.
    pub fn start(
        options: &SentinelOptions,
        connect_timeout: Duration,
        warnings: Arc<Warnings>,
        runtime: &Handle,
    ) -> Result<Arc<Self>> {
        let sentinels = options.nodes.iter().map(|url| {
            let (address, access) = parse("redis.sentinel.nodes", url, PORT)?;
            Ok(Sentinel {
                client: access.client(&address)?,
                address,
                health: Mutex::new(Health::NotAsked),
            })
        });
        let (alive, ended) = watch::channel(());
        let this = Arc::new(Self {
            name: options.name.clone(),
            sentinels: sentinels.collect::<Result<_>>()?,
            access: Access::new(
                options.tls,
                options.username.clone(),
                options.password.clone(),
                options.database,
            ),
            connect_timeout,
            warnings,
            master: watch::Sender::new(None),
            _alive: alive,
        });
        for at in 0..this.sentinels.len() {
            runtime.spawn(keep_watching(Arc::downgrade(&this), at, ended.clone()));
        }
        Ok(this)
    }

    /// The newest master that is known, and each one after it.
    pub fn master(&self) -> watch::Receiver<Option<Address>> {
        self.master.subscribe()
    }

    /// A client for a server of this name.
    pub fn client(&self, address: &Address) -> Result<Client> {
        self.access.client(address)
    }

    /// Asks all Sentinels; the newest of what they say.
    pub async fn locate(&self) -> Result<Address> {
        let mut asking: FuturesUnordered<_> = (0..self.sentinels.len()).map(|at| self.ask(at)).collect();
        let mut newest: Option<Master> = None;
        while newest.is_none() {
            match asking.next().await {
                Some(found) => newest = found,
                None => break,
            }
        }
        let others = async {
            while let Some(found) = asking.next().await {
                newest = newest.take().max_by_epoch(found);
            }
        };
        let _ = tokio::time::timeout(OTHERS, others).await;
        newest.map(|master| master.address).ok_or_else(|| {
            Error::new(
                ErrorKind::Remote,
                format!("redis: no Sentinel knows the master '{}'", self.name),
            )
        })
    }

    /// What one says. Whatever else it says is noted.
    async fn ask(&self, at: usize) -> Option<Master> {
        let sentinel = &self.sentinels[at];
        let asking = async {
            let config = connection_config(self.connect_timeout);
            let mut connection = sentinel
                .client
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            let detailed = cmd("SENTINEL")
                .arg("MASTER")
                .arg(&self.name)
                .query_async(&mut connection)
                .await;
            match detailed {
                // The smallest set of rights that clients are given may have only the other.
                Err(cause) if cause.kind() == ServerErrorKind::NoPerm.into() => {
                    let short = cmd("SENTINEL")
                        .arg("GET-MASTER-ADDR-BY-NAME")
                        .arg(&self.name)
                        .to_owned();
                    short.query_async(&mut connection).await
                }
                detailed => detailed,
            }
        };
        let (health, master) = match tokio::time::timeout(self.connect_timeout, asking).await {
            Ok(Ok(value)) => match master_of(&value) {
                Some(master) => (Health::Fine, Some(master)),
                None => (Health::Ignorant, None),
            },
            Ok(Err(cause)) if cause.detail().is_some_and(|detail| detail.contains("No such master")) => {
                (Health::Ignorant, None)
            }
            Ok(Err(cause)) => (Health::Silent(cause.to_string()), None),
            Err(_) => (Health::Silent("no answer in time".to_owned()), None),
        };
        self.note(at, health);
        master
    }

    fn note(&self, at: usize, health: Health) {
        let changed = std::mem::replace(&mut *self.sentinels[at].health.lock(), health.clone()) != health;
        if changed {
            self.warn();
        }
    }

    /// Says which Sentinels are of no use, and why.
    fn warn(&self) {
        let states: Vec<_> = self
            .sentinels
            .iter()
            .map(|sentinel| (sentinel.address.to_string(), sentinel.health.lock().clone()))
            .collect();
        let all = states.len();
        let of_use = states.iter().filter(|(_, health)| *health == Health::Fine).count();
        let holds = if of_use > 0 {
            "the others are asked, and nothing is lost while one of them answers"
        } else {
            "memory, and one load a process; a connection that stands is used as long as it stands"
        };
        let report = |about: &str, what: &str, which: Vec<String>, expected: &str| {
            if which.is_empty() {
                return self.warnings.clear(about);
            }
            self.warnings.raise(Warning {
                kind: WarningKind::Topology,
                about: about.to_owned(),
                message: format!(
                    "{} of {all} Sentinels {what}: {}. Lost: what only they could tell of the master '{}'. What still \
                     holds: {holds}.",
                    which.len(),
                    which.join(", "),
                    self.name
                ),
                expected: expected.to_owned(),
            });
        };
        let ignorant = |(address, health): &(String, Health)| (*health == Health::Ignorant).then(|| address.clone());
        let silent = |(address, health): &(String, Health)| match health {
            Health::Silent(cause) => Some(format!("{address} ({cause})")),
            _ => None,
        };
        report(
            "redis.sentinel.nodes",
            "do not answer",
            states.iter().filter_map(silent).collect(),
            "Sentinels that can be reached, with their user and password in the address if they ask for one",
        );
        report(
            "redis.sentinel.name",
            "do not know the name",
            states.iter().filter_map(ignorant).collect(),
            "the master's name, as in `sentinel monitor <name> …`",
        );
    }

    /// This is where the master is now.
    pub fn found(&self, address: &Address) {
        self.master.send_if_modified(|known| {
            let is_news = known.as_ref() != Some(address);
            if is_news && let Some(before) = known.replace(address.clone()) {
                tracing::info!(%before, now = %address, name = self.name, "another server is the master");
            }
            is_news
        });
    }

    /// Listens to one Sentinel until it is silent.
    async fn watch(weak: &Weak<Self>, at: usize) -> std::result::Result<(), RedisError> {
        let Some(this) = weak.upgrade() else { return Ok(()) };
        let (name, connect_timeout) = (this.name.clone(), this.connect_timeout);
        let client = this.sentinels[at].client.clone();
        drop(this);
        let connecting = async {
            let mut pubsub = client.get_async_pubsub().await?;
            pubsub.subscribe(NEWS).await?;
            Ok::<_, RedisError>(pubsub)
        };
        let timed_out = || std::io::Error::from(std::io::ErrorKind::TimedOut);
        let pubsub = tokio::time::timeout(connect_timeout, connecting)
            .await
            .map_err(|_| timed_out())??;
        // What was said before: nobody listened. Only now, so that nothing falls between.
        if let Some(this) = weak.upgrade()
            && let Some(master) = this.ask(at).await
        {
            this.hear(master).await;
        }
        let (mut sink, mut messages) = pubsub.split();
        let mut ping = tokio::time::interval(PING);
        loop {
            tokio::select! {
                message = messages.next() => {
                    let Some(message) = message else { return Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into()) };
                    let Some(this) = weak.upgrade() else { return Ok(()) };
                    if let Some(address) = switched(&String::from_utf8_lossy(message.get_payload_bytes()), &name) {
                        this.found(&address);
                    }
                }
                _ = ping.tick() => {
                    tokio::time::timeout(PING, sink.ping::<Value>()).await.map_err(|_| timed_out())??;
                }
            }
        }
    }

    /// One Sentinel says so: true, unless another has told of a newer one.
    async fn hear(&self, master: Master) {
        let known = self.master.borrow().clone();
        match known {
            None => self.found(&master.address),
            Some(known) if known == master.address => {}
            Some(_) => {
                if let Ok(newest) = self.locate().await {
                    self.found(&newest);
                }
            }
        }
    }
}

trait Newest {
    fn max_by_epoch(self, other: Self) -> Self;
}

impl Newest for Option<Master> {
    fn max_by_epoch(self, other: Self) -> Self {
        match (self, other) {
            (Some(one), Some(other)) if other.epoch > one.epoch => Some(other),
            (one, other) => one.or(other),
        }
    }
}

/// Ends with the Sentinels.
async fn keep_watching(sentinels: Weak<Sentinels>, at: usize, mut ended: watch::Receiver<()>) {
    let mut pause = RETRY_MIN;
    loop {
        let watched = tokio::select! {
            watched = Sentinels::watch(&sentinels, at) => watched,
            _ = ended.changed() => return,
        };
        let Some(this) = sentinels.upgrade() else { return };
        if let Err(cause) = watched {
            if *this.sentinels[at].health.lock() == Health::Fine {
                pause = RETRY_MIN;
            }
            match refused_subscription(&cause) {
                Some(warning) => this.warnings.raise(warning),
                None => this.note(at, Health::Silent(cause.to_string())),
            }
        }
        drop(this);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = ended.changed() => return,
        }
        pause = (pause * 2).min(RETRY_MAX);
    }
}

/// Without the news a failover is noticed when the connection to the master ends, or refuses a write.
fn refused_subscription(cause: &RedisError) -> Option<Warning> {
    let detail = cause.detail().unwrap_or_default();
    let is_refused = cause.kind() == ServerErrorKind::NoPerm.into();
    is_refused.then(|| Warning {
        kind: WarningKind::Refused,
        about: "sentinel subscribe".to_owned(),
        message: format!(
            "A Sentinel refuses SUBSCRIBE ({detail}). Lost: the news of another master. What still holds: a failover is \
             noticed when the old master's connection ends, or when it refuses a write."
        ),
        expected: "a user with +subscribe and the channel +switch-master".to_owned(),
    })
}

/// `<name> <old host> <old port> <new host> <new port>`
fn switched(message: &str, name: &str) -> Option<Address> {
    let mut words = message.split(' ');
    if words.next() != Some(name) {
        return None;
    }
    let host = words.nth(2)?;
    Some(Address::new(host, words.next()?.parse().ok()?))
}

/// Of `SENTINEL MASTER` (pairs of names and values), or of `SENTINEL GET-MASTER-ADDR-BY-NAME` (host and port).
fn master_of(value: &Value) -> Option<Master> {
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    };
    let pairs: Vec<(String, String)> = match value {
        Value::Array(words) if words.len() == 2 => {
            let address = Address::new(&text(&words[0])?, text(&words[1])?.parse().ok()?);
            return Some(Master { address, epoch: 0 });
        }
        Value::Array(words) => words
            .chunks_exact(2)
            .filter_map(|pair| Some((text(&pair[0])?, text(&pair[1])?)))
            .collect(),
        Value::Map(pairs) => pairs
            .iter()
            .filter_map(|(name, value)| Some((text(name)?, text(value)?)))
            .collect(),
        _ => return None,
    };
    let field = |wanted: &str| {
        pairs
            .iter()
            .find_map(|(name, value)| (name == wanted).then_some(value.as_str()))
    };
    Some(Master {
        address: Address::new(field("ip")?, field("port")?.parse().ok()?),
        epoch: field("config-epoch").and_then(|epoch| epoch.parse().ok()).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Value {
        Value::Array(
            words
                .iter()
                .map(|word| Value::BulkString(word.as_bytes().to_vec()))
                .collect(),
        )
    }

    #[test]
    fn the_news_of_other_masters_are_not_this_ones() {
        let message = "shop 10.0.0.1 6379 10.0.0.2 6380";
        assert_eq!(switched(message, "shop"), Some(Address::new("10.0.0.2", 6_380)));
        assert_eq!(switched(message, "sho"), None);
        assert_eq!(switched("shop 10.0.0.1 6379", "shop"), None);
    }

    #[test]
    fn both_ways_of_asking_name_the_master() {
        let short = master_of(&words(&["10.0.0.2", "6380"])).expect("a master");
        assert_eq!(short.address.to_string(), "10.0.0.2:6380");
        let long = words(&["name", "shop", "ip", "10.0.0.2", "port", "6380", "config-epoch", "7"]);
        let long = master_of(&long).expect("a master");
        assert_eq!((long.address, long.epoch), (short.address, 7));
        assert_eq!(master_of(&Value::Nil), None, "an unknown name");
    }

    #[test]
    fn the_newest_failover_is_believed() {
        let master = |host, epoch| {
            Some(Master {
                address: Address::new(host, 1),
                epoch,
            })
        };
        assert_eq!(master("old", 1).max_by_epoch(master("new", 2)), master("new", 2));
        assert_eq!(master("new", 2).max_by_epoch(master("old", 1)), master("new", 2));
        assert_eq!(master("old", 1).max_by_epoch(None), master("old", 1));
        assert_eq!(None.max_by_epoch(master("new", 2)), master("new", 2));
    }
}

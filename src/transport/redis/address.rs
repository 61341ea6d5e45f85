//! Where servers are, and what opens them.

use crate::error::{Error, ErrorKind, Result};
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, RedisResult,
};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Commands that may wait in the client before a sender has to.
const BUFFER: usize = 1_024;

/// Host and port, as servers name each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// A name or a number.
    pub host: Arc<str>,
    /// Its port.
    pub port: u16,
}

impl Address {
    /// The address of this host and port.
    pub fn new(host: &str, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// What opens any of the servers that belong together: user, password, database, TLS.
#[derive(Clone, PartialEq)]
pub struct Access {
    /// `Some(insecure)`.
    tls: Option<bool>,
    redis: Settings,
}

/// The part of `RedisConnectionInfo` that can be compared.
#[derive(Clone, PartialEq, Default)]
struct Settings {
    username: Option<String>,
    password: Option<String>,
    database: i64,
}

impl Access {
    /// Access with a user's name and password.
    pub fn new(tls: bool, username: Option<String>, password: Option<String>, database: u32) -> Self {
        Self {
            tls: tls.then_some(false),
            redis: Settings {
                username,
                password,
                database: database.into(),
            },
        }
    }

    /// The number of the database.
    pub fn database(&self) -> i64 {
        self.redis.database
    }

    /// A client for one of the servers.
    pub fn client(&self, address: &Address) -> Result<Client> {
        let host = address.host.to_string();
        let port = address.port;
        let place = match self.tls {
            None => ConnectionAddr::Tcp(host, port),
            Some(insecure) => ConnectionAddr::TcpTls {
                host,
                port,
                insecure,
                tls_params: None,
            },
        };
        let mut settings = RedisConnectionInfo::default().set_db(self.redis.database);
        if let Some(username) = &self.redis.username {
            settings = settings.set_username(username);
        }
        if let Some(password) = &self.redis.password {
            settings = settings.set_password(password);
        }
        place
            .into_connection_info()
            .and_then(|place| open(place.set_redis_settings(settings)))
            .map_err(|cause| {
                Error::new(ErrorKind::Remote, format!("redis: {address} cannot be used")).with("cause", cause)
            })
    }
}

/// The client of a URL: any that the library understands.
pub fn client_of(option: &'static str, url: &str) -> Result<Client> {
    install_crypto();
    url.into_connection_info()
        .and_then(open)
        .map_err(|cause| unparsable(option, &cause))
}

/// A batch is written at once: it leaves at once, too, and does not wait until the server has acknowledged the one before
/// (Nagle's algorithm).
fn open(place: ConnectionInfo) -> RedisResult<Client> {
    Client::open(place.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

/// Address and access of a URL of one server among several.
pub fn parse(option: &'static str, url: &str, default_port: u16) -> Result<(Address, Access)> {
    install_crypto();
    let mut parsed = redis::parse_redis_url(url).ok_or_else(|| malformed(option, "InvalidClientConfig"))?;
    if parsed.port().is_none() {
        // An address without a host has no port either; that is found below.
        let _ = parsed.set_port(Some(default_port));
    }
    let info: ConnectionInfo = parsed
        .into_connection_info()
        .map_err(|cause| unparsable(option, &cause))?;
    let (host, port, tls) = match info.addr() {
        ConnectionAddr::Tcp(host, port) => (host, *port, None),
        ConnectionAddr::TcpTls {
            host, port, insecure, ..
        } => (host, *port, Some(*insecure)),
        _ => return Err(malformed(option, "a socket of this machine")),
    };
    let settings = info.redis_settings();
    let access = Access {
        tls,
        redis: Settings {
            username: settings.username().map(str::to_owned),
            password: settings.password().map(str::to_owned),
            database: settings.db(),
        },
    };
    Ok((Address::new(host, port), access))
}

/// How connections are made.
pub fn connection_config(connect_timeout: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(connect_timeout))
        // Deadlines are the business of the tier's guard: it sees the whole batch.
        .set_response_timeout(None)
        .set_pipeline_buffer_size(BUFFER)
}

fn unparsable(option: &'static str, cause: &redis::RedisError) -> Error {
    malformed(option, &format!("{:?}", cause.kind()))
}

/// The cause may repeat the address, and the address may hold a password: neither is in the message.
fn malformed(option: &'static str, why: &str) -> Error {
    let expected = "redis://[user:password@]host[:port][/db] or rediss://…";
    Error::new(
        ErrorKind::Option,
        format!("{option} cannot be parsed ({why}): expected {expected}"),
    )
    .with("option", option)
    .with("expected", expected)
}

/// rustls brings no cryptography of its own. A provider that the application has installed is kept.
fn install_crypto() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_leaves_at_once() {
        let one = client_of("redis.url", "redis://cache:6379").unwrap();
        let (address, access) = parse("redis.cluster", "rediss://user:secret@cache/", 6379).unwrap();
        let another = access.client(&address).unwrap();
        for client in [one, another] {
            assert!(client.get_connection_info().tcp_settings().nodelay());
        }
    }
}

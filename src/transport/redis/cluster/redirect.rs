//! The replies of a node that say: not here, or not now.

use crate::transport::redis::address::Address;
use redis::{ServerErrorKind, Value};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    /// The slot is another node's.
    Moved(Address),
    /// The slot is on its way to another node, and the key is not here: it may be there.
    Ask(Address),
    /// The slot is on its way, and of the keys of this command only some are here.
    TryAgain,
}

impl Redirect {
    /// What a reply of the node at `from` says, if it is one of these.
    pub fn of(reply: &Value, from: &Address) -> Option<Self> {
        let Value::ServerError(error) = reply else { return None };
        let target = || {
            // `<slot> <host>:<port>`; without a host it is the same as the sender's.
            let (_, place) = error.details()?.split_once(' ')?;
            let (host, port) = place.rsplit_once(':')?;
            let host = if host.is_empty() { &from.host } else { host };
            Some(Address::new(host, port.parse().ok()?))
        };
        match error.kind()? {
            ServerErrorKind::Moved => target().map(Self::Moved),
            ServerErrorKind::Ask => target().map(Self::Ask),
            ServerErrorKind::TryAgain => Some(Self::TryAgain),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<Redirect> {
        let reply = redis::parse_redis_value(line.as_bytes()).expect("a reply");
        Redirect::of(&reply, &Address::new("10.0.0.1", 6_379))
    }

    #[test]
    fn redirections_are_read() {
        let there = Address::new("10.0.0.2", 6_380);
        assert_eq!(
            of("-MOVED 3999 10.0.0.2:6380\r\n"),
            Some(Redirect::Moved(there.clone()))
        );
        assert_eq!(of("-ASK 3999 10.0.0.2:6380\r\n"), Some(Redirect::Ask(there)));
        assert_eq!(
            of("-TRYAGAIN Multiple keys request during rehashing of slot\r\n"),
            Some(Redirect::TryAgain)
        );
        assert_eq!(
            of("-MOVED 1 :6380\r\n"),
            Some(Redirect::Moved(Address::new("10.0.0.1", 6_380))),
            "the sender's own host"
        );
        assert_eq!(
            of("-MOVED 1 fd00::2:6380\r\n"),
            Some(Redirect::Moved(Address::new("fd00::2", 6_380)))
        );
    }

    #[test]
    fn other_errors_and_nonsense_lead_nowhere() {
        for line in [
            "-CLUSTERDOWN Hash slot not served\r\n",
            "-MOVED\r\n",
            "-MOVED 1 nowhere\r\n",
            "-ASK 1 a:b\r\n",
            "+OK\r\n",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
    }
}

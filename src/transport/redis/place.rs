//! Where a node is: at one address for ever, or wherever its Sentinels say.

use crate::error::{Error, ErrorKind, Result};
use crate::transport::redis::address::Address;
use crate::transport::redis::greeting::Wish;
use crate::transport::redis::node::failed;
use crate::transport::redis::refusal::refusal;
use crate::transport::redis::sentinel::Sentinels;
use crate::warning::Warnings;
use redis::aio::MultiplexedConnection;
use redis::{Client, ServerErrorKind, Value, cmd};
use std::future::{Future, pending};
use std::sync::Arc;

/// See the module.
#[derive(Clone)]
pub enum Place {
    /// A name is resolved anew with each connection.
    Fixed(Box<Client>),
    /// The master of this name.
    Master(Arc<Sentinels>),
}

impl Place {
    /// Connects; the address when there is more than one that it could be, and whether the server can push.
    pub async fn connect(
        &self,
        wish: &Wish,
        warnings: &Warnings,
    ) -> Result<(Option<Address>, MultiplexedConnection, bool)> {
        let sentinels = match self {
            Place::Fixed(client) => {
                let connected = wish.connect(client, warnings).await;
                let (connection, pushes) = connected.map_err(|cause| failed("unreachable", &cause))?;
                return Ok((None, connection, pushes));
            }
            Place::Master(sentinels) => sentinels,
        };
        let mut announced = None;
        loop {
            let address = match announced.take() {
                Some(address) => address,
                None => sentinels.locate().await?,
            };
            let client = sentinels.client(&address)?;
            let here = Some(address);
            tokio::select! {
                connected = connect_to_master(&client, wish, warnings) => {
                    let (connection, pushes) = connected?;
                    here.iter().for_each(|address| sentinels.found(address));
                    return Ok((here, connection, pushes));
                }
                // This one may be dead, and an attempt to connect to it takes long.
                news = self.left(&here) => announced = Some(news),
            }
        }
    }

    /// A client for a connection of another kind to the same server.
    pub async fn client(&self) -> Result<(Option<Address>, Client)> {
        match self {
            Place::Fixed(client) => Ok((None, Client::clone(client))),
            Place::Master(sentinels) => {
                let known = sentinels.master().borrow().clone();
                let address = match known {
                    Some(address) => address,
                    None => sentinels.locate().await?,
                };
                let client = sentinels.client(&address)?;
                Ok((Some(address), client))
            }
        }
    }

    /// Whether a connection to this address is still the right one.
    pub fn is_at(&self, address: Option<&Address>) -> bool {
        match self {
            Place::Fixed(_) => true,
            Place::Master(sentinels) => sentinels.master().borrow().as_ref() == address,
        }
    }

    /// Resolves when it is known to be at another address than this.
    pub async fn left(&self, address: &Option<Address>) -> Address {
        if let Place::Master(sentinels) = self {
            let mut master = sentinels.master();
            let elsewhere = master.wait_for(|master| master.is_some() && master != address).await;
            if let Some(elsewhere) = elsewhere.ok().and_then(|master| master.clone()) {
                return elsewhere;
            }
        }
        pending().await
    }

    /// The result of `work`, unless the place moves away from `address` meanwhile.
    pub async fn unless_left<T>(&self, address: &Option<Address>, work: impl Future<Output = T>) -> Result<T> {
        if matches!(self, Place::Fixed(_)) {
            return Ok(work.await);
        }
        tokio::select! {
            biased;
            done = work => Ok(done),
            elsewhere = self.left(address) => Err(Error::new(
                ErrorKind::Remote,
                format!("redis: another server is the master now, at {elsewhere}"),
            )),
        }
    }
}

/// A Sentinel that was cut off may still name the master of before, and that one may still run.
async fn connect_to_master(client: &Client, wish: &Wish, warnings: &Warnings) -> Result<(MultiplexedConnection, bool)> {
    let lost = |cause| failed("unreachable", &cause);
    let (mut connection, pushes) = wish.connect(client, warnings).await.map_err(lost)?;
    let role = cmd("ROLE").query_async::<Value>(&mut connection).await;
    match role {
        Ok(Value::Array(role)) if role.first() == Some(&Value::BulkString(b"master".to_vec())) => {
            Ok((connection, pushes))
        }
        Ok(_) => Err(Error::new(
            ErrorKind::Remote,
            "redis: the Sentinels name a server that is no master",
        )),
        // Then the first refused write tells.
        Err(cause) if cause.kind() == ServerErrorKind::NoPerm.into() => {
            if let Some(warning) = refusal("role", &cause) {
                warnings.raise(warning);
            }
            Ok((connection, pushes))
        }
        Err(cause) => Err(lost(cause)),
    }
}

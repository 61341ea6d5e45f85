//! Redis pub/sub: messages come in over a connection of their own, which is pinged so that a silent one is noticed.

use crate::bus::{Bus, Heard};
use crate::transport::redis::Link;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

const PING: Duration = Duration::from_millis(400);
const RETRY_MIN: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_millis(1_000);

/// See the module.
pub struct RedisBus {
    link: Link,
    channel: String,
    runtime: Handle,
}

impl RedisBus {
    /// A bus on this channel. Its task ends with the engine that listens.
    pub fn new(link: Link, channel: String, runtime: Handle) -> Self {
        Self { link, channel, runtime }
    }
}

impl Bus for RedisBus {
    fn listen(&self, engine: mpsc::UnboundedSender<Heard>) {
        let (link, channel) = (self.link.clone(), self.channel.clone());
        self.runtime.spawn(async move {
            let mut pause = RETRY_MIN;
            while !engine.is_closed() {
                let mut listened = false;
                let heard = |message: Option<Vec<u8>>| {
                    listened = true;
                    engine.send(message.map_or(Heard::Listening, Heard::Message)).is_ok()
                };
                // The receiver gone: the engine has ended, and with it the reason to listen.
                let ended = tokio::select! {
                    ended = link.listen(&channel, heard, PING) => ended,
                    () = engine.closed() => return,
                };
                if let Err(error) = ended {
                    tracing::debug!(%error, "the bus is not heard");
                }
                if listened {
                    pause = RETRY_MIN;
                    let _ = engine.send(Heard::Lost);
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY_MAX);
            }
        });
    }
}

//! Redis pub/sub: messages go out over the tier's connection, and come in over one of their own, which is pinged so that
//! a silent one is noticed.

use crate::bus::{Bus, Heard};
use crate::transport::redis::{Link, Pipeline, cmd};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

const PING: Duration = Duration::from_millis(400);
const RETRY_MIN: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_millis(1_000);
const BATCH: usize = 512;

/// See the module.
pub struct RedisBus {
    link: Link,
    channel: String,
    runtime: Handle,
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
}

impl RedisBus {
    /// A bus on this channel; no message is waited for longer than `deadline`. Its tasks end with the bus.
    pub fn new(link: Link, channel: String, deadline: Duration, runtime: Handle) -> Self {
        let (outgoing, messages) = mpsc::unbounded_channel();
        runtime.spawn(publish(link.clone(), channel.clone(), deadline, messages));
        Self {
            link,
            channel,
            runtime,
            outgoing,
        }
    }
}

impl Bus for RedisBus {
    fn publish(&self, message: Vec<u8>) {
        // The task lives as long as the bus: sending cannot fail.
        let _ = self.outgoing.send(message);
    }

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

async fn publish(link: Link, channel: String, deadline: Duration, mut messages: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(first) = messages.recv().await {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(message) = messages.try_recv()
        {
            batch.push(message);
        }
        let mut pipeline = Pipeline::with_capacity(batch.len());
        for message in &batch {
            pipeline.add_command(cmd("PUBLISH").arg(&channel).arg(message).to_owned());
        }
        // A message that cannot be sent is lost; who listens notices by his ping that the server is silent.
        match tokio::time::timeout(deadline, link.send(&pipeline, batch.len())).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(%error, messages = batch.len(), "messages on the bus were lost"),
            Err(_) => tracing::debug!(messages = batch.len(), "messages on the bus were not sent in time"),
        }
    }
}

//! Redis pub/sub: messages go out over the tier's connection, and come in over one of their own, which is pinged so that
//! a silent one is noticed.

use crate::bus::{Bus, Heard};
use crate::event::{Change, Event};
use crate::transport::redis::{Link, cmd};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

const PING: Duration = Duration::from_millis(400);
const RETRY_MIN: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_millis(1_000);
const BATCH: usize = 512;
/// Messages that wait for a server that cannot be reached; more become one that says that everything is old.
const WAITING: usize = 10_000;

/// See the module.
pub struct RedisBus {
    link: Link,
    channel: String,
    runtime: Handle,
    outgoing: mpsc::UnboundedSender<Outgoing>,
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
        let _ = self.outgoing.send(Outgoing::Message(message));
    }

    fn sent(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let (sender, sent) = oneshot::channel();
        let _ = self.outgoing.send(Outgoing::Mark(sender));
        // The task gone: nothing is on its way.
        Box::pin(async move { drop(sent.await) })
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

enum Outgoing {
    Message(Vec<u8>),
    /// Somebody wants to know when everything before it has been sent.
    Mark(oneshot::Sender<()>),
}

/// Sends messages in order, and again until the server has taken them: another process may hear the bus when this one
/// cannot reach it. Ends with the bus, after a last try.
async fn publish(link: Link, channel: String, deadline: Duration, mut outgoing: mpsc::UnboundedReceiver<Outgoing>) {
    let mut unsent: VecDeque<Vec<u8>> = VecDeque::new();
    let mut marks = Vec::new();
    let mut pause = RETRY_MIN;
    let mut open = true;
    while open {
        let mut sort = |outgoing| match outgoing {
            Outgoing::Message(message) => unsent.push_back(message),
            Outgoing::Mark(mark) => marks.push(mark),
        };
        match outgoing.recv().await {
            Some(first) => sort(first),
            None => open = false,
        }
        while let Ok(more) = outgoing.try_recv() {
            sort(more);
        }
        while !unsent.is_empty() {
            let count = unsent.len().min(BATCH);
            let mut batch = link.batch(count);
            for message in unsent.iter().take(count) {
                batch.add([cmd("PUBLISH").arg(&channel).arg(message).to_owned()]);
            }
            match tokio::time::timeout(deadline, link.send(batch)).await {
                Ok(Ok(_)) => {
                    unsent.drain(..count);
                    pause = RETRY_MIN;
                    continue;
                }
                Ok(Err(error)) => tracing::debug!(%error, messages = unsent.len(), "messages on the bus wait"),
                Err(_) => tracing::debug!(messages = unsent.len(), "messages on the bus were not sent in time"),
            }
            // Who waits for them to be sent would wait too long.
            marks.clear();
            if !open || outgoing.is_closed() {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_MAX);
            while let Ok(more) = outgoing.try_recv() {
                match more {
                    Outgoing::Message(message) => unsent.push_back(message),
                    Outgoing::Mark(mark) => drop(mark),
                }
            }
            if unsent.len() > WAITING {
                unsent.clear();
                unsent.push_back(everything());
            }
        }
        // Dropping a mark is its answer.
        marks.clear();
    }
}

/// What is said instead of more messages than can wait.
fn everything() -> Vec<u8> {
    let change = Change::Clear { path: "".into() };
    Event {
        sender: 0,
        sequence: 0,
        change,
    }
    .encode()
}

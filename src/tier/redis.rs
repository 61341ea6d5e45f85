//! L2 on a Redis server (7, or compatible). A batch becomes one pipeline; scripts run only where two steps must be one.

mod log;
mod replies;
mod watch;

use crate::codec::envelope::GRACE_OFFSET;
use crate::error::Result;
use crate::event::Place;
use crate::key::{RemoteKey, life_name, state_name};
use crate::options::lock;
use crate::random::Random;
use crate::tier::{Foreign, RemoteReply, RemoteRequest, RemoteState, RemoteTier, Replies, Scan, rules};
use crate::transport::redis::{Batch, Cmd, Link, Put, Read, cmd};
use log::Log;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::Mutex;

/// Batches on their way on one connection; their order is that of the connection.
const IN_FLIGHT: usize = 4;

/// Keys: state. Arguments: incarnation to use when there is none, fields. Returns incarnation, counter, floors.
const LEARN: &str = "
if redis.call('HEXISTS', KEYS[1], 'i') == 0 then redis.call('HSET', KEYS[1], 'i', ARGV[1], 'c', 0) end
return redis.call('HMGET', KEYS[1], 'i', 'c', unpack(ARGV, 2))";

/// Counts up, in `count`: to the server's time in microseconds, or by one. So a count that a failover has lost does not come again, and
/// what was stamped with it is older than the next raise.
macro_rules! count_up {
    () => {
        "
local time, last = redis.pcall('TIME'), tonumber(redis.call('HGET', KEYS[1], 'c')) or 0
local count = string.format('%.0f', math.max(last + 1, (time[1] or 0) * 1e6 + (time[2] or 0)))
redis.call('HSET', KEYS[1], 'c', count)"
    };
}

/// The same, after counting up and making the count the floor of the fields; without fields a new incarnation begins.
const RAISE: &str = concat!(
    "
if #ARGV == 1 then redis.call('DEL', KEYS[1]) end
if redis.call('HEXISTS', KEYS[1], 'i') == 0 then redis.call('HSET', KEYS[1], 'i', ARGV[1], 'c', 0) end
if #ARGV > 1 then",
    count_up!(),
    "
  for at = 2, #ARGV do redis.call('HSET', KEYS[1], ARGV[at], count) end
end
return redis.call('HMGET', KEYS[1], 'i', 'c', unpack(ARGV, 2))"
);

/// Key: state. Arguments: incarnation to use when there is none, the most rules of a list, the rule, then fields of a list
/// and of the floor that stands in for it. As `rules::add` does it, in one step. Returns incarnation and counter.
const RAISE_RULE: &str = concat!(
    "
if redis.call('HEXISTS', KEYS[1], 'i') == 0 then redis.call('HSET', KEYS[1], 'i', ARGV[1], 'c', 0) end",
    count_up!(),
    "
local best, at_best
for at = 4, #ARGV, 2 do
  local others, stands = {}, false
  for line in string.gmatch(redis.call('HMGET', KEYS[1], ARGV[at])[1] or '', '[^\\n]+') do
    if string.match(line, '^%d+ (.*)$') == ARGV[3] then stands = true else others[#others + 1] = line end
  end
  if stands or not best or #others < #best then best, at_best = others, at end
  if stands then break end
end
if #best >= tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], ARGV[at_best], '', ARGV[at_best + 1], count)
else
  best[#best + 1] = count .. ' ' .. ARGV[3]
  redis.call('HSET', KEYS[1], ARGV[at_best], table.concat(best, '\\n'))
end
return redis.call('HMGET', KEYS[1], 'i', 'c')"
);

/// Key: state. Arguments: incarnation to begin, incarnation to leave. Another one than that stays.
const ABANDON: &str = "
if redis.call('HGET', KEYS[1], 'i') == ARGV[2] then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'i', ARGV[1], 'c', 0)
end
return redis.call('HMGET', KEYS[1], 'i', 'c')";

/// Keys: value, lease. Arguments: token, life, 1 unless there is a fresh value, offset of the grace in an envelope. Returns
/// the value with its life, 1 for granted, else the holder's token. In one step: who sees the value stale and the lease free
/// is not behind a fill.
const LEASE: &str = "
local value = ARGV[3] == '1' and redis.call('GET', KEYS[1])
if value then
  local life = redis.call('PTTL', KEYS[1])
  local bytes = string.sub(value, ARGV[4] + 1, ARGV[4] + 8)
  if life < 0 or #bytes < 8 or life > struct.unpack('<I8', bytes) then return {value, life} end
end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return redis.call('GET', KEYS[2])";

/// Key: lease. Arguments: token of the dead holder, token, life. Returns 1 for granted, else the holder's token, or nothing.
const TAKE_OVER: &str = "
local holder = redis.call('GET', KEYS[1])
if holder ~= ARGV[1] then return holder end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1";

/// Keys: lock, last fencing token. Arguments: token, life, life of the fencing token. Returns the new fencing token, or nothing
/// for held. It is the server's time in microseconds, or one more than the last: so it grows while the last is remembered,
/// whatever the clock does, and by the clock when it was forgotten.
const LOCK: &str = "
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return false end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local time = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[2]) or '') or 0
local fence = string.format('%.0f', math.max(last + 1, time[1] * 1000000 + time[2]))
redis.call('SET', KEYS[2], fence, 'PX', ARGV[3])
return fence";

/// Keys: value, lease. Arguments: token, envelope, life or nothing. Writes only while the lease is the token's.
const FILL: &str = "
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
if ARGV[3] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) else redis.call('SET', KEYS[1], ARGV[2]) end
return 1";

/// Key: lease. Arguments: token, life.
const RENEW: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])";

/// Key: lease. Argument: token.
const UNLEASE: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])";

/// Keys: value, lease. Argument: offset of the grace in an envelope. What is left of the value is its grace.
const EXPIRE: &str = "
redis.call('DEL', KEYS[2])
local bytes = redis.call('GETRANGE', KEYS[1], ARGV[1], ARGV[1] + 7)
if #bytes < 8 then return redis.call('DEL', KEYS[1]) end
local grace = struct.unpack('<I8', bytes)
if grace == 0 then return redis.call('DEL', KEYS[1]) end
local life = redis.call('PTTL', KEYS[1])
if life >= 0 and life <= grace then return 0 end
return redis.call('PEXPIRE', KEYS[1], grace)";

/// See the module.
pub struct Redis {
    link: Link,
    root: Box<str>,
    state_name: String,
    log: Log,
    /// Whose turn it is to tell the others.
    turns: Mutex<()>,
    random: Arc<dyn Random>,
}

impl Redis {
    /// A tier for the namespaces below `root`.
    pub fn new(link: Link, root: &str, random: Arc<dyn Random>) -> Self {
        Self {
            link,
            root: root.into(),
            state_name: state_name(root),
            log: Log::new(root),
            turns: Mutex::default(),
            random,
        }
    }

    /// What is told comes behind everything else in the batch. Where servers do not keep that order among them, it is sent
    /// when all the rest has been answered; and in the order of the batches, whichever is answered first.
    async fn run(&self, batch: &[RemoteRequest]) -> Replies {
        let (told, changes) = match batch {
            [changes @ .., told @ RemoteRequest::Tell { .. }] if !changes.is_empty() && !self.link.is_ordered() => {
                (told, changes)
            }
            _ => return self.execute_all(batch).await,
        };
        // Asked for at the first poll: the order of the batches.
        let mut turn = pin!(self.turns.lock());
        let first = poll_fn(|context| Poll::Ready(turn.as_mut().poll(context))).await;
        let mut replies = self.execute_all(changes).await;
        let _turn = match first {
            Poll::Ready(turn) => turn,
            Poll::Pending => turn.await,
        };
        replies.extend(self.execute_all(std::slice::from_ref(told)).await);
        replies
    }

    async fn execute_all(&self, batch: &[RemoteRequest]) -> Replies {
        let aside = self.link.writes_aside();
        let mut commands = self.link.batch(batch.len() + 1);
        for run in batch.chunk_by(together) {
            match run {
                [RemoteRequest::Scan(scan)] => commands.add_at(scan.cursor.node, scan_command(scan)),
                [RemoteRequest::RemoveMany { keys }] => {
                    commands.unlink(keys.iter().map(|key| [key.lease_name(), key.value_name()]));
                }
                [RemoteRequest::Write { .. }, ..] => {
                    commands.put(run.iter().filter_map(put).collect::<Vec<_>>().into_iter())
                }
                [request] if !reads_value(request) => commands.add(self.commands(request, aside)),
                reads => commands.read(reads.iter().flat_map(names).collect::<Vec<_>>().into_iter()),
            }
        }
        let mut answers = match self.link.send(commands).await {
            Ok(answers) => answers,
            Err(error) => return batch.iter().map(|_| Err(error.clone())).collect(),
        };
        let mut replies = Vec::with_capacity(batch.len());
        for run in batch.chunk_by(together) {
            let request = match run {
                [RemoteRequest::Write { .. }, ..] => {
                    answers.put(run.len(), |written| {
                        replies.push(written.map(|()| RemoteReply::Done(true)))
                    });
                    continue;
                }
                [request] if !reads_value(request) => request,
                reads => {
                    replies::of_reads(reads, &mut answers, &mut replies);
                    continue;
                }
            };
            let reply = replies::of_request(request, &mut answers, self.link.servers(), aside);
            replies.push(match (request, reply) {
                (RemoteRequest::State { fields }, Ok(RemoteReply::State(state))) if state.incarnation == 0 => {
                    self.begin_incarnation(fields).await
                }
                (_, reply) => reply,
            });
        }
        for reply in replies.iter().flatten() {
            if let RemoteReply::Told(places) = reply
                && !places.is_empty()
            {
                self.link.note_log(places.iter().all(Place::is_logged));
            }
        }
        if replies.iter().any(replies::is_misplaced) {
            self.link.distrust();
        }
        replies
    }

    /// The namespace state is not there: a new server, or one that lost it. Everything before is gone.
    async fn begin_incarnation(&self, fields: &[Box<str>]) -> Result<RemoteReply> {
        let mut commands: Batch = self.link.batch(1);
        commands.add([self.state_script(LEARN, fields)]);
        let mut answers = self.link.send(commands).await?;
        Ok(RemoteReply::State(replies::state(answers.reply()?, fields)?))
    }

    fn state_script(&self, script: &str, fields: &[Box<str>]) -> Cmd {
        let mut command = cmd("EVAL");
        command
            .arg(script)
            .arg(1)
            .arg(&self.state_name)
            .arg(self.random.next() | 1);
        for field in fields {
            command.arg(&**field);
        }
        command
    }

    fn commands(&self, request: &RemoteRequest, aside: bool) -> Vec<Cmd> {
        match request {
            RemoteRequest::State { fields } => {
                let mut command = cmd("HMGET");
                command.arg(&self.state_name).arg("i").arg("c");
                for field in fields {
                    command.arg(&**field);
                }
                vec![command]
            }
            RemoteRequest::Raise { fields } => vec![self.state_script(RAISE, fields)],
            RemoteRequest::RaiseRule { rule, places } => {
                let mut command = self.state_script(RAISE_RULE, &[]);
                command.arg(rules::MOST).arg(&**rule);
                for place in places {
                    command.arg(&*place.list).arg(&*place.floor);
                }
                vec![command]
            }
            RemoteRequest::Abandon { incarnation } => {
                vec![self.state_script(ABANDON, &[]).arg(*incarnation).to_owned()]
            }
            // These are no requests about one key: the batch has ways of its own for them.
            RemoteRequest::Read { .. }
            | RemoteRequest::ReadBytes { .. }
            | RemoteRequest::Write { .. }
            | RemoteRequest::RemoveMany { .. }
            | RemoteRequest::Scan(_) => Vec::new(),
            RemoteRequest::Remove { key } => vec![one("DEL", &key.lease_name()), one("UNLINK", &key.value_name())],
            RemoteRequest::Expire { key } => vec![script(EXPIRE, key).arg(GRACE_OFFSET).to_owned()],
            RemoteRequest::Lease {
                key,
                token,
                life,
                unless_value,
            } => {
                let mut command = script(LEASE, key);
                command.arg(token.to_string()).arg(life);
                command.arg(u8::from(*unless_value)).arg(GRACE_OFFSET);
                vec![command]
            }
            RemoteRequest::TakeOver { key, from, token, life } => {
                let mut command = lease_script(TAKE_OVER, key);
                command.arg(from.to_string()).arg(token.to_string()).arg(life);
                vec![command]
            }
            RemoteRequest::Lock { key, token, life } => {
                let mut command = cmd("EVAL");
                command.arg(LOCK).arg(2).arg(key.lock_name()).arg(key.fence_name());
                command.arg(token.to_string()).arg(life).arg(lock::FENCE_LIFE);
                vec![command]
            }
            RemoteRequest::KeepLock { key, token, life } => {
                let mut command = cmd("EVAL");
                command.arg(RENEW).arg(1).arg(key.lock_name());
                command.arg(token.to_string()).arg(life);
                vec![command]
            }
            RemoteRequest::Unlock { key, token } => {
                let mut command = cmd("EVAL");
                command.arg(UNLEASE).arg(1).arg(key.lock_name()).arg(token.to_string());
                vec![command]
            }
            RemoteRequest::ShowLife { owner, life } => {
                let mut command = one("SET", &life_name(&self.root, *owner));
                command.arg(1).arg("PX").arg(life);
                vec![command]
            }
            RemoteRequest::HasLife { owner } => vec![one("GET", &life_name(&self.root, *owner))],
            RemoteRequest::Renew { key, token, life } => {
                vec![lease_script(RENEW, key).arg(token.to_string()).arg(life).to_owned()]
            }
            RemoteRequest::Unlease { key, token } => vec![lease_script(UNLEASE, key).arg(token.to_string()).to_owned()],
            RemoteRequest::Fill {
                key,
                token,
                envelope,
                life,
            } => {
                let place = if aside { key.aside_name() } else { key.value_name() };
                let mut fill = cmd("EVAL");
                fill.arg(FILL).arg(2).arg(&place).arg(key.lease_name());
                fill.arg(token.to_string()).arg(&envelope[..]);
                if let Some(life) = life {
                    fill.arg((*life).max(1));
                }
                if !aside {
                    return vec![fill];
                }
                // What a script writes the server tells even to the connection that ran it; what is renamed it does not. Nobody
                // else comes between: a removal would be undone.
                let rename = cmd("RENAME").arg(place).arg(key.value_name()).to_owned();
                vec![cmd("MULTI"), fill, rename, cmd("EXEC")]
            }
            RemoteRequest::Tell { frames, hints } => self.log.tell(frames, hints),
            RemoteRequest::ReadLog { from } => self.log.read(*from),
        }
    }
}

/// Reads whose answers are values, and which therefore go together.
fn reads_value(request: &RemoteRequest) -> bool {
    matches!(request, RemoteRequest::Read { .. } | RemoteRequest::ReadBytes { .. })
}

/// What is sent, and answered, as one: reads, and writes.
fn together(before: &RemoteRequest, after: &RemoteRequest) -> bool {
    let are_writes = matches!(
        (before, after),
        (RemoteRequest::Write { .. }, RemoteRequest::Write { .. })
    );
    are_writes || (reads_value(before) && reads_value(after))
}

/// The lease goes first: a fill between the two is overwritten, one behind them is refused.
fn put(request: &RemoteRequest) -> Option<Put<'_>> {
    let RemoteRequest::Write { key, envelope, life } = request else {
        return None;
    };
    Some(Put {
        beside: key.lease_name(),
        name: key.value_name(),
        bytes: envelope,
        life: life.map(|life| life.max(1)),
    })
}

fn scan_command(scan: &Scan) -> Cmd {
    let mut command = cmd("SCAN");
    command.arg(scan.cursor.position);
    command.arg("MATCH").arg(match_of(scan));
    command.arg("COUNT").arg(scan.count);
    command
}

fn names(request: &RemoteRequest) -> impl Iterator<Item = Read> {
    let (keys, life) = match request {
        RemoteRequest::Read { key } => (std::slice::from_ref(key), true),
        RemoteRequest::ReadBytes { keys } => (&keys[..], false),
        _ => (&[][..], false),
    };
    keys.iter().map(move |key| Read {
        name: key.value_name(),
        life,
    })
}

fn one(name: &str, key: &str) -> Cmd {
    let mut command = cmd(name);
    command.arg(key);
    command
}

fn script(source: &str, key: &RemoteKey) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(source).arg(2).arg(key.value_name()).arg(key.lease_name());
    command
}

fn lease_script(source: &str, key: &RemoteKey) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(source).arg(1).arg(key.lease_name());
    command
}

/// The glob for SCAN: narrow by what stands literally at both ends, the rest is the engine's affair.
fn match_of(scan: &Scan) -> String {
    let kinds = if scan.leases { "[vl]" } else { "v" };
    let [path, prefix, suffix] = [&scan.path, &scan.prefix, &scan.suffix].map(|text| escaped(text));
    format!("tc:{{{path}:{prefix}*{suffix}}}:{kinds}")
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if matches!(char, '*' | '?' | '[' | ']' | '^' | '\\') {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}

impl RemoteTier for Redis {
    fn execute<'a>(&'a self, batch: &'a [RemoteRequest]) -> Pin<Box<dyn Future<Output = Replies> + Send + 'a>> {
        Box::pin(self.run(batch))
    }

    fn watch(&self, told: Arc<dyn Fn(Foreign) + Send + Sync>) {
        self.link.watch(watch::watch(&self.root, told));
    }

    fn batches_in_flight(&self) -> usize {
        IN_FLIGHT
    }

    fn successions(&self) -> u64 {
        self.link.successions()
    }

    fn is_scattered(&self) -> bool {
        !self.link.is_ordered()
    }

    fn state(&self) -> RemoteState {
        if self.link.is_connected() {
            RemoteState::Up
        } else {
            RemoteState::Connecting
        }
    }
}

//! The bus on the side of the sender, and its log: a stream of bounded length, to which a script appends what it publishes.

use super::unexpected;
use crate::error::Result;
use crate::event::LogId;
use crate::key::{channel_name, log_name};
use crate::tier::{LOG_LENGTH, LOG_PAGE, RemoteReply};
use crate::transport::redis::{Cmd, Value, cmd};
use bytes::Bytes;

/// A log to which nobody has appended for so long goes, in milliseconds: versions come and go.
const LIFE: u64 = 86_400_000;

/// Key: log. Arguments: channel, length, life, frames. Appends each frame, and publishes it with the place before it and its
/// own, by which a receiver sees that nothing is missing between the two. Returns the places, before and own by turns;
/// nothing for a frame that the log refused.
const TELL: &str = "
local before = redis.pcall('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
before = before[1] and before[1][1] or '0-0'
local places = {}
for at = 4, #ARGV do
  local id = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'f', ARGV[at])
  if type(id) == 'string' then
    redis.pcall('PUBLISH', ARGV[1], ARGV[at] .. before .. ' ' .. id)
    places[#places + 1] = before
    places[#places + 1] = id
    before = id
  else
    redis.pcall('PUBLISH', ARGV[1], ARGV[at])
    places[#places + 1] = ''
    places[#places + 1] = ''
  end
end
redis.pcall('PEXPIRE', KEYS[1], ARGV[3])
return places";

/// See the module.
pub struct Log {
    name: String,
    channel: String,
}

impl Log {
    /// The log of this root namespace.
    pub fn new(root: &str) -> Self {
        Self {
            name: log_name(root),
            channel: channel_name(root),
        }
    }

    /// Appends and publishes the frames; publishes the hints.
    pub fn tell(&self, frames: &[Bytes], hints: &[Bytes]) -> Vec<Cmd> {
        let mut commands = Vec::with_capacity(1 + hints.len());
        if !frames.is_empty() {
            let mut script = cmd("EVAL");
            script.arg(TELL).arg(1).arg(&self.name);
            script.arg(&self.channel).arg(LOG_LENGTH).arg(LIFE);
            for frame in frames {
                script.arg(&frame[..]);
            }
            commands.push(script);
        }
        for hint in hints {
            commands.push(cmd("PUBLISH").arg(&self.channel).arg(&hint[..]).to_owned());
        }
        commands
    }

    /// A page of the log.
    pub fn read(&self, from: LogId) -> Cmd {
        let mut command = cmd("XRANGE");
        command.arg(&self.name).arg(from.to_string()).arg("+");
        command.arg("COUNT").arg(LOG_PAGE);
        command
    }
}

/// The places of the frames.
pub fn told(frames: &[Bytes], hints: &[Bytes], mut next: impl FnMut() -> Result<Value>) -> Result<RemoteReply> {
    let places = if frames.is_empty() {
        Ok(Vec::new())
    } else {
        next().and_then(|value| match value {
            Value::Array(places) if places.len() == 2 * frames.len() => Ok(places
                .chunks(2)
                .map(|pair| Some((id(&pair[0])?, id(&pair[1])?)))
                .collect()),
            other => Err(unexpected(&other)),
        })
    };
    for _ in hints {
        // A hint that was not published is none.
        drop(next());
    }
    places.map(RemoteReply::Told)
}

/// A page of the log. What stands there and is no frame of ours has no bytes.
pub fn read(value: Value) -> Result<RemoteReply> {
    let Value::Array(entries) = value else {
        return Err(unexpected(&value));
    };
    let frames = entries.into_iter().map(|entry| {
        let Value::Array(parts) = &entry else {
            return Err(unexpected(&entry));
        };
        let place = parts.first().and_then(id).ok_or_else(|| unexpected(&entry))?;
        let frame = match parts.get(1) {
            Some(Value::Array(fields)) => match &fields[..] {
                [Value::BulkString(name), Value::BulkString(frame)] if name == b"f" => frame.clone(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        Ok((place, Bytes::from(frame)))
    });
    frames.collect::<Result<_>>().map(RemoteReply::Log)
}

fn id(value: &Value) -> Option<LogId> {
    match value {
        Value::BulkString(text) => LogId::parse(std::str::from_utf8(text).ok()?),
        _ => None,
    }
}

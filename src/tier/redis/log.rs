//! The bus on the side of the sender, and its log: a stream of bounded length, to which a script appends what it publishes.

use super::replies::unexpected;
use crate::error::Result;
use crate::event::{LogId, Place};
use crate::key::{channel_name, log_name, mark_name};
use crate::tier::{LOG_LENGTH, LOG_PAGE, RemoteReply};
use crate::transport::redis::{Cmd, Value, cmd};
use bytes::Bytes;

/// A log to which nobody has appended for so long goes, in milliseconds: versions come and go.
const LIFE: u64 = 86_400_000;

/// Keys: log, mark. Arguments: channel, length, life, frames. Appends each frame, and publishes it with the place before it and
/// its own, by which a receiver sees that nothing is missing between the two. A frame that the log refused moves the mark, and
/// is published with the end of the log, and the mark before it and its own. A mark is the time in microseconds: it does not come
/// back when the key is lost. Returns what was published behind each.
///
/// The life comes first: a script that has written something may append also when the server is full.
const TELL: &str = "
local call, places = redis.pcall, {}
local lives = call('PEXPIRE', KEYS[1], ARGV[3])
local before = call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
before = not before.err and (before[1] and before[1][1] or '0-0')
for at = 4, #ARGV do
  local id = call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'f', ARGV[at])
  local behind = ''
  if type(id) == 'string' and before then
    behind = before .. ' ' .. id
    before = id
  elseif type(id) ~= 'string' then
    local last, time = tonumber(call('GET', KEYS[2])) or 0, call('TIME')
    local mark = math.max(last + 1, (time[1] or 0) * 1e6 + (time[2] or 0))
    local set = call('SET', KEYS[2], string.format('%.0f', mark), 'PX', ARGV[3])
    behind = set.ok and string.format('%s %.0f %.0f', before or '0-0', last, mark) or ''
  end
  call('PUBLISH', ARGV[1], ARGV[at] .. behind)
  places[#places + 1] = behind
end
if lives == 0 then call('PEXPIRE', KEYS[1], ARGV[3]) end
return places";

/// See the module.
pub struct Log {
    name: String,
    mark: String,
    channel: String,
}

impl Log {
    /// The log of this root namespace.
    pub fn new(root: &str) -> Self {
        Self {
            name: log_name(root),
            mark: mark_name(root),
            channel: channel_name(root),
        }
    }

    /// Appends and publishes the frames; publishes the hints.
    pub fn tell(&self, frames: &[Bytes], hints: &[Bytes]) -> Vec<Cmd> {
        let mut commands = Vec::with_capacity(1 + hints.len());
        if !frames.is_empty() {
            let mut script = cmd("EVAL");
            script.arg(TELL).arg(2).arg(&self.name).arg(&self.mark);
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

    /// A page of the log, and the mark.
    pub fn read(&self, from: LogId) -> Vec<Cmd> {
        let mut page = cmd("XRANGE");
        page.arg(&self.name).arg(from.to_string()).arg("+");
        page.arg("COUNT").arg(LOG_PAGE);
        vec![page, cmd("GET").arg(&self.mark).to_owned()]
    }
}

/// The places of the frames.
pub fn told(frames: &[Bytes], hints: &[Bytes], mut next: impl FnMut() -> Result<Value>) -> Result<RemoteReply> {
    let places = if frames.is_empty() {
        Ok(Vec::new())
    } else {
        next().and_then(|value| match value {
            Value::Array(places) if places.len() == frames.len() => places.iter().map(place).collect(),
            other => Err(unexpected(&other)),
        })
    };
    for _ in hints {
        // A hint that was not published is none.
        drop(next());
    }
    places.map(RemoteReply::Told)
}

/// A page of the log. What stands there and is no frame of ours has no bytes. A mark that may not be read has not moved.
pub fn read(mut next: impl FnMut() -> Result<Value>) -> Result<RemoteReply> {
    let (page, mark) = (next(), next());
    let mark = match mark {
        Ok(Value::BulkString(mark)) => std::str::from_utf8(&mark).ok().and_then(|mark| mark.parse().ok()),
        _ => None,
    };
    let entries = match page? {
        Value::Array(entries) => entries,
        other => return Err(unexpected(&other)),
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
    let frames = frames.collect::<Result<_>>()?;
    Ok(RemoteReply::Log(frames, mark.unwrap_or(0)))
}

fn id(value: &Value) -> Option<LogId> {
    LogId::parse(text(value)?)
}

fn place(value: &Value) -> Result<Place> {
    text(value).and_then(Place::read).ok_or_else(|| unexpected(value))
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(text) => std::str::from_utf8(text).ok(),
        _ => None,
    }
}

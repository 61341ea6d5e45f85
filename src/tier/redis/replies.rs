//! What Redis replies, as answers to requests. What cannot be a reply to its request is an error that says so.

use super::log;
use crate::error::{Error, ErrorKind, Result};
use crate::key::RemoteKey;
use crate::tier::{
    NamespaceState, RemoteReply, RemoteRequest, Replies, Scan, ScanCursor, Stored, Token, is_list, rules,
};
use crate::transport::redis::{Answers, ReadAnswer, Value};
use bytes::Bytes;

/// What an error is about whose reply belongs to another question.
const MISPLACED: &str = "reply";

/// The answers to reads that were sent as one.
pub(super) fn of_reads(run: &[RemoteRequest], answers: &mut Answers, replies: &mut Replies) {
    let lives: Vec<bool> = run
        .iter()
        .flat_map(|request| match request {
            RemoteRequest::ReadBytes { keys } => std::iter::repeat_n(false, keys.len()),
            _ => std::iter::repeat_n(true, 1),
        })
        .collect();
    let mut taken = Vec::with_capacity(lives.len());
    answers.read(lives.into_iter(), |answer| taken.push(answer));
    let mut taken = taken.into_iter();
    replies.extend(run.iter().map(|request| match request {
        RemoteRequest::ReadBytes { keys } => bytes(taken.by_ref().take(keys.len())),
        _ => taken.next().map_or_else(|| Err(unexpected(&Value::Nil)), value),
    }));
}

fn value(answer: ReadAnswer) -> Result<RemoteReply> {
    let (life, value) = answer?;
    Ok(RemoteReply::Value(stored(value, life.unwrap_or(Value::Nil))?))
}

/// One server of several may fail, and the others have answered.
fn bytes(answers: impl Iterator<Item = ReadAnswer>) -> Result<RemoteReply> {
    let bytes = |answer: ReadAnswer| match answer?.1 {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(Bytes::from(bytes))),
        other => Err(unexpected(&other)),
    };
    let answers: Vec<_> = answers.map(bytes).collect();
    let mut errors = answers.iter().filter_map(|answer| answer.as_ref().err());
    match errors.clone().find(|error| says_misplaced(error)).or(errors.next()) {
        Some(error) if answers.iter().all(Result::is_err) => Err(error.clone()),
        _ => Ok(RemoteReply::Bytes(answers)),
    }
}

/// The answer to one other request. `aside`: a fill was written beside its place, and renamed.
pub(super) fn of_request(
    request: &RemoteRequest,
    answers: &mut Answers,
    servers: u32,
    aside: bool,
) -> Result<RemoteReply> {
    match request {
        RemoteRequest::Scan(scan) => return scanned(scan, answers.reply()?, servers),
        RemoteRequest::RemoveMany { keys } => return Ok(RemoteReply::Removed(answers.unlinked(keys.len())?)),
        _ => {}
    }
    let mut next = || answers.reply();
    match request {
        RemoteRequest::State { fields } | RemoteRequest::Raise { fields } => {
            Ok(RemoteReply::State(state(next()?, fields)?))
        }
        RemoteRequest::RaiseRule { .. } | RemoteRequest::Abandon { .. } => Ok(RemoteReply::State(state(next()?, &[])?)),
        RemoteRequest::Read { .. }
        | RemoteRequest::ReadBytes { .. }
        | RemoteRequest::Write { .. }
        | RemoteRequest::RemoveMany { .. }
        | RemoteRequest::Scan(_) => Err(unexpected(&Value::Nil)),
        RemoteRequest::Remove { .. } => {
            let (lease, value) = (next(), next());
            lease?;
            Ok(RemoteReply::Done(integer(&value?)? > 0))
        }
        RemoteRequest::Lease { .. } | RemoteRequest::TakeOver { .. } => match next()? {
            Value::Array(mut pair) if pair.len() == 2 => {
                let life = pair.remove(1);
                Ok(RemoteReply::Value(stored(pair.remove(0), life)?))
            }
            Value::Int(1) => Ok(RemoteReply::Granted),
            Value::BulkString(holder) => Ok(RemoteReply::Held(token_in(&holder))),
            Value::Nil => Ok(RemoteReply::Held(None)),
            other => Err(unexpected(&other)),
        },
        RemoteRequest::Lock { .. } => match next()? {
            Value::Nil => Ok(RemoteReply::Held(None)),
            Value::BulkString(fence) => {
                let fence = std::str::from_utf8(&fence).ok().and_then(|text| text.parse().ok());
                fence.map(RemoteReply::Locked).ok_or_else(|| unexpected(&Value::Nil))
            }
            other => Err(unexpected(&other)),
        },
        RemoteRequest::ShowLife { .. } => next().map(|_| RemoteReply::Done(true)),
        RemoteRequest::HasLife { .. } => Ok(RemoteReply::Done(next()? != Value::Nil)),
        RemoteRequest::Fill { .. } if aside => {
            let (begun, fill, rename) = (next(), next(), next());
            let Value::Array(done) = next()? else {
                return Err(begun.and(fill).and(rename).err().unwrap_or_else(lost_fill));
            };
            match &done[..] {
                // The script has stored nothing, and there is nothing to rename.
                [Value::Int(0), _] => Ok(RemoteReply::Done(false)),
                [Value::Int(_), Value::Okay] => Ok(RemoteReply::Done(true)),
                _ => Err(lost_fill()),
            }
        }
        RemoteRequest::Expire { .. }
        | RemoteRequest::KeepLock { .. }
        | RemoteRequest::Unlock { .. }
        | RemoteRequest::Renew { .. }
        | RemoteRequest::Unlease { .. }
        | RemoteRequest::Fill { .. } => Ok(RemoteReply::Done(integer(&next()?)? > 0)),
        RemoteRequest::Tell { frames, hints } => log::told(frames, hints, next),
        RemoteRequest::ReadLog { .. } => log::read(next),
    }
}

fn token_in(bytes: &[u8]) -> Option<Token> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// The walk goes through one server after another.
fn scanned(scan: &Scan, value: Value, servers: u32) -> Result<RemoteReply> {
    let Value::Array(parts) = value else {
        return Err(unexpected(&value));
    };
    let [Value::BulkString(cursor), Value::Array(names)] = &parts[..] else {
        return Err(Error::new(
            ErrorKind::Remote,
            "redis replied to SCAN without a cursor and names",
        ));
    };
    let position = std::str::from_utf8(cursor).ok().and_then(|text| text.parse().ok());
    let position = position.ok_or_else(|| Error::new(ErrorKind::Remote, "redis replied to SCAN with no number"))?;
    let keys = names.iter().filter_map(|name| match name {
        // Names that are no text are nobody's here.
        Value::BulkString(name) => RemoteKey::of_name(&scan.path, std::str::from_utf8(name).ok()?),
        _ => None,
    });
    let node = scan.cursor.node;
    let next = match position {
        0 => (node + 1 < servers).then_some(ScanCursor {
            node: node + 1,
            position: 0,
        }),
        position => Some(ScanCursor { node, position }),
    };
    Ok(RemoteReply::Keys(keys.collect(), next))
}

fn stored(value: Value, life: Value) -> Result<Option<Stored>> {
    let life = integer(&life)?;
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(match life {
            -1 => Some(Stored {
                envelope: Bytes::from(bytes),
                life: None,
            }),
            // It ended between the two commands.
            ..0 => None,
            life => Some(Stored {
                envelope: Bytes::from(bytes),
                life: Some(life as u64),
            }),
        }),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn state(value: Value, fields: &[Box<str>]) -> Result<NamespaceState> {
    let Value::Array(values) = value else {
        return Err(unexpected(&value));
    };
    // Foreign bytes in a field are as good as none: the state counts as lost.
    let number = |value: &Value| text(value).parse().unwrap_or(0);
    let mut numbers = values.iter().map(number);
    let lists = fields
        .iter()
        .zip(values.iter().skip(2))
        .filter(|(field, _)| is_list(field));
    let rules = lists.flat_map(|(_, list)| rules::read(text(list)));
    let rules = rules.map(|(count, rule)| (count, rule.into())).collect();
    Ok(NamespaceState {
        incarnation: numbers.next().unwrap_or(0),
        counter: numbers.next().unwrap_or(0),
        floors: numbers.collect(),
        rules,
    })
}

fn text(value: &Value) -> &str {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
        _ => "",
    }
}

fn integer(value: &Value) -> Result<i64> {
    match value {
        Value::Int(number) => Ok(*number),
        other => Err(unexpected(other)),
    }
}

fn lost_fill() -> Error {
    Error::new(ErrorKind::Remote, "redis refused what a transaction was to store")
}

/// A reply of this kind cannot be.
pub(super) fn unexpected(value: &Value) -> Error {
    let kind = match value {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::BulkString(_) => "bytes",
        Value::Array(_) => "an array",
        _ => "something else",
    };
    Error::new(
        ErrorKind::Remote,
        format!("redis replied with {kind} where that cannot be"),
    )
    .with(MISPLACED, kind)
}

/// Whether the reply, or one of several, was one to another question.
pub(super) fn is_misplaced(reply: &Result<RemoteReply>) -> bool {
    match reply {
        Err(error) => says_misplaced(error),
        Ok(RemoteReply::Bytes(answers)) => answers.iter().any(|answer| answer.as_ref().is_err_and(says_misplaced)),
        Ok(_) => false,
    }
}

fn says_misplaced(error: &Error) -> bool {
    error.context().iter().any(|(name, _)| *name == MISPLACED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(value: Value) -> ReadAnswer {
        Ok((None, value))
    }

    fn silent() -> ReadAnswer {
        Err(Error::new(ErrorKind::Remote, "no answer"))
    }

    #[test]
    fn one_misplaced_answer_among_many_shows_whatever_the_others_are() {
        let value = || answer(Value::BulkString(b"v".to_vec()));
        let shifted = || answer(Value::Int(1));
        assert!(!is_misplaced(&bytes(
            [value(), answer(Value::Nil), silent()].into_iter()
        )));
        assert!(is_misplaced(&bytes([value(), shifted(), value()].into_iter())));
        assert!(is_misplaced(&bytes([silent(), shifted()].into_iter())));
        assert!(bytes([silent(), silent()].into_iter()).is_err());
    }
}

//! Errors of a server that say more than that one command failed: what it refuses for good, what it is not.

use crate::warning::{Warning, WarningKind, Warnings};
use redis::{Cmd, Pipeline, RedisError, ServerErrorKind, Value};
use std::collections::BTreeSet;

/// What the replies of a pipeline say about their server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Symptoms {
    /// It is a replica: writes go elsewhere.
    pub read_only: bool,
    /// It is a node of a Cluster, and the key is another's.
    pub redirects: bool,
}

/// The subject of the warning that stands while writes are refused by a replica.
pub const READ_ONLY: &str = "readonly";

/// Looks at the replies: raises what is refused, and clears what was refused and is no more.
pub fn examine(pipeline: &Pipeline, values: &[Value], warnings: &Warnings) -> Symptoms {
    let mut symptoms = Symptoms::default();
    let is_error = |value: &Value| matches!(value, Value::ServerError(_));
    if warnings.is_empty() && !values.iter().any(is_error) {
        return symptoms;
    }
    for (command, value) in pipeline.cmd_iter().zip(values) {
        let Value::ServerError(cause) = value else {
            let name = name_of(command);
            if matches!(name.as_str(), "set" | "del" | "unlink" | "eval") {
                warnings.clear(READ_ONLY);
            }
            if name == "eval" {
                warnings.clear(&script_name(command));
            }
            warnings.clear(&name);
            continue;
        };
        match cause.kind() {
            Some(ServerErrorKind::ReadOnly) => symptoms.read_only = true,
            Some(ServerErrorKind::Moved | ServerErrorKind::Ask) => symptoms.redirects = true,
            _ => {
                let detail = cause.details().unwrap_or_default();
                let name = match name_of(command) {
                    eval if eval == "eval" && is_in_script(detail) => script_name(command),
                    name => name,
                };
                if let Some(warning) = warning(&name, cause.code(), detail) {
                    warnings.raise(warning);
                }
            }
        }
    }
    symptoms
}

/// `eval (get, set)`: a script by the commands that it calls, of which one is refused.
fn script_name(command: &Cmd) -> String {
    let script = match command.args_iter().nth(1) {
        Some(redis::Arg::Simple(script)) => String::from_utf8_lossy(script).to_lowercase(),
        _ => String::new(),
    };
    let calls = script.split("redis.call('").skip(1);
    let names: BTreeSet<&str> = calls.filter_map(|call| call.split('\'').next()).collect();
    format!("eval ({})", names.into_iter().collect::<Vec<_>>().join(", "))
}

/// The warning about a command that this error of a connection's first words refuses.
pub fn refusal(command: &str, cause: &RedisError) -> Option<Warning> {
    warning(command, cause.code()?, cause.detail().unwrap_or_default())
}

/// The warning about a command that this error refuses whatever its arguments are.
fn warning(command: &str, code: &str, detail: &str) -> Option<Warning> {
    let by_rule = code == "NOPERM";
    let unknown = detail.starts_with("unknown command") || detail.starts_with("unknown subcommand");
    if !by_rule && !is_in_script(detail) && !unknown {
        return None;
    }
    let (lost, holds) = cost(command);
    Some(Warning {
        kind: WarningKind::Refused,
        message: format!(
            "Redis refuses {} ({} {detail}). Lost: {lost}. What still holds: {holds}.",
            command.to_uppercase(),
            code
        ),
        about: command.to_owned(),
        expected: "a user who may use it, see docs/guides/redis.md, Permissions".to_owned(),
    })
}

/// The subject of the warning that stands while the server does not tell of changes by others.
pub const TRACKING: &str = "client tracking";

/// The subject of the warning that stands while the log takes nothing.
pub const LOG: &str = "xadd";

/// The warning about a log that takes nothing.
pub fn log() -> Warning {
    let (lost, holds) = cost(LOG);
    Warning {
        kind: WarningKind::Refused,
        about: LOG.to_owned(),
        message: format!(
            "Redis does not append to the log of messages (XADD in a script). Lost: {lost}. What still holds: {holds}."
        ),
        expected: "a user who may use it, see docs/guides/redis.md, Permissions".to_owned(),
    }
}

/// The warning about a server that does not speak the protocol in which it could tell of changes.
pub fn no_pushes(cause: &RedisError) -> Warning {
    let (lost, holds) = cost(TRACKING);
    Warning {
        kind: WarningKind::Refused,
        about: TRACKING.to_owned(),
        message: format!(
            "Redis does not speak RESP3, which CLIENT TRACKING needs ({cause}). Lost: {lost}. What still holds: {holds}."
        ),
        expected: "Redis 6 or later without a proxy that knows only RESP2, or redis.tracking: false".to_owned(),
    }
}

/// Whether the rules refuse not the script, but what it calls.
fn is_in_script(detail: &str) -> bool {
    detail.contains("ACL failure in script") || detail.contains("executing the script can't run")
}

/// `eval`, `client tracking`: how access rules name it.
fn name_of(command: &Cmd) -> String {
    let word = |at: usize| match command.args_iter().nth(at) {
        Some(redis::Arg::Simple(word)) => String::from_utf8_lossy(word).to_lowercase(),
        _ => String::new(),
    };
    let name = word(0);
    match name.as_str() {
        "client" | "cluster" | "sentinel" => format!("{name} {}", word(1)),
        _ => name,
    }
}

/// What is lost without a command, and what holds nevertheless.
fn cost(command: &str) -> (&'static str, &'static str) {
    match command.split(" (").next().unwrap_or_default() {
        "eval" | "evalsha" => (
            "clear and tags in Redis, one load for all processes, and what loaders bring is not stored in Redis; while the \
             namespace has no state there, nothing is read from it",
            "memory, one load a process, set, delete and their messages",
        ),
        "hmget" => (
            "no value of Redis can be judged, so none is used",
            "memory, one load a process, set, delete and their messages",
        ),
        "get" | "mget" | "pttl" => (
            "values of Redis are not read",
            "memory, one load a process, writes, deletes and their messages",
        ),
        "set" | "del" | "unlink" => (
            "changes do not reach Redis, and others may read there what is old",
            "this process forgets at once, and the others are told",
        ),
        "publish" => (
            "other processes are not told of changes made here, and keep what they hold until it expires",
            "this process and Redis have the change at once",
        ),
        "subscribe" => (
            "changes by others are not heard",
            "what is held in memory is dropped once a second, so nothing is older than that",
        ),
        TRACKING => (
            "changes of keys in Redis by programs that are not TurboCache are noticed only when what is held in memory ends",
            "messages between processes that use TurboCache, and everything else",
        ),
        "client kill" => (
            "a write that was under way on a connection that was given up may be executed behind later ones",
            "everything else",
        ),
        "xadd" | "xrange" | "xread" => (
            "messages that were missed cannot be read again",
            "messages; after a gap all that is held in memory is dropped",
        ),
        "cluster slots" => (
            "the nodes of the Cluster are learned only one by one, from its redirections",
            "everything, with a second way for the first commands",
        ),
        "role" => (
            "a server that was demoted is noticed by its first refused write, not when it is connected to",
            "everything else",
        ),
        "sentinel get-master-addr-by-name" => (
            "the master is not found, so Redis is not used",
            "memory, one load a process",
        ),
        _ => ("what needs that command", "everything that does not"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(line: &str) -> Value {
        redis::parse_redis_value(line.as_bytes()).expect("a reply")
    }

    fn after(command: &[&str], reply_line: &str, warnings: &Warnings) -> Symptoms {
        let mut cmd = redis::cmd(command[0]);
        for word in &command[1..] {
            cmd.arg(*word);
        }
        let mut pipeline = Pipeline::new();
        pipeline.add_command(cmd);
        examine(&pipeline, &[reply(reply_line)], warnings)
    }

    #[test]
    fn a_command_that_is_refused_for_good_is_a_warning_until_it_is_allowed() {
        for (refused, about) in [
            (
                "-NOPERM User app has no permissions to run the 'eval' command\r\n",
                "eval",
            ),
            (
                "-NOPERM this user has no permissions to run the 'eval' command or its subcommand\r\n",
                "eval",
            ),
            (
                "-ERR unknown command 'EVAL', with args beginning with: 'x' \r\n",
                "eval",
            ),
            (
                "-ERR ACL failure in script: User app has no permissions to run the 'hset' command script: 1f\r\n",
                "eval (hset)",
            ),
        ] {
            let warnings = Warnings::default();
            let script = "redis.call('HSET', KEYS[1], 'a', 'b')";
            after(&["EVAL", script, "0"], refused, &warnings);
            let standing = warnings.standing();
            assert_eq!(standing.len(), 1, "{refused}");
            assert_eq!(standing[0].about, about);
            assert!(standing[0].message.contains("Lost: ") && standing[0].message.contains("What still holds: "));
            after(&["EVAL", "return 1", "0"], ":1\r\n", &warnings);
            assert_eq!(
                warnings.is_empty(),
                about == "eval",
                "another script says nothing about this one"
            );
            after(&["EVAL", script, "0"], ":1\r\n", &warnings);
            assert!(warnings.is_empty());
        }
    }

    #[test]
    fn what_only_this_call_ran_into_is_no_warning() {
        let warnings = Warnings::default();
        for line in [
            "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
            "-LOADING Redis is loading the dataset in memory\r\n",
            "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            "-CLUSTERDOWN The cluster is down\r\n",
        ] {
            assert_eq!(after(&["SET", "k", "v"], line, &warnings), Symptoms::default());
        }
        assert!(warnings.is_empty());
    }

    #[test]
    fn replicas_and_nodes_of_a_cluster_give_themselves_away() {
        let warnings = Warnings::default();
        let read_only = after(
            &["SET", "k", "v"],
            "-READONLY You can't write against a read only replica.\r\n",
            &warnings,
        );
        assert!(read_only.read_only && !read_only.redirects);
        assert!(after(&["GET", "k"], "-MOVED 12182 127.0.0.1:7002\r\n", &warnings).redirects);
    }
}

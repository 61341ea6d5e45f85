//! Which slot a command belongs to (Redis Cluster specification, "Key distribution model").

use crc16::{State, XMODEM};
use redis::{Arg, Cmd};

/// Number of slots of every Cluster.
pub const SLOTS: usize = 16_384;

/// The slot of a key: of its hash tag, if it has one.
pub fn slot_of(key: &[u8]) -> u16 {
    State::<XMODEM>::calculate(hash_tag(key)) % SLOTS as u16
}

/// The key, or channel, that a command names first: it decides where the command goes.
pub fn key_of(command: &Cmd) -> &[u8] {
    let word = |at: usize| match command.args_iter().nth(at) {
        Some(Arg::Simple(word)) => word,
        _ => &[],
    };
    match word(0) {
        b"EVAL" | b"EVALSHA" => word(3),
        _ => word(1),
    }
}

/// Whether it changes nothing, and may be executed twice.
pub fn only_reads(command: &Cmd) -> bool {
    let reads: [&[u8]; 6] = [b"GET", b"MGET", b"PTTL", b"HMGET", b"XRANGE", b"XREVRANGE"];
    matches!(command.args_iter().next(), Some(Arg::Simple(name)) if reads.contains(&name))
}

/// What the names of one cache key have in common: `tc:{…}` of `tc:{…}:v` and `tc:{…}:l`. More than the hash tag, which
/// ends at the first `}`: two keys of one slot are two subjects.
pub fn subject_of(key: &[u8]) -> &[u8] {
    match key.iter().rposition(|byte| *byte == b'}') {
        Some(end) => &key[..=end],
        None => key,
    }
}

fn hash_tag(key: &[u8]) -> &[u8] {
    let Some(begin) = key.iter().position(|byte| *byte == b'{') else {
        return key;
    };
    let rest = &key[begin + 1..];
    match rest.iter().position(|byte| *byte == b'}') {
        Some(length) if length > 0 => &rest[..length],
        _ => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{RemoteKey, state_name};

    #[test]
    fn the_slots_are_those_of_the_specification() {
        // `CLUSTER KEYSLOT` of Redis 7.
        for (key, slot) in [
            ("123456789", 12_739),
            ("foo", 12_182),
            ("{foo}bar", 12_182),
            ("foo{}{bar}", 8_363),
            ("foo{{bar}}zap", 4_015),
            ("", 0),
        ] {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
    }

    #[test]
    fn value_and_lease_of_a_key_are_one_subject_in_one_slot_whatever_the_key_is() {
        for name in ["user:1", "a}b", "{", "}", "{}", "a{b}c", "é"] {
            let key = RemoteKey::new("shop/users", name);
            let (value, lease) = (key.value_name(), key.lease_name());
            assert_eq!(slot_of(value.as_bytes()), slot_of(lease.as_bytes()), "{name}");
            assert_eq!(subject_of(value.as_bytes()), subject_of(lease.as_bytes()), "{name}");
        }
        let [one, other] = ["a}b", "a}c"].map(|name| RemoteKey::new("shop", name).value_name());
        assert_eq!(
            slot_of(one.as_bytes()),
            slot_of(other.as_bytes()),
            "their hash tags end at the first brace"
        );
        assert_ne!(subject_of(one.as_bytes()), subject_of(other.as_bytes()));
    }

    #[test]
    fn a_command_goes_where_its_first_key_is() {
        let state = state_name("shop");
        let script = redis::cmd("EVAL")
            .arg("return 1")
            .arg(1)
            .arg(&state)
            .arg("x")
            .to_owned();
        assert_eq!(key_of(&script), state.as_bytes());
        assert_eq!(key_of(redis::cmd("PTTL").arg("k")), b"k");
        assert_eq!(key_of(&redis::cmd("PING")), b"");
    }
}

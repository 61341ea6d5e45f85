//! The nodes of a Cluster and their slots, as one of the nodes sees them.

use crate::transport::redis::address::Address;
use crate::transport::redis::cluster::slots::SLOTS;
use redis::Value;
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// First slot, last slot, the master.
    pub ranges: Vec<(u16, u16, Member)>,
    /// Masters and the replicas that follow them.
    pub replicas: BTreeMap<Member, BTreeSet<Member>>,
}

/// A node: its name for life, and where it is now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// 40 hexadecimal digits that nodes are born with.
    pub id: Box<str>,
    /// Where it is.
    pub address: Address,
}

impl View {
    /// Reads the reply to `CLUSTER SLOTS` of the node at `asked`; `None` if it is none.
    pub fn parse(reply: &Value, asked: &Address) -> Option<Self> {
        let Value::Array(ranges) = reply else { return None };
        let mut view = Self::default();
        for range in ranges {
            let Value::Array(range) = range else { return None };
            let [Value::Int(first), Value::Int(last), master, replicas @ ..] = &range[..] else {
                return None;
            };
            let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
            if first > last || usize::from(last) >= SLOTS {
                return None;
            }
            let master = member(master, asked)?;
            view.replicas
                .entry(master.clone())
                .or_default()
                .extend(replicas.iter().filter_map(|replica| member(replica, asked)));
            view.ranges.push((first, last, master));
        }
        view.ranges.sort_unstable();
        Some(view)
    }

    /// The view that most of the nodes share; among those that equally many do, the one with the most slots.
    pub fn agreed(views: Vec<Self>) -> Option<Self> {
        let votes = |view: &Self| views.iter().filter(|other| other.ranges == view.ranges).count();
        let best = views.iter().max_by_key(|view| (votes(view), view.covered()))?;
        Some(best.clone())
    }

    /// Number of slots that somebody serves.
    pub fn covered(&self) -> usize {
        let lengths = self.ranges.iter().map(|(first, last, _)| usize::from(last - first) + 1);
        lengths.sum()
    }

    /// Addresses of the masters.
    pub fn masters(&self) -> impl Iterator<Item = &Address> {
        self.replicas.keys().map(|master| &master.address)
    }

    /// Whether the node is a part of it.
    pub fn has(&self, address: &Address) -> bool {
        let is = |member: &Member| member.address == *address;
        self.replicas
            .iter()
            .any(|(master, replicas)| is(master) || replicas.iter().any(is))
    }
}

/// `[endpoint, port, id, …]`. An endpoint that the node does not tell is the one under which it was asked.
fn member(value: &Value, asked: &Address) -> Option<Member> {
    let Value::Array(fields) = value else { return None };
    let [host, Value::Int(port), id, ..] = &fields[..] else {
        return None;
    };
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    };
    let host = text(host).filter(|host| !host.is_empty());
    // `?` is a node whose name is not known there yet.
    if host.as_deref() == Some("?") {
        return None;
    }
    Some(Member {
        id: text(id)?.into(),
        address: Address::new(host.as_deref().unwrap_or(&asked.host), u16::try_from(*port).ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: Option<&str>, port: i64, id: &str) -> Value {
        let text = |text: &str| Value::BulkString(text.into());
        Value::Array(vec![
            host.map_or(Value::Nil, text),
            Value::Int(port),
            text(id),
            Value::Array(vec![]),
        ])
    }

    fn view(ranges: &[(i64, i64, &[Value])]) -> View {
        let range = |(first, last, nodes): &(i64, i64, &[Value])| {
            Value::Array([&[Value::Int(*first), Value::Int(*last)], *nodes].concat())
        };
        let reply = Value::Array(ranges.iter().map(range).collect());
        View::parse(&reply, &Address::new("asked", 1)).expect("a view")
    }

    #[test]
    fn a_node_without_a_name_is_where_it_was_asked() {
        let view = view(&[
            (0, 99, &[node(None, 7_000, "a"), node(Some("10.0.0.4"), 7_001, "d")]),
            (100, 199, &[node(Some(""), 7_002, "b")]),
        ]);
        let masters: Vec<_> = view.masters().map(ToString::to_string).collect();
        assert_eq!(masters, ["asked:7000", "asked:7002"]);
        assert_eq!(view.covered(), 200);
        assert!(view.has(&Address::new("10.0.0.4", 7_001)) && !view.has(&Address::new("10.0.0.9", 1)));
    }

    #[test]
    fn what_is_no_view_is_none() {
        let asked = Address::new("asked", 1);
        for reply in [
            Value::Nil,
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![Value::Array(vec![
                Value::Int(0),
                Value::Int(99_999),
                node(None, 1, "a"),
            ])]),
            Value::Array(vec![Value::Array(vec![
                Value::Int(9),
                Value::Int(1),
                node(None, 1, "a"),
            ])]),
            Value::Array(vec![Value::Array(vec![
                Value::Int(0),
                Value::Int(1),
                node(Some("?"), 1, "a"),
            ])]),
        ] {
            assert_eq!(View::parse(&reply, &asked), None, "{reply:?}");
        }
    }

    #[test]
    fn most_nodes_are_believed() {
        let before = view(&[(0, 16_383, &[node(Some("a"), 1, "a"), node(Some("b"), 1, "b")])]);
        let after = view(&[(0, 16_383, &[node(Some("b"), 1, "b")])]);
        let agreed = View::agreed(vec![before.clone(), after.clone(), after.clone()]);
        assert_eq!(agreed.as_ref(), Some(&after));
        let partial = view(&[(0, 9, &[node(Some("c"), 1, "c")])]);
        assert_eq!(View::agreed(vec![partial, before.clone()]), Some(before));
    }
}

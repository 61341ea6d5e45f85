//! Lists of rules in the namespace state: invalidations of whatever carries several tags. `docs/spec/envelope.md` describes
//! them; what a rule means is the engine's affair.
//!
//! A rule stands in the list of one of its tags, the shortest at that moment. Whoever reads an entry asks for the lists of its
//! tags; an entry that carries all tags of a rule carries that one too.

use std::borrow::Cow;

/// A list that would grow longer is folded into the floor of its tag: whatever carries the tag is old then.
pub const MOST: usize = 32;

/// A place where a rule may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Field of the list.
    pub list: Box<str>,
    /// Field of the floor that stands in for a full list.
    pub floor: Box<str>,
}

/// A list with a new rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Placed<'a> {
    /// Where.
    pub place: &'a Place,
    /// The list from now on.
    pub text: String,
    /// The list was full: its floor is raised instead.
    pub folded: bool,
}

/// The count at which each rule of a list was raised, and the rule. What is no such line is left out.
pub fn read(list: &str) -> impl Iterator<Item = (u64, &str)> {
    list.lines().filter_map(|line| {
        let (count, rule) = line.split_once(' ')?;
        Some((count.parse().ok()?, rule))
    })
}

/// Adds a rule to the shortest of its lists, or to the one in which it stands already. `None` without a place.
pub fn add<'a, 'l>(
    places: &'a [Place],
    rule: &str,
    count: u64,
    list_at: impl Fn(&str) -> Cow<'l, str>,
) -> Option<Placed<'a>> {
    let mut best: Option<(&Place, Vec<String>)> = None;
    for place in places {
        let list = list_at(&place.list);
        let all = list.lines().count();
        let others: Vec<String> = read(&list)
            .filter(|(_, other)| *other != rule)
            .map(|(count, other)| format!("{count} {other}"))
            .collect();
        let stands = others.len() < all;
        if stands || best.as_ref().is_none_or(|(_, lines)| others.len() < lines.len()) {
            best = Some((place, others));
        }
        if stands {
            break;
        }
    }
    let (place, mut lines) = best?;
    let folded = lines.len() >= MOST;
    if folded {
        lines.clear();
    } else {
        lines.push(format!("{count} {rule}"));
    }
    Some(Placed {
        place,
        text: lines.join("\n"),
        folded,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(tags: &[&str]) -> Vec<Place> {
        tags.iter()
            .map(|tag| Place {
                list: format!("all::{tag}").into(),
                floor: format!("t::{tag}").into(),
            })
            .collect()
    }

    #[test]
    fn a_rule_goes_to_the_shortest_list_and_replaces_itself() {
        let places = places(&["a", "b"]);
        let lists = |field: &str| Cow::from(if field == "all::a" { "3 x\n4 y" } else { "5 z" });
        let placed = add(&places, "[\"a\",\"b\"]", 6, lists).expect("a place");
        assert_eq!((&*placed.place.list, &*placed.text), ("all::b", "5 z\n6 [\"a\",\"b\"]"));
        let again = add(&places, "y", 7, lists).expect("a place");
        assert_eq!((&*again.place.list, &*again.text), ("all::a", "3 x\n7 y"));
    }

    #[test]
    fn a_full_list_is_folded_into_the_floor_of_its_tag() {
        let places = places(&["a"]);
        let full = (0..MOST).map(|at| format!("{at} r{at}")).collect::<Vec<_>>().join("\n");
        let placed = add(&places, "new", 99, |_| Cow::from(&*full)).expect("a place");
        assert!(placed.folded);
        assert_eq!(placed.text, "");
    }

    #[test]
    fn foreign_lines_are_left_out() {
        assert_eq!(read("x\n1\n2 r\n-3 q").collect::<Vec<_>>(), [(2, "r")]);
    }
}

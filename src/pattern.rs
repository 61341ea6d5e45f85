//! Glob patterns over user keys. Every character has one meaning:
//!
//! | written | matches |
//! |---|---|
//! | `*` | any number of characters, none included, `:` and `/` too |
//! | `?` | exactly one character |
//! | `[abc]`, `[a-c]` | one of these |
//! | `[^abc]`, `[^a-c]` | one that is none of these |
//! | `\x` | the character `x`, whatever it means otherwise, in brackets too |
//! | anything else | itself |
//!
//! A character is a Unicode scalar value, not a byte. Patterns are matched here, and nowhere else: Redis, whose globs work
//! on bytes, is only asked for the names that begin and end as the pattern does.

use crate::error::{Error, ErrorKind, Result};
use std::str::Chars;

/// A pattern that can be matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    pieces: Box<[Piece]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// `*`; never two in a row.
    Run,
    /// `?`
    One,
    /// Itself.
    Char(char),
    /// `[…]`: ranges, both ends included.
    Class { negated: bool, ranges: Box<[(char, char)]> },
}

impl Pattern {
    /// Reads a pattern; an error says where it cannot be one.
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(refused(text, "is empty", "at least one character; `*` is every key"));
        }
        let mut pieces = Vec::new();
        let mut rest = text.chars();
        while let Some(char) = rest.next() {
            let piece = match char {
                '*' if pieces.last() == Some(&Piece::Run) => continue,
                '*' => Piece::Run,
                '?' => Piece::One,
                '[' => class(text, &mut rest)?,
                '\\' => Piece::Char(escaped(text, &mut rest)?),
                char => Piece::Char(char),
            };
            pieces.push(piece);
        }
        Ok(Self {
            text: text.into(),
            pieces: pieces.into_boxed_slice(),
        })
    }

    /// `text` such that it stands for itself in a pattern.
    pub fn escape(text: &str) -> String {
        let mut escaped = String::with_capacity(text.len());
        for char in text.chars() {
            if matches!(char, '*' | '?' | '[' | ']' | '^' | '-' | '\\') {
                escaped.push('\\');
            }
            escaped.push(char);
        }
        escaped
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The one key that matches, when there is only one.
    pub fn literal(&self) -> Option<String> {
        self.pieces.iter().map(Piece::literal).collect()
    }

    /// What every key that matches begins with.
    pub fn prefix(&self) -> String {
        self.pieces.iter().map_while(Piece::literal).collect()
    }

    /// What every key that matches ends with, behind its [`Pattern::prefix`].
    pub fn suffix(&self) -> String {
        if self.literal().is_some() {
            return String::new();
        }
        let backwards: Vec<char> = self.pieces.iter().rev().map_while(Piece::literal).collect();
        backwards.into_iter().rev().collect()
    }

    /// Whether the whole key matches. Takes at most key length times pattern length steps.
    pub fn matches(&self, key: &str) -> bool {
        let (mut at, mut rest) = (0, key.chars());
        // The last `*`: what follows it, and what it has not taken yet.
        let mut run: Option<(usize, Chars<'_>)> = None;
        loop {
            match self.pieces.get(at) {
                Some(Piece::Run) => {
                    at += 1;
                    run = Some((at, rest.clone()));
                    continue;
                }
                Some(piece) => {
                    let mut ahead = rest.clone();
                    if ahead.next().is_some_and(|char| piece.accepts(char)) {
                        (at, rest) = (at + 1, ahead);
                        continue;
                    }
                }
                None if rest.as_str().is_empty() => return true,
                None => {}
            }
            // No: the last `*` takes one more.
            let Some((behind, left)) = &mut run else { return false };
            if left.next().is_none() {
                return false;
            }
            (at, rest) = (*behind, left.clone());
        }
    }
}

impl Piece {
    fn literal(&self) -> Option<char> {
        match self {
            Piece::Char(char) => Some(*char),
            _ => None,
        }
    }

    fn accepts(&self, char: char) -> bool {
        match self {
            Piece::Run | Piece::One => true,
            Piece::Char(own) => *own == char,
            Piece::Class { negated, ranges } => {
                *negated != ranges.iter().any(|(first, last)| (*first..=*last).contains(&char))
            }
        }
    }
}

/// What follows a `[`, up to its `]`.
fn class(text: &str, rest: &mut Chars<'_>) -> Result<Piece> {
    let unclosed = || {
        refused(
            text,
            "has a `[` without its `]`",
            "`[abc]`, or `\\[` for the character itself",
        )
    };
    let negated = rest.as_str().starts_with('^');
    if negated {
        rest.next();
    }
    let mut ranges = Vec::new();
    loop {
        let first = match rest.next().ok_or_else(unclosed)? {
            ']' if ranges.is_empty() => {
                return Err(refused(text, "has empty brackets", "at least one character in `[…]`"));
            }
            ']' => break,
            '\\' => escaped(text, rest)?,
            char => char,
        };
        let mut last = first;
        let mut ahead = rest.clone();
        // A `-` before the `]` is itself.
        if ahead.next() == Some('-') && !ahead.as_str().starts_with(']') {
            last = match ahead.next().ok_or_else(unclosed)? {
                '\\' => escaped(text, &mut ahead)?,
                char => char,
            };
            *rest = ahead;
        }
        if last < first {
            return Err(refused(text, "has a range that runs backwards", "`[a-c]`, not `[c-a]`"));
        }
        ranges.push((first, last));
    }
    Ok(Piece::Class {
        negated,
        ranges: ranges.into_boxed_slice(),
    })
}

fn escaped(text: &str, rest: &mut Chars<'_>) -> Result<char> {
    rest.next()
        .ok_or_else(|| refused(text, "ends with a single `\\`", "`\\\\` for the character itself"))
}

fn refused(text: &str, what: &str, expected: &str) -> Error {
    Error::new(ErrorKind::Argument, format!("the pattern {what}: expected {expected}"))
        .with("option", "pattern")
        .with("got", text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, key: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(key)
    }

    #[test]
    fn each_metacharacter_has_one_meaning() {
        for (pattern, yes, no) in [
            ("*", &["", "a", "a:b/c"][..], &[][..]),
            ("user:*", &["user:", "user:1", "user:1:name"], &["users:1", "xuser:1"]),
            ("*:name", &["user:1:name", ":name"], &["user:1:name2"]),
            ("a*b*c", &["abc", "axbxc", "abcbc"], &["acb", "ab"]),
            ("?", &["a", "é", "🦀"], &["", "ab"]),
            ("[abc]", &["a", "c"], &["d", "ab", "[abc]"]),
            ("[a-cx]", &["b", "x"], &["d", "-"]),
            ("[^a-c]", &["d", "é"], &["b", ""]),
            ("[a^]", &["a", "^"], &["b"]),
            ("[a-]", &["a", "-"], &["b"]),
            ("[-a]", &["a", "-"], &["b"]),
            (r"[\]\-\\]", &["]", "-", r"\"], &["a"]),
            (r"[\a-\c]", &["b"], &["-", r"\"]),
            ("[à-ï]", &["é"], &["e", "z"]),
            (r"\*\?\[", &["*?["], &["abc"]),
            (r"a\b", &["ab"], &[r"a\b"]),
            ("a]b", &["a]b"], &["ab"]),
            ("{a,b}", &["{a,b}"], &["a"]),
            ("!x", &["!x"], &["y"]),
        ] {
            for key in yes {
                assert!(matches(pattern, key), "{pattern:?} must match {key:?}");
            }
            for key in no {
                assert!(!matches(pattern, key), "{pattern:?} must not match {key:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_a_pattern_is_an_error_that_names_it() {
        for (pattern, why) in [
            ("", "is empty"),
            ("[abc", "without its"),
            ("[", "without its"),
            ("[a-", "without its"),
            ("[]", "empty brackets"),
            ("[^]", "empty brackets"),
            ("[c-a]", "backwards"),
            (r"abc\", "single"),
            (r"[a\", "single"),
        ] {
            let error = Pattern::parse(pattern).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Argument);
            assert!(error.to_string().contains(why), "{pattern:?}: {error}");
            assert!(error.context().contains(&("got", pattern.to_owned())), "{pattern:?}");
        }
    }

    #[test]
    fn a_pattern_of_many_runs_ends_soon() {
        let pattern = format!("{}b", "a*".repeat(500));
        assert!(!matches(&pattern, &"a".repeat(10_000)));
    }

    /// The same question, answered by trying everything.
    fn tries_all(pieces: &[Piece], key: &[char]) -> bool {
        match (pieces, key) {
            ([], key) => key.is_empty(),
            ([Piece::Run, pieces @ ..], key) => (0..=key.len()).any(|taken| tries_all(pieces, &key[taken..])),
            ([piece, pieces @ ..], [char, key @ ..]) => piece.accepts(*char) && tries_all(pieces, key),
            (_, []) => false,
        }
    }

    proptest! {
        #[test]
        fn it_matches_what_trying_everything_matches(pattern in r"([ab*?]|\[a\]|\[\^a\]){1,8}", key in "[abc]{0,8}") {
            let pattern = Pattern::parse(&pattern).unwrap();
            let chars: Vec<char> = key.chars().collect();
            prop_assert_eq!(pattern.matches(&key), tries_all(&pattern.pieces, &chars));
        }

        #[test]
        fn an_escaped_text_matches_itself_and_nothing_else(text in ".{1,12}", other in ".{0,12}") {
            let pattern = Pattern::parse(&Pattern::escape(&text)).unwrap();
            prop_assert_eq!(pattern.literal(), Some(text.clone()));
            prop_assert!(pattern.matches(&text));
            prop_assert_eq!(pattern.matches(&other), other == text);
        }

        #[test]
        fn an_escaped_text_stands_for_itself_in_brackets(char: char) {
            let pattern = Pattern::parse(&format!("[{}]", Pattern::escape(&char.to_string()))).unwrap();
            prop_assert!(pattern.matches(&char.to_string()));
            let other = if char == 'a' { "b" } else { "a" };
            prop_assert!(!pattern.matches(other));
        }

        #[test]
        fn what_matches_begins_and_ends_as_the_pattern_does(pattern in r"[ab*?é]{1,8}", key in "[abé]{0,8}") {
            let pattern = Pattern::parse(&pattern).unwrap();
            let (prefix, suffix) = (pattern.prefix(), pattern.suffix());
            if pattern.matches(&key) {
                prop_assert!(key.starts_with(&prefix) && key.ends_with(&suffix));
                prop_assert!(key.len() >= prefix.len() + suffix.len());
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String, key: String) {
            if let Ok(pattern) = Pattern::parse(&text) {
                pattern.matches(&key);
            }
        }
    }
}

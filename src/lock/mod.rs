//! Who holds what: the tokens of leases and locks, and the lines in which callers of this process wait for a lock.

mod lines;

pub use lines::Lines;

use std::fmt;
use std::str::FromStr;

/// Says whose a lease or a lock is. No two are alike; the owner's part is the same for all tokens of one engine, so that others can
/// ask whether he lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token {
    /// The engine's number, as its messages carry it.
    pub owner: u64,
    /// A random number.
    pub number: u64,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{:x}", self.owner, self.number)
    }
}

/// What a store holds that is no token: nobody can say whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoToken;

impl FromStr for Token {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        let (owner, number) = text.split_once('.').ok_or(NoToken)?;
        let hex = |text| u64::from_str_radix(text, 16).map_err(|_| NoToken);
        Ok(Self {
            owner: hex(owner)?,
            number: hex(number)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_token_survives_its_text(owner: u64, number: u64) {
            let token = Token { owner, number };
            prop_assert_eq!(token.to_string().parse(), Ok(token));
        }

        #[test]
        fn foreign_text_is_no_token_and_no_panic(text in "[^.]*|[g-z.]+|.*\\.\\..*") {
            prop_assert_eq!(text.parse::<Token>(), Err(NoToken));
        }
    }
}

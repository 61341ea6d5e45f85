//! Where a frame stands in the log.

use std::fmt;

/// The id that the log gave to a frame. They only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LogId {
    /// The server's clock when it was added. Compared with other ids only.
    pub millis: u64,
    /// Counts those of the same millisecond.
    pub count: u64,
}

impl LogId {
    /// Before everything: what stands before the first frame of a log.
    pub const START: LogId = LogId { millis: 0, count: 0 };

    /// Reads `<millis>-<count>`.
    pub fn parse(text: &str) -> Option<Self> {
        let (millis, count) = text.split_once('-')?;
        Some(Self {
            millis: millis.parse().ok()?,
            count: count.parse().ok()?,
        })
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.millis, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_and_orders_by_time_then_count() {
        let [first, second, third] = ["9-10", "10-2", "10-11"].map(|text| LogId::parse(text).unwrap());
        assert!(LogId::START < first && first < second && second < third);
        assert_eq!(third.to_string(), "10-11");
        for none in ["", "-", "1", "1-", "-1", "a-1", "1-2-3", "1-18446744073709551616"] {
            assert_eq!(LogId::parse(none), None, "{none}");
        }
    }
}

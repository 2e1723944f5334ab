//! The number of followers from which an author's posts are pulled.

use std::{num::NonZeroU64, str::FromStr};

use domain::limits;

/// The variable that sets the [`PullThreshold`].
pub const PULL_THRESHOLD: &str = "TWEETER_PULL_THRESHOLD";

/// A threshold that is neither a number nor `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{PULL_THRESHOLD} must be a number of followers, or off")]
pub struct InvalidPullThreshold;

/// The number of followers from which an author's posts are merged into feeds when these are read. Below
/// [`limits::DEMOTION_PERCENT`] of it they are fanned out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullThreshold(Option<NonZeroU64>);

impl PullThreshold {
    /// No author's posts are pulled. Those of authors promoted before are pushed again from their next but one post on.
    pub const OFF: Self = Self(None);

    /// From this number of followers on; 0 is [`Self::OFF`].
    pub const fn from(followers: u64) -> Self {
        Self(NonZeroU64::new(followers))
    }

    /// The threshold from a configuration: [`PULL_THRESHOLD`], or [`limits::PULL_THRESHOLD`] where it is unset or
    /// empty.
    pub fn from_lookup(find: impl Fn(&'static str) -> Option<String>) -> Result<Self, InvalidPullThreshold> {
        find(PULL_THRESHOLD).filter(|text| !text.is_empty()).map_or(Ok(Self::default()), |text| text.parse())
    }

    /// Whether a pushed author with this many followers is promoted.
    pub(super) fn promotes(self, followers: u64) -> bool {
        self.0.is_some_and(|threshold| followers >= threshold.get())
    }

    /// Whether a pulled author with this many followers is pushed again.
    pub(super) fn demotes(self, followers: u64) -> bool {
        let percent = |number: u64| u128::from(number) * 100;
        self.0.is_none_or(|threshold| {
            percent(followers) < u128::from(threshold.get()) * u128::from(limits::DEMOTION_PERCENT)
        })
    }
}

impl Default for PullThreshold {
    fn default() -> Self {
        Self::from(limits::PULL_THRESHOLD)
    }
}

impl FromStr for PullThreshold {
    type Err = InvalidPullThreshold;

    fn from_str(text: &str) -> Result<Self, InvalidPullThreshold> {
        match text {
            "off" => Ok(Self::OFF),
            number => number.parse().map(Self::from).map_err(|_| InvalidPullThreshold),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_author_at_the_threshold_keeps_their_mode() {
        let threshold = PullThreshold::from(10);
        let outcome = |followers| (threshold.promotes(followers), threshold.demotes(followers));
        for (followers, expected) in [(7, (false, true)), (8, (false, false)), (9, (false, false)), (10, (true, false))]
        {
            assert_eq!(outcome(followers), expected, "{followers} followers");
        }
        assert_eq!((PullThreshold::from(3).demotes(2), PullThreshold::from(3).demotes(3)), (true, false));
        assert_eq!((PullThreshold::OFF.promotes(u64::MAX), PullThreshold::OFF.demotes(u64::MAX)), (false, true));
        assert!(!PullThreshold::from(u64::MAX).demotes(u64::MAX));
    }

    #[test]
    fn a_threshold_is_a_number_or_off() {
        let read = |text: Option<&str>| PullThreshold::from_lookup(|_| text.map(str::to_owned));
        assert_eq!(read(None), Ok(PullThreshold::from(limits::PULL_THRESHOLD)));
        assert_eq!(read(Some("")), Ok(PullThreshold::default()));
        assert_eq!(read(Some("3")), Ok(PullThreshold::from(3)));
        assert_eq!((read(Some("0")), read(Some("off"))), (Ok(PullThreshold::OFF), Ok(PullThreshold::OFF)));
        for bad in ["-1", "many", "1e5"] {
            assert_eq!(read(Some(bad)), Err(InvalidPullThreshold), "{bad}");
        }
    }
}

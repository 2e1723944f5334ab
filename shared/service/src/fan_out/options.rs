//! How a fan-out is divided.

use domain::limits;

/// How a fan-out is divided; set by the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FanOutOptions {
    /// Followers per job: 1 to [`limits::FOLLOWERS_PER_JOB`].
    pub followers_per_job: usize,
    /// Followers read per page; `None` reads as many as the store returns (about 10,000 on DynamoDB).
    pub follower_page: Option<u32>,
    /// Maximum backlog of JobQ before the next jobs are sent; `None` sends without checking. Where the queue and the
    /// feeds share a disk, a long backlog costs twice: jobs are written out of memory and read back.
    pub max_backlog: Option<u64>,
}

/// The variable that sets [`FanOutOptions::followers_per_job`].
pub const FOLLOWERS_PER_JOB: &str = "TWEETER_FOLLOWERS_PER_JOB";

/// A value that is no number or exceeds the capacity of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{FOLLOWERS_PER_JOB} must be a number from 1 to {}", limits::FOLLOWERS_PER_JOB)]
pub struct InvalidFollowersPerJob;

impl FanOutOptions {
    /// The options from a configuration: [`FOLLOWERS_PER_JOB`], or the capacity of a job where it is unset or empty.
    pub fn from_lookup(find: impl Fn(&'static str) -> Option<String>) -> Result<Self, InvalidFollowersPerJob> {
        let Some(text) = find(FOLLOWERS_PER_JOB).filter(|text| !text.is_empty()) else { return Ok(Self::default()) };
        let number = text.parse().ok().filter(|number| (1..=limits::FOLLOWERS_PER_JOB).contains(number));
        Ok(Self { followers_per_job: number.ok_or(InvalidFollowersPerJob)?, ..Self::default() })
    }
}

impl Default for FanOutOptions {
    fn default() -> Self {
        Self { followers_per_job: limits::FOLLOWERS_PER_JOB, follower_page: None, max_backlog: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn followers_per_job_accepts_1_to_25() {
        let read = |text: Option<&str>| FanOutOptions::from_lookup(|_| text.map(str::to_owned));
        assert_eq!(read(None), Ok(FanOutOptions::default()));
        assert_eq!(read(Some("")), Ok(FanOutOptions::default()));
        assert_eq!(read(Some("1")).unwrap().followers_per_job, 1);
        assert_eq!(read(Some("25")).unwrap().followers_per_job, 25);
        for bad in ["0", "26", "-1", "ten"] {
            assert_eq!(read(Some(bad)), Err(InvalidFollowersPerJob), "{bad}");
        }
    }
}

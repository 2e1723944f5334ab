//! The command line of `loadtest plan`.

use clap::{Args, value_parser};
use domain::limits;

use super::{
    distribution::{Distribution, Shape},
    model::{ActsPerDay, Service},
};
use crate::options::{Files, share};

/// Options of `loadtest plan`.
#[derive(Debug, Clone, Args)]
pub struct PlanOptions {
    /// Daily users, for each of which a service is planned.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000_000, 10_000_000, 100_000_000], value_parser = value_parser!(u64).range(1_000..=10_000_000_000))]
    pub daily: Vec<u64>,
    /// Accounts per daily user.
    #[arg(long, default_value_t = 4.0, value_parser = at_least_one)]
    pub users_per_daily: f64,
    /// Users who read within 30 days per daily user.
    #[arg(long, default_value_t = 2.0, value_parser = at_least_one)]
    pub monthly_per_daily: f64,
    /// The distribution of followers.
    #[arg(long, value_enum, default_value = "zipf")]
    pub distribution: Shape,
    /// Zipf's exponent of followers by rank. The default is that of Twitter in 2009: Kwak et al., What is Twitter, a
    /// social network or a news media?, which has 2.276 for the density.
    #[arg(long, default_value_t = 0.78, value_parser = positive)]
    pub exponent: f64,
    /// Standard deviation of the logarithm of followers, with --distribution log-normal.
    #[arg(long, default_value_t = 2.5, value_parser = positive)]
    pub sigma: f64,
    /// Followees of a user, on average.
    #[arg(long, default_value_t = 100.0, value_parser = positive)]
    pub followees: f64,
    /// Posts of a daily user per day.
    #[arg(long, default_value_t = 0.5, value_parser = rate)]
    pub posts: f64,
    /// Feed pages read by a daily user per day.
    #[arg(long, default_value_t = 50.0, value_parser = rate)]
    pub pages: f64,
    /// Likes of a daily user per day.
    #[arg(long, default_value_t = 5.0, value_parser = rate)]
    pub likes: f64,
    /// Comments of a daily user per day.
    #[arg(long, default_value_t = 0.5, value_parser = rate)]
    pub comments: f64,
    /// Follows of a daily user per day.
    #[arg(long, default_value_t = 0.1, value_parser = rate)]
    pub follows: f64,
    /// Followers from which on an author's posts are pulled.
    #[arg(long, default_value_t = limits::PULL_THRESHOLD, value_parser = value_parser!(u64).range(1..))]
    pub threshold: u64,
    /// Days of absence after which a reader gets no entries; 0 delivers to all.
    #[arg(long, default_value_t = limits::SKIPPED_AFTER.as_secs() / 86_400, value_parser = value_parser!(u64).range(0..=3_650))]
    pub dormant_after: u64,
    /// Followers in a message of `JobQ`.
    #[arg(long, default_value_t = limits::FOLLOWERS_PER_JOB as u64, value_parser = value_parser!(u64).range(1..=2_500))]
    pub per_message: u64,
    /// Share of lookups that caches answer, 0 to 1; by default derived from the distribution.
    #[arg(long, value_parser = share)]
    pub cache_hits: Option<f64>,
    /// The busiest hour's rate over the day's mean.
    #[arg(long, default_value_t = 2.5, value_parser = at_least_one)]
    pub peak: f64,
    /// Print Markdown, as in docs/scale.md.
    #[arg(long)]
    pub markdown: bool,
    /// Measure a small service in this process instead, and compare it with the plan.
    #[arg(long, conflicts_with_all = ["markdown", "daily"])]
    pub check: bool,
    /// Result files.
    #[command(flatten)]
    pub files: Files,
}

impl PlanOptions {
    /// The services, one for each number of daily users.
    pub fn services(&self) -> Vec<Service> {
        self.daily.iter().map(|daily| self.service(*daily as f64)).collect()
    }

    fn service(&self, daily: f64) -> Service {
        let parameter = match self.distribution {
            Shape::Zipf => self.exponent,
            Shape::LogNormal => self.sigma,
        };
        Service {
            daily,
            monthly_per_daily: self.monthly_per_daily.min(self.users_per_daily),
            users_per_daily: self.users_per_daily,
            distribution: Distribution { shape: self.distribution, parameter },
            followees: self.followees,
            acts: ActsPerDay {
                posts: self.posts,
                pages: self.pages,
                likes: self.likes,
                comments: self.comments,
                follows: self.follows,
            },
            threshold: self.threshold as f64,
            dormant_after: (self.dormant_after > 0).then_some(self.dormant_after as f64),
            per_message: self.per_message as f64,
            cache_hits: self.cache_hits,
            peak: self.peak,
        }
    }
}

fn number(text: &str, least: f64, what: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if number.is_finite() && number >= least { Ok(number) } else { Err(format!("expected {what}")) }
}

fn at_least_one(text: &str) -> Result<f64, String> {
    number(text, 1.0, "a number of at least 1")
}

fn positive(text: &str) -> Result<f64, String> {
    number(text, f64::MIN_POSITIVE, "a positive number")
}

fn rate(text: &str) -> Result<f64, String> {
    number(text, 0.0, "a number of at least 0")
}

#[cfg(test)]
pub(super) mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::options::{Cli, Scenario};

    /// The options without arguments.
    pub fn defaults() -> PlanOptions {
        match Cli::parse_from(["loadtest", "plan"]).scenario {
            Scenario::Plan(options) => options,
            other => panic!("not a plan: {other:?}"),
        }
    }

    #[test]
    fn zero_days_deliver_to_all() {
        let of = |dormant_after| PlanOptions { dormant_after, ..defaults() }.services()[0].dormant_after;
        assert_eq!([of(0), of(30)], [None, Some(30.0)]);
    }
}

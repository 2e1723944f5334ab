//! The load of a service of a given size, and its price.

use domain::limits;
use serde::Serialize;

use super::{
    acts::{self, FanOut, Hits},
    distribution::{Bucket, Distribution},
    hits,
};
use crate::cost::bill::{self, Amounts, Bill};

/// Seconds in a day.
pub const DAY_SECONDS: f64 = 86_400.0;
/// Days in a month.
const MONTH_DAYS: f64 = 365.25 / 12.0;
/// Days in a year.
const YEAR_DAYS: f64 = 365.25;
/// Days that a feed entry is stored: its lifetime and a week of slack.
const ENTRY_DAYS: f64 = limits::FEED_ENTRY_TTL.as_secs_f64() / DAY_SECONDS + 7.0;
/// Days in which a monthly reader is seen.
const MONTHLY_DAYS: f64 = 30.0;
/// Entries that a return writes at most.
const REBUILT_ENTRIES: f64 = 500.0;
/// The share of its time that an instance of status-api works while it is counted as concurrent.
const BUSY: f64 = 0.7;

/// A service: its readers and what they do, and how posts are delivered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Service {
    /// Users who read on a day.
    pub daily: f64,
    /// Users who read within 30 days, per daily one.
    pub monthly_per_daily: f64,
    /// Accounts, per daily user.
    pub users_per_daily: f64,
    /// Authors' followers.
    pub distribution: Distribution,
    /// Followees of a user, on average.
    pub followees: f64,
    /// Acts of a daily user per day.
    pub acts: ActsPerDay,
    /// Followers from which on an author's posts are pulled.
    pub threshold: f64,
    /// Days of absence after which a reader gets no entries; `None` delivers to all.
    pub dormant_after: Option<f64>,
    /// Followers in a message of JobQ.
    pub per_message: f64,
    /// The share of lookups that caches answer; `None` derives it from the distribution.
    pub cache_hits: Option<f64>,
    /// The busiest hour's rate over the day's mean.
    pub peak: f64,
}

/// Acts of a daily user per day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ActsPerDay {
    /// Posts.
    pub posts: f64,
    /// Pages of the feed.
    pub pages: f64,
    /// Likes.
    pub likes: f64,
    /// Comments.
    pub comments: f64,
    /// Follows.
    pub follows: f64,
}

/// The load of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// The service.
    pub service: Service,
    /// Authors by their followers, largest first.
    pub buckets: Vec<Bucket>,
    /// Posts of a user per day: all users post alike, whatever their followers.
    pub posts_per_user: f64,
    /// The share of users who are dormant.
    pub dormant: f64,
    /// Pulled authors.
    pub pulled_authors: f64,
    /// Pulled authors whom a user follows, on average.
    pub pulled_followees: f64,
    /// The share of lookups that caches answer.
    pub hits: Hits,
    /// The amounts of a day.
    pub day: Amounts,
    /// Entries delivered by fan-outs on a day.
    pub deliveries: f64,
}

impl Service {
    /// Accounts.
    pub fn users(&self) -> f64 {
        self.daily * self.users_per_daily
    }

    /// The share of users seen within this many days: a power law through the daily and the monthly users.
    fn seen_within(&self, days: f64) -> f64 {
        (days.powf(self.growth()) / self.users_per_daily).min(1.0)
    }

    fn growth(&self) -> f64 {
        self.monthly_per_daily.ln() / MONTHLY_DAYS.ln()
    }

    /// The share of users whom fan-out skips.
    pub fn dormant(&self) -> f64 {
        self.dormant_after.map_or(0.0, |days| 1.0 - self.seen_within(days))
    }

    /// Dormant users who return on a day: as many as become dormant.
    fn returns(&self) -> f64 {
        let leaving = |days: f64| self.users() * self.growth() * self.seen_within(days) / days;
        self.dormant_after.filter(|_| self.dormant() > 0.0).map_or(0.0, leaving)
    }

    /// The load of this service.
    pub fn load(self) -> Load {
        let users = self.users();
        let buckets = self.distribution.buckets(users, users * self.followees.min(users - 1.0));
        let pulled = || buckets.iter().filter(|bucket| self.is_pulled(bucket));
        let (pulled_authors, pulled_follows) =
            (pulled().map(|it| it.authors).sum(), pulled().map(Bucket::follows).sum::<f64>());
        let mut load = Load {
            service: self,
            posts_per_user: self.acts.posts / self.users_per_daily,
            dormant: self.dormant(),
            pulled_authors,
            pulled_followees: pulled_follows / users,
            hits: Hits::default(),
            day: Amounts::default(),
            deliveries: 0.0,
            buckets,
        };
        load.hits = hits::of(&load);
        (load.day, load.deliveries) = load.a_day();
        load
    }

    /// Whether the posts of these authors are pulled.
    pub fn is_pulled(&self, bucket: &Bucket) -> bool {
        bucket.followers >= self.threshold
    }
}

impl Load {
    /// The amounts and the deliveries of a day.
    fn a_day(&self) -> (Amounts, f64) {
        let (service, acts) = (&self.service, self.service.acts);
        let (mut day, mut deliveries) = (Amounts::default(), 0.0);
        for bucket in &self.buckets {
            let posts = bucket.authors * self.posts_per_user;
            if service.is_pulled(bucket) {
                day += acts::pulled_post().times(posts);
            } else {
                let fan_out = self.fan_out(bucket);
                deliveries += posts * fan_out.entries();
                day += acts::pushed_post(&fan_out, &self.hits).times(posts);
            }
        }
        let backfilled = (self.posts_per_user * YEAR_DAYS).min(limits::BACKFILLED_POSTS as f64);
        day += acts::page(acts::PAGE_POSTS, self.pulled_followees, &self.hits).times(service.daily * acts.pages);
        day += acts::like().times(service.daily * acts.likes);
        day += acts::comment().times(service.daily * acts.comments);
        day += acts::follow(backfilled).times(service.daily * acts.follows);
        day += acts::active_day().times(service.daily);
        day += acts::rebuilt_return(service.followees, self.rebuilt_entries()).times(service.returns());
        (day, deliveries)
    }

    /// A post's fan-out by one of these authors.
    pub fn fan_out(&self, bucket: &Bucket) -> FanOut {
        FanOut { followers: bucket.followers, dormant: self.dormant, per_message: self.service.per_message }
    }

    /// Entries that a return writes: the posts of the followees in the window.
    fn rebuilt_entries(&self) -> f64 {
        (self.service.followees * self.posts_per_user * ENTRY_DAYS).min(REBUILT_ENTRIES)
    }

    /// The bill of a month, without storage.
    pub fn month(&self) -> Bill {
        Bill::for_amounts(&self.day.times(MONTH_DAYS))
    }

    /// The storage bill of a month: the entries of the window, and the posts of a year.
    pub fn storage(&self) -> f64 {
        let entries = self.day.feed_writes * ENTRY_DAYS * acts::ENTRY_BYTES;
        let posts = self.day.posts * YEAR_DAYS * acts::POST_BYTES;
        bill::bytes_kept_a_month(entries + posts)
    }

    /// The bill of a month with storage.
    pub fn month_total(&self) -> f64 {
        self.month().total() + self.storage()
    }

    /// A rate per second in the busiest hour, of an amount per day.
    pub fn at_peak(&self, a_day: f64) -> f64 {
        a_day / DAY_SECONDS * self.service.peak
    }

    /// Concurrent invocations of all functions in the busiest hour, by Little's law.
    pub fn concurrency(&self) -> f64 {
        self.at_peak(self.day.busy_seconds().iter().map(|(seconds, _)| seconds).sum())
    }

    /// Instances of status-api in the busiest hour, and the pages that each answers per second.
    pub fn instances(&self) -> (f64, f64) {
        let pages = self.at_peak(self.service.daily * self.service.acts.pages);
        let each = BUSY * 1_000.0 / crate::cost::prices::STATUS_API_MS;
        ((pages / each).max(1.0), pages.min(each))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::{distribution::Shape, options::tests::defaults};

    fn service() -> Service {
        defaults().services()[0]
    }

    fn any_service() -> impl Strategy<Value = Service> {
        let acts = (0.0..5.0, 0.0..200.0, 0.0..20.0, 0.0..5.0, 0.0..2.0);
        let sizes = (1e3..1e8, 1.0..4.0, 1.0..500.0, 1e3..1e7);
        (acts, sizes, prop::option::of(1.0..400.0), prop::bool::ANY).prop_map(
            |(acts, sizes, dormant_after, is_zipf)| {
                let (posts, pages, likes, comments, follows) = acts;
                let (daily, monthly_per_daily, followees, threshold) = sizes;
                let (shape, parameter) = if is_zipf { (Shape::Zipf, 0.78) } else { (Shape::LogNormal, 2.5) };
                Service {
                    daily: f64::round(daily),
                    monthly_per_daily,
                    followees,
                    threshold,
                    dormant_after,
                    distribution: Distribution { shape, parameter },
                    acts: ActsPerDay { posts, pages, likes, comments, follows },
                    ..service()
                }
            },
        )
    }

    /// The same service with more of one act.
    fn with_more(service: Service, act: usize, factor: f64) -> Service {
        let mut acts = service.acts;
        let rates = [&mut acts.posts, &mut acts.pages, &mut acts.likes, &mut acts.comments, &mut acts.follows];
        *rates.into_iter().nth(act).unwrap() *= factor;
        Service { acts, ..service }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn more_acts_cost_more(it in any_service(), act in 0..5_usize, factor in 1.0..10.0) {
            // Caches work better at higher rates, so a unit gets cheaper: the sum must not.
            let it = Service { cache_hits: Some(0.3), ..it };
            prop_assert!(with_more(it, act, factor).load().month_total() >= it.load().month_total() * (1.0 - 1e-9));
        }

        #[test]
        fn more_daily_users_cost_more(it in any_service(), factor in 1.1..10.0) {
            let more = Service { daily: it.daily * factor, ..it };
            prop_assert!(more.load().month_total() > it.load().month_total());
        }

        #[test]
        fn each_post_is_delivered_or_pulled(it in any_service()) {
            let load = it.load();
            let followed: f64 = load.buckets.iter().map(Bucket::follows).sum();
            let pulled = load.pulled_followees * it.users();
            let delivered = load.deliveries / load.posts_per_user.max(f64::MIN_POSITIVE) / (1.0 - load.dormant);
            prop_assume!(load.dormant < 0.99 && load.posts_per_user > 1e-6);
            prop_assert!(((pulled + delivered) / followed - 1.0).abs() < 1e-6);
        }

        #[test]
        fn fewer_readers_are_dormant_later(it in any_service(), days in 1.0..300.0, more in 1.0..60.0) {
            let dormant = |days| Service { dormant_after: Some(days), ..it }.dormant();
            prop_assert!(dormant(days + more) <= dormant(days));
            prop_assert!((0.0..=1.0).contains(&dormant(days)));
        }
    }

    #[test]
    fn half_of_the_users_are_monthly() {
        // Of four accounts one is used daily and two monthly.
        let dormant = |days| Service { dormant_after: Some(days), ..service() }.dormant();
        assert!((dormant(1.0) - 0.75).abs() < 1e-9);
        assert!((dormant(30.0) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn larger_messages_need_fewer_requests() {
        let requests = |per_message| Service { per_message, ..service() }.load().day.sqs_requests;
        assert!(requests(100.0) < requests(25.0));
    }

    #[test]
    fn a_skipped_reader_costs_no_write() {
        let writes = |dormant_after| Service { dormant_after, ..service() }.load().deliveries;
        assert!((writes(Some(30.0)) / writes(None) - 0.5).abs() < 1e-9);
    }
}

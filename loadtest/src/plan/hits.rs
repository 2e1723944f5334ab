//! The share of lookups that the caches of an instance answer.
//!
//! Lookups of one key arrive at an instance at random; a cached answer is used for a fixed time from its lookup. So of
//! the lookups at rate r with lifetime T the share rT / (1 + rT) is answered from the cache.

use domain::limits;

use super::{
    acts::{Hits, PAGE_POSTS},
    distribution::Bucket,
    model::{DAY_SECONDS, Load},
};
use crate::cost::prices;

/// Time for which an instance uses a profile, in seconds.
pub const PROFILE_SECONDS: f64 = limits::PROFILE_TTL.as_secs_f64();
/// Time for which it uses a post and its counts, in seconds.
pub const POST_SECONDS: f64 = limits::POST_TTL.as_secs_f64();
/// Time for which it uses the newest posts of a pulled author, in seconds.
pub const STORY_SECONDS: f64 = POST_SECONDS;

/// The hits in the busiest hour.
pub fn of(load: &Load) -> Hits {
    if let Some(share) = load.service.cache_hits {
        return Hits { profiles: share, posts: share, stories: share, activity: activity(load), callers: 0.0 };
    }
    let (_, pages) = load.instances();
    let follows: f64 = load.buckets.iter().map(Bucket::follows).sum();
    // A page shows an author in proportion to the author's share of all follows, at most once.
    let shown = |bucket: &Bucket| pages * (PAGE_POSTS * bucket.followers / follows).min(1.0);
    let weighted = |seconds: f64| {
        let hits = |bucket: &Bucket| bucket.follows() * share(shown(bucket), seconds);
        load.buckets.iter().map(hits).sum::<f64>() / follows
    };
    Hits {
        profiles: weighted(PROFILE_SECONDS),
        posts: weighted(POST_SECONDS),
        stories: stories(load, pages),
        activity: activity(load),
        // Consecutive pages of one reader rarely reach one instance.
        callers: 0.0,
    }
}

/// The share of lookups answered at this rate and lifetime.
pub fn share(rate: f64, seconds: f64) -> f64 {
    rate * seconds / (1.0 + rate * seconds)
}

/// Every page of a follower looks a pulled author up.
fn stories(load: &Load, pages: f64) -> f64 {
    let users = load.service.users();
    let pulled = || load.buckets.iter().filter(|bucket| load.service.is_pulled(bucket));
    let follows: f64 = pulled().map(Bucket::follows).sum();
    let hits = |bucket: &Bucket| bucket.follows() * share(pages * bucket.followers / users, STORY_SECONDS);
    if follows > 0.0 { pulled().map(hits).sum::<f64>() / follows } else { 0.0 }
}

/// An instance of follow-fetcher asks for a follower's activity once a day.
fn activity(load: &Load) -> f64 {
    if load.service.dormant_after.is_none() {
        // Not asked at all.
        return 1.0;
    }
    let pushed = || load.buckets.iter().filter(|bucket| !load.service.is_pulled(bucket));
    let asked: f64 = pushed().map(|bucket| bucket.follows() * load.posts_per_user).sum();
    let posts: f64 = pushed().map(|bucket| bucket.authors * load.posts_per_user).sum();
    let millis = posts * prices::FOLLOW_FETCHER_MS + asked / 1_000.0 * prices::FOLLOW_FETCHER_MS_PER_1000_FOLLOWERS;
    let fetchers = (millis / 1_000.0 / DAY_SECONDS * load.service.peak).max(1.0);
    (1.0 - load.service.users() * fetchers / asked.max(1.0)).max(0.0)
}

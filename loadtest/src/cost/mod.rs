//! `loadtest cost`: the cost on AWS of a post, a feed read, a like, a comment and a follow, including the work they
//! trigger.
//!
//! Runs the whole service in one process with metered ports, and prices the counts. The functions' durations cannot be
//! measured here and are assumed; every assumption is listed with the prices.
//!
//! In reading order: [`units`] has DynamoDB's and SQS's rules; [`meter`] applies them at the ports; [`measure`] runs
//! the requests; [`prices`] is the price list; [`bill`] multiplies; [`report`] prints.

pub mod bill;
pub mod measure;
pub mod meter;
pub mod prices;
pub mod report;
pub mod units;

use self::report::{CostReport, Requests};
use crate::error::LoadtestError;

/// Posts averaged if there are few followers, where one job more or less matters.
const POSTS: u64 = 10;
/// The number of followers from which one post is enough.
const MANY: u64 = 100_000;
/// Followees of the reader, each with one post: more than a page shows, so that a page has 20 authors.
const AUTHORS: u32 = 25;
/// Feed reads averaged.
const READS: u64 = 100;
/// Likes, comments and follows averaged, each: none differs from another.
const ACTS: u64 = 10;

/// Counts and prices a post to each of these numbers of followers, of whom this share is not dormant, and each other
/// kind of request.
pub async fn run(followers: &[u64], active: f64) -> Result<CostReport, LoadtestError> {
    let mut posts = Vec::new();
    for followers in followers {
        let repeats = if *followers < MANY { POSTS } else { 1 };
        let awake = share_of(*followers, active);
        posts.push(measure::post_beside_dormant(awake, followers - awake, repeats).await?);
    }
    let requests = Requests {
        reads: measure::reads(AUTHORS, 1, READS).await?,
        likes: measure::likes(ACTS).await?,
        comments: measure::comments(ACTS).await?,
        follows: measure::follows(measure::FOLLOWED_POSTS, ACTS).await?,
    };
    Ok(CostReport::new(&posts, &requests).with_active(active))
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most 10^8"
)]
fn share_of(followers: u64, share: f64) -> u64 {
    (followers as f64 * share).round() as u64
}

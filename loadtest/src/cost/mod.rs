//! `loadtest cost`: what a post, a feed read, a like, a comment and a follow cost on AWS, with what follows from them.
//!
//! Runs the whole service in one process with a meter around its ports, and prices what was counted. The functions'
//! times cannot be counted here and are assumed; every assumption stands with the prices.
//!
//! In reading order: [`units`] has DynamoDB's and SQS's rules; [`meter`] counts at the ports by them; [`measure`] runs
//! posts and reads; [`prices`] is the price list; [`bill`] multiplies; [`report`] tells.

pub mod bill;
pub mod measure;
pub mod meter;
pub mod prices;
pub mod report;
pub mod units;

use self::report::{CostReport, Requests};
use crate::error::LoadtestError;

/// Posts that are averaged where there are few followers: one job more or less then shows.
const POSTS: u64 = 10;
/// From this many followers on one post is enough.
const MANY: u64 = 100_000;
/// Authors whom the reader follows, each with one post: more than a page shows, so that a page has 20 authors.
const AUTHORS: u32 = 25;
/// Feed reads that are averaged.
const READS: u64 = 100;
/// Likes, comments and follows that are averaged, each: none differs from another.
const ACTS: u64 = 10;

/// Counts a post to each of these numbers of followers, and each other kind of request, and prices them.
pub async fn run(followers: &[u64]) -> Result<CostReport, LoadtestError> {
    let mut posts = Vec::new();
    for followers in followers {
        let repeats = if *followers < MANY { POSTS } else { 1 };
        posts.push(measure::post(*followers, repeats).await?);
    }
    let requests = Requests {
        reads: measure::reads(AUTHORS, 1, READS).await?,
        likes: measure::likes(ACTS).await?,
        comments: measure::comments(ACTS).await?,
        follows: measure::follows(measure::FOLLOWED_POSTS, ACTS).await?,
    };
    Ok(CostReport::new(&posts, &requests))
}

//! `loadtest cost`: what a post and a feed read cost on AWS.
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

use self::report::CostReport;
use crate::error::LoadtestError;

/// Posts that are averaged where there are few followers: one job more or less then shows.
const POSTS: u64 = 10;
/// From this many followers on one post is enough.
const MANY: u64 = 100_000;
/// Authors whom the reader follows, each with one post: more than a page shows, so that a page has 20 authors.
const AUTHORS: u32 = 25;
/// Feed reads that are averaged.
const READS: u64 = 100;

/// Counts a post to each of these numbers of followers and feed reads, and prices them.
pub async fn run(followers: &[u64]) -> Result<CostReport, LoadtestError> {
    let mut posts = Vec::new();
    for followers in followers {
        let repeats = if *followers < MANY { POSTS } else { 1 };
        posts.push(measure::post(*followers, repeats).await?);
    }
    let reads = measure::reads(AUTHORS, 1, READS).await?;
    Ok(CostReport::new(&posts, &reads))
}

//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, builder::BoolishValueParser, value_parser};
use service::promotion::PullThreshold;
use tweeter::{
    Stores,
    store_args::{NotBuilt, StoreChoice},
};

use crate::{client_process::ClientProgram, plan::options::PlanOptions, stack::api::ApiUrl};

/// Measures Tweeter: starts the whole service in this process and talks to it over HTTP.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    /// The scenario to run.
    #[command(subcommand)]
    pub scenario: Scenario,
}

/// The scenario to run.
#[derive(Debug, Subcommand)]
pub enum Scenario {
    /// One author with many followers posts; every feed is checked. Exits 1 if an entry is missing or duplicated.
    ///
    /// In one process this is the fan-out alone: changes are not logged, so there are no counts and no notifications.
    Fanout(FanoutOptions),
    /// Many users read and post at a fixed rate; every feed is checked. Exits 1 if an entry is missing or duplicated.
    ///
    /// With --social they also like and comment, and every like, comment and count is checked too.
    Mixed(MixedOptions),
    /// Many users like one post, as fast as their requests are answered. Exits 1 if a like or the count is wrong at the
    /// end, or if the count was written more than once per 20 likes.
    Hotpost(HotpostOptions),
    /// Reads feed pages of 20 posts by 20 authors as fast as they are answered, from a process of its own, in alternation
    /// with a constant answer of the same size by the same server. Exits 1 if a page has not 20 posts.
    Read(ReadOptions),
    /// Measures the deliveries of an author with 100 followers while a fan-out to a million runs, in alternation with an
    /// idle service. Exits 1 if an entry is missing or duplicated.
    Fairness(FairnessOptions),
    /// Sends the mix of `DeathStarBench`'s socialNetwork on a graph of the size of its Reed98 set, and searches for the
    /// highest rate with a read p99 under 50 ms. Exits 1 if an entry is missing or duplicated.
    Dsb(DsbOptions),
    /// Publishes posts to 200 followers each for ten minutes, as fast as they are delivered, with 10% reads, and compares
    /// the last minute with the first. Exits 1 if a post does not arrive or a request fails.
    Soak(SoakOptions),
    /// Measures feed pages that cost more than a plain one: with authors whose posts are merged at read time, past the
    /// window in which entries are kept, and after dormancy. Exits 1 if a page does not show the expected posts.
    Pages(PagesOptions),
    /// Computes the cost on AWS of a post, a feed read, a like, a comment and a follow, from request and capacity units
    /// counted in one process.
    Cost(CostOptions),
    /// Computes the load, the monthly cost on AWS and the delivery times of a service with millions of daily users.
    Plan(PlanOptions),
    /// The client's process of `read`: reads the requests from standard input.
    #[command(hide = true)]
    Client,
}

impl Scenario {
    /// The files to write; `None` for the client's process.
    pub const fn files(&self) -> Option<&Files> {
        match self {
            Self::Fanout(FanoutOptions { places, .. })
            | Self::Mixed(MixedOptions { places, .. })
            | Self::Hotpost(HotpostOptions { places, .. })
            | Self::Read(ReadOptions { places, .. })
            | Self::Fairness(FairnessOptions { places, .. })
            | Self::Dsb(DsbOptions { places, .. })
            | Self::Soak(SoakOptions { places, .. })
            | Self::Pages(PagesOptions { places, .. }) => Some(&places.files),
            Self::Cost(CostOptions { files, .. }) | Self::Plan(PlanOptions { files, .. }) => Some(files),
            Self::Client => None,
        }
    }
}

/// Options of `loadtest fanout`.
#[derive(Debug, Clone, Args)]
pub struct FanoutOptions {
    /// Followers of the author.
    #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u64).range(1..=100_000_000))]
    pub followers: u64,
    /// Posts, one after another, each sent when the previous one has reached all feeds.
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u64).range(1..=1_000_000))]
    pub posts: u64,
    /// Data and result files.
    #[command(flatten)]
    pub places: Places,
    /// A deployed stack, instead of one process.
    #[command(flatten)]
    pub stack: StackOptions,
}

/// Options of `loadtest fanout` against a deployed stack.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "A deployed stack")]
pub struct StackOptions {
    /// Drive the deployed API at this address, end to end. Also exits 1 if a target is missed.
    #[arg(long, requires = "stack", conflicts_with = "data_dir")]
    pub url: Option<ApiUrl>,
    /// Name of the stack that serves the address. Region and credentials are found as by the AWS CLI.
    #[arg(long, requires = "url", value_name = "NAME")]
    pub stack: Option<String>,
    /// Rows seeded and removed per second. A third of the seeded rows go into one partition, which takes 1,000 write
    /// units a second; a new on-demand table takes 4,000.
    #[arg(long, default_value_t = StackOptions::SEED_RATE, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub seed_rate: u32,
    /// Feeds read concurrently.
    #[arg(long, default_value_t = StackOptions::CONCURRENCY, value_parser = value_parser!(u32).range(1..=1_000))]
    pub concurrency: u32,
    /// Report times without comparing them to targets, for emulators. Missing or duplicate entries still fail the run.
    #[arg(long)]
    pub no_targets: bool,
}

impl StackOptions {
    const SEED_RATE: u32 = 2_500;
    /// At 30 ms per read about the 1,000 requests a second that the template allows.
    const CONCURRENCY: u32 = 32;
}

impl Default for StackOptions {
    /// No stack.
    fn default() -> Self {
        let (seed_rate, concurrency) = (Self::SEED_RATE, Self::CONCURRENCY);
        Self { url: None, stack: None, seed_rate, concurrency, no_targets: false }
    }
}

/// Options of `loadtest cost`.
#[derive(Debug, Clone, Args)]
pub struct CostOptions {
    /// Numbers of followers of the author, for each of which a post is priced.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 10_000, 1_000_000], value_parser = value_parser!(u64).range(1..=100_000_000))]
    pub followers: Vec<u64>,
    /// Share of the followers who are active, 0 to 1; the others are dormant, and a fan-out skips them.
    #[arg(long, default_value_t = 1.0, value_parser = share)]
    pub active: f64,
    /// Print Markdown.
    #[arg(long)]
    pub markdown: bool,
    /// Result files.
    #[command(flatten)]
    pub files: Files,
}

/// Options of `loadtest mixed`.
#[derive(Debug, Clone, Args)]
pub struct MixedOptions {
    /// Users, in addition to an author whom the first 10,000 of them follow.
    #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u32).range(2..=10_000_000))]
    pub users: u32,
    /// Requests per second.
    #[arg(long, default_value_t = 500, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
    /// Duration in seconds: at most 840, as access tokens expire after 15 minutes.
    #[arg(long, default_value_t = 30, value_parser = value_parser!(u32).range(1..=840))]
    pub seconds: u32,
    /// Share of the requests that read a feed, 0 to 1; the others post.
    #[arg(long, default_value_t = 0.9, value_parser = share)]
    pub read_share: f64,
    /// Add likes and comments: per 100 other requests 10 likes, a fifth of them of one and the same post, and 2
    /// comments. In one process only.
    #[arg(long)]
    pub social: bool,
    /// Send the same reads and posts twice, first without likes and comments, then with them, and report how much
    /// slower reads get.
    #[arg(long, requires = "social")]
    pub compare: bool,
    /// Search for the highest rate that holds, in runs of 10 seconds: reads p99 under 50 ms, deliveries p99 under 2 s,
    /// 99% of the rate achieved, no error, nothing lost.
    #[arg(long, conflicts_with_all = ["rate", "seconds", "social"])]
    pub find_rate: bool,
    /// Data and result files.
    #[command(flatten)]
    pub places: Places,
}

/// Options of `loadtest hotpost`.
#[derive(Debug, Clone, Args)]
pub struct HotpostOptions {
    /// Users, each of whom likes the post once: at most as many as can be answered in the 15 minutes before access
    /// tokens expire.
    #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub likers: u32,
    /// Concurrent likes.
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u32).range(1..=10_000))]
    pub concurrency: u32,
    /// Data and result files.
    #[command(flatten)]
    pub places: Places,
}

/// Options of `loadtest read`.
#[derive(Debug, Clone, Args)]
pub struct ReadOptions {
    /// Readers, and as many authors.
    #[arg(long, default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub readers: u32,
    /// Concurrent requests.
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u32).range(1..=10_000))]
    pub concurrency: u32,
    /// Slices of feed pages and as many of constant answers, which alternate.
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u32).range(1..=100))]
    pub slices: u32,
    /// Duration of a slice in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 2_000, value_parser = value_parser!(u64).range(10..=60_000))]
    pub slice_ms: u64,
    /// Data and result files.
    #[command(flatten)]
    pub places: Places,
    /// The client's program, which tests replace.
    #[arg(skip)]
    pub client: ClientProgram,
}

/// Options of `loadtest fairness`.
#[derive(Debug, Clone, Args)]
pub struct FairnessOptions {
    /// Followers of the famous author.
    #[arg(long, default_value_t = 1_000_000, value_parser = value_parser!(u64).range(1..=100_000_000))]
    pub followers: u64,
    /// Fan-outs to them, each after posts on an idle service.
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..=1_000))]
    pub rounds: u32,
    /// Posts per second of the author with 100 followers.
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..=10_000))]
    pub rate: u32,
    /// Posts of that author on the idle service, in each round.
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=100_000))]
    pub idle_posts: u32,
    /// Data and result files.
    #[command(flatten)]
    pub places: Places,
}

/// Options of `loadtest dsb`.
#[derive(Debug, Clone, Args)]
pub struct DsbOptions {
    /// Users; other numbers scale the graph.
    #[arg(long, default_value_t = 962, value_parser = value_parser!(u32).range(10..=10_000))]
    pub users: u32,
    /// Send this number of requests per second once, instead of searching for the highest rate.
    #[arg(long, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub rate: Option<u32>,
    /// Duration of each rate in seconds.
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u32).range(1..=600))]
    pub seconds: u32,
    /// Posts of each user before the run; with the default, every page is full.
    #[arg(long, default_value_t = 110, value_parser = value_parser!(u32).range(0..=1_000))]
    pub history: u32,
    /// Data and result files.
    #[command(flatten)]
    pub places: Places,
}

/// Options of `loadtest soak`.
#[derive(Debug, Clone, Args)]
pub struct SoakOptions {
    /// Duration in seconds: at most 840, as access tokens expire after 15 minutes. Ten minutes write several gigabytes.
    #[arg(long, default_value_t = 600, value_parser = value_parser!(u32).range(1..=840))]
    pub seconds: u32,
    /// Authors, each with 200 followers.
    #[arg(long, default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=100_000))]
    pub authors: u32,
    /// Readers.
    #[arg(long, default_value_t = 20_000, value_parser = value_parser!(u32).range(1..=10_000_000))]
    pub readers: u32,
    /// Posts and reads in progress.
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u32).range(1..=10_000))]
    pub concurrency: u32,
    /// Data and result files.
    #[command(flatten)]
    pub places: Places,
}

/// Options of `loadtest pages`.
#[derive(Debug, Clone, Args)]
pub struct PagesOptions {
    /// Readers of each kind.
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u32).range(1..=10_000))]
    pub readers: u32,
    /// Authors whom the readers past the window follow, each with one old post.
    #[arg(long, default_value_t = 5_000, value_parser = value_parser!(u32).range(1..=100_000))]
    pub followees: u32,
    /// Pages of each reader with pulled authors.
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..=100_000))]
    pub rounds: u32,
    /// Data and result files.
    #[command(flatten)]
    pub places: Places,
}

/// Result files, in addition to the table on standard output.
#[derive(Debug, Clone, Default, Args)]
pub struct Files {
    /// Also write the figures to this file, as one JSON object.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Also write the figures and charts to this file, as one HTML page.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// Data and result files.
#[derive(Debug, Clone, Default, Args)]
pub struct Places {
    /// Result files.
    #[command(flatten)]
    pub files: Files,
    /// Keep the service's data in this directory; by default a temporary directory is used and removed.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Followers from which the service pulls an author's posts; `off` pushes all.
    #[arg(long, env = "TWEETER_PULL_THRESHOLD", value_name = "N|off", default_value = "off")]
    pub pull_threshold: PullThreshold,
    /// The stores of the service.
    #[command(flatten)]
    pub stores: StoreOptions,
}

/// The stores of the service.
#[derive(Debug, Clone, Args)]
pub struct StoreOptions {
    /// The embedded database, or DynamoDB and SQS with region, credentials and endpoints as found by the SDK.
    #[arg(long, value_enum, default_value = "embedded")]
    pub store: StoreChoice,
    /// With --store aws: prefix of the names of tables and queues. Missing ones are created, and they are kept.
    #[arg(long, default_value = PREFIX)]
    pub prefix: String,
    /// With --store aws: whether messages carry their author as `MessageGroupId`.
    #[arg(long, env = "TWEETER_FAIR_QUEUES", value_name = "BOOL", default_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub fair_queues: bool,
}

/// Differs from `tweeter`'s default, so that a forgotten option does not send load to tables in use.
const PREFIX: &str = "loadtest-";

impl Default for StoreOptions {
    fn default() -> Self {
        Self { store: StoreChoice::default(), prefix: PREFIX.to_owned(), fair_queues: true }
    }
}

impl StoreOptions {
    /// Whether the embedded database is used.
    pub const fn is_embedded(&self) -> bool {
        matches!(self.store, StoreChoice::Embedded)
    }

    /// The stores, or an error if this build lacks AWS.
    pub fn stores(&self) -> Result<Stores, NotBuilt> {
        match self.store {
            StoreChoice::Embedded => Ok(Stores::Embedded),
            #[cfg(not(feature = "aws"))]
            StoreChoice::Aws => Err(NotBuilt),
            #[cfg(feature = "aws")]
            StoreChoice::Aws => {
                let options = tweeter::aws::AwsOptions::named(&self.prefix);
                Ok(Stores::Aws(tweeter::aws::AwsOptions { fair_queues: self.fair_queues, ..options }))
            }
        }
    }
}

/// Parses a share, 0 to 1.
pub fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("not a number from 0 to 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn exit_code(arguments: &str) -> i32 {
        let arguments = ["loadtest"].into_iter().chain(arguments.split_whitespace());
        Cli::try_parse_from(arguments).map_or_else(|error| error.exit_code(), |_| 0)
    }

    #[test]
    fn the_command_line_definition_is_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_outside_their_limits_exit_with_2() {
        for good in [
            "fanout",
            "mixed",
            "fanout --followers 1 --posts 1",
            "mixed --read-share 1 --seconds 840",
            "cost",
            "cost --followers 1,2",
            "cost --active 0.1",
            "plan",
            "plan --daily 5000,1000000 --distribution log-normal --sigma 2 --cache-hits 0.5 --dormant-after 0",
            "plan --check",
            "mixed --social",
            "mixed --find-rate --users 50",
            "mixed --social --compare",
            "hotpost",
            "hotpost --likers 1 --concurrency 1",
            "read --readers 1 --slices 1 --slice-ms 10 --report r.html",
            "fairness --followers 1 --rounds 1",
            "dsb",
            "dsb --users 10 --rate 1 --history 0",
            "soak --seconds 1",
            "pages --readers 1 --followees 1 --rounds 1",
            "client",
            "fanout --url http://127.0.0.1:1/api --stack a --no-targets",
        ] {
            assert_eq!(exit_code(good), 0, "{good}");
        }
        for bad in [
            "",
            "fanout --followers 0",
            "fanout --posts 0",
            "mixed --rate 0",
            "mixed --seconds 841",
            "mixed --read-share 1.1",
            "mixed --read-share nan",
            "mixed --users 1",
            "mixed --compare",
            "mixed --find-rate --rate 5",
            "mixed --find-rate --social",
            "hotpost --likers 0",
            "hotpost --concurrency 0",
            "other",
            "read --readers 0",
            "fairness --rounds 0",
            "dsb --users 9",
            "dsb --rate 0",
            "soak --seconds 841",
            "pages --readers 0",
            "client --json f",
            "cost --followers 0",
            "cost --active 1.1",
            "plan --daily 10",
            "plan --cache-hits 2",
            "plan --peak 0.5",
            "plan --posts -1",
            "plan --check --markdown",
            "fanout --url http://127.0.0.1:1",
            "fanout --stack a",
            "fanout --stack a --url elsewhere",
            "fanout --stack a --url http://127.0.0.1:1 --data-dir d",
        ] {
            assert_eq!(exit_code(bad), 2, "{bad}");
        }
    }
}

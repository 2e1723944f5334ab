//! The command line of `tweeter` and its environment variables.

use std::{
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
};

use clap::{Args, Parser, Subcommand, ValueEnum, builder::BoolishValueParser};
use domain::{Handle, PostId, UserId};
use http::{HeaderName, HeaderValue};
use http_api::TrustedProxy;
use ports::queue::QueueName;
use service::{promotion::PullThreshold, rates::RateLimits};
use telemetry::LogFormat;

use crate::{
    config::{Config, DataDir, MAX_CONNECTIONS_PER_NETWORK},
    store_args::{AllStoreArgs, NotBuilt, ServeStoreArgs, StoreArgs},
    web::WebClient,
};

/// A social feed in one process: post, fan out, read.
#[derive(Debug, Parser)]
#[command(name = "tweeter", version, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub struct Cli {
    /// The subcommand; `serve` by default.
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

impl Cli {
    /// The command to run.
    pub fn command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

/// The commands of `tweeter`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API and run the workers (the default)
    Serve(ServeArgs),
    /// Serve a populated feed from a temporary directory, for a first look
    Demo(DemoArgs),
    /// Show the depth of each queue and the backlog of changes
    Queues(QueuesArgs),
    /// Inspect dead letters and redrive them
    Dlq(DlqArgs),
    /// Check all counts, or those of one user or post, against the data
    ///
    /// Exits 1 when a count is wrong and was not fixed, or could not be judged.
    Recount(RecountArgs),
    /// Check the feeds of all readers, of some, or one post in all feeds, against posts and follows
    ///
    /// Exits 1 when a feed misses a post or shows one that it should not, and that was not repaired.
    Verify(VerifyArgs),
    /// Restore a deleted post
    RestorePost(RestorePostArgs),
    /// Back up the data directory, with or without a running process
    Backup(BackupArgs),
    /// Restore the data directory from a backup
    Restore(RestoreArgs),
    /// Create missing tables and queues
    Setup(SetupArgs),
}

/// Options of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address of the API; port 0 picks a free port
    #[arg(long, env = "TWEETER_LISTEN", value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Address of the Prometheus metrics, or `off`
    #[arg(long, env = "TWEETER_METRICS_LISTEN", value_name = "IP:PORT|off", default_value = "127.0.0.1:9464", value_parser = metrics_address)]
    metrics_listen: MetricsListen,
    #[command(flatten)]
    data: DataArgs,
    /// Keep data in a temporary directory that is removed at exit; `--data-dir` is then ignored
    #[arg(long, env = "TWEETER_EPHEMERAL", value_parser = BoolishValueParser::new())]
    ephemeral: bool,
    /// Format of log lines
    #[arg(long, env = "TWEETER_LOG_FORMAT", value_enum, default_value = "pretty")]
    log_format: LogFormatArg,
    /// Web client on the API's address: the built-in one, `off`, or the files in a directory, for work on them
    #[arg(long, env = "TWEETER_WEB", value_name = "DIR|off", value_parser = web_client)]
    web: Option<WebClient>,
    /// Web origin whose pages may call the API (repeatable, or comma-separated)
    #[arg(long, env = "TWEETER_CORS_ORIGIN", value_name = "ORIGIN", value_delimiter = ',', value_parser = web_origin)]
    cors_origin: Vec<HeaderValue>,
    /// URL under which clients reach this process, for links to uploads and pictures, such as `https://tweeter.example`
    /// [default: http:// and the address of the API]
    #[arg(long, env = "TWEETER_PUBLIC_URL", value_name = "URL", value_parser = public_url)]
    public_url: Option<String>,
    /// Rate limits on posts, likes, follows, comments, registrations and failed logins
    #[arg(long, env = "TWEETER_RATE_LIMITS", value_enum, default_value = "on")]
    rate_limits: RateLimitsArg,
    /// Followers from which an author's posts are merged into feeds when these are read, instead of being written to each
    /// feed; `off` or 0 writes all. Below 80% of it they are written again [default: 100000]
    #[arg(long, env = "TWEETER_PULL_THRESHOLD", value_name = "N|off")]
    pull_threshold: Option<PullThreshold>,
    /// Header in which a proxy names the client, such as `x-forwarded-for`; without it, the peer address is used. Set
    /// it only if every request passes such a proxy, as clients can send the header themselves
    #[arg(long, env = "TWEETER_TRUSTED_PROXY_HEADER", value_name = "NAME", value_parser = list_header)]
    trusted_proxy_header: Option<HeaderName>,
    /// Number of proxies that append to that header
    #[arg(long, env = "TWEETER_TRUSTED_PROXY_HOPS", value_name = "N", default_value = "1")]
    trusted_proxy_hops: NonZeroUsize,
    /// Maximum concurrent connections per network (an IPv4 address or IPv6 /64); further ones are closed. Defaults to
    /// 512, or no limit with `--trusted-proxy-header`, where all connections come from the proxy
    #[arg(long, env = "TWEETER_MAX_CONNECTIONS_PER_NETWORK", value_name = "N")]
    max_connections_per_network: Option<NonZeroUsize>,
    /// Start on a damaged database without the missing data: skipped parts are logged, and their files are kept in
    /// `damaged-N` next to it. Prefer restoring a backup with `tweeter restore`
    #[arg(long)]
    accept_data_loss: bool,
    /// Record after each sync how far the journal is synced (for tests)
    #[arg(long, hide = true)]
    record_syncs: bool,
    #[command(flatten)]
    stores: ServeStoreArgs,
}

impl ServeArgs {
    /// The format of log lines.
    pub const fn log_format(&self) -> LogFormat {
        match self.log_format {
            LogFormatArg::Pretty => LogFormat::Pretty,
            LogFormatArg::Json => LogFormat::Json,
        }
    }

    /// The process's configuration.
    pub fn config(self) -> Result<Config, NotBuilt> {
        Ok(Config {
            listen: self.listen,
            metrics_listen: self.metrics_listen.0,
            stores: self.stores.stores()?,
            data_dir: if self.ephemeral { DataDir::Ephemeral } else { DataDir::Path(self.data.data_dir) },
            web: self.web.unwrap_or_default(),
            cors_origins: self.cors_origin,
            public_url: self.public_url,
            max_connections_per_network: self
                .max_connections_per_network
                .or_else(|| self.trusted_proxy_header.is_none().then_some(MAX_CONNECTIONS_PER_NETWORK)),
            rate_limits: self.rate_limits.into(),
            pull_threshold: self.pull_threshold.unwrap_or_default(),
            trusted_proxy: self
                .trusted_proxy_header
                .map(|header| TrustedProxy { header, hops: self.trusted_proxy_hops }),
            accept_data_loss: self.accept_data_loss,
            record_syncs: self.record_syncs,
            ..Config::default()
        })
    }
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Address of the web client and the API; port 0 picks a free port
    #[arg(long, env = "TWEETER_LISTEN", value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Web client: the built-in one, `off`, or the files in a directory, for work on them
    #[arg(long, env = "TWEETER_WEB", value_name = "DIR|off", value_parser = web_client)]
    pub web: Option<WebClient>,
}

/// The data directory.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// Directory of the database, the pictures, the signing key and the operator's socket
    #[arg(long, env = "TWEETER_DATA_DIR", value_name = "DIR", default_value = "data")]
    pub data_dir: PathBuf,
}

/// Options of `queues`.
#[derive(Debug, Args)]
pub struct QueuesArgs {
    /// The data, and the output format.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Options of every operator command.
#[derive(Debug, Args)]
pub struct OutputArgs {
    /// The data directory.
    #[command(flatten)]
    pub data: DataArgs,
    /// The stores.
    #[command(flatten)]
    pub stores: StoreArgs,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// Options of `recount`.
#[derive(Debug, Args)]
pub struct RecountArgs {
    /// Only the counts and the notifications of this user
    #[arg(long, value_name = "ID|@HANDLE", conflicts_with = "post", value_parser = user)]
    pub user: Option<String>,
    /// Only the counts of this post
    #[arg(long, value_name = "ID")]
    pub post: Option<PostId>,
    /// Correct wrong counts
    #[arg(long)]
    pub fix: bool,
    /// Skip notifications, which are read one by one: far fewer reads
    #[arg(long, conflicts_with_all = ["user", "post"])]
    pub counts_only: bool,
    /// Maximum read units per second, to spare a table that serves traffic; 1000 by default
    #[arg(long, value_name = "N", help_heading = "With --store aws")]
    pub rate: Option<NonZeroU32>,
    /// Seconds an item must be unchanged before a difference counts; must exceed the lag of stream-handler; 60 by
    /// default
    #[arg(long, value_name = "SECONDS", help_heading = "With --store aws", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub settle: Option<u32>,
    /// The data directory.
    #[command(flatten)]
    pub data: DataArgs,
    /// The stores.
    #[command(flatten)]
    pub stores: AllStoreArgs,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// Options of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Only this post, in the feeds of its author and of every follower
    #[arg(long, value_name = "ID", conflicts_with = "sample")]
    pub post: Option<PostId>,
    /// Only the feeds of this many readers, drawn at random
    #[arg(long, value_name = "N")]
    pub sample: Option<NonZeroU32>,
    /// Deliver missing entries by jobs on JobQ, and remove entries that are wrongly shown
    #[arg(long)]
    pub repair: bool,
    /// Maximum read units per second, to spare tables that serve traffic; 1000 by default
    #[arg(long, value_name = "N", help_heading = "With --store aws")]
    pub rate: Option<NonZeroU32>,
    /// Seconds between the two looks that must agree on a difference; should exceed the time of a delivery; 60 by
    /// default
    #[arg(long, value_name = "SECONDS", help_heading = "With --store aws", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub settle: Option<u32>,
    /// The data directory.
    #[command(flatten)]
    pub data: DataArgs,
    /// The stores.
    #[command(flatten)]
    pub stores: AllStoreArgs,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// Options of `restore-post`.
#[derive(Debug, Args)]
pub struct RestorePostArgs {
    /// The post, deleted less than 30 days ago
    #[arg(value_name = "ID")]
    pub post: PostId,
    /// The data directory.
    #[command(flatten)]
    pub data: DataArgs,
    /// The stores.
    #[command(flatten)]
    pub stores: AllStoreArgs,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// Options of `backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// Target directory; must be empty or not exist
    #[arg(value_name = "DIR")]
    pub to: PathBuf,
    /// The data directory.
    #[command(flatten)]
    pub data: DataArgs,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// Options of `restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup; it is copied and left unchanged
    #[arg(value_name = "DIR")]
    pub from: PathBuf,
    /// The data directory.
    #[command(flatten)]
    pub data: DataArgs,
    /// Move the existing data to `before-restore-N` in the data directory
    #[arg(long)]
    pub replace: bool,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// Options of `setup`.
#[derive(Debug, Args)]
pub struct SetupArgs {
    /// The stores.
    #[command(flatten)]
    pub stores: AllStoreArgs,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// Options of `dlq`.
#[derive(Debug, Args)]
pub struct DlqArgs {
    /// The subcommand.
    #[command(subcommand)]
    pub command: DlqCommand,
}

/// The subcommands of `dlq`.
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// List dead letters, oldest first
    List(LookArgs),
    /// Show dead letters with their bodies
    Show(LookArgs),
    /// Send dead letters back to their source queue
    Redrive(RedriveArgs),
}

/// Options of `dlq list` and `dlq show`.
#[derive(Debug, Args)]
pub struct LookArgs {
    /// The messages.
    #[command(flatten)]
    pub letters: LettersArgs,
    /// Maximum number of messages
    #[arg(long, default_value_t = 1_000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub limit: usize,
}

/// Options of `dlq redrive`.
#[derive(Debug, Args)]
pub struct RedriveArgs {
    /// The messages.
    #[command(flatten)]
    pub letters: LettersArgs,
}

/// A selection of dead letters.
#[derive(Debug, Args)]
pub struct LettersArgs {
    /// The queue or its dead-letter queue: PostQ, JobQ, ChangeQ, PostDLQ, JobDLQ, ChangeDLQ
    #[arg(value_name = "QUEUE", value_parser = queue_name)]
    pub queue: QueueName,
    /// Only messages with these ids
    #[arg(long = "id", value_name = "ID", num_args = 1..)]
    pub ids: Vec<String>,
    /// The data, and the output format.
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormatArg {
    Pretty,
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RateLimitsArg {
    On,
    Off,
}

impl From<RateLimitsArg> for RateLimits {
    fn from(arg: RateLimitsArg) -> Self {
        match arg {
            RateLimitsArg::On => Self::On,
            RateLimitsArg::Off => Self::Off,
        }
    }
}

/// A header whose value is a list of addresses.
fn list_header(text: &str) -> Result<HeaderName, String> {
    match HeaderName::try_from(text) {
        Ok(name) if name == http::header::FORWARDED => {
            Err("`forwarded` is not a list of addresses; have the proxy set x-forwarded-for".to_owned())
        }
        Ok(name) => Ok(name),
        Err(error) => Err(error.to_string()),
    }
}

/// An optional address. A newtype, because clap treats an `Option` field as an optional argument.
#[derive(Debug, Clone, Copy)]
struct MetricsListen(Option<SocketAddr>);

fn metrics_address(text: &str) -> Result<MetricsListen, String> {
    if text == "off" {
        return Ok(MetricsListen(None));
    }
    text.parse().map(|address| MetricsListen(Some(address))).map_err(|_| "expected IP:PORT or off".to_owned())
}

fn web_client(text: &str) -> Result<WebClient, String> {
    if text == "off" {
        return Ok(WebClient::Off);
    }
    let directory = PathBuf::from(text);
    if directory.join("index.html").is_file() {
        Ok(WebClient::Directory(directory))
    } else {
        Err("expected `off` or a directory with an index.html".to_owned())
    }
}

/// A scheme, a host, and a port unless it is the scheme's default: exactly what a browser sends in `Origin`.
fn web_origin(text: &str) -> Result<HeaderValue, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let plain = host.bytes().all(|b| b.is_ascii_alphanumeric() && !b.is_ascii_uppercase() || b".-:[]".contains(&b));
    if host.is_empty() || !plain {
        return Err("expected an origin such as https://app.example.org, in lower case and without a path".to_owned());
    }
    HeaderValue::from_str(text).map_err(|error| error.to_string())
}

fn public_url(text: &str) -> Result<String, String> {
    web_origin(text).map(|_url| text.to_owned())
}

fn user(text: &str) -> Result<String, String> {
    let is_user = match text.strip_prefix('@') {
        Some(handle) => Handle::parse(handle).is_ok(),
        None => text.parse::<UserId>().is_ok(),
    };
    if is_user { Ok(text.to_owned()) } else { Err("expected a user's id, or @ and a handle".to_owned()) }
}

fn queue_name(text: &str) -> Result<QueueName, String> {
    QueueName::parse(text).ok_or_else(|| {
        let names: Vec<_> = QueueName::ALL.into_iter().map(QueueName::name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use rstest::rstest;

    use super::*;

    fn config(args: &[&str]) -> Config {
        let cli = Cli::try_parse_from(std::iter::once(&"tweeter").chain(args)).unwrap();
        match cli.command() {
            Command::Serve(serve) => serve.config().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as CommandFactory>::command().debug_assert();
    }

    #[test]
    fn serve_is_the_default_command() {
        let options = ["--listen", "0.0.0.0:80", "--metrics-listen", "off", "--data-dir", "/srv/x"];
        let named: Vec<_> = std::iter::once("serve").chain(options).collect();
        assert_eq!(config(&options), config(&named));
        assert_eq!(config(&options).metrics_listen, None);
        assert_eq!(config(&[]).metrics_listen, Some(SocketAddr::from(([127, 0, 0, 1], 9464))));
        assert_eq!(config(&[]).data_dir, DataDir::Path("data".into()));
        assert_eq!(config(&["--ephemeral"]).data_dir, DataDir::Ephemeral);
    }

    #[test]
    fn origins_are_listed_or_repeated() {
        let origins = ["https://a.example", "http://localhost:3000"];
        assert_eq!(config(&["--cors-origin", "https://a.example,http://localhost:3000"]).cors_origins, origins);
        let repeated = ["--cors-origin", "https://a.example", "--cors-origin", "http://localhost:3000"];
        assert_eq!(config(&repeated).cors_origins, origins);
    }

    #[test]
    fn defaults_limit_rates_and_trust_no_header() {
        let default = config(&[]);
        assert_eq!((default.rate_limits, default.trusted_proxy), (RateLimits::On, None));
        let said =
            config(&["--rate-limits", "off", "--trusted-proxy-header", "X-Forwarded-For", "--trusted-proxy-hops", "2"]);
        let proxy =
            TrustedProxy { header: HeaderName::from_static("x-forwarded-for"), hops: NonZeroUsize::new(2).unwrap() };
        assert_eq!((said.rate_limits, said.trusted_proxy), (RateLimits::Off, Some(proxy)));
    }

    #[test]
    fn the_web_client_is_embedded_unless_configured() {
        assert_eq!(config(&[]).web, WebClient::Embedded);
        assert_eq!(config(&["--web", "off"]).web, WebClient::Off);
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../web");
        assert_eq!(config(&["--web", directory]).web, WebClient::Directory(directory.into()));
    }

    #[test]
    fn pulling_begins_at_the_threshold_or_never() {
        let threshold = |args: &[&str]| config(args).pull_threshold;
        assert_eq!(threshold(&[]), PullThreshold::from(100_000));
        assert_eq!(threshold(&["--pull-threshold", "3"]), PullThreshold::from(3));
        assert_eq!(threshold(&["--pull-threshold", "off"]), PullThreshold::OFF);
    }

    #[test]
    fn a_trusted_proxy_lifts_the_default_connection_limit() {
        let most = |args: &[&str]| config(args).max_connections_per_network.map(NonZeroUsize::get);
        assert_eq!(most(&[]), Some(512));
        assert_eq!(most(&["--max-connections-per-network", "8"]), Some(8));
        assert_eq!(most(&["--trusted-proxy-header", "x-forwarded-for"]), None);
        let both = ["--trusted-proxy-header", "x-forwarded-for", "--max-connections-per-network", "8"];
        assert_eq!(most(&both), Some(8));
    }

    #[rstest]
    #[case(&["--max-connections-per-network", "0"])]
    #[case(&["--listen", "nowhere"])]
    #[case(&["--metrics-listen", "on"])]
    #[case(&["--cors-origin", "https://a.example/"])]
    #[case(&["--cors-origin", "*"])]
    #[case(&["--cors-origin", "https://A.example"])]
    #[case(&["--log-format", "xml"])]
    #[case(&["--rate-limits", "maybe"])]
    #[case(&["--pull-threshold", "many"])]
    #[case(&["--web", "/nowhere"])]
    #[case(&["--trusted-proxy-header", "forwarded"])]
    #[case(&["--trusted-proxy-header", "a b"])]
    #[case(&["--trusted-proxy-header", "x-forwarded-for", "--trusted-proxy-hops", "0"])]
    #[case(&["dlq", "list", "FeedQ"])]
    #[case(&["dlq", "list", "JobQ", "--limit", "0"])]
    #[case(&["restore-post", "7"])]
    #[case(&["recount", "--user", "alice"])]
    #[case(&["recount", "--post", "7"])]
    #[case(&["recount", "--user", "@alice", "--post", "018f3c5e-0000-7000-8000-000000000000"])]
    #[case(&["recount", "--user", "@alice", "--counts-only"])]
    #[case(&["verify", "--post", "7"])]
    #[case(&["verify", "--sample", "0"])]
    #[case(&["verify", "--sample", "1", "--post", "018f3c5e-0000-7000-8000-000000000000"])]
    #[case(&["recount", "--rate", "0"])]
    #[case(&["recount", "--settle", "0"])]
    #[case(&["fly"])]
    fn invalid_arguments_are_rejected(#[case] args: &[&str]) {
        let error = Cli::try_parse_from(std::iter::once(&"tweeter").chain(args)).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
    }
}

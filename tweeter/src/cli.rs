//! The command line of `tweeter`, and the environment variables beside it.

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
use service::rates::RateLimits;
use telemetry::LogFormat;

use crate::{
    config::{Config, DataDir, MAX_CONNECTIONS_PER_NETWORK},
    store_args::{AllStoreArgs, NotBuilt, ServeStoreArgs, StoreArgs},
};

/// A social feed in one process: post, fan out, read.
#[derive(Debug, Parser)]
#[command(name = "tweeter", version, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do; `serve` when nothing is said.
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

impl Cli {
    /// What to do.
    pub fn command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

/// What `tweeter` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API and run the workers (the default)
    Serve(ServeArgs),
    /// Show how full each queue is, and how many changes wait
    Queues(QueuesArgs),
    /// Look at dead letters and put them back
    Dlq(DlqArgs),
    /// Compare counts with what they count: all of them, or those of one user or post
    ///
    /// Exits 1 when one is wrong and was not fixed, or could not be judged.
    Recount(RecountArgs),
    /// Restore a deleted post
    RestorePost(RestorePostArgs),
    /// Copy the data directory as it is now, while the process serves or not
    Backup(BackupArgs),
    /// Put a backup in place of the data directory
    Restore(RestoreArgs),
    /// Make the tables and queues that are missing
    Setup(SetupArgs),
}

/// Options of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address of the API; port 0 takes a free one
    #[arg(long, env = "TWEETER_LISTEN", value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Address of the Prometheus metrics, or `off`
    #[arg(long, env = "TWEETER_METRICS_LISTEN", value_name = "IP:PORT|off", default_value = "127.0.0.1:9464", value_parser = metrics_address)]
    metrics_listen: MetricsListen,
    #[command(flatten)]
    data: DataArgs,
    /// Keep data in a temporary directory that goes with the process; `--data-dir` then means nothing
    #[arg(long, env = "TWEETER_EPHEMERAL", value_parser = BoolishValueParser::new())]
    ephemeral: bool,
    /// How log lines are written
    #[arg(long, env = "TWEETER_LOG_FORMAT", value_enum, default_value = "pretty")]
    log_format: LogFormatArg,
    /// Web origins whose pages may call the API (repeat it, or separate them by commas)
    #[arg(long, env = "TWEETER_CORS_ORIGIN", value_name = "ORIGIN", value_delimiter = ',', value_parser = web_origin)]
    cors_origin: Vec<HeaderValue>,
    /// Whether it is limited how often one may post, like, follow, comment, register and fail to log in
    #[arg(long, env = "TWEETER_RATE_LIMITS", value_enum, default_value = "on")]
    rate_limits: RateLimitsArg,
    /// Header in which proxies in front name the client, such as `x-forwarded-for`; without it the connection tells.
    /// Only behind proxies that all requests pass: anybody can send a header
    #[arg(long, env = "TWEETER_TRUSTED_PROXY_HEADER", value_name = "NAME", value_parser = list_header)]
    trusted_proxy_header: Option<HeaderName>,
    /// How many proxies add to that header
    #[arg(long, env = "TWEETER_TRUSTED_PROXY_HOPS", value_name = "N", default_value = "1")]
    trusted_proxy_hops: NonZeroUsize,
    /// Connections that one network (an IPv4 address, an IPv6 /64) may hold at once; further ones are closed.
    /// Defaults to 512, and to no limit with `--trusted-proxy-header`: all connections are the proxy's then
    #[arg(long, env = "TWEETER_MAX_CONNECTIONS_PER_NETWORK", value_name = "N")]
    max_connections_per_network: Option<NonZeroUsize>,
    /// Start on a damaged database without what is missing: what is skipped is logged, and the files are kept in
    /// `damaged-N` beside it. Restoring a backup with `tweeter restore` is the better way
    #[arg(long)]
    accept_data_loss: bool,
    /// Note after each sync how far the journal is synced (an instrument for tests)
    #[arg(long, hide = true)]
    record_syncs: bool,
    #[command(flatten)]
    stores: ServeStoreArgs,
}

impl ServeArgs {
    /// How log lines are written.
    pub const fn log_format(&self) -> LogFormat {
        match self.log_format {
            LogFormatArg::Pretty => LogFormat::Pretty,
            LogFormatArg::Json => LogFormat::Json,
        }
    }

    /// The process's set-up.
    pub fn config(self) -> Result<Config, NotBuilt> {
        Ok(Config {
            listen: self.listen,
            metrics_listen: self.metrics_listen.0,
            stores: self.stores.stores()?,
            data_dir: if self.ephemeral { DataDir::Ephemeral } else { DataDir::Path(self.data.data_dir) },
            cors_origins: self.cors_origin,
            max_connections_per_network: self
                .max_connections_per_network
                .or_else(|| self.trusted_proxy_header.is_none().then_some(MAX_CONNECTIONS_PER_NETWORK)),
            rate_limits: self.rate_limits.into(),
            trusted_proxy: self
                .trusted_proxy_header
                .map(|header| TrustedProxy { header, hops: self.trusted_proxy_hops }),
            accept_data_loss: self.accept_data_loss,
            record_syncs: self.record_syncs,
            ..Config::default()
        })
    }
}

/// Where data is kept.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// Directory of the database, the signing key and the operator's socket
    #[arg(long, env = "TWEETER_DATA_DIR", value_name = "DIR", default_value = "data")]
    pub data_dir: PathBuf,
}

/// Options of `queues`.
#[derive(Debug, Args)]
pub struct QueuesArgs {
    /// Which data, and how to print.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Options of every operator command.
#[derive(Debug, Args)]
pub struct OutputArgs {
    /// Which data.
    #[command(flatten)]
    pub data: DataArgs,
    /// Which stores.
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
    /// Correct what is wrong
    #[arg(long)]
    pub fix: bool,
    /// Leave notifications out, which are looked up one by one: far fewer reads
    #[arg(long, conflicts_with_all = ["user", "post"])]
    pub counts_only: bool,
    /// Read units a second at the most, of a table that serves people meanwhile; 1000 unless given
    #[arg(long, value_name = "N", help_heading = "With --store aws")]
    pub rate: Option<NonZeroU32>,
    /// Seconds for which nothing may have changed for a difference to count, longer than stream-handler is behind; 60
    /// unless given
    #[arg(long, value_name = "SECONDS", help_heading = "With --store aws", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub settle: Option<u32>,
    /// Which data.
    #[command(flatten)]
    pub data: DataArgs,
    /// Which stores.
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
    /// Which data.
    #[command(flatten)]
    pub data: DataArgs,
    /// Which stores.
    #[command(flatten)]
    pub stores: AllStoreArgs,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// Options of `backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// Where the backup is made: a directory that is empty or does not exist
    #[arg(value_name = "DIR")]
    pub to: PathBuf,
    /// Which data.
    #[command(flatten)]
    pub data: DataArgs,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// Options of `restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup; it is copied and stays as it is
    #[arg(value_name = "DIR")]
    pub from: PathBuf,
    /// Which data.
    #[command(flatten)]
    pub data: DataArgs,
    /// Move the data that is there to `before-restore-N` in the data directory
    #[arg(long)]
    pub replace: bool,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// Options of `setup`.
#[derive(Debug, Args)]
pub struct SetupArgs {
    /// Which stores.
    #[command(flatten)]
    pub stores: AllStoreArgs,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// Options of `dlq`.
#[derive(Debug, Args)]
pub struct DlqArgs {
    /// What to do with dead letters.
    #[command(subcommand)]
    pub command: DlqCommand,
}

/// What can be done with dead letters.
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// List them, oldest first
    List(LookArgs),
    /// Show them with their bodies
    Show(LookArgs),
    /// Send them back to the queue they came from
    Redrive(RedriveArgs),
}

/// Options of `dlq list` and `dlq show`.
#[derive(Debug, Args)]
pub struct LookArgs {
    /// Which messages.
    #[command(flatten)]
    pub letters: LettersArgs,
    /// Messages at the most
    #[arg(long, default_value_t = 1_000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub limit: usize,
}

/// Options of `dlq redrive`.
#[derive(Debug, Args)]
pub struct RedriveArgs {
    /// Which messages.
    #[command(flatten)]
    pub letters: LettersArgs,
}

/// Which dead letters.
#[derive(Debug, Args)]
pub struct LettersArgs {
    /// The queue, by its own name or by that of its dead-letter queue: PostQ, JobQ, ChangeQ, PostDLQ, JobDLQ,
    /// ChangeDLQ
    #[arg(value_name = "QUEUE", value_parser = queue_name)]
    pub queue: QueueName,
    /// Only messages with these ids
    #[arg(long = "id", value_name = "ID", num_args = 1..)]
    pub ids: Vec<String>,
    /// Which data, and how to print.
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

/// A header that is a list of addresses.
fn list_header(text: &str) -> Result<HeaderName, String> {
    match HeaderName::try_from(text) {
        Ok(name) if name == http::header::FORWARDED => {
            Err("`forwarded` is no list of addresses; have the proxy set x-forwarded-for".to_owned())
        }
        Ok(name) => Ok(name),
        Err(error) => Err(error.to_string()),
    }
}

/// An address or nothing; of its own, or clap would take an `Option` for an option that may be left out.
#[derive(Debug, Clone, Copy)]
struct MetricsListen(Option<SocketAddr>);

fn metrics_address(text: &str) -> Result<MetricsListen, String> {
    if text == "off" {
        return Ok(MetricsListen(None));
    }
    text.parse().map(|address| MetricsListen(Some(address))).map_err(|_| "expected IP:PORT or off".to_owned())
}

/// A scheme and a host, and a port if not the scheme's: exactly what a browser sends in `Origin`.
fn web_origin(text: &str) -> Result<HeaderValue, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let plain = host.bytes().all(|b| b.is_ascii_alphanumeric() && !b.is_ascii_uppercase() || b".-:[]".contains(&b));
    if host.is_empty() || !plain {
        return Err("expected an origin such as https://app.example.org, in lower case and without a path".to_owned());
    }
    HeaderValue::from_str(text).map_err(|error| error.to_string())
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
    fn the_command_line_is_sound() {
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
    fn rates_are_limited_and_no_header_believed_unless_it_is_said() {
        let default = config(&[]);
        assert_eq!((default.rate_limits, default.trusted_proxy), (RateLimits::On, None));
        let said =
            config(&["--rate-limits", "off", "--trusted-proxy-header", "X-Forwarded-For", "--trusted-proxy-hops", "2"]);
        let proxy =
            TrustedProxy { header: HeaderName::from_static("x-forwarded-for"), hops: NonZeroUsize::new(2).unwrap() };
        assert_eq!((said.rate_limits, said.trusted_proxy), (RateLimits::Off, Some(proxy)));
    }

    #[test]
    fn a_network_has_512_connections_unless_a_proxy_holds_all() {
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
    #[case(&["recount", "--rate", "0"])]
    #[case(&["recount", "--settle", "0"])]
    #[case(&["fly"])]
    fn what_means_nothing_is_refused(#[case] args: &[&str]) {
        let error = Cli::try_parse_from(std::iter::once(&"tweeter").chain(args)).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
    }
}

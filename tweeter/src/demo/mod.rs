//! `tweeter demo`: a populated service in a temporary directory, for a first look.
//!
//! - [`cast`]: the people and their texts.
//! - [`client`]: calls the API in this process, as any client would.
//!
//! [`Demo::prepare`] lives through three days on a manual clock, so that posts have ages; [`Demo::run`] then serves the
//! same data on the system's clock while the cast goes on acting.

mod cast;
mod client;

use std::{io, net::SocketAddr, time::Duration};

use domain::Clock;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use service::{passwords::HashingOptions, rates::RateLimits};
use tempfile::TempDir;
use tracing::warn;

use crate::{
    Application, Config, DataDir, TestHooks,
    error::{RunError, StartError},
    web::WebClient,
};
use cast::{Cast, Member};
use client::{CallError, Client};

/// The password of everybody in the cast.
pub const PASSWORD: &str = "kingfisher";
/// Handles of the two users who are introduced to the visitor.
pub const LOGINS: [&str; 2] = ["ada", "noor"];

/// Each start tells the same story.
const SEED: u64 = 11;
/// The past that the demo shows.
const PAST: Duration = Duration::from_hours(72);
/// Posts of that past.
const POSTS: u32 = 90;
/// Posts, counted from the newest, to which the cast reacts.
const RECENT: usize = 12;
/// Seconds between two acts of the running demo.
const PAUSE: std::ops::RangeInclusive<u64> = 3..=10;

/// Why the demo could not start.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// There is no place for its data.
    #[error("cannot create a temporary directory: {0}")]
    Directory(#[source] io::Error),
    /// The process could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The process ended while its past was made.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The API refused an act of the cast.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// A populated service that does not run yet.
#[derive(Debug)]
pub struct Demo {
    application: Application,
    cast: Cast,
    /// Removed when the demo ends.
    dir: TempDir,
}

impl Demo {
    /// Makes the past of a demo that will be served at `listen`.
    pub async fn prepare(listen: SocketAddr, web: WebClient) -> Result<Self, DemoError> {
        let dir = tempfile::Builder::new().prefix("tweeter-demo").tempdir().map_err(DemoError::Directory)?;
        let data_dir = DataDir::Path(dir.path().join("data"));
        let config = Config { listen, web, ..Config::on_free_port(data_dir.clone()) };
        let mut cast = Cast::new(StdRng::seed_from_u64(SEED));
        live_through_the_past(&mut cast, Config::on_free_port(data_dir)).await?;
        let application = Application::build(config, hooks(Clock::System)).await?;
        Ok(Self { application, cast, dir })
    }

    /// The address of the API and the web client.
    pub fn address(&self) -> SocketAddr {
        self.application.address()
    }

    /// Serves until `shutdown`, while the cast goes on acting.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
        let Self { application, cast, dir } = self;
        let client = Client::new(application.router());
        let acting = tokio::spawn(act_for_ever(cast, client));
        let outcome = application.run(shutdown).await;
        acting.abort();
        drop(dir);
        outcome
    }
}

/// Passwords are public, so their hashes need not be expensive.
fn hooks(clock: Clock) -> TestHooks {
    TestHooks { clock, hashing: HashingOptions::cheap(), ..TestHooks::default() }
}

async fn live_through_the_past(cast: &mut Cast, config: Config) -> Result<(), DemoError> {
    debug_assert_eq!(config.rate_limits, RateLimits::Off, "the cast acts faster than people");
    let clock = Clock::manual(Clock::System.now().minus(PAST));
    let application = Application::build(config, hooks(clock.clone())).await?;
    let client = Client::new(application.router());
    let handle = application.spawn();
    register_all(cast, &client).await?;
    follow_each_other(cast, &client).await?;
    for _ in 0..POSTS {
        post(cast, &client).await?;
        for _ in 0..cast.rng.random_range(1..8) {
            like(cast, &client).await?;
        }
        for _ in 0..cast.rng.random_range(0..3) {
            comment(cast, &client).await?;
        }
        clock.advance(PAST / (POSTS + 1));
    }
    handle.drain().await;
    Ok(handle.stop().await?)
}

async fn register_all(cast: &Cast, client: &Client) -> Result<(), CallError> {
    for Member { handle, name, bio } in &cast.members {
        client.register(handle, name, PASSWORD).await?;
        client.as_user(handle, PASSWORD).await?.describe(bio).await?;
    }
    Ok(())
}

/// The introduced users know nearly everybody; the others follow a third of the cast.
async fn follow_each_other(cast: &mut Cast, client: &Client) -> Result<(), CallError> {
    for follower in cast.members.clone() {
        let share = if LOGINS.contains(&follower.handle) { 0.85 } else { 0.35 };
        let user = client.as_user(follower.handle, PASSWORD).await?;
        for followee in cast.members.clone() {
            if followee.handle != follower.handle && cast.rng.random_bool(share) {
                user.follow(followee.handle).await?;
            }
        }
    }
    Ok(())
}

async fn post(cast: &mut Cast, client: &Client) -> Result<(), CallError> {
    let (author, text) = (cast.author(), cast.post());
    let id = client.as_user(author, PASSWORD).await?.post(&text).await?;
    cast.recent.truncate(RECENT - 1);
    cast.recent.insert(0, id);
    Ok(())
}

async fn like(cast: &mut Cast, client: &Client) -> Result<(), CallError> {
    let (user, post) = (cast.anyone(), cast.recent_post());
    client.as_user(user, PASSWORD).await?.like(&post).await
}

async fn comment(cast: &mut Cast, client: &Client) -> Result<(), CallError> {
    let (user, post, text) = (cast.anyone(), cast.recent_post(), cast.comment());
    client.as_user(user, PASSWORD).await?.comment(&post, text).await
}

/// One act every few seconds. A post that a visitor has deleted makes a reaction fail, which ends nothing.
async fn act_for_ever(mut cast: Cast, client: Client) {
    loop {
        tokio::time::sleep(Duration::from_secs(cast.rng.random_range(PAUSE))).await;
        let outcome = match cast.rng.random_range(0..10) {
            0..5 => post(&mut cast, &client).await,
            5..8 => like(&mut cast, &client).await,
            _ => comment(&mut cast, &client).await,
        };
        if let Err(error) = outcome {
            warn!(error = telemetry::chain(&error), "The demo's cast could not act; the next one will try");
        }
    }
}

//! SIGKILL and power loss while people follow, like, comment and undo it: acknowledged acts persist, unacknowledged
//! ones are atomic, and counts and notifications match exactly.
//!
//! `TWEETER_CRASH_ROUNDS` sets the number of kills (default 20, of which half are made here), `TWEETER_CRASH_SEED` the
//! seed of acts and instants.

use std::time::Duration;

use crate::support::{ApiClient, crash_oracle::CrashOracle, process::Server};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Starts the service and kills it after a while, during which everyone acts as fast as they can.
async fn kill_while_they_act(oracle: &CrashOracle, rng: &mut StdRng, after: Duration, more: &[&str]) {
    let server = Server::start(&oracle.data_dir(), more);
    let client = ApiClient::new(format!("http://{}", server.address));
    let acting: Vec<_> =
        oracle.actors(&client, rng).into_iter().map(|actor| tokio::spawn(actor.act_until_dead())).collect();
    tokio::time::sleep(after).await;
    tokio::task::spawn_blocking(|| server.stop("KILL")).await.unwrap();
    for actor in acting {
        actor.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_act_is_atomic_across_sigkill() {
    let mut rng = StdRng::seed_from_u64(setting("TWEETER_CRASH_SEED", 1));
    let oracle = CrashOracle::found().await;
    for round in 0..setting("TWEETER_CRASH_ROUNDS", 20).div_ceil(2) {
        let after = Duration::from_millis(rng.random_range(20..200));
        kill_while_they_act(&oracle, &mut rng, after, &[]).await;
        if round % 5 == 4 {
            oracle.assert_whole().await;
            oracle.restore_one();
        }
    }
    oracle.assert_whole().await;
    assert!(oracle.answered() > 50, "{} acts were answered: kill later", oracle.answered());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_act_survives_a_power_loss() {
    let mut rng = StdRng::seed_from_u64(setting("TWEETER_CRASH_SEED", 1));
    let mut answered = 0;
    for _ in 0..setting("TWEETER_CRASH_ROUNDS", 20).div_ceil(10) {
        // A new database each time: a truncated journal models a database that was written only once.
        let oracle = CrashOracle::found().await;
        let after = Duration::from_millis(rng.random_range(200..600));
        kill_while_they_act(&oracle, &mut rng, after, &["--record-syncs"]).await;
        embedded::cut_to_last_sync(&oracle.data_dir().join("db")).unwrap();
        oracle.assert_whole().await;
        answered += oracle.answered();
    }
    assert!(answered > 20, "{answered} acts were answered: cut later");
}

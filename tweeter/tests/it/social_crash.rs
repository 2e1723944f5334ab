//! SIGKILL and loss of power while people follow, like, comment and take it back: what was answered stands, what was not
//! stands wholly or not at all, and counts and notifications say exactly what stands.
//!
//! `TWEETER_CRASH_ROUNDS` sets the number of kills (default 20, of which a half is taken here), `TWEETER_CRASH_SEED` the
//! seed of what is done and of the instants.

use std::time::Duration;

use crate::support::{
    ApiClient,
    process::Server,
    village::{Beliefs, Village, Villager},
};
use futures::future::join_all;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Starts the service and kills it after a while in which everybody acts as fast as they can.
async fn kill_while_they_act(village: &mut Village, rng: &mut StdRng, after: Duration, more: &[&str]) {
    let server = Server::start(&village.data_dir(), more);
    let client = ApiClient::new(format!("http://{}", server.address));
    let acting: Vec<_> = village
        .take_beliefs()
        .into_iter()
        .enumerate()
        .map(|(me, beliefs)| {
            let villager = Villager::of(village, me, client.clone(), StdRng::seed_from_u64(rng.random()));
            tokio::spawn(villager.act_until_dead(beliefs))
        })
        .collect();
    tokio::time::sleep(after).await;
    tokio::task::spawn_blocking(|| server.stop("KILL")).await.unwrap();
    let beliefs: Vec<Beliefs> = join_all(acting).await.into_iter().map(Result::unwrap).collect();
    village.put_beliefs(beliefs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_act_stands_or_does_not_after_sigkill_at_random_instants() {
    let mut rng = StdRng::seed_from_u64(setting("TWEETER_CRASH_SEED", 1));
    let mut village = Village::found().await;
    for round in 0..setting("TWEETER_CRASH_ROUNDS", 20).div_ceil(2) {
        let after = Duration::from_millis(rng.random_range(20..200));
        kill_while_they_act(&mut village, &mut rng, after, &[]).await;
        if round % 5 == 4 {
            village.assert_whole().await;
            village.restore_one();
        }
    }
    village.assert_whole().await;
    assert!(village.answered() > 50, "{} acts were answered: kill later", village.answered());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answered_act_survives_a_loss_of_power() {
    let mut rng = StdRng::seed_from_u64(setting("TWEETER_CRASH_SEED", 1));
    let mut answered = 0;
    for _ in 0..setting("TWEETER_CRASH_ROUNDS", 20).div_ceil(10) {
        // A fresh village each: what a cut journal leaves is a database that was written once.
        let mut village = Village::found().await;
        let after = Duration::from_millis(rng.random_range(200..600));
        kill_while_they_act(&mut village, &mut rng, after, &["--record-syncs"]).await;
        embedded::cut_to_last_sync(&village.data_dir().join("db")).unwrap();
        village.assert_whole().await;
        answered += village.answered();
    }
    assert!(answered > 20, "{answered} acts were answered: cut later");
}

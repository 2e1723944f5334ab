//! The scenarios as small runs, from start to report.

use loadtest::{
    fanout, hotpost, mixed,
    options::{FanoutOptions, HotpostOptions, MixedOptions, Places, StackOptions},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_fanout_sends_one_job_per_25_followers() {
    let options = FanoutOptions { followers: 60, posts: 2, stack: StackOptions::default(), places: Places::default() };
    let report = fanout::run(&options).await.unwrap();
    assert_eq!((report.followers, report.posts), (60, 2));
    assert_eq!((report.entries_expected, report.entries_found, report.duplicates), (120, 120, 0));
    assert_eq!((report.jobs_sent, report.jobs_received, report.jobs_deleted), (6, 6, 6));
    assert!(report.is_complete());
    assert!(report.entries_per_second > 0.0 && report.floor_entries_per_second > 0.0 && report.feed_read_ms.p50 > 0.0);
    assert!(report.constant_requests_per_second > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_run_is_complete() {
    let report = mixed::run(&mixed_options()).await.unwrap();
    assert_eq!((report.errors, report.lost, report.duplicates), (0, 0, 0));
    assert!(report.is_complete());
    assert!(report.rate_achieved > 0.0 && report.delivery_ms.p99 > 0.0);
    assert!(report.constant_requests_per_second > 0.0 && report.floor_entries_per_second > 0.0);
    assert!(report.idle_read_ms.p99 > 0.0 && report.read_p99_over_idle > 0.0);
}

fn mixed_options() -> MixedOptions {
    let (social, compare, find_rate, places) = (false, false, false, Places::default());
    MixedOptions { users: 40, rate: 60, seconds: 1, read_share: 0.5, social, compare, find_rate, places }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_social_run_counts_every_reaction_once() {
    let options = MixedOptions { rate: 300, social: true, compare: true, ..mixed_options() };
    let report = mixed::run(&options).await.unwrap();
    assert_eq!((report.errors, report.lost, report.duplicates), (0, 0, 0));
    let social = report.social.unwrap();
    assert_eq!((social.likes, social.hot_likes, social.comments), (30, 6, 6));
    assert_eq!((social.lost, social.duplicates, social.counts_off), (0, 0, 0));
    // Two per post, three for each of the 40 users and the famous author.
    assert!(social.counts_checked >= 2 * 21 + 3 * 41, "{report}");
    assert!(social.read_p99_ratio.unwrap() > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_like_of_a_hot_post_is_exact() {
    let report =
        hotpost::run(&HotpostOptions { likers: 150, concurrency: 16, places: Places::default() }).await.unwrap();
    assert_eq!((report.accepted, report.likes_count, report.notified), (150, 150, 150), "{report}");
    assert_eq!((report.lost, report.duplicates), (0, 0), "{report}");
    assert!(report.exact_after_ms.is_some() && report.count_writes > 0, "{report}");
}

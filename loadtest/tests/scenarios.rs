//! Both scenarios, small, from start to report.

use loadtest::{
    fanout, mixed,
    options::{FanoutOptions, MixedOptions, Places, StackOptions},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_fanout_of_two_posts_to_60_followers_is_six_jobs_and_120_entries() {
    let options = FanoutOptions { followers: 60, posts: 2, stack: StackOptions::default(), places: Places::default() };
    let report = fanout::run(&options).await.unwrap();
    assert_eq!((report.followers, report.posts), (60, 2));
    assert_eq!((report.entries_expected, report.entries_found, report.duplicates), (120, 120, 0));
    assert_eq!((report.jobs_sent, report.jobs_received, report.jobs_deleted), (6, 6, 6));
    assert!(report.is_complete());
    assert!(report.entries_per_second > 0.0 && report.floor_entries_per_second > 0.0 && report.feed_read_ms.p50 > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_run_loses_and_doubles_nothing() {
    let options = MixedOptions { users: 40, rate: 60, seconds: 1, read_share: 0.5, places: Places::default() };
    let report = mixed::run(&options).await.unwrap();
    assert_eq!((report.errors, report.lost, report.duplicates), (0, 0, 0));
    assert!(report.is_complete());
    assert!(report.rate_achieved > 0.0 && report.delivery_ms.p99 > 0.0);
}

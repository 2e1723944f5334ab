//! The scenarios as small runs, from start to report.

use std::fs;

use loadtest::{
    client_process::ClientProgram,
    dsb,
    error::LoadtestError,
    fairness, fanout, hotpost, mixed,
    options::{
        DsbOptions, FairnessOptions, FanoutOptions, HotpostOptions, MixedOptions, PagesOptions, Places, ReadOptions,
        SoakOptions, StackOptions,
    },
    pages, read,
    report::Report as _,
    soak,
};
use roxmltree::{Document, ParsingOptions};

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

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_read_by_another_process() {
    let client = ClientProgram(|| Ok(super::process::loadtest(&["client"], &[], false)));
    let options =
        ReadOptions { readers: 25, concurrency: 4, slices: 2, slice_ms: 50, places: Places::default(), client };
    let report = read::run(&options).await.unwrap();
    assert_eq!(report.wrong_pages, 0);
    assert!(report.page_bytes > 20 * 200, "{report}");
    assert!(report.pages_per_second > 0.0 && report.constant_requests_per_second > 0.0, "{report}");
    assert!(report.page_ms.p50 > 0.0 && report.read_ratio > 0.0, "{report}");
    assert!(report.charts().iter().all(|chart| chart.series().len() == 2 && !chart.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_client_process_is_an_error() {
    let client = ClientProgram(|| Ok(super::process::loadtest(&["client", "--unknown"], &[], false)));
    let options =
        ReadOptions { readers: 1, concurrency: 1, slices: 1, slice_ms: 10, places: Places::default(), client };
    let error = read::run(&options).await.unwrap_err();
    assert!(matches!(error, LoadtestError::ClientProcess(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn small_posts_are_delivered_during_a_fanout() {
    let options = FairnessOptions { followers: 5_000, rounds: 2, rate: 100, idle_posts: 5, places: Places::default() };
    let report = fairness::run(&options).await.unwrap();
    assert_eq!((report.lost, report.duplicates, report.idle_posts), (0, 0, 10), "{report}");
    assert!(report.busy_posts > 0 && report.busy_ms.p99 > 0.0 && report.p99_ratio > 0.0, "{report}");
    assert!(report.charts()[..2].iter().all(|chart| !chart.is_empty()), "deliveries and their rate");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dsb_run_is_complete_on_a_small_graph() {
    let options = DsbOptions { users: 40, rate: Some(60), seconds: 1, history: 5, places: Places::default() };
    let report = dsb::run(&options).await.unwrap();
    assert_eq!((report.users, report.lost, report.duplicates), (40, 0, 0), "{report}");
    assert_eq!((report.steps.len(), report.steps[0].errors), (1, 0), "{report}");
    assert!(report.page_bytes > 10 * 256 && report.steps[0].compose_ms.p50 > 0.0, "{report}");
    assert!(report.constant_requests_per_second > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soak_delivers_every_post_and_measures_the_disk() {
    let places = Places::default();
    let options = SoakOptions { seconds: 2, authors: 10, readers: 50, concurrency: 4, places };
    let report = soak::run(&options).await.unwrap();
    assert_eq!((report.lost, report.errors), (0, 0), "{report}");
    assert_eq!(report.deliveries, 50 * report.posts, "each author has all 50 readers");
    assert!(report.posts > 0 && report.first_minute_per_second > 0.0 && report.read_ms.p50 > 0.0, "{report}");
    assert!(report.disk_bytes_per_entry.unwrap() > 0.0 && report.entry_bytes > 32, "{report}");
}

#[test]
fn a_scenario_writes_its_figures_and_page() {
    let dir = tempfile::tempdir().unwrap();
    let [json, page] = ["figures.json", "page.html"].map(|name| dir.path().join(name));
    let files = ["--json", json.to_str().unwrap(), "--report", page.to_str().unwrap()];
    let arguments = [&["fanout", "--followers", "60", "--posts", "2"], files.as_slice()].concat();
    let output = super::process::loadtest(&arguments, &[], false).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let figures: serde_json::Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(figures["entries_found"], 120, "{figures}");

    let page = fs::read_to_string(page).unwrap();
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = Document::parse_with_options(&page, options).unwrap();
    let text: String = document.descendants().filter_map(|node| node.text()).collect();
    for shown in
        ["loadtest fanout --followers 60 --posts 2 --json", "120 of 120", "fan-out", "feed read", "feed entries"]
    {
        assert!(text.contains(shown), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_page_is_measured_and_compared() {
    let options = PagesOptions { readers: 2, followees: 30, rounds: 3, places: Places::default() };
    let report = pages::run(&options).await.unwrap();
    assert_eq!(report.pulled.iter().map(|step| step.authors).collect::<Vec<_>>(), [0, 5, 20]);
    assert_eq!(report.faults(), [""; 0], "{report}");
    assert!(report.pulled.iter().all(|step| step.page_ms.p99 > 0.0), "{report}");
    assert!(report.beyond_first_ms.p50 > 0.0 && report.dormant_ms.p50 > 0.0, "{report}");
}

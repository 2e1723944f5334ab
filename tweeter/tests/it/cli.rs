//! `tweeter` as an operator runs it.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::Path,
    process::Output,
    time::Duration,
};

use crate::support::process::{Server, tweeter};
use clap::CommandFactory;
use data::messages::{FeedJob, FeedJobTag, V1};
use domain::{Clock, IdGenerator, UserId};
use ports::{
    queue::{OutgoingMessage, Queue, QueueName},
    store::{BatchWrite, Item, Key, Store as _, Table},
};
use rstest::rstest;
use serde_json::{Value, json};
use tweeter::{Config, cli::Cli, data_dir::open_database};

fn run(args: &[&str]) -> Output {
    tweeter(args).output().unwrap()
}

#[track_caller]
fn stdout(output: &Output) -> &str {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    std::str::from_utf8(&output.stdout).unwrap()
}

/// Asserts the exit code and a single line on standard error, and returns the line.
#[track_caller]
fn refusal(output: &Output, code: i32) -> String {
    let line = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    line
}

/// Sends messages to a queue of a data directory that no process uses.
async fn put(data_dir: &Path, queue: QueueName, bodies: Vec<String>) {
    fs::create_dir_all(data_dir).unwrap();
    let (engine, store, queues) = open_database(data_dir, &Config::default(), Clock::System).unwrap();
    let messages =
        bodies.into_iter().map(|body| OutgoingMessage { body, group: "alice".to_owned(), delay: Duration::ZERO });
    assert_eq!(queues.send(queue, messages.collect()).await.unwrap(), []);
    engine.close();
    drop((engine, store, queues));
}

fn job() -> String {
    let post_id = IdGenerator::new().next_post_id(Clock::System.now());
    let (author_id, follower) = (UserId::random(), UserId::random());
    FeedJob { tag: FeedJobTag::Deliver, v: V1, post_id, author_id, followers: vec![follower] }.encode()
}

fn queues(data_dir: &str) -> Value {
    serde_json::from_str(stdout(&run(&["queues", "--json", "--data-dir", data_dir]))).unwrap()
}

fn visible(data_dir: &str, queue: &str) -> u64 {
    let queues = queues(data_dir);
    let state = queues.as_array().unwrap().iter().find(|state| state["queue"] == queue).unwrap();
    state["visible"].as_u64().unwrap()
}

#[rstest]
#[case("TERM")]
#[case("INT")]
fn a_stop_signal_exits_with_0(#[case] signal: &str) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"), &[]);
    assert!(std::net::TcpStream::connect(&server.address).is_ok());
    let (code, log) = server.stop(signal);
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("Stopped"), "{log}");
    assert!(!dir.path().join("data/tweeter.sock").exists());
}

#[test]
fn the_signing_key_persists_and_stays_private() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut keys = Vec::new();
    for _ in 0..2 {
        let (code, log) = Server::start(&data, &[]).stop("TERM");
        assert_eq!(code, Some(0));
        let key = fs::read_to_string(data.join("signing-key")).unwrap();
        assert!(!log.contains(key.trim()), "{log}");
        keys.push(key);
    }
    assert_eq!(keys[0], keys[1]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data.join("signing-key")), 0o600);
    assert_eq!(mode(&data), 0o700);
}

#[test]
fn a_damaged_signing_key_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("signing-key"), "half a k").unwrap();
    let data = dir.path().to_str().unwrap();
    let line = refusal(&run(&["--data-dir", data, "--listen", "127.0.0.1:0", "--metrics-listen", "off"]), 2);
    assert!(line.contains("signing-key") && line.contains("damaged") && !line.contains("half a k"), "{line}");
}

#[test]
fn a_second_process_per_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let data = dir.path().to_str().unwrap();
    let line = refusal(&run(&["serve", "--data-dir", data, "--listen", "127.0.0.1:0", "--metrics-listen", "off"]), 2);
    assert!(line.contains("in use by another process"), "{line}");
    assert!(dir.path().join("tweeter.sock").exists(), "the first one's socket is still there");
    drop(server);
}

#[rstest]
#[case("--listen", "--metrics-listen")]
#[case("--metrics-listen", "--listen")]
fn a_taken_port_is_named(#[case] taken: &str, #[case] free: &str) {
    let dir = tempfile::tempdir().unwrap();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let data = dir.path().to_str().unwrap();
    let line = refusal(&run(&["--data-dir", data, taken, &address, free, "127.0.0.1:0"]), 2);
    assert!(line.contains(&address), "{line}");
}

#[test]
fn a_directory_that_cannot_be_created_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let data = file.join("data");
    let line = refusal(&run(&["--data-dir", data.to_str().unwrap(), "--metrics-listen", "off"]), 2);
    assert!(line.contains(data.to_str().unwrap()), "{line}");
}

#[test]
fn a_bad_option_or_variable_exits_with_2() {
    let bad_option = run(&["--listen", "somewhere"]);
    assert_eq!(bad_option.status.code(), Some(2), "{bad_option:?}");
    let bad_variable = tweeter(&[]).env("TWEETER_METRICS_LISTEN", "on").output().unwrap();
    assert_eq!(bad_variable.status.code(), Some(2), "{bad_variable:?}");
    assert!(String::from_utf8_lossy(&bad_variable.stderr).contains("metrics-listen"), "{bad_variable:?}");
}

#[test]
fn options_are_read_from_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let mut command = tweeter(&[]);
    command.env("TWEETER_DATA_DIR", file.join("data")).env("TWEETER_LISTEN", "127.0.0.1:0");
    let line = refusal(&command.env("TWEETER_METRICS_LISTEN", "off").output().unwrap(), 2);
    assert!(line.contains(file.to_str().unwrap()), "{line}");
}

#[rstest]
fn queues_are_shown_for_running_and_stopped_processes(#[values(true, false)] running: bool) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let mut server = Some(Server::start(dir.path(), &[]));
    if !running {
        server.take().unwrap().stop("TERM");
    }
    let output = run(&["queues", "--data-dir", data]);
    let names: Vec<_> = stdout(&output).lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(
        names,
        ["QUEUE", "PostQ", "JobQ", "ChangeQ", "MediaQ", "PostDLQ", "JobDLQ", "ChangeDLQ", "MediaDLQ", "Changes"]
    );
    let idle = json!({ "queue": "PostQ", "visible": 0, "in_flight": 0, "delayed": 0, "oldest_ms": null });
    assert_eq!(queues(data)[0], idle);
    drop(server);
}

#[test]
fn waiting_changes_are_shown_with_their_age() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let minute_ago = Clock::manual(Clock::System.now().minus(Duration::from_mins(1)));
        let (engine, store, queues) = open_database(dir.path(), &Config::default(), minute_ago).unwrap();
        let change = Item::new(Key { partition: "POST#p".to_owned(), sort: "POST".to_owned() });
        store.batch_write(Table::Social, &[BatchWrite::Put(change)]).await.unwrap();
        engine.close();
        drop((engine, store, queues));
    });
    let changes = queues(data).as_array().unwrap().last().unwrap().clone();
    assert_eq!((&changes["queue"], &changes["visible"]), (&json!("Changes"), &json!(1)));
    assert!(changes["oldest_ms"].as_u64().unwrap() >= 60_000, "{changes}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_listed_shown_and_redriven(#[values(true, false)] running: bool) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let body = job();
    put(dir.path(), QueueName::JobDlq, vec![body.clone()]).await;
    let server = running.then(|| Server::start(dir.path(), &[]));

    let listed = run(&["dlq", "list", "JobQ", "--json", "--data-dir", data]);
    let listed: Value = serde_json::from_str(stdout(&listed)).unwrap();
    let id = listed[0]["message_id"].as_str().unwrap().to_owned();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["group"]), (1, &json!("alice")));

    // Either queue's name works, and the previous listing left the messages visible.
    let shown = run(&["dlq", "show", "jobdlq", "--id", &id, "--data-dir", data]);
    let shown = stdout(&shown);
    assert!(shown.contains(&id) && shown.contains(&body), "{shown}");

    let nobody = refusal(&run(&["dlq", "redrive", "JobQ", "--id", "nobody", "--data-dir", data]), 1);
    assert!(nobody.contains("no message nobody in JobDLQ"), "{nobody}");
    assert_eq!(visible(data, "JobDLQ"), 1);

    let redriven = run(&["dlq", "redrive", "JobQ", "--id", &id, "--data-dir", data]);
    assert_eq!(stdout(&redriven), "1 message moved from JobDLQ to JobQ\n");
    assert_eq!(visible(data, "JobDLQ"), 0);
    if running {
        // The process delivers the message.
        while queues(data)[1]
            != json!({ "queue": "JobQ", "visible": 0, "in_flight": 0, "delayed": 0, "oldest_ms": null })
        {}
        assert_eq!(visible(data, "JobDLQ"), 0);
    } else {
        assert_eq!(visible(data, "JobQ"), 1);
    }
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn redriving_without_an_id_moves_every_dead_letter() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    for _ in 0..3 {
        put(dir.path(), QueueName::JobDlq, (0..9).map(|_| job()).collect()).await;
    }
    let list = run(&["dlq", "list", "JobQ", "--limit", "20", "--data-dir", data]);
    assert_eq!(stdout(&list).lines().count(), 21, "a head and 20 rows");
    let redriven = run(&["dlq", "redrive", "JobQ", "--json", "--data-dir", data]);
    let redriven: Value = serde_json::from_str(stdout(&redriven)).unwrap();
    assert_eq!(redriven, json!({ "from": "JobDLQ", "to": "JobQ", "messages": 27 }));
    assert_eq!((visible(data, "JobDLQ"), visible(data, "JobQ")), (0, 27));
}

#[test]
fn operator_commands_name_unusable_directories() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().to_str().unwrap();
    let line = refusal(&run(&["queues", "--data-dir", empty]), 2);
    assert!(line.contains("there is no data in"), "{line}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was created");
    assert_eq!(run(&["dlq", "list", "FeedQ", "--data-dir", empty]).status.code(), Some(2));
}

#[test]
fn a_stale_socket_blocks_no_command() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    Server::start(dir.path(), &[]).stop("KILL");
    let socket = dir.path().join("tweeter.sock");
    assert!(socket.exists());
    assert_eq!(visible(data, "JobQ"), 0, "read from the database directly");

    let server = Server::start(dir.path(), &[]);
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(UnixListener::bind(&socket).is_err());
    assert_eq!(visible(data, "JobQ"), 0, "answered by the process");
    drop(server);
}

#[test]
fn a_path_too_long_for_sockets_works() {
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("a".repeat(120));
    let server = Server::start(&long, &[]);
    assert_eq!(visible(long.to_str().unwrap(), "JobQ"), 0);
    assert_eq!(server.stop("TERM").0, Some(0));
}

#[test]
fn the_operations_guide_names_every_command() {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md")).unwrap();
    for command in <Cli as CommandFactory>::command().get_subcommands() {
        let command = format!("tweeter {}", command.get_name());
        assert!(guide.contains(&command), "docs/operations.md does not explain `{command}`");
    }
}

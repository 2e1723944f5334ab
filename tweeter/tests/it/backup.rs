//! Backups: their content, their restoration, and refusals.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use embedded::{BlobOptions, EmbeddedBlobs};
use ports::{
    blobs::{Blob, Blobs as _, Bucket},
    signing::TokenKeys,
};
use serde_json::{Value, json};
use tokio::time::Instant;
use tweeter::{Application, Config, DataDir, Handle};

use crate::support::{
    ApiClient, Person, hooks, in_time,
    process::{Server, tweeter},
};

/// Posts per author before the backup starts, and after it.
const POSTS: usize = 25;

fn run(command: &str, dir: &Path, data_dir: &Path, more: &[&str]) -> Output {
    tweeter(&[command]).arg(dir).arg("--data-dir").arg(data_dir).args(more).output().unwrap()
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn refused(output: &Output) -> String {
    let line = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    line
}

async fn open(data_dir: &Path) -> (Handle, ApiClient) {
    let config = Config::on_free_port(DataDir::Path(data_dir.to_owned()));
    let handle = Application::build(config, hooks()).await.unwrap().spawn();
    let client = ApiClient::new(format!("http://{}", handle.address()));
    (handle, client)
}

/// A post, with the times of its request and its acknowledgement.
struct Acknowledged {
    text: String,
    asked: Instant,
    answered: Instant,
}

async fn post_until(stop: Arc<AtomicBool>, client: ApiClient, author: Arc<Person>) -> Vec<Acknowledged> {
    let mut posts = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let (text, asked) = (format!("{} {:04}", author.handle, posts.len()), Instant::now());
        client.post(&author, &text).await;
        posts.push(Acknowledged { text, asked, answered: Instant::now() });
    }
    posts
}

/// Waits until an author's story exceeds this length.
async fn wait_for_posts(client: &ApiClient, author: &Person, count: usize) {
    in_time(async {
        while client.whole_list(author, "/v1/users/me/posts", 100).await.len() < count {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_holds_one_instant() {
    let dir = tempfile::tempdir().unwrap();
    let (data, backup, restored) = (dir.path().join("data"), dir.path().join("backup"), dir.path().join("restored"));
    let server = Server::start(&data, &[]);
    let client = ApiClient::new(format!("http://{}", server.address));
    let authors = client.register_many("author", 3).await;
    let follower = client.register("follower").await;
    for author in &authors {
        client.follow(&follower, author).await;
    }
    let authors: Vec<_> = authors.into_iter().map(Arc::new).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = authors
        .iter()
        .map(|author| tokio::spawn(post_until(Arc::clone(&stop), client.clone(), Arc::clone(author))))
        .collect();

    wait_for_posts(&client, &authors[0], POSTS).await;
    let began = Instant::now();
    let (to, of) = (backup.clone(), data.clone());
    let output = tokio::task::spawn_blocking(move || run("backup", &to, &of, &[])).await.unwrap();
    let ended = Instant::now();
    assert!(succeeded(&output).starts_with("Backed up to "), "{output:?}");
    let count = client.whole_list(&authors[0], "/v1/users/me/posts", 100).await.len();
    wait_for_posts(&client, &authors[0], count + POSTS).await;
    stop.store(true, Ordering::SeqCst);
    let mut posts = Vec::new();
    for writer in writers {
        posts.push(writer.await.unwrap());
    }
    tokio::task::spawn_blocking(|| server.stop("KILL")).await.unwrap();

    succeeded(&run("restore", &backup, &restored, &[]));
    let (handle, client) = open(&restored).await;
    in_time(handle.drain()).await;
    let mut all = BTreeSet::new();
    for (author, posts) in authors.iter().zip(&posts) {
        let story = texts(&client.whole_list(author, "/v1/users/me/posts", 100).await);
        for post in posts {
            let is_there = story.contains(&post.text);
            assert!(is_there || post.answered > began, "{} was acknowledged before the backup", post.text);
            assert!(!is_there || post.asked < ended, "{} was posted after the backup", post.text);
        }
        let prefix: BTreeSet<_> = posts.iter().take(story.len()).map(|post| post.text.clone()).collect();
        assert_eq!(story, prefix, "one instant, so no later post without an earlier one");
        // A post, its story entry and its own feed entry are one transaction.
        assert_eq!(feed(&client, author).await, story);
        all.extend(story);
    }
    // So is the outbox entry, from which the fan-out resumes.
    assert_eq!(feed(&client, &follower).await, all);
    handle.stop().await.unwrap();
}

fn texts(posts: &[Value]) -> BTreeSet<String> {
    posts.iter().map(|post| post["text"].as_str().unwrap().to_owned()).collect()
}

async fn feed(client: &ApiClient, reader: &Person) -> BTreeSet<String> {
    let texts = client.whole_feed(reader, 100).await;
    let unique: BTreeSet<_> = texts.iter().cloned().collect();
    assert_eq!(unique.len(), texts.len(), "a post is twice in the feed of {}", reader.handle);
    unique
}

/// A data directory with one author and one post.
async fn populate(data_dir: &Path) -> Person {
    let (handle, client) = open(data_dir).await;
    let author = client.register("alice").await;
    client.post(&author, "before the backup").await;
    handle.stop().await.unwrap();
    author
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_service_is_backed_up_and_restored() {
    let dir = tempfile::tempdir().unwrap();
    let (data, backup, restored) = (dir.path().join("data"), dir.path().join("backup"), dir.path().join("restored"));
    let author = populate(&data).await;
    fs::write(data.join("note"), "an operator's").unwrap();
    let report: Value = serde_json::from_str(&succeeded(&run("backup", &backup, &data, &["--json"]))).unwrap();
    assert_eq!(report["dir"], json!(backup));
    assert!(report["rows"].as_u64() > Some(5), "{report}");
    assert!(!backup.join("tweeter.sock").exists());
    assert_private(&backup);

    let report: Value = serde_json::from_str(&succeeded(&run("restore", &backup, &restored, &["--json"]))).unwrap();
    assert_eq!((&report["data_dir"], &report["set_aside"]), (&json!(restored), &Value::Null));
    assert_private(&restored);
    assert_eq!(fs::read_to_string(restored.join("note")).unwrap(), "an operator's");
    assert_eq!(fs::read(restored.join("signing-key")).unwrap(), fs::read(data.join("signing-key")).unwrap());
    let (handle, client) = open(&restored).await;
    // With the old access token, as the signing key is the same.
    assert_eq!(client.whole_feed(&author, 100).await, ["before the backup"]);
    client.post(&author, "after the restore").await;
    assert_eq!(client.whole_feed(&author, 100).await, ["after the restore", "before the backup"]);
    handle.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_are_backed_up_and_restored() {
    let dir = tempfile::tempdir().unwrap();
    let (data, backup, restored) = (dir.path().join("data"), dir.path().join("backup"), dir.path().join("restored"));
    let picture = Blob { body: "a picture".into(), content_type: "image/jpeg".to_owned() };
    let path = "media/0123/medium.jpg";
    storage(&data).put(Bucket::Media, path, picture.clone()).await.unwrap();
    let server = Server::start(&data, &[]);
    let (to, of) = (backup.clone(), data.clone());
    let output = tokio::task::spawn_blocking(move || run("backup", &to, &of, &["--json"])).await.unwrap();
    let report: Value = serde_json::from_str(&succeeded(&output)).unwrap();
    assert_eq!(report["files"], json!(1));
    tokio::task::spawn_blocking(|| server.stop("TERM")).await.unwrap();
    storage(&data).delete(Bucket::Media, &[path.to_owned()]).await.unwrap();

    succeeded(&run("restore", &backup, &data, &["--replace"]));
    assert_eq!(storage(&data).get(Bucket::Media, path, 100).await.unwrap(), Some(picture));
    assert!(
        !data.join("before-restore-1/blobs/media").read_dir().unwrap().any(|shard| has_files(&shard.unwrap().path()))
    );
    // Without a process, and again.
    let second = dir.path().join("second");
    let report: Value = serde_json::from_str(&succeeded(&run("backup", &second, &data, &["--json"]))).unwrap();
    assert_eq!(report["files"], json!(1));
    assert_private(&second);

    let file = files_of(&second.join("blobs")).pop().unwrap();
    let mut damaged = fs::read(&file).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(&file, damaged).unwrap();
    let output = run("restore", &second, &restored, &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("pictures"), "{output:?}");
}

fn storage(data: &Path) -> EmbeddedBlobs {
    EmbeddedBlobs::open(BlobOptions::at(data.join("blobs"), TokenKeys::new([0; 32]))).unwrap()
}

fn has_files(dir: &Path) -> bool {
    !files_of(dir).is_empty()
}

fn files_of(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_of(&path) } else { vec![path] }).collect()
}

/// Asserts that files and directories are accessible to their owner only.
fn assert_private(dir: &Path) {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(dir), 0o700, "{}", dir.display());
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            assert_private(&entry.path());
        } else {
            assert_eq!(mode(&entry.path()), 0o600, "{}", entry.path().display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_needs_an_empty_outside_directory() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    populate(&data).await;
    let line = refused(&run("backup", &data.join("backups/1"), &data, &[]));
    assert!(line.contains("is inside the data directory"), "{line}");
    assert!(!data.join("backups").exists());
    let other = dir.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("file"), "mine").unwrap();
    assert!(refused(&run("backup", &other, &data, &[])).contains("is not empty"));
    assert_eq!(fs::read_dir(&other).unwrap().count(), 1);
    fs::remove_file(other.join("file")).unwrap();
    succeeded(&run("backup", &other, &data, &[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn restoring_over_data_moves_it_aside() {
    let dir = tempfile::tempdir().unwrap();
    let (data, backup) = (dir.path().join("data"), dir.path().join("backup"));
    let author = populate(&data).await;
    succeeded(&run("backup", &backup, &data, &[]));
    let (handle, client) = open(&data).await;
    client.post(&author, "after the backup").await;
    let line = refused(&run("restore", &backup, &data, &["--replace"]));
    assert!(line.contains("a process is using"), "{line}");
    handle.stop().await.unwrap();
    let line = refused(&run("restore", &backup, &data, &[]));
    assert!(line.contains("--replace"), "{line}");

    let report = succeeded(&run("restore", &backup, &data, &["--replace"]));
    assert!(report.contains("before-restore-1"), "{report}");
    let feed = async |data_dir: &Path| {
        let (handle, client) = open(data_dir).await;
        let feed = client.whole_feed(&author, 100).await;
        handle.stop().await.unwrap();
        feed
    };
    assert_eq!(feed(&data).await, ["before the backup"]);
    assert_eq!(feed(&data.join("before-restore-1")).await, ["after the backup", "before the backup"]);
    // Working in a backup is not intended, but a second restore finds it unchanged.
    succeeded(&run("restore", &backup, &data, &["--replace"]));
    assert!(data.join("before-restore-2/db").is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_unfinished_backup_is_not_restored() {
    let dir = tempfile::tempdir().unwrap();
    let (data, backup, restored) = (dir.path().join("data"), dir.path().join("backup"), dir.path().join("restored"));
    populate(&data).await;
    succeeded(&run("backup", &backup, &data, &[]));
    let summary = backup.join("backup.json");
    let text = fs::read_to_string(&summary).unwrap();
    let changed = text.replacen(r#""rows": "#, r#""rows": 1"#, 1);
    assert_ne!(changed, text);
    fs::write(&summary, changed).unwrap();
    let output = run("restore", &backup, &restored, &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(fs::read_dir(&restored).unwrap().count(), 0, "no partial copy remains");

    assert!(refused(&run("restore", &backup, &backup, &["--replace"])).contains("is inside the other"));
    fs::remove_file(&summary).unwrap();
    assert!(refused(&run("restore", &backup, &restored, &[])).contains("is not a finished backup"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_database_needs_accepted_data_loss() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    populate(&data).await;
    for entry in fs::read_dir(data.join("db")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "jnl") {
            fs::remove_file(path).unwrap();
        }
    }
    let serve = ["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "off", "--data-dir"];
    for command in [&serve[..], &["queues", "--data-dir"]] {
        let line = refused(&tweeter(command).arg(&data).output().unwrap());
        assert!(line.contains("0.jnl` is missing") && line.contains("`tweeter restore`"), "{line}");
        assert!(line.contains("--accept-data-loss"), "{line}");
    }
    let (code, log) = Server::start(&data, &["--accept-data-loss"]).stop("TERM");
    assert_eq!(code, Some(0), "{log}");
    let warned = log.lines().any(|line| line.contains(r#""level":"WARN""#) && line.contains("0.jnl` is missing"));
    assert!(warned, "{log}");
    assert_eq!(Server::start(&data, &[]).stop("TERM").0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_without_its_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    populate(&data).await;
    fs::remove_dir_all(data.join("db")).unwrap();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "off", "--data-dir"];
    let line = refused(&tweeter(&serve).arg(&data).output().unwrap());
    assert!(line.contains("is damaged"), "{line}");
}

/// Rows of a kilobyte: a gigabyte.
const GIGABYTE_ROWS: usize = 1_000_000;
const ROW_BYTES: usize = 1_000;

/// `cargo test -p tweeter --test it -- --ignored --nocapture backing_up_a_gigabyte`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; compares with cp"]
async fn backing_up_a_gigabyte() {
    use ports::store::{BatchWrite, Item, Key, Store as _, Table};

    let dir = tempfile::tempdir().unwrap();
    let (data, backup, restored) = (dir.path().join("data"), dir.path().join("backup"), dir.path().join("restored"));
    populate(&data).await;
    let (engine, store, queue) =
        tweeter::data_dir::open_database(&data, &Config::default(), domain::Clock::System).unwrap();
    for first in (0..GIGABYTE_ROWS).step_by(25) {
        let key = |row: usize| Key { partition: format!("FEED#{}", row / 100), sort: format!("{row:09}") };
        // Hexadecimal digits suffice, as the data is not compressed.
        let item = |row: usize| Item::new(key(row)).with("text", format!("{row:08x}").repeat(ROW_BYTES / 8));
        let writes: Vec<_> = (first..first + 25).map(|row| BatchWrite::Put(item(row))).collect();
        assert!(store.batch_write(Table::Feed, &writes).await.unwrap().is_empty());
    }
    engine.close();
    drop((engine, store, queue));
    let timed = |run: &dyn Fn()| {
        let began = Instant::now();
        run();
        began.elapsed()
    };
    let copied = timed(&|| {
        let copy = "cp -r \"$1\" \"$2\" && sync -f \"$2\"";
        let paths = [data.join("db"), dir.path().join("cp")];
        assert!(std::process::Command::new("sh").args(["-c", copy, "sh"]).args(paths).status().unwrap().success());
    });
    let backed_up = timed(&|| drop(succeeded(&run("backup", &backup, &data, &[]))));
    let put_back = timed(&|| drop(succeeded(&run("restore", &backup, &restored, &[]))));
    let (handle, _) = open(&restored).await;
    handle.stop().await.unwrap();
    #[expect(clippy::print_stdout, reason = "it prints its measurements")]
    {
        println!("cp and sync {copied:.1?}, backup {backed_up:.1?}, restore {put_back:.1?}");
    }
}

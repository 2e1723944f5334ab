//! docs/data-model.md agrees with the code, an export omits no stored kind by accident, and only `data` builds keys.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use deploy_checks::Template;
use domain::ExportKind;
use ports::changes::STREAMED_PREFIXES;

/// Stored kinds that no export lists, each with the reason.
const NOT_EXPORTED: [(&str, &str); 13] = [
    ("BACKFILLS", "work in progress on a follow, which is exported"),
    ("CLOCK", "of the process, not of a user"),
    ("COUNTS", "derived; the counts of the user and of each post are part of their records"),
    ("DELIVERY", "derived from the number of followers, which is exported"),
    ("ERASURES", "work in progress on a deletion"),
    ("LEDGER", "ids of applied changes"),
    ("LIKERS", "the other side of LIKES"),
    ("OUTBOX", "work in progress on a post, which is exported"),
    ("RATE", "numbers by the digest of a subject"),
    ("READER", "derived from follows, which are exported, and from reads of the feed"),
    ("REBUILD", "work in progress on a feed, derived from follows and posts, for 10 minutes"),
    ("REFRESH", "digests of tokens, part of their sessions"),
    ("TASKS", "work in progress on notifications"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text_of(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

/// The stored kinds that a kind of exported record lists. `FEED` stands for the table Feed, whose keys have no prefix.
const fn stored_as(kind: ExportKind) -> &'static [&'static str] {
    match kind {
        ExportKind::Profile => &["USER", "HANDLE", "EMAIL"],
        ExportKind::Inbox => &["UNREAD"],
        ExportKind::Session => &["SESSIONS"],
        ExportKind::Post => &["POST", "STORY"],
        ExportKind::Comment => &["COMMENTS"],
        ExportKind::Like => &["LIKES"],
        ExportKind::Following => &["FOLLOWING"],
        ExportKind::Follower => &["FOLLOWERS"],
        ExportKind::Notification => &["NOTIFICATIONS"],
        ExportKind::Notified => &["NOTIFIED"],
        ExportKind::FeedEntry => &["FEED"],
        ExportKind::IdempotencyKey => &["IDEMPOTENCY"],
        ExportKind::Media => &["MEDIA", "USERMEDIA"],
    }
}

/// The kinds of partitions that `shared/data/src/keys.rs` builds: the first words of its partition keys.
fn stored_kinds() -> BTreeSet<String> {
    let source = text_of("shared/data/src/keys.rs");
    let source = source.split("#[cfg(test)]").next().unwrap();
    let mut kinds = BTreeSet::from(["FEED".to_owned()]);
    for function in source.split("\npub fn ").skip(1) {
        let (signature, body) = function.split_once('{').unwrap();
        let is_partition = signature.contains("_partition(");
        let keys = body.split("key(").skip(1).filter_map(|call| {
            let text = call.strip_prefix("format!(").unwrap_or(call);
            text.strip_prefix('"')
        });
        let partitions = body.split("format!(\"").skip(1).filter(|_| is_partition);
        let kind = |text: &str| text.split(['#', '"']).next().unwrap().to_owned();
        kinds.extend(keys.chain(partitions).map(kind));
    }
    kinds
}

#[test]
fn each_stored_kind_is_exported_or_listed_as_derived() {
    let exported = ExportKind::ALL.into_iter().flat_map(stored_as).copied();
    let known: BTreeSet<String> = exported.chain(NOT_EXPORTED.map(|(kind, _)| kind)).map(str::to_owned).collect();
    assert_eq!(stored_kinds(), known, "export a new kind, or list it above with the reason");
}

#[test]
fn the_documented_stream_has_the_streamed_prefixes() {
    let model = text_of("docs/data-model.md");
    let (_, section) = model.split_once("\n## The change stream\n").expect("docs/data-model.md has the section");
    let (list, _) = section.split_once(" are delivered").expect("the section begins with the list");
    let documented: BTreeSet<&str> = list.split('`').skip(1).step_by(2).collect();
    assert_eq!(documented, STREAMED_PREFIXES.into_iter().collect());
}

#[test]
fn the_documented_export_has_every_kind() {
    let model = text_of("docs/data-model.md");
    let row = model.lines().find(|line| line.starts_with("| export |")).expect("docs/data-model.md has the row");
    let (before, _) = row.split_once(" kinds").expect("the row has the number of kinds");
    let number = before.rsplit(' ').next().unwrap();
    assert_eq!(number.parse(), Ok(ExportKind::ALL.len()), "{row}");
}

/// The Rust files in a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Whether a source names the module `data::keys`, by its path or in a group of imports.
fn names_keys(source: &str) -> bool {
    // The keys of object storage, which has no DAO.
    let source = source.replace("keys::blobs", "blobs");
    let is_part_of_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    let imports = source.split("use data::{").skip(1).filter_map(|rest| rest.split_once("};"));
    let mut imported = imports.flat_map(|(group, _)| group.split(|letter| !is_part_of_name(letter)));
    source.contains("data::keys") || imported.any(|name| name == "keys")
}

/// `data::keys` is public for tests and the load test, which plant rows that no service writes.
#[test]
fn production_code_builds_no_keys() {
    let template = Template::read(&root().join("template.yaml")).unwrap();
    let functions = template.functions().into_iter().map(|function| root().join(function.code()));
    let shared = fs::read_dir(root().join("shared")).unwrap().map(|entry| entry.unwrap().path());
    let crates = shared.filter(|path| !path.ends_with("data")).chain(functions).chain([root().join("tweeter")]);
    for file in crates.flat_map(|folder| sources(&folder.join("src"))) {
        assert!(
            !names_keys(&fs::read_to_string(&file).unwrap()),
            "{} builds keys: add a method to a DAO",
            file.display()
        );
    }
    assert!(names_keys("use data::{\n    Feeds, keys,\n};") && names_keys("fn a() { data::keys::post(id); }"));
    assert!(!names_keys("use data::{Feeds};\nuse super::keys;") && !names_keys("use data::{Db, keys::blobs::upload};"));
}

//! docs/data-model.md agrees with the code, and an export omits no stored kind by accident.

use std::{collections::BTreeSet, fs, path::Path};

use domain::ExportKind;
use ports::changes::STREAMED_PREFIXES;

/// Stored kinds that no export lists, each with the reason.
const NOT_EXPORTED: [(&str, &str); 10] = [
    ("BACKFILLS", "work in progress on a follow, which is exported"),
    ("CLOCK", "of the process, not of a user"),
    ("COUNTS", "derived; the counts of the user and of each post are part of their records"),
    ("ERASURES", "work in progress on a deletion"),
    ("LEDGER", "ids of applied changes"),
    ("LIKERS", "the other side of LIKES"),
    ("OUTBOX", "work in progress on a post, which is exported"),
    ("RATE", "numbers by the digest of a subject"),
    ("REFRESH", "digests of tokens, part of their sessions"),
    ("TASKS", "work in progress on notifications"),
];

fn text_of(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap()
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

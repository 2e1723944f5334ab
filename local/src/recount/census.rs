//! One scan of everything: how often each thing is there, beside what is kept of it.

use std::collections::{BTreeSet, HashMap, HashSet};

use shared::{
    domain::{PostId, UserId},
    embedded::EmbeddedStore,
    store::{Item, MalformedItem, StoreError, Table, Value},
};

use super::{COMMENTS, FOLLOWERS, FOLLOWING, LIKES, MISJUDGED, Number, POSTS, Subject, UNREAD};

/// Items read at once.
const PAGE: usize = 4_096;

/// What a scan found.
#[derive(Debug, Default)]
pub struct Census {
    /// Users there are.
    pub users: u64,
    /// Posts there are.
    pub posts: u64,
    /// What to look at closely. What is not among these is right.
    pub suspects: BTreeSet<Number>,
}

#[derive(Debug, Default)]
struct Tally {
    exist: HashSet<Subject>,
    counted: HashMap<Number, i64>,
    kept: HashMap<Number, i64>,
    inboxes: BTreeSet<UserId>,
}

/// Scans all of Social. Items come and go meanwhile, so what it finds is only a reason to look closely.
pub async fn take(store: &EmbeddedStore) -> Result<Census, StoreError> {
    let (mut tally, mut after) = (Tally::default(), None);
    loop {
        let items = store.scan(Table::Social, after, PAGE).await?;
        for item in &items {
            tally.note(item)?;
        }
        after = match items.into_iter().last() {
            Some(last) => Some(last.key),
            None => return Ok(tally.census()),
        };
    }
}

impl Tally {
    fn note(&mut self, item: &Item) -> Result<(), MalformedItem> {
        let Some((kind, owner)) = item.key.partition.split_once('#') else { return Ok(()) };
        match (kind, item.key.sort.as_str()) {
            ("USER", "PROFILE") if is_live(item) => drop(self.exist.insert(Subject::User(user(owner)?))),
            ("FOLLOWERS", _) => self.count(Subject::User(user(owner)?), FOLLOWERS),
            ("FOLLOWING", _) => self.count(Subject::User(user(owner)?), FOLLOWING),
            ("POST", "POST") => {
                self.exist.insert(Subject::Post(post(owner)?));
                if is_live(item) {
                    self.count(Subject::User(item.parsed("author_id")?), POSTS);
                }
            }
            ("POST", _) if is_live(item) => self.count(Subject::Post(post(owner)?), COMMENTS),
            ("LIKERS", _) => self.count(Subject::Post(post(owner.split('#').next().unwrap_or(owner))?), LIKES),
            ("COUNTS", _) => self.keep(owner, item)?,
            ("NOTIFICATIONS" | "UNREAD", _) => drop(self.inboxes.insert(user(owner)?)),
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self, of: Subject, name: &'static str) {
        *self.counted.entry(Number { of, name }).or_default() += 1;
    }

    /// What is kept says by its names whether it is of a user or of a post.
    fn keep(&mut self, owner: &str, item: &Item) -> Result<(), MalformedItem> {
        for name in [FOLLOWERS, FOLLOWING, POSTS, LIKES, COMMENTS] {
            let of = match name {
                LIKES | COMMENTS => Subject::Post(post(owner)?),
                _ => Subject::User(user(owner)?),
            };
            match item.attributes.get(name) {
                None => {}
                Some(Value::N(number)) => drop(self.kept.insert(Number { of, name }, *number)),
                Some(_) => return Err(MalformedItem { attribute: name }),
            }
        }
        Ok(())
    }

    fn census(self) -> Census {
        let number = |numbers: &HashMap<Number, i64>, of: &Number| numbers.get(of).copied().unwrap_or(0);
        let differ = |of: &&Number| self.exist.contains(&of.of) && number(&self.counted, of) != number(&self.kept, of);
        let mut suspects: BTreeSet<Number> =
            self.counted.keys().chain(self.kept.keys()).filter(differ).copied().collect();
        for user in &self.inboxes {
            let of = Subject::User(*user);
            suspects.extend([UNREAD, MISJUDGED].map(|name| Number { of, name }));
        }
        let users = self.exist.iter().filter(|of| matches!(of, Subject::User(_))).count() as u64;
        Census { users, posts: self.exist.len() as u64 - users, suspects }
    }
}

fn is_live(item: &Item) -> bool {
    !item.attributes.contains_key("deleted_at")
}

fn user(text: &str) -> Result<UserId, MalformedItem> {
    text.parse().map_err(|_| MalformedItem { attribute: "PK" })
}

fn post(text: &str) -> Result<PostId, MalformedItem> {
    text.parse().map_err(|_| MalformedItem { attribute: "PK" })
}

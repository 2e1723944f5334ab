//! People who act on a service that may die at any time, what each of them knows of their own acts, and a check that the
//! service says so afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use embedded::EmbeddedStore;
use http::{Method, Request};
use http_body_util::Full;
use parking_lot::Mutex;
use ports::{
    queue::QueueName,
    store::{Item, Table},
};
use rand::{RngExt as _, rngs::StdRng};
use serde_json::{Value, json};
use tweeter::{Application, Config, DataDir, Handle};

use super::{Answer, ApiClient, Person, in_time, process::tweeter, seams};

const PEOPLE: usize = 6;
const POSTS_EACH: usize = 4;
/// Of these, how many somebody may delete.
const DELETED_EACH: usize = 2;

/// What somebody knows of one act of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Stands,
    DoesNot,
    /// Whether it was done or undone last, no answer came.
    Either,
}

impl Known {
    fn allows(self, stands: bool) -> bool {
        self == Self::Either || (self == Self::Stands) == stands
    }
}

#[derive(Debug)]
struct Said {
    post: usize,
    /// Once it was answered.
    id: Option<String>,
    known: Known,
}

/// What somebody knows of all their acts.
#[derive(Debug, Default)]
pub struct Beliefs {
    likes: BTreeMap<usize, Known>,
    follows: BTreeMap<usize, Known>,
    /// By their texts.
    comments: BTreeMap<String, Said>,
    /// By their texts.
    posts: BTreeMap<String, Known>,
    /// The last notification that was marked as read and answered.
    read_up_to: Option<String>,
    answered: u64,
}

/// The service's data, and everybody's acts.
pub struct Village {
    dir: tempfile::TempDir,
    people: Arc<Vec<Person>>,
    /// The posts that all know of: whose, and their ids.
    posts: Arc<Vec<(usize, String)>>,
    /// Which of them somebody tried to delete.
    dying: Arc<Mutex<BTreeSet<usize>>>,
    beliefs: Vec<Beliefs>,
}

async fn open(data_dir: &Path) -> (Handle, ApiClient) {
    let config = Config::on_free_port(DataDir::Path(data_dir.to_owned()));
    let handle = Application::build(config, seams()).await.unwrap().spawn();
    let client = ApiClient::new(format!("http://{}", handle.address()));
    (handle, client)
}

/// What somebody's post of the first ones says.
fn text_of(author: usize, which: usize) -> String {
    format!("{author} says {which}")
}

impl Village {
    /// People who have posted, and nothing else yet.
    pub async fn found() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (handle, client) = open(&dir.path().join("data")).await;
        let people = client.register_many("villager", PEOPLE).await;
        let (mut posts, mut beliefs) = (Vec::new(), Vec::new());
        for (number, person) in people.iter().enumerate() {
            let mut known = Beliefs::default();
            for which in 0..POSTS_EACH {
                let text = text_of(number, which);
                posts.push((number, client.post(person, &text).await));
                known.posts.insert(text, Known::Stands);
            }
            beliefs.push(known);
        }
        handle.stop().await.unwrap();
        Self { dir, people: Arc::new(people), posts: Arc::new(posts), dying: Arc::default(), beliefs }
    }

    /// Where the data is.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Hands out what each person knows.
    pub fn take_beliefs(&mut self) -> Vec<Beliefs> {
        std::mem::take(&mut self.beliefs)
    }

    /// Takes back what each person knows now.
    pub fn put_beliefs(&mut self, beliefs: Vec<Beliefs>) {
        self.beliefs = beliefs;
    }

    /// How much there was to be lost.
    pub fn answered(&self) -> u64 {
        self.beliefs.iter().map(|known| known.answered).sum()
    }

    /// Has an operator restore a post that is deleted, if there is one for certain.
    pub fn restore_one(&mut self) {
        let dying = self.dying.lock().clone();
        let text = |post: usize| text_of(self.posts[post].0, post % POSTS_EACH);
        let is_deleted = |post: &usize| self.beliefs[self.posts[*post].0].posts[&text(*post)] == Known::DoesNot;
        let Some(post) = dying.into_iter().find(is_deleted) else { return };
        let (author, id) = &self.posts[post];
        let output = tweeter(&["restore-post", id, "--data-dir"]).arg(self.data_dir()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        self.beliefs[*author].posts.insert(text(post), Known::Stands);
        self.dying.lock().remove(&post);
    }

    /// Starts on what is left, waits until nothing is under way, and compares all that is seen.
    pub async fn assert_whole(&self) {
        let (handle, client) = open(&self.data_dir()).await;
        in_time(handle.drain()).await;
        let seen = Seen::by(&client, self).await;
        self.assert_known(&seen);
        self.assert_feeds(&client, &seen).await;
        for me in 0..self.people.len() {
            self.assert_notifications(&client, &seen, me).await;
        }
        for queue in [QueueName::PostDlq, QueueName::JobDlq, QueueName::ChangeDlq] {
            assert_eq!(handle.services().queue.depth(queue).await.unwrap().visible, 0, "{queue:?}");
        }
        let store = EmbeddedStore::new(handle.engine().unwrap().clone());
        assert_both_sides(&store).await;
        drop(store);
        handle.stop().await.unwrap();
        self.assert_recounted();
    }

    fn assert_known(&self, seen: &Seen) {
        for (me, beliefs) in self.beliefs.iter().enumerate() {
            for (post, known) in beliefs.likes.iter().filter(|(post, _)| !seen.gone.contains(post)) {
                assert!(known.allows(seen.likes.contains(&(me, *post))), "{me} likes {post}: {known:?}");
            }
            for (whom, known) in &beliefs.follows {
                assert!(known.allows(seen.follows.contains(&(me, *whom))), "{me} follows {whom}: {known:?}");
            }
            for (text, said) in beliefs.comments.iter().filter(|(_, said)| !seen.gone.contains(&said.post)) {
                let found = seen.comments.values().filter(|(by, on, what)| (*by, *on, what) == (me, said.post, text));
                assert!(said.known.allows(found.count() == 1), "{text}: {said:?}");
            }
            for (text, known) in &beliefs.posts {
                assert!(known.allows(seen.posts[me].contains(text)), "{text}: {known:?}");
            }
        }
    }

    /// A feed holds the reader's posts and those of whom they follow, each once: none has more than a page.
    async fn assert_feeds(&self, client: &ApiClient, seen: &Seen) {
        for (me, person) in self.people.iter().enumerate() {
            let feed = client.whole_feed(person, 100).await;
            let shown = (0..PEOPLE).filter(|whom| *whom == me || seen.follows.contains(&(me, *whom)));
            let mut expected: Vec<&String> = shown.flat_map(|whom| &seen.posts[whom]).collect();
            let mut found: Vec<&String> = feed.iter().collect();
            expected.sort();
            found.sort();
            assert_eq!(found, expected, "{}'s feed", person.handle);
        }
    }

    /// One notification of everything that someone else did and that stands.
    async fn assert_notifications(&self, client: &ApiClient, seen: &Seen, me: usize) {
        let found = client.whole_list(&self.people[me], "/v1/notifications", 100).await;
        let number = |user: &Value| self.people.iter().position(|person| user["user_id"] == *person.user_id).unwrap();
        let mut acts: Vec<String> = found
            .iter()
            .map(|it| match it["kind"].as_str().unwrap() {
                "follow" => format!("follow by {}", number(&it["actor"])),
                "like" => format!("like by {} of {}", number(&it["actor"]), it["post_id"].as_str().unwrap()),
                _ => format!("comment by {}: {}", number(&it["actor"]), it["comment_id"].as_str().unwrap()),
            })
            .collect();
        let mut expected = seen.concerning(self, me);
        acts.sort();
        expected.sort();
        assert_eq!(acts, expected, "notifications of {me}");
        let page = client.get_as(&self.people[me], "/v1/notifications").await.expect(200);
        let unread = found.iter().filter(|it| it["read"] == false).count() as u64;
        assert_eq!(page.body["unread_count"], unread, "unread of {me}");
        if let Some(read_up_to) = &self.beliefs[me].read_up_to {
            let behind = found.iter().filter(|it| it["notification_id"].as_str() <= Some(read_up_to));
            assert!(behind.clone().all(|it| it["read"] == true), "what {me} marked as read");
        }
    }

    /// What an operator is told: by another count than the service's own.
    fn assert_recounted(&self) {
        let output = tweeter(&["recount", "--json", "--data-dir"]).arg(self.data_dir()).output().unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        assert_eq!((&told["differences"], &told["undecided"]), (&json!([]), &json!(0)), "{told}");
    }
}

/// What the service shows, by the numbers of people and posts.
#[derive(Default)]
struct Seen {
    /// Posts that are deleted.
    gone: BTreeSet<usize>,
    likes: BTreeSet<(usize, usize)>,
    follows: BTreeSet<(usize, usize)>,
    /// By their ids: whose, on which post, what.
    comments: BTreeMap<String, (usize, usize, String)>,
    posts: Vec<Vec<String>>,
}

impl Seen {
    /// Reads every list, from either side where there are two, and holds every count against it.
    async fn by(client: &ApiClient, village: &Village) -> Self {
        let mut seen = Self::default();
        for post in 0..village.posts.len() {
            seen.read_post(client, village, post).await;
        }
        for (me, person) in village.people.iter().enumerate() {
            seen.read_person(client, village, me, person).await;
        }
        for (me, person) in village.people.iter().enumerate() {
            let follows = |is: &dyn Fn(&(usize, usize)) -> bool| seen.follows.iter().filter(|edge| is(edge)).count();
            let profile = client.profile(person, "me").await.expect(200).body;
            let counts = [follows(&|(_, whom)| *whom == me), follows(&|(who, _)| *who == me), seen.posts[me].len()];
            for (name, count) in ["followers_count", "following_count", "posts_count"].into_iter().zip(counts) {
                assert_eq!(profile[name], count, "{name} of {me}");
            }
        }
        seen
    }

    async fn read_post(&mut self, client: &ApiClient, village: &Village, post: usize) {
        let (reader, path) = (&village.people[0], format!("/v1/posts/{}", village.posts[post].1));
        if client.get_as(reader, &path).await.status == 404 {
            self.gone.insert(post);
            assert!(village.dying.lock().contains(&post), "nobody deleted {path}");
            for person in village.people.iter() {
                client.get_as(person, &path).await.expect(404);
            }
            return;
        }
        let number = |user: &Value| village.people.iter().position(|person| user["user_id"] == *person.user_id);
        let likes = client.whole_list(reader, &format!("{path}/likes"), 100).await;
        for like in &likes {
            assert!(self.likes.insert((number(&like["user"]).unwrap(), post)), "twice in a list");
        }
        let comments = client.whole_list(reader, &format!("{path}/comments"), 100).await;
        for comment in &comments {
            let (id, text) = (comment["comment_id"].as_str().unwrap(), comment["text"].as_str().unwrap());
            let said = (number(&comment["author"]).unwrap(), post, text.to_owned());
            assert!(self.comments.insert(id.to_owned(), said).is_none(), "twice in a list");
        }
        for (me, person) in village.people.iter().enumerate() {
            let shown = client.get_as(person, &path).await.expect(200).body;
            assert_eq!(shown["liked_by_me"], self.likes.contains(&(me, post)), "{me} likes {post}");
            let counts = (&shown["likes_count"], &shown["comments_count"]);
            assert_eq!(counts, (&json!(likes.len()), &json!(comments.len())), "counts of {path}");
        }
    }

    async fn read_person(&mut self, client: &ApiClient, village: &Village, me: usize, person: &Person) {
        let number = |user: &Value| village.people.iter().position(|person| user["user_id"] == *person.user_id);
        let (followers, following) = ("/v1/users/me/followers", "/v1/users/me/following");
        for edge in client.whole_list(person, following, 100).await {
            self.follows.insert((me, number(&edge["user"]).unwrap()));
        }
        for edge in client.whole_list(person, followers, 100).await {
            let who = number(&edge["user"]).unwrap();
            assert!(who > me || self.follows.contains(&(who, me)), "{me} is followed by {who}, who does not follow");
            self.follows.insert((who, me));
        }
        let story = client.whole_list(person, "/v1/users/me/posts", 100).await;
        self.posts.push(story.iter().map(|post| post["text"].as_str().unwrap().to_owned()).collect());
    }

    fn concerning(&self, village: &Village, me: usize) -> Vec<String> {
        let mut acts: Vec<String> =
            self.follows.iter().filter(|(_, whom)| *whom == me).map(|(who, _)| format!("follow by {who}")).collect();
        let is_mine = |who: usize, post: usize| who != me && village.posts[post].0 == me;
        let likes = self.likes.iter().filter(|(who, post)| is_mine(*who, *post));
        acts.extend(likes.map(|(who, post)| format!("like by {who} of {}", village.posts[*post].1)));
        let comments = self.comments.iter().filter(|(_, (who, post, _))| is_mine(*who, *post));
        acts.extend(comments.map(|(id, (who, ..))| format!("comment by {who}: {id}")));
        acts
    }
}

/// Whatever is kept from two sides is there from both, and no backfill was left.
pub async fn assert_both_sides(store: &EmbeddedStore) {
    let (mut one, mut other, mut after) = (BTreeSet::new(), BTreeSet::new(), None);
    loop {
        let items = store.scan(Table::Social, after, 1_000).await.unwrap();
        for item in &items {
            assert!(!item.key.partition.starts_with("BACKFILLS#"), "a backfill was left: {item:?}");
            note_side(item, &mut one, &mut other);
        }
        let Some(last) = items.last() else { break };
        after = Some(last.key.clone());
    }
    assert_eq!(one, other);
}

fn note_side(item: &Item, one: &mut BTreeSet<String>, other: &mut BTreeSet<String>) {
    let (kind, owner) = item.key.partition.split_once('#').unwrap();
    let (owner, sort) = (owner.split('#').next().unwrap(), &item.key.sort);
    let is_new = match (kind, sort.strip_prefix("COMMENT#")) {
        ("LIKES", _) => one.insert(format!("{owner} likes {sort}")),
        ("LIKERS", _) => other.insert(format!("{sort} likes {owner}")),
        ("FOLLOWING", _) => one.insert(format!("{owner} follows {sort}")),
        ("FOLLOWERS", _) => other.insert(format!("{sort} follows {owner}")),
        ("COMMENTS", _) => one.insert(format!("comment {sort} on {}", item.text("post_id").unwrap())),
        ("POST", Some(comment)) => other.insert(format!("comment {comment} on {owner}")),
        _ => true,
    };
    assert!(is_new, "{item:?}");
}

/// Somebody who acts.
pub struct Villager {
    client: ApiClient,
    me: usize,
    people: Arc<Vec<Person>>,
    posts: Arc<Vec<(usize, String)>>,
    dying: Arc<Mutex<BTreeSet<usize>>>,
    rng: StdRng,
}

impl Villager {
    /// The person with this number.
    pub fn of(village: &Village, me: usize, client: ApiClient, rng: StdRng) -> Self {
        let (people, posts) = (Arc::clone(&village.people), Arc::clone(&village.posts));
        Self { client, me, people, posts, dying: Arc::clone(&village.dying), rng }
    }

    /// Acts without end, until the service does not answer any more. Returns what they know then.
    pub async fn act_until_dead(mut self, mut beliefs: Beliefs) -> Beliefs {
        while self.acts(&mut beliefs).await.is_some() {
            beliefs.answered += 1;
        }
        beliefs
    }

    /// One act; `None` when it was not answered.
    async fn acts(&mut self, beliefs: &mut Beliefs) -> Option<()> {
        let post = self.rng.random_range(0..self.posts.len());
        let whom = (self.me + self.rng.random_range(1..PEOPLE)) % PEOPLE;
        let (like, follow) = (
            format!("/v1/posts/{}/like", self.posts[post].1),
            format!("/v1/users/{}/follow", self.people[whom].user_id),
        );
        let (liked, followed) = (&mut beliefs.likes, &mut beliefs.follows);
        match self.rng.random_range(0..40) {
            0..10 => self.sets(Method::PUT, &like, Some(post), liked.entry(post).or_insert(Known::DoesNot)).await,
            10..16 => self.sets(Method::DELETE, &like, Some(post), liked.entry(post).or_insert(Known::DoesNot)).await,
            16..22 => self.sets(Method::PUT, &follow, None, followed.entry(whom).or_insert(Known::DoesNot)).await,
            22..26 => self.sets(Method::DELETE, &follow, None, followed.entry(whom).or_insert(Known::DoesNot)).await,
            26..32 => self.comments(post, beliefs).await,
            32..36 => self.deletes_comment(beliefs).await,
            36..38 => self.marks_read(beliefs).await,
            38 => self.deletes_post(beliefs).await,
            _ => self.posts(beliefs).await,
        }
    }

    /// Makes something so, or undoes it. That a post is not found is an answer once somebody deletes it: then nothing
    /// was done.
    async fn sets(&self, method: Method, path: &str, post: Option<usize>, known: &mut Known) -> Option<()> {
        let done = if method == Method::PUT { Known::Stands } else { Known::DoesNot };
        let before = *known;
        if before != done {
            *known = Known::Either;
        }
        let answer = self.request(method, path, None).await?;
        if self.is_gone(&answer, post) {
            *known = before;
        } else {
            answer.expect(204);
            *known = done;
        }
        Some(())
    }

    fn is_gone(&self, answer: &Answer, post: Option<usize>) -> bool {
        answer.status == 404 && post.is_some_and(|post| self.dying.lock().contains(&post))
    }

    async fn deletes_post(&mut self, beliefs: &mut Beliefs) -> Option<()> {
        let which = self.rng.random_range(0..DELETED_EACH);
        let post = self.posts.iter().position(|(author, _)| *author == self.me)? + which;
        self.dying.lock().insert(post);
        let known = beliefs.posts.entry(text_of(self.me, which)).or_insert(Known::Stands);
        self.sets(Method::DELETE, &format!("/v1/posts/{}", self.posts[post].1), None, known).await
    }

    async fn comments(&mut self, post: usize, beliefs: &mut Beliefs) -> Option<()> {
        let text = format!("{} comments {:x}", self.me, self.rng.random::<u64>());
        beliefs.comments.insert(text.clone(), Said { post, id: None, known: Known::Either });
        let path = format!("/v1/posts/{}/comments", self.posts[post].1);
        let answer = self.request(Method::POST, &path, Some(json!({ "text": text }))).await?;
        if self.is_gone(&answer, Some(post)) {
            beliefs.comments.remove(&text);
            return Some(());
        }
        let answer = answer.expect(201);
        let id = answer.body["comment_id"].as_str().map(str::to_owned);
        beliefs.comments.insert(text, Said { post, id, known: Known::Stands });
        Some(())
    }

    /// Deletes a comment of their own, if there is one of which they have the id.
    async fn deletes_comment(&mut self, beliefs: &mut Beliefs) -> Option<()> {
        let mut said: Vec<&mut Said> = beliefs.comments.values_mut().filter(|said| said.id.is_some()).collect();
        let Some(place) = self.rng.random_range(0..1_000_usize).checked_rem(said.len()) else { return Some(()) };
        let said = &mut *said[place];
        let path = format!("/v1/posts/{}/comments/{}", self.posts[said.post].1, said.id.as_deref()?);
        self.sets(Method::DELETE, &path, Some(said.post), &mut said.known).await
    }

    async fn marks_read(&self, beliefs: &mut Beliefs) -> Option<()> {
        let page = self.request(Method::GET, "/v1/notifications", None).await?.expect(200);
        let Some(newest) = page.items().first() else { return Some(()) };
        let up_to = newest["notification_id"].as_str().unwrap().to_owned();
        self.request(Method::PUT, "/v1/notifications/read", Some(json!({ "up_to": up_to }))).await?.expect(204);
        beliefs.read_up_to = beliefs.read_up_to.take().max(Some(up_to));
        Some(())
    }

    /// Posts, as long as all of it is on one page of everybody's feed.
    async fn posts(&mut self, beliefs: &mut Beliefs) -> Option<()> {
        if beliefs.posts.len() >= 90 {
            return Some(());
        }
        let text = format!("{} posts {:x}", self.me, self.rng.random::<u64>());
        beliefs.posts.insert(text.clone(), Known::Either);
        self.request(Method::POST, "/v1/posts", Some(json!({ "text": text }))).await?.expect(201);
        beliefs.posts.insert(text, Known::Stands);
        Some(())
    }

    async fn request(&self, method: Method, path: &str, body: Option<Value>) -> Option<Answer> {
        self.client.attempt(method, path, &self.people[self.me], body).await
    }
}

impl ApiClient {
    /// A request to a service that may die before it has answered.
    pub async fn attempt(&self, method: Method, path: &str, person: &Person, body: Option<Value>) -> Option<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", person.access_token));
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        self.try_send(request.body(Full::from(body)).unwrap()).await
    }

    async fn get_as(&self, person: &Person, path: &str) -> Answer {
        self.request(Method::GET, path, Some(&person.access_token), None).await
    }
}

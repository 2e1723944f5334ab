//! People who act on a service that may die at any time, a social model of their acts, and a check that the service
//! then shows exactly that.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::{Act, ActKind, CommentId, PostId, UserId};
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
use testkit::social::{Action, Facts, SocialModel};
use tweeter::{Application, Config, DataDir, Handle};

use super::{Answer, ApiClient, Person, hooks, in_time, process::tweeter};

const PEOPLE: usize = 6;
const POSTS_EACH: usize = 4;
/// How many of these posts their author may delete.
const DELETED_EACH: usize = 2;
/// Maximum posts per author, so that all fit on one feed page.
const MOST_POSTS: usize = 90;

/// The id in a field of an answer.
fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(value: &Value) -> T {
    value.as_str().expect("a text").parse().expect("an id")
}

impl Person {
    /// The id in the model's type.
    pub fn id(&self) -> UserId {
        self.user_id.parse().expect("an id")
    }
}

/// The model of all acts.
#[derive(Debug, Default)]
struct Deeds {
    model: SocialModel,
    /// By person: the last notification marked as read with an acknowledgement.
    read_up_to: BTreeMap<usize, String>,
    /// The number of acknowledged actions.
    answered: u64,
}

/// The service's data, and the actions of all people.
pub struct CrashOracle {
    dir: tempfile::TempDir,
    people: Arc<Vec<Person>>,
    /// The first posts, known to all, ordered by author.
    posts: Arc<Vec<PostId>>,
    deeds: Arc<Mutex<Deeds>>,
}

/// The service on this data, with a client.
pub async fn open(data_dir: &Path) -> (Handle, ApiClient) {
    let config = Config::on_free_port(DataDir::Path(data_dir.to_owned()));
    let handle = Application::build(config, hooks()).await.unwrap().spawn();
    let client = ApiClient::new(format!("http://{}", handle.address()));
    (handle, client)
}

/// Asserts that no dead-letter queue has a message.
pub async fn assert_no_dead_letters(handle: &Handle) {
    for queue in [QueueName::PostDlq, QueueName::JobDlq, QueueName::ChangeDlq] {
        assert_eq!(handle.services().queue.depth(queue).await.unwrap().visible, 0, "{queue:?}");
    }
}

impl CrashOracle {
    /// People who have posted, without any further acts.
    pub async fn found() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (handle, client) = open(&dir.path().join("data")).await;
        let people = client.register_many("person", PEOPLE).await;
        let (mut posts, mut deeds) = (Vec::new(), Deeds::default());
        for person in &people {
            for which in 0..POSTS_EACH {
                let post = client.post(person, &format!("{} says {which}", person.handle)).await.parse().unwrap();
                deeds.model.apply(Action::Post(person.id(), post));
                posts.push(post);
            }
        }
        handle.stop().await.unwrap();
        Self { dir, people: Arc::new(people), posts: Arc::new(posts), deeds: Arc::new(Mutex::new(deeds)) }
    }

    /// Where the data is.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// All people, ready to act on a service.
    pub fn actors(&self, client: &ApiClient, rng: &mut StdRng) -> Vec<Actor> {
        let actor = |me| Actor {
            client: client.clone(),
            me,
            people: Arc::clone(&self.people),
            posts: Arc::clone(&self.posts),
            deeds: Arc::clone(&self.deeds),
            rng: rand::SeedableRng::seed_from_u64(rng.random()),
        };
        (0..PEOPLE).map(actor).collect()
    }

    /// The number of acknowledged actions.
    pub fn answered(&self) -> u64 {
        self.deeds.lock().answered
    }

    /// Restores a post that is known to be deleted, if there is one, as an operator.
    pub fn restore_one(&self) {
        let mut deeds = self.deeds.lock();
        let Some(post) = self.posts.iter().copied().find(|post| deeds.model.is_deleted(*post)) else { return };
        let output = tweeter(&["restore-post", &post.to_string(), "--data-dir"]).arg(self.data_dir()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        deeds.model.apply(Action::Restore(post));
    }

    /// Restarts on the remaining data, waits until no work is pending, and compares everything shown.
    pub async fn assert_whole(&self) {
        let (handle, client) = open(&self.data_dir()).await;
        in_time(handle.drain()).await;
        let shown = self.shown(&client).await;
        let model = {
            let mut deeds = self.deeds.lock();
            deeds.model.resolve(&shown);
            std::mem::take(&mut deeds.model)
        };
        for (me, person) in self.people.iter().enumerate() {
            self.assert_posts(&client, &model, person).await;
            assert_feed(&client, &model, person).await;
            assert_profile(&client, &model, person).await;
            let notifications = assert_notifications(&client, &model, person).await;
            if let Some(up_to) = self.deeds.lock().read_up_to.get(&me) {
                let mut older = notifications.iter().filter(|it| it["notification_id"].as_str() <= Some(up_to));
                assert!(older.all(|it| it["read"] == true), "{} marked it as read", person.handle);
            }
        }
        self.deeds.lock().model = model;
        assert_no_dead_letters(&handle).await;
        let store = EmbeddedStore::new(handle.engine().unwrap().clone());
        assert_both_sides(&store).await;
        drop(store);
        handle.stop().await.unwrap();
        self.assert_recounted();
    }

    /// All lists that the service shows, from both sides where there are two.
    async fn shown(&self, client: &ApiClient) -> Facts {
        let mut facts = Facts::default();
        for person in self.people.iter() {
            for post in client.whole_list(person, "/v1/users/me/posts", 100).await {
                let text = post["text"].as_str().unwrap().to_owned();
                assert!(facts.posts.insert(id(&post["post_id"]), (person.id(), text)).is_none(), "twice in a list");
            }
            for edge in client.whole_list(person, "/v1/users/me/following", 100).await {
                facts.follows.insert((person.id(), id(&edge["user"]["user_id"])));
            }
        }
        let mut followers = BTreeSet::new();
        for person in self.people.iter() {
            for edge in client.whole_list(person, "/v1/users/me/followers", 100).await {
                followers.insert((id(&edge["user"]["user_id"]), person.id()));
            }
        }
        assert_eq!(followers, facts.follows, "followers and followees");
        for post in self.posts.iter() {
            self.read_reactions(client, *post, &mut facts).await;
        }
        facts
    }

    async fn read_reactions(&self, client: &ApiClient, post: PostId, facts: &mut Facts) {
        let (reader, path) = (&self.people[0], format!("/v1/posts/{post}"));
        if !facts.posts.contains_key(&post) {
            return;
        }
        for like in client.whole_list(reader, &format!("{path}/likes"), 100).await {
            assert!(facts.likes.insert((id(&like["user"]["user_id"]), post)), "twice in a list");
        }
        for comment in client.whole_list(reader, &format!("{path}/comments"), 100).await {
            let said = (id(&comment["author"]["user_id"]), post, comment["text"].as_str().unwrap().to_owned());
            let comment: CommentId = id(&comment["comment_id"]);
            assert!(facts.comments.insert(comment, said).is_none(), "twice in a list");
        }
    }

    /// The first posts as one reader sees them.
    async fn assert_posts(&self, client: &ApiClient, model: &SocialModel, reader: &Person) {
        for post in self.posts.iter() {
            let answer = client.get_as(reader, &format!("/v1/posts/{post}")).await;
            if !model.is_live(*post) {
                answer.expect(404);
                continue;
            }
            let (shown, counts) = (answer.expect(200).body, model.post_counts(*post));
            assert_eq!(shown["liked_by_me"], model.likes(reader.id(), *post), "{} likes {post}", reader.handle);
            let shown = (&shown["likes_count"], &shown["comments_count"]);
            assert_eq!(shown, (&json!(counts.likes), &json!(counts.comments)), "counts of {post}");
        }
    }

    /// Compares with an operator's recount, which is independent of the service's counts.
    fn assert_recounted(&self) {
        let output = tweeter(&["recount", "--json", "--data-dir"]).arg(self.data_dir()).output().unwrap();
        let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        assert_eq!((&found["differences"], &found["undecided"]), (&json!([]), &json!(0)), "{found}");
    }
}

/// Compares a feed with the model: each post once, newest first.
pub async fn assert_feed(client: &ApiClient, model: &SocialModel, reader: &Person) {
    let feed = client.whole_list(reader, "/v1/feed", 100).await;
    let posts: Vec<PostId> = feed.iter().map(|post| id(&post["post_id"])).collect();
    assert_eq!(posts, model.feed(reader.id()).all, "{}'s feed", reader.handle);
}

async fn assert_profile(client: &ApiClient, model: &SocialModel, person: &Person) {
    let (profile, counts) = (client.profile(person, "me").await.expect(200).body, model.user_counts(person.id()));
    let counts = [counts.followers, counts.following, counts.posts];
    for (name, count) in ["followers_count", "following_count", "posts_count"].into_iter().zip(counts) {
        assert_eq!(profile[name], count, "{name} of {}", person.handle);
    }
}

/// Asserts one notification for each standing act of another person. Returns them.
async fn assert_notifications(client: &ApiClient, model: &SocialModel, person: &Person) -> Vec<Value> {
    let found = client.whole_list(person, "/v1/notifications", 100).await;
    let act = |it: &Value| {
        let kind = match it["kind"].as_str().unwrap() {
            "follow" => ActKind::Follow(person.id()),
            "like" => ActKind::Like(id(&it["post_id"])),
            "comment" => ActKind::Comment(id(&it["post_id"]), id(&it["comment_id"])),
            other => panic!("a notification of an unknown kind: {other}"),
        };
        format!("{:?}", Act { actor_id: id(&it["actor"]["user_id"]), kind })
    };
    let mut acts: Vec<String> = found.iter().map(act).collect();
    let shown = model.acts_concerning(person.id()).into_iter().filter(|(_, is_shown)| *is_shown);
    let mut expected: Vec<String> = shown.map(|(act, _)| format!("{act:?}")).collect();
    acts.sort();
    expected.sort();
    assert_eq!(acts, expected, "notifications of {}", person.handle);
    let page = client.get_as(person, "/v1/notifications").await.expect(200);
    let unread = found.iter().filter(|it| it["read"] == false).count() as u64;
    assert_eq!(page.body["unread_count"], unread, "unread of {}", person.handle);
    found
}

/// The kinds of items that have no other side, or whose other side the model and the recount check. `POST` stands for the
/// posts themselves.
const NOT_COMPARED: [&str; 17] = [
    "COUNTS",
    "DELIVERY",
    "ERASURES",
    "HANDLE",
    "IDEMPOTENCY",
    "LEDGER",
    "NOTIFICATIONS",
    "NOTIFIED",
    "OUTBOX",
    "POST",
    "RATE",
    "READER",
    "REBUILD",
    "STORY",
    "TASKS",
    "UNREAD",
    "USER",
];

/// Asserts that items stored from two sides exist on both, and that no backfill is left.
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
        (other, _) => NOT_COMPARED.contains(&other),
    };
    assert!(is_new, "twice, or of a kind to compare or to list: {item:?}");
}

/// A person who acts.
pub struct Actor {
    client: ApiClient,
    me: usize,
    people: Arc<Vec<Person>>,
    posts: Arc<Vec<PostId>>,
    deeds: Arc<Mutex<Deeds>>,
    rng: StdRng,
}

impl Actor {
    /// Acts until the service stops answering.
    pub async fn act_until_dead(mut self) {
        while self.acts().await.is_some() {
            self.deeds.lock().answered += 1;
        }
    }

    /// One action; `None` if it was not acknowledged.
    async fn acts(&mut self) -> Option<()> {
        let post = self.posts[self.rng.random_range(0..self.posts.len())];
        let me = self.people[self.me].id();
        let whom = self.people[(self.me + self.rng.random_range(1..PEOPLE)) % PEOPLE].id();
        match self.rng.random_range(0..40) {
            0..10 => self.sets(Action::Like(me, post)).await,
            10..16 => self.sets(Action::Unlike(me, post)).await,
            16..22 => self.sets(Action::Follow(me, whom)).await,
            22..26 => self.sets(Action::Unfollow(me, whom)).await,
            26..32 => self.comments(me, post).await,
            32..36 => self.deletes_comment(me).await,
            36..38 => self.marks_read().await,
            38 => {
                let own = self.posts[self.me * POSTS_EACH + self.rng.random_range(0..DELETED_EACH)];
                self.sets(Action::Delete(own)).await
            }
            _ => self.posts(me).await,
        }
    }

    /// Makes a fact true, or undoes it. A post that its author may have deleted may not be found: then nothing was
    /// done.
    async fn sets(&self, action: Action) -> Option<()> {
        let (method, path, about) = self.request_of(action);
        if matches!(action, Action::Delete(_)) {
            // Others may see it before its acknowledgement.
            self.deeds.lock().model.attempt(action);
        }
        let Some(answer) = self.request(method, &path, None).await else {
            self.deeds.lock().model.attempt(action);
            return None;
        };
        if !self.is_gone(&answer, about) {
            answer.expect(204);
            self.deeds.lock().model.apply(action);
        }
        Some(())
    }

    fn request_of(&self, action: Action) -> (Method, String, Option<PostId>) {
        match action {
            Action::Like(_, post) => (Method::PUT, format!("/v1/posts/{post}/like"), Some(post)),
            Action::Unlike(_, post) => (Method::DELETE, format!("/v1/posts/{post}/like"), Some(post)),
            Action::Follow(_, whom) => (Method::PUT, format!("/v1/users/{whom}/follow"), None),
            Action::Unfollow(_, whom) => (Method::DELETE, format!("/v1/users/{whom}/follow"), None),
            Action::Delete(post) => (Method::DELETE, format!("/v1/posts/{post}"), None),
            Action::DeleteComment(comment) => {
                let post = self.deeds.lock().model.comments().find(|(id, ..)| *id == comment).expect("it was made").1;
                (Method::DELETE, format!("/v1/posts/{post}/comments/{comment}"), Some(post))
            }
            Action::Post(..) | Action::Comment(..) | Action::Restore(_) => unreachable!("{action:?} has its own way"),
        }
    }

    fn is_gone(&self, answer: &Answer, post: Option<PostId>) -> bool {
        answer.status == 404 && post.is_some_and(|post| !self.deeds.lock().model.is_live(post))
    }

    async fn comments(&mut self, me: UserId, post: PostId) -> Option<()> {
        let text = format!("{} comments {:x}", self.me, self.rng.random::<u64>());
        self.deeds.lock().model.attempt_comment(me, post, &text);
        let path = format!("/v1/posts/{post}/comments");
        let answer = self.request(Method::POST, &path, Some(json!({ "text": text }))).await?;
        let is_gone = self.is_gone(&answer, Some(post));
        let comment = if is_gone { None } else { Some(id(&answer.expect(201).body["comment_id"])) };
        self.deeds.lock().model.confirm_comment(me, post, &text, comment);
        Some(())
    }

    /// Deletes one of the person's own comments, if the id of one is known.
    async fn deletes_comment(&mut self, me: UserId) -> Option<()> {
        let number = self.rng.random_range(0..1_000_usize);
        let comment = {
            let deeds = self.deeds.lock();
            let own: Vec<CommentId> =
                deeds.model.comments().filter(|(_, _, author, _)| *author == me).map(|(id, ..)| id).collect();
            number.checked_rem(own.len()).map(|place| own[place])
        };
        match comment {
            Some(comment) => self.sets(Action::DeleteComment(comment)).await,
            None => Some(()),
        }
    }

    async fn marks_read(&self) -> Option<()> {
        let page = self.request(Method::GET, "/v1/notifications", None).await?.expect(200);
        let Some(newest) = page.items().first() else { return Some(()) };
        let up_to = newest["notification_id"].as_str().unwrap().to_owned();
        self.request(Method::PUT, "/v1/notifications/read", Some(json!({ "up_to": up_to }))).await?.expect(204);
        let mut deeds = self.deeds.lock();
        let read = deeds.read_up_to.entry(self.me).or_default();
        *read = up_to.max(std::mem::take(read));
        Some(())
    }

    /// Posts, as long as all posts fit on one feed page.
    async fn posts(&mut self, me: UserId) -> Option<()> {
        let text = format!("{} posts {:x}", self.me, self.rng.random::<u64>());
        {
            let mut deeds = self.deeds.lock();
            if deeds.model.posts().filter(|(_, author, _)| *author == me).count() >= MOST_POSTS {
                return Some(());
            }
            deeds.model.attempt_post(me, &text);
        }
        let answer = self.request(Method::POST, "/v1/posts", Some(json!({ "text": text }))).await?.expect(201);
        self.deeds.lock().model.confirm_post(me, &text, id(&answer.body["post_id"]));
        Some(())
    }

    async fn request(&self, method: Method, path: &str, body: Option<Value>) -> Option<Answer> {
        self.client.attempt(method, path, &self.people[self.me], body).await
    }
}

impl ApiClient {
    /// A request to a service that may die before it answers.
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

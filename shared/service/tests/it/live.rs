//! Live events when the store fails: users who may have missed an event are asked to reload.

use std::sync::Arc;

use data::{Follows, Users, keys};
use domain::{Act, ActKind, Bio, DisplayName, Handle, IdGenerator, Notification, Profile, User, UserId};
use futures::FutureExt as _;
use ports::{
    changes::Change,
    store::{Store, Table, Write},
};
use service::{
    changes::{Applied, ChangeService},
    live::LiveService,
    live::{Hub, HubOptions, LiveEvent, Subscription, Topic, hub::Next},
};
use service_testkit::Embedded;
use service_testkit::pipeline::START;
use testkit::faults::{FaultyStore, StoreFaults};

fn hub(embedded: &Embedded) -> Hub {
    Hub::new(embedded.clock.clone(), HubOptions::default())
}

fn listen(hub: &Hub, user: UserId) -> Subscription {
    hub.open(user, START.plus(domain::limits::ACCESS_TOKEN_TTL))
}

fn heard(stream: &Subscription) -> Vec<LiveEvent> {
    let next = || match stream.next().now_or_never()? {
        Next::Event(event) => Some(event),
        Next::End(ending) => panic!("ended: {ending:?}"),
    };
    std::iter::from_fn(next).collect()
}

async fn user(store: &dyn Store, handle: &str) -> UserId {
    let handle = Handle::parse(handle).unwrap();
    let user = User { user_id: UserId::random(), display_name: DisplayName::from(&handle), handle, avatar: None };
    let profile = Profile { user, bio: Bio::default(), created_at: START };
    let put = Write::put(Users::profile_item(&profile));
    assert!(store.write(Table::Social, put).await.unwrap().is_applied());
    profile.user.user_id
}

#[tokio::test(start_paused = true)]
async fn a_failing_store_makes_connected_readers_reload() {
    let embedded = Embedded::open();
    let hub = hub(&embedded);
    let faults = StoreFaults { throttled: 1.0, ..StoreFaults::default() };
    let live = LiveService::new(Arc::new(FaultyStore::new(embedded.store.clone(), faults, 1)), hub.clone());
    let [author, reader, other] = [(); 3].map(|()| UserId::random());
    let (of_reader, of_other) = (listen(&hub, reader), listen(&hub, other));
    let ids = IdGenerator::new();

    live.feed_entries(ids.next_post_id(START), author, &[reader, UserId::random()]).await;
    let notification_id = ids.next_notification_id(START);
    let act = Act { actor_id: author, kind: ActKind::Follow(reader) };
    live.notification(&Notification { notification_id, recipient_id: reader, act }).await;

    assert_eq!(heard(&of_reader), Topic::ALL.map(LiveEvent::Reload));
    assert_eq!(heard(&of_other), []);
}

/// Makes each of `followers` follow `followee`, and returns the changes.
async fn follows(store: &dyn Store, followers: &[UserId], followee: UserId) -> Vec<Change> {
    let mut changes = Vec::new();
    for follower in followers {
        for item in Follows::both_sides(*follower, followee, START) {
            assert!(store.write(Table::Social, Write::put(item.clone())).await.unwrap().is_applied());
            if item.key == keys::follower_edge(followee, *follower) {
                let id = follower.to_string();
                changes.push(Change { id, key: item.key, before: None, after: Some(item.attributes) });
            }
        }
    }
    changes
}

#[tokio::test]
async fn lost_answers_are_covered_by_a_reload() {
    const FOLLOWERS: usize = 30;
    let mut reloads = 0;
    for seed in 0..3 {
        let embedded = Embedded::open();
        let store = embedded.store.as_ref();
        let followee = user(store, "followee").await;
        let mut followers = Vec::new();
        for number in 0..FOLLOWERS {
            followers.push(user(store, &format!("follower_{number}")).await);
        }
        let changes = follows(store, &followers, followee).await;

        let hub = hub(&embedded);
        let stream = listen(&hub, followee);
        let faults = StoreFaults { unavailable_after: 0.3, ..StoreFaults::default() };
        let faulty: Arc<dyn Store> = Arc::new(FaultyStore::new(embedded.store.clone(), faults, seed));
        let live = LiveService::new(embedded.store.clone(), hub);
        let service = ChangeService::new(faulty, Arc::new(IdGenerator::new())).with_live_events(Some(live));
        let mut sent = 0;
        for batch in changes.chunks(10) {
            while !service.apply(batch, START).await.iter().all(|applied| matches!(applied, Applied::Done)) {}
            let events = heard(&stream);
            let is_covered = events.contains(&LiveEvent::Reload(Topic::Notifications));
            sent += events.len();
            reloads += usize::from(is_covered);
            assert!(is_covered || events.len() == batch.len(), "seed {seed}: {events:?}");
        }
        assert!(sent > 0);
    }
    assert!(reloads > 0, "some lost answer must cause a reload");
}

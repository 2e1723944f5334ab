//! Pictures from their announcement to their erasure: every crash, redelivery and race leaves each picture whole or
//! absent, and no file without an item.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use data::messages::UploadMessage;
use domain::{
    Attachment, ExportItem, MediaDescription, MediaId, MediaState, PageLimit, PictureSize, PostText, UserId, UserRef,
    limits,
};
use ports::{
    blobs::{Blob, Bucket},
    queue::{OutgoingMessage, QueueName, ReceivedMessage},
};
use service::{
    ServiceError,
    accounts::{AvatarEdit, ProfileEdit},
    media::announce_upload,
    posts::{IdempotencyKey, NewPost},
};
use service_testkit::{
    gallery::{Gallery, Ports, photo},
    pipeline::START,
};
use testkit::crash::{Death, Life, MortalBlobs, MortalStore};
use tokio::time::Instant;

/// The keys of the three sizes of a picture where it is served.
async fn served_of(gallery: &Gallery, owner: UserId, media: MediaId) -> BTreeSet<String> {
    let token = gallery.stored(owner, media).await.token;
    PictureSize::ALL.map(|size| data::keys::blobs::served(token, size)).into()
}

fn caption(text: &str, media: &[MediaId]) -> NewPost {
    NewPost { text: PostText::parse_caption(text).unwrap(), media: media.to_vec() }
}

fn set_avatar(media: MediaId) -> ProfileEdit {
    ProfileEdit { avatar: AvatarEdit::Set(media), ..ProfileEdit::default() }
}

async fn edit(gallery: &Gallery, user: UserId, edit: &ProfileEdit) -> Result<Option<MediaId>, ServiceError> {
    let profile = gallery.accounts().edit_profile(user, &UserRef::Me, edit, gallery.clock.now()).await?;
    Ok(profile.profile.user.avatar.map(|avatar| avatar.media_id))
}

/// Advances the clock past every erasure, and runs them.
async fn everything_due_is_erased(gallery: &mut Gallery) {
    for _ in 0..3 {
        gallery.clock.advance(limits::UNATTACHED_MEDIA_TTL + limits::MEDIA_ERASED_AGAIN_AFTER);
        gallery.sweep().await;
        gallery.work().await;
        gallery.stream().await;
    }
}

#[tokio::test]
async fn an_upload_becomes_three_served_sizes() {
    let gallery = Gallery::open();
    let alice = gallery.user("alice").await;
    let content = photo(800, 600);
    let media = gallery.announce(alice, content.len()).await;
    assert_eq!(gallery.stored(alice, media).await.state, MediaState::AwaitingUpload);
    gallery.upload(media, content).await;
    assert_eq!(gallery.work().await, 1);
    let stored = gallery.stored(alice, media).await;
    let MediaState::Ready(picture) = &stored.state else { panic!("{stored:?}") };
    assert_eq!((picture.width, picture.height, picture.blurhash.len()), (800, 600, 28));
    assert_eq!(gallery.objects(), served_of(&gallery, alice, media).await);
}

#[tokio::test]
async fn an_unusable_upload_is_rejected_with_its_reason() {
    let gallery = Gallery::open();
    let alice = gallery.user("alice").await;
    let html = Bytes::from_static(b"<!doctype html><html></html>");
    let longer = photo(8, 6);
    for (announced, content, reason) in [
        (html.len(), html.clone(), "an HTML page cannot be used; send a JPEG, PNG or WebP picture".to_owned()),
        (5, longer.clone(), format!("the file has {} bytes, but 5 were announced", longer.len())),
        (longer.len() - 9, longer.slice(..longer.len() - 9), "the file is damaged or incomplete".to_owned()),
    ] {
        let media = gallery.announce(alice, announced).await;
        gallery.upload(media, content).await;
        gallery.work().await;
        assert_eq!(gallery.stored(alice, media).await.state, MediaState::Rejected(reason));
        let refused = gallery.post(alice, &[media]).await.unwrap_err();
        assert!(matches!(refused, ServiceError::MediaNotReady { field: "media_ids" }), "{refused:?}");
    }
    assert_eq!(gallery.objects(), BTreeSet::new());
}

#[tokio::test]
async fn a_redelivered_message_changes_nothing() {
    let gallery = Gallery::open();
    let alice = gallery.user("alice").await;
    let media = gallery.picture(alice).await;
    let post = gallery.post(alice, &[media]).await.unwrap();
    let before = (gallery.stored(alice, media).await, gallery.objects());
    for _ in 0..2 {
        announce_upload(gallery.ports.queue.as_ref(), media).await.unwrap();
        // Also if the upload was removed by a handler that died afterwards.
        gallery.upload(media, photo(9, 9)).await;
    }
    assert_eq!(gallery.work().await, 4);
    assert_eq!((gallery.stored(alice, media).await, gallery.objects()), before);
    assert!(gallery.ports.posts().live(post).await.is_ok());
}

#[tokio::test]
async fn a_message_about_an_unknown_picture_removes_its_upload() {
    let gallery = Gallery::open();
    let media = MediaId::first_of(START);
    gallery.upload(media, photo(8, 6)).await;
    assert_eq!(gallery.work().await, 1);
    assert_eq!(gallery.objects(), BTreeSet::new());
}

/// A handler on ports whose process dies at a call.
fn mortal(ports: &Ports, calls: i64, death: Death) -> (Ports, Arc<Life>) {
    let life = Life::of(calls, death);
    let store = Arc::new(MortalStore::with(Arc::clone(&ports.store), Arc::clone(&life)));
    let blobs = Arc::new(MortalBlobs::with(Arc::clone(&ports.blobs), Arc::clone(&life)));
    (Ports { store, blobs, queue: Arc::clone(&ports.queue) }, life)
}

fn message(media: MediaId) -> ReceivedMessage {
    ReceivedMessage {
        message_id: "1".to_owned(),
        receipt: "1".to_owned(),
        body: UploadMessage::of(media).encode(),
        group: media.to_string(),
        receive_count: 1,
        sent_at: START,
    }
}

#[tokio::test]
async fn a_handler_that_dies_anywhere_leaves_the_picture_whole() {
    let mut deaths = 0;
    for death in [Death::Before, Death::After] {
        for calls in 0.. {
            let gallery = Gallery::open();
            let alice = gallery.user("alice").await;
            let content = photo(8, 6);
            let media = gallery.announce(alice, content.len()).await;
            gallery.upload(media, content).await;
            let (ports, life) = mortal(&gallery.ports, calls, death);
            let survived = life.live(ports.handler().handle(vec![message(media)])).await.is_some();
            let when = format!("{death:?} call {calls}");
            let served = served_of(&gallery, alice, media).await;
            if gallery.stored(alice, media).await.state.picture().is_some() {
                assert_eq!(gallery.served(), served, "{when}: announced as ready before its files are there");
            }
            gallery.work().await;
            let state = gallery.stored(alice, media).await.state;
            assert!(matches!(state, MediaState::Ready(_)), "{when}: {state:?}");
            assert_eq!(gallery.objects(), served, "{when}");
            if survived {
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths >= 16, "{deaths}");
}

#[tokio::test]
async fn a_full_disk_delays_a_picture() {
    let gallery = Gallery::open();
    let alice = gallery.user("alice").await;
    let content = photo(8, 6);
    let media = gallery.announce(alice, content.len()).await;
    gallery.store_upload(media, content).await;
    gallery.full.store(true, Ordering::SeqCst);
    let outcome = gallery.ports.handler().handle(vec![message(media)]).await;
    assert_eq!(outcome.failed, ["1"], "it is redelivered");
    assert_eq!(gallery.stored(alice, media).await.state, MediaState::Processing);
    gallery.full.store(false, Ordering::SeqCst);
    let outcome = gallery.ports.handler().handle(vec![message(media)]).await;
    assert_eq!(outcome.failed, Vec::<String>::new());
    assert_eq!(gallery.objects(), served_of(&gallery, alice, media).await);
}

#[tokio::test]
async fn an_abandoned_picture_leaves_no_object_and_no_item() {
    let mut gallery = Gallery::open();
    let alice = gallery.user("alice").await;
    let _never_uploaded = gallery.announce(alice, 5).await;
    let _unprocessed = gallery.picture(alice).await;
    let rejected = gallery.announce(alice, 5).await;
    gallery.upload(rejected, Bytes::from_static(b"hello")).await;
    gallery.work().await;
    gallery.clock.advance(limits::UNATTACHED_MEDIA_TTL.saturating_sub(Duration::from_millis(1)));
    gallery.sweep().await;
    assert!(gallery.media().get(alice, rejected).await.is_ok());
    assert_eq!(gallery.objects().len(), 3);
    gallery.clock.advance(Duration::from_millis(1));
    gallery.sweep().await;
    assert_eq!(gallery.objects(), BTreeSet::new());
    let gone = gallery.media().get(alice, rejected).await;
    assert!(matches!(gone, Err(ServiceError::NotFound)), "{gone:?}");
    everything_due_is_erased(&mut gallery).await;
    let left: Vec<_> =
        gallery.items().await.into_iter().filter(|(_, item)| is_about_media(&item.key.partition)).collect();
    assert_eq!(left, []);
}

fn is_about_media(partition: &str) -> bool {
    ["MEDIA#", "USERMEDIA#", "ERASURES#"].iter().any(|prefix| partition.starts_with(prefix))
}

#[tokio::test]
async fn a_handler_in_flight_at_the_erasure_leaves_no_file() {
    let mut gallery = Gallery::open();
    let alice = gallery.user("alice").await;
    let content = photo(8, 6);
    let media = gallery.announce(alice, content.len()).await;
    gallery.upload(media, content).await;
    let served = served_of(&gallery, alice, media).await;
    gallery.clock.advance(limits::UNATTACHED_MEDIA_TTL);
    gallery.sweep().await;
    // Its handler wrote a file after that, and died.
    let key = served.first().unwrap();
    let blob = Blob { body: photo(8, 6), content_type: "image/jpeg".to_owned() };
    gallery.ports.blobs.put(Bucket::Media, key, blob).await.unwrap();
    everything_due_is_erased(&mut gallery).await;
    assert_eq!(gallery.objects(), BTreeSet::new());
}

#[tokio::test]
async fn the_sweeper_finds_a_lost_upload() {
    let gallery = Gallery::open();
    let alice = gallery.user("alice").await;
    let content = photo(8, 6);
    let media = gallery.announce(alice, content.len()).await;
    gallery.store_upload(media, content).await;
    gallery.clock.advance(limits::LOST_UPLOAD_AFTER.saturating_sub(Duration::from_millis(1)));
    gallery.sweep().await;
    assert_eq!(gallery.work().await, 0);
    gallery.clock.advance(Duration::from_millis(1));
    gallery.sweep().await;
    assert_eq!(gallery.work().await, 1);
    assert!(gallery.stored(alice, media).await.state.picture().is_some());
}

#[tokio::test]
async fn pictures_that_are_shown_are_not_erased() {
    let mut gallery = Gallery::open();
    let alice = gallery.user("alice").await;
    let (posted, avatar) = (gallery.picture(alice).await, gallery.picture(alice).await);
    gallery.post(alice, &[posted]).await.unwrap();
    assert_eq!(edit(&gallery, alice, &set_avatar(avatar)).await.unwrap(), Some(avatar));
    everything_due_is_erased(&mut gallery).await;
    assert_eq!(gallery.served().len(), 6);
    assert_eq!(gallery.stored(alice, posted).await.state.picture().map(|picture| picture.width), Some(8));
}

#[tokio::test]
async fn a_post_shows_its_pictures_in_order() {
    let gallery = Gallery::open();
    let (alice, bob) = (gallery.user("alice").await, gallery.user("bob").await);
    let mut media = Vec::new();
    for _ in 0..limits::MAX_MEDIA_PER_POST {
        media.push(gallery.picture(alice).await);
    }
    media.reverse();
    let post = gallery.post(alice, &media).await.unwrap();
    let view = gallery.ports.posts().get(bob, post).await.unwrap();
    let shown: Vec<MediaId> = view.post.media.iter().map(|media| media.media_id).collect();
    assert_eq!(shown, media);
    assert_eq!(view.post.media[0].description.as_str(), "a crab");
    for id in media {
        assert_eq!(gallery.stored(bob, id).await.attached, Some(Attachment::Post(post)), "others see it from now on");
    }
}

#[tokio::test]
async fn foreign_and_unknown_pictures_are_refused_alike() {
    let gallery = Gallery::open();
    let (alice, bob) = (gallery.user("alice").await, gallery.user("bob").await);
    let (hers, his) = (gallery.picture(alice).await, gallery.picture(bob).await);
    for foreign in [hers, MediaId::first_of(START)] {
        let refused = gallery.post(bob, &[his, foreign]).await.unwrap_err();
        assert!(
            matches!(refused, ServiceError::Invalid { field: "media_ids", message: "must be your own media" }),
            "{refused:?}"
        );
        let refused = edit(&gallery, bob, &set_avatar(foreign)).await.unwrap_err();
        assert!(matches!(refused, ServiceError::Invalid { field: "avatar_media_id", .. }), "{refused:?}");
        let hidden = gallery.media().get(bob, foreign).await.unwrap_err();
        assert!(matches!(hidden, ServiceError::NotFound), "{hidden:?}");
    }
    assert_eq!(gallery.stored(bob, his).await.attached, None);
}

#[tokio::test]
async fn a_picture_is_shown_in_one_place_only() {
    let gallery = Gallery::open();
    let alice = gallery.user("alice").await;
    let (media, other) = (gallery.picture(alice).await, gallery.picture(alice).await);
    let waiting = gallery.announce(alice, 5).await;
    let not_ready = gallery.post(alice, &[other, waiting]).await.unwrap_err();
    assert!(matches!(not_ready, ServiceError::MediaNotReady { .. }), "{not_ready:?}");
    gallery.post(alice, &[media]).await.unwrap();
    for refused in [
        gallery.post(alice, &[other, media]).await.unwrap_err(),
        edit(&gallery, alice, &set_avatar(media)).await.unwrap_err(),
    ] {
        assert!(matches!(refused, ServiceError::MediaInUse { .. }), "{refused:?}");
    }
    // A refused request has attached nothing.
    gallery.post(alice, &[other]).await.unwrap();
}

#[tokio::test]
async fn of_two_posts_at_once_one_gets_the_picture() {
    let gallery = Gallery::open();
    let alice = gallery.user("alice").await;
    for _ in 0..10 {
        let media = [gallery.picture(alice).await];
        let (first, second) = tokio::join!(gallery.post(alice, &media), gallery.post(alice, &media));
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        let refused = first.err().or(second.err()).unwrap();
        assert!(matches!(refused, ServiceError::MediaInUse { .. }), "{refused:?}");
    }
}

#[tokio::test]
async fn a_repeated_request_returns_the_post_with_its_pictures() {
    let gallery = Gallery::open();
    let alice = gallery.user("alice").await;
    let (first, second) = (gallery.picture(alice).await, gallery.picture(alice).await);
    let key = IdempotencyKey::parse("k-1").unwrap();
    let publish = async |new: NewPost| gallery.publishing().publish(alice, new, Some(&key), START).await;
    let post = publish(caption("two", &[first, second])).await.unwrap();
    let again = publish(caption("two", &[first, second])).await.unwrap();
    assert_eq!(again, post);
    for other in
        [caption("two", &[second, first]), caption("two", &[first]), caption("two", &[]), caption("2", &[first])]
    {
        let refused = publish(other).await.unwrap_err();
        assert!(matches!(refused, ServiceError::Invalid { field: "Idempotency-Key", .. }), "{refused:?}");
    }
}

#[tokio::test]
async fn a_description_is_final_once_posted() {
    let gallery = Gallery::open();
    let (alice, bob) = (gallery.user("alice").await, gallery.user("bob").await);
    let media = gallery.picture(alice).await;
    let describe = async |user, text: &str| {
        let description = MediaDescription::parse(text).unwrap();
        gallery.media().describe(user, media, description, START).await
    };
    assert!(matches!(describe(bob, "mine").await, Err(ServiceError::NotFound)));
    assert_eq!(describe(alice, "two crabs").await.unwrap().description.as_str(), "two crabs");
    let post = gallery.post(alice, &[media]).await.unwrap();
    let shown = gallery.ports.posts().get(bob, post).await.unwrap().post.media;
    assert_eq!(shown[0].description.as_str(), "two crabs");
    let refused = describe(alice, "three crabs").await;
    assert!(matches!(refused, Err(ServiceError::MediaInUse { field: "description" })), "{refused:?}");
    assert!(matches!(describe(bob, "mine").await, Err(ServiceError::Forbidden)));
}

#[tokio::test]
async fn a_replaced_avatar_is_erased_a_day_later() {
    let mut gallery = Gallery::open();
    let alice = gallery.user("alice").await;
    let (first, second) = (gallery.picture(alice).await, gallery.picture(alice).await);
    for _ in 0..2 {
        assert_eq!(edit(&gallery, alice, &set_avatar(first)).await.unwrap(), Some(first));
    }
    gallery.clock.advance(limits::UNATTACHED_MEDIA_TTL.saturating_sub(Duration::from_mins(1)));
    assert_eq!(edit(&gallery, alice, &set_avatar(second)).await.unwrap(), Some(second));
    gallery.clock.advance(limits::UNATTACHED_MEDIA_TTL.saturating_sub(Duration::from_mins(1)));
    gallery.sweep().await;
    assert_eq!(edit(&gallery, alice, &set_avatar(first)).await.unwrap(), Some(first), "it can be used again");
    everything_due_is_erased(&mut gallery).await;
    assert_eq!(gallery.served(), served_of(&gallery, alice, first).await);
    let remove = ProfileEdit { avatar: AvatarEdit::Remove, ..ProfileEdit::default() };
    assert_eq!(edit(&gallery, alice, &remove).await.unwrap(), None);
    everything_due_is_erased(&mut gallery).await;
    assert_eq!(gallery.objects(), BTreeSet::new());
}

#[tokio::test]
async fn a_deleted_post_takes_its_pictures_along() {
    let mut gallery = Gallery::open();
    let alice = gallery.user("alice").await;
    let media = gallery.picture(alice).await;
    let post = gallery.post(alice, &[media]).await.unwrap();
    let served = served_of(&gallery, alice, media).await;
    for _ in 0..2 {
        gallery.ports.posts().delete(alice, post, gallery.clock.now()).await.unwrap();
        gallery.stream().await;
        assert_eq!(gallery.served(), BTreeSet::new());
        assert_eq!(gallery.objects().len(), 3, "they are kept for a restoration");
        gallery.ports.posts().restore(post, gallery.clock.now()).await.unwrap();
        gallery.stream().await;
        assert_eq!(gallery.served(), served);
    }
    // Old changes arrive once more, after the ledger forgot them: the state of the post decides.
    gallery.clock.advance(limits::LEDGER_TTL * 2);
    let old = gallery.delivered.clone();
    gallery.apply(&old).await;
    assert_eq!(gallery.served(), served);
    gallery.ports.posts().delete(alice, post, gallery.clock.now()).await.unwrap();
    gallery.stream().await;
    gallery.clock.advance(limits::DELETED_TTL);
    everything_due_is_erased(&mut gallery).await;
    assert_eq!(gallery.objects(), BTreeSet::new());
    assert!(!gallery.items().await.iter().any(|(_, item)| is_about_media(&item.key.partition)));
}

#[tokio::test]
async fn a_withholding_that_dies_anywhere_loses_no_picture() {
    let mut deaths = 0;
    for death in [Death::Before, Death::After] {
        for calls in 0.. {
            let mut gallery = Gallery::open();
            let alice = gallery.user("alice").await;
            let media = gallery.picture(alice).await;
            let post = gallery.post(alice, &[media]).await.unwrap();
            let served = served_of(&gallery, alice, media).await;
            gallery.stream().await;
            gallery.ports.posts().delete(alice, post, START).await.unwrap();
            let changes = gallery.changing.take_changes();
            let (ports, life) = mortal(&gallery.ports, calls, death);
            let survived = life.live(gallery.changes_on(&ports).apply(&changes, START)).await.is_some();
            let when = format!("{death:?} call {calls}");
            gallery.apply(&changes).await;
            gallery.stream().await;
            assert_eq!(gallery.served(), BTreeSet::new(), "{when}");
            gallery.ports.posts().restore(post, START).await.unwrap();
            gallery.stream().await;
            assert_eq!(gallery.served(), served, "{when}");
            if survived {
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths >= 16, "{deaths}");
}

#[tokio::test]
async fn a_deleted_account_leaves_no_picture() {
    let mut gallery = Gallery::open();
    let alice = gallery.user("alice").await;
    let (posted, deleted, avatar) =
        (gallery.picture(alice).await, gallery.picture(alice).await, gallery.picture(alice).await);
    gallery.post(alice, &[posted]).await.unwrap();
    let post = gallery.post(alice, &[deleted]).await.unwrap();
    gallery.ports.posts().delete(alice, post, START).await.unwrap();
    edit(&gallery, alice, &set_avatar(avatar)).await.unwrap();
    let waiting = gallery.announce(alice, 5).await;
    gallery.store_upload(waiting, Bytes::from_static(b"hello")).await;
    gallery.stream().await;
    assert_eq!(gallery.objects().len(), 3 * 3 + 1);
    gallery.delete_account(alice).await;
    gallery.sweep().await;
    gallery.stream().await;
    assert_eq!(gallery.objects(), BTreeSet::new());
    let names_her = |item: &ports::store::Item| format!("{item:?}").contains(&alice.to_string());
    let about = gallery.items().await.into_iter().filter(|(_, item)| is_about_media(&item.key.partition));
    let named: Vec<_> =
        about.filter(|(_, item)| !item.key.partition.starts_with("ERASURES") && names_her(item)).collect();
    assert_eq!(named, []);
    // Redelivered changes and late handlers bring nothing back.
    let old = gallery.delivered.clone();
    gallery.apply(&old).await;
    announce_upload(gallery.ports.queue.as_ref(), waiting).await.unwrap();
    everything_due_is_erased(&mut gallery).await;
    gallery.clock.advance(limits::ERASURE_PASSES[3]);
    everything_due_is_erased(&mut gallery).await;
    assert_eq!(gallery.objects(), BTreeSet::new());
    assert!(!gallery.items().await.iter().any(|(_, item)| is_about_media(&item.key.partition)));
}

#[tokio::test]
async fn an_eraser_that_dies_anywhere_leaves_no_object() {
    let mut deaths = 0;
    for death in [Death::Before, Death::After] {
        for calls in 0.. {
            let mut gallery = Gallery::open();
            let alice = gallery.user("alice").await;
            let _abandoned = gallery.picture(alice).await;
            gallery.clock.advance(limits::UNATTACHED_MEDIA_TTL);
            let (ports, life) = mortal(&gallery.ports, calls, death);
            let deadline = Instant::now() + Duration::from_mins(1);
            let run = ports.erasure();
            let survived = life.live(run.run_due(gallery.clock.now(), deadline)).await.is_some();
            everything_due_is_erased(&mut gallery).await;
            let when = format!("{death:?} call {calls}");
            assert_eq!(gallery.objects(), BTreeSet::new(), "{when}");
            assert!(!gallery.items().await.iter().any(|(_, item)| is_about_media(&item.key.partition)), "{when}");
            if survived {
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths >= 10, "{deaths}");
}

#[tokio::test]
async fn an_export_lists_pictures_with_their_place() {
    let gallery = Gallery::open();
    let alice = gallery.user("alice").await;
    let (posted, waiting) = (gallery.picture(alice).await, gallery.announce(alice, 5).await);
    let post = gallery.post(alice, &[posted]).await.unwrap();
    let limit = PageLimit::new(100).unwrap();
    let page = gallery.export().page(alice, &UserRef::Me, None, limit, START).await.unwrap();
    let media = page.items.iter().filter_map(|item| match item {
        ExportItem::Media(media) => Some((media.media_id, media.attached)),
        _ => None,
    });
    assert_eq!(media.collect::<Vec<_>>(), [(posted, Some(Attachment::Post(post))), (waiting, None)]);
}

#[tokio::test]
async fn an_unreadable_message_is_poison() {
    let gallery = Gallery::open();
    let body = r#"{"Records":[{"s3":{"object":{"key":"media/x"}}}]}"#.to_owned();
    let outgoing = OutgoingMessage { body, group: "g".to_owned(), delay: Duration::ZERO };
    gallery.ports.queue.send(QueueName::MediaQ, vec![outgoing]).await.unwrap();
    let batch = gallery.ports.queue.receive(QueueName::MediaQ, 10, Duration::ZERO, None).await.unwrap();
    let id = batch[0].message_id.clone();
    assert_eq!(gallery.ports.handler().handle(batch).await.failed, [id]);
}

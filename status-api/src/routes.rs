//! The routes of this crate.

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    auth, comments, events, export, feed, follows, health, likes, media, notifications, openapi, password, posts,
    sessions, state::ApiState, users,
};

/// The endpoints of this crate with their descriptions.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::default()
        .merge(auth::routes())
        .routes(routes!(users::profile, users::edit_profile, users::delete_account))
        .routes(routes!(password::change_password))
        .routes(routes!(sessions::sessions))
        .routes(routes!(sessions::end_session))
        .routes(routes!(export::export))
        .routes(routes!(follows::follow, follows::unfollow))
        .routes(routes!(follows::followers))
        .routes(routes!(follows::following))
        .routes(routes!(posts::post, posts::delete_post))
        .routes(routes!(posts::story))
        .routes(routes!(feed::feed))
        .routes(routes!(media::announce_media))
        .routes(routes!(media::media, media::describe_media))
        .routes(routes!(notifications::notifications))
        .routes(routes!(notifications::mark_read))
        .routes(routes!(events::events))
        .routes(routes!(likes::like, likes::unlike))
        .routes(routes!(likes::likes))
        .routes(routes!(comments::create_comment, comments::comments))
        .routes(routes!(comments::delete_comment))
        .routes(routes!(health::health))
        .routes(routes!(openapi::openapi))
}

//! `GET`, `PATCH` and `DELETE /v1/users/{user}`

use axum::{Json, extract::State};
use domain::{Bio, DisplayName, MediaId, Password};
use http::StatusCode;
use http_api::{
    ApiJson, Caller, Client, FieldErrors, PathUser, Problem,
    body::present,
    openapi::{
        BodyProblems, CommonProblems, MediaProblems, OwnerProblems, PathProblems, RateProblems, TokenProblems,
        UserParam,
    },
    responses::{ProfileShape, Shown as _},
    texts,
};
use serde::{Deserialize, Deserializer};
use service::accounts::{AvatarEdit, LoginOrigin, ProfileEdit};
use utoipa::{
    ToSchema,
    openapi::{
        KnownFormat, SchemaFormat,
        schema::{Object, ObjectBuilder, SchemaType, Type},
    },
};
use uuid::Uuid;

use crate::state::ApiState;

/// Changes to a profile. Absent fields keep their values.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditProfileRequest {
    #[serde(default, deserialize_with = "present")]
    #[schema(schema_with = texts::display_name, required = false)]
    display_name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(schema_with = texts::bio, required = false)]
    bio: Option<String>,
    #[serde(default, deserialize_with = "avatar_edit")]
    #[schema(schema_with = avatar, required = false)]
    avatar_media_id: AvatarEdit,
}

/// The id of a picture, or null.
fn avatar() -> Object {
    let description = "The picture of the profile: the caller's own, `ready`, and in no other place. Null removes it.";
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
        .description(Some(description))
        .build()
}

fn avatar_edit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AvatarEdit, D::Error> {
    let id = Option::<Uuid>::deserialize(deserializer)?;
    Ok(id.map_or(AvatarEdit::Remove, |id| AvatarEdit::Set(MediaId::from_uuid(id))))
}

impl EditProfileRequest {
    fn validate(&self) -> Result<ProfileEdit, Problem> {
        let mut errors = FieldErrors::new();
        let display_name =
            errors.take("display_name", self.display_name.as_deref().map(DisplayName::parse).transpose());
        let bio = errors.take("bio", self.bio.as_deref().map(Bio::parse).transpose());
        let avatar = self.avatar_media_id;
        errors.finish(display_name.zip(bio).map(|(display_name, bio)| ProfileEdit { display_name, bio, avatar }))
    }
}

/// Read a profile
///
/// The caller's own profile includes the e-mail address; another user's says whether either follows the
/// other.
#[utoipa::path(
    get,
    path = "/v1/users/{user}",
    tag = "accounts",
    security(("bearer" = [])),
    params(UserParam),
    responses(
        (status = 200, description = "The profile", body = ProfileShape),
        TokenProblems, PathProblems, CommonProblems,
    ),
)]
pub async fn profile(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    PathUser(user): PathUser,
) -> Result<Json<ProfileShape>, Problem> {
    let profile = api.accounts.profile(caller, &user).await?;
    Ok(Json(ProfileShape::shown(profile, &api.media_urls)))
}

/// Edit the caller's profile
///
/// `{user}` must be `me`: users edit only their own profile. Limited to 600 requests an hour.
#[utoipa::path(
    patch,
    path = "/v1/users/{user}",
    tag = "accounts",
    security(("bearer" = [])),
    params(UserParam),
    request_body = EditProfileRequest,
    responses(
        (status = 200, description = "The updated profile", body = ProfileShape),
        TokenProblems, BodyProblems, MediaProblems, OwnerProblems, PathProblems, RateProblems, CommonProblems,
    ),
)]
pub async fn edit_profile(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    PathUser(user): PathUser,
    ApiJson(request): ApiJson<EditProfileRequest>,
) -> Result<Json<ProfileShape>, Problem> {
    let edit = request.validate()?;
    let profile = api.accounts.edit_profile(caller, &user, &edit, api.clock.now()).await?;
    Ok(Json(ProfileShape::shown(profile, &api.media_urls)))
}

/// Confirmation of an account's deletion.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteAccountRequest {
    /// The account's password.
    #[schema(min_length = 8, max_length = 128, example = "correct horse battery staple")]
    password: String,
}

impl DeleteAccountRequest {
    fn validate(&self) -> Result<Password, Problem> {
        let mut errors = FieldErrors::new();
        let password = errors.take("password", Password::parse(&self.password));
        errors.finish(password)
    }
}

/// Delete the caller's account
///
/// `{user}` must be `me`. The account's tokens stop working, its content is hidden from everyone at once, and a
/// background job erases it for good. The handle stays reserved for 90 days. A wrong password is a 403 with type
/// `/problems/wrong-password` and counts as a failed login.
#[utoipa::path(
    delete,
    path = "/v1/users/{user}",
    tag = "accounts",
    security(("bearer" = [])),
    params(UserParam),
    request_body = DeleteAccountRequest,
    responses(
        (status = 202, description = "The account is deleted"),
        TokenProblems, BodyProblems, OwnerProblems, PathProblems, RateProblems, CommonProblems,
    ),
)]
pub async fn delete_account(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    Client(network): Client,
    PathUser(user): PathUser,
    ApiJson(request): ApiJson<DeleteAccountRequest>,
) -> Result<StatusCode, Problem> {
    let password = request.validate()?;
    let origin = LoginOrigin { network, user_agent: None };
    api.accounts.delete(caller, &user, password, origin, api.clock.now()).await?;
    Ok(StatusCode::ACCEPTED)
}

//! Users of the use cases.

use serde_json::{Value, json};

use super::super::deployment::Deployment;

pub const PASSWORD: &str = "correct horse battery staple";

/// A user with a session.
pub struct Person {
    pub id: String,
    pub access: String,
    pub refresh: String,
}

impl Person {
    pub async fn register(api: &Deployment, handle: &str) -> Self {
        let session = api.ask("POST /v1/auth/register").sends(registration(handle)).gets(201).await;
        Self {
            id: text(&session["user"]["user_id"]),
            access: text(&session["access_token"]),
            refresh: text(&session["refresh_token"]),
        }
    }
}

pub fn registration(handle: &str) -> Value {
    json!({"handle": handle, "email": format!("{handle}@example.org"), "password": PASSWORD})
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

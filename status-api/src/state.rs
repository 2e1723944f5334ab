//! The state that the endpoints share.

use std::{ops::Deref, sync::Arc};

use axum::extract::FromRef;
use bytes::Bytes;
use http_api::Authentication;
use ports::changes::ChangeLog;
use service::Services;

use crate::probe::Health;

/// The services that the endpoints call, as the router's state.
#[derive(Debug, Clone)]
pub struct ApiState(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    services: Services,
    authentication: Authentication,
    health: Health,
    document: Bytes,
}

impl ApiState {
    /// `changes` is the change log if this process reads it: its backlog is then part of health. `document` is the
    /// OpenAPI document.
    pub(crate) fn new(services: Services, changes: Option<Arc<dyn ChangeLog>>, document: Bytes) -> Self {
        Self(Arc::new(Inner {
            authentication: Authentication::of(&services),
            health: Health::new(Arc::clone(&services.store), changes, services.clock.clone()),
            document,
            services,
        }))
    }

    pub(crate) fn health(&self) -> &Health {
        &self.0.health
    }

    pub(crate) fn document(&self) -> Bytes {
        self.0.document.clone()
    }
}

impl Deref for ApiState {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.0.services
    }
}

impl FromRef<ApiState> for Authentication {
    fn from_ref(state: &ApiState) -> Self {
        state.0.authentication.clone()
    }
}
